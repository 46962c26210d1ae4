//! Registrations: a node, alone or with one of its services or checks (`hashicorp/consul:agent/structs/structs.go`,
//! `RegisterRequest`, `HealthCheck`). What is known of a node stands in the record of each of its parts, too.

use std::collections::BTreeMap;

use super::identity::{CHECK, SERVICE, lower_case};
use super::service::Service;
use crate::msgpack::{Cursor, Error};
use crate::state::Product;
use crate::state::id::SEPARATOR;
use crate::state::structure::{self, Field, Fields, Opaque, Part, structure};

structure! { Consul:
    /// A node. Decoded from the bytes of any registration, it is the node that the registration is of; encoded over
    /// them, it takes that node's place.
    pub struct Node {
        /// Where it is reached.
        pub address: String = "Address",
        /// The index at which it was registered.
        pub create_index: u64 = "CreateIndex",
        /// Where it stands.
        pub datacenter: String = "Datacenter",
        /// A UUID, or empty.
        pub id: String = "ID",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// Its name. Genuine servers find nodes whatever their case.
        pub node: String = "Node",
        /// What its owner says about it.
        pub meta: Option<BTreeMap<String, String>> = "NodeMeta",
        /// The peer it was imported from, or empty.
        pub peer_name: String = "PeerName",
        /// Addresses for other networks, by their names.
        pub tagged_addresses: Option<BTreeMap<String, String>> = "TaggedAddresses",
    }

    /// The health of a node, or of one of its services, in one respect.
    pub struct Check {
        /// Unique on its node.
        pub check_id: String = "CheckID",
        /// The index at which it was registered.
        pub create_index: u64 = "CreateIndex",
        /// How it is carried out.
        pub definition: Definition = "Definition",
        /// The port on which a proxy exposes its path.
        pub exposed_port: i64 = "ExposedPort",
        /// How often it is carried out, such as `10s`.
        pub interval: String = "Interval",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// What people call it.
        pub name: String = "Name",
        /// Its node.
        pub node: String = "Node",
        /// Words for people.
        pub notes: String = "Notes",
        /// What it said last.
        pub output: String = "Output",
        /// The peer it was imported from, or empty.
        pub peer_name: String = "PeerName",
        /// The service it is about, or empty.
        pub service_id: String = "ServiceID",
        /// The name of that service.
        pub service_name: String = "ServiceName",
        /// The tags of that service.
        pub service_tags: Option<Vec<String>> = "ServiceTags",
        /// `passing`, `warning` or `critical`.
        pub status: String = "Status",
        /// How long it may take, such as `1s`.
        pub timeout: String = "Timeout",
        /// Such as `http` or `ttl`.
        pub kind: String = "Type",
    }

    /// How a check is carried out. Durations are nanoseconds.
    pub struct Definition {
        /// The node whose health it repeats.
        pub alias_node: String = "AliasNode",
        /// The service whose health it repeats.
        pub alias_service: String = "AliasService",
        /// What a request carries.
        pub body: String = "Body",
        /// After this long in critical state its service is deregistered.
        pub deregister_critical_service_after_ns: i64 = "DeregisterCriticalServiceAfter",
        /// Whether redirects are not followed.
        pub disable_redirects: bool = "DisableRedirects",
        /// The container it runs in.
        pub docker_container_id: String = "DockerContainerID",
        /// An address that speaks gRPC.
        pub grpc: String = "GRPC",
        /// Whether gRPC uses TLS.
        pub grpc_use_tls: bool = "GRPCUseTLS",
        /// An address that speaks HTTP/2.
        pub h2_ping: String = "H2PING",
        /// Whether HTTP/2 uses TLS.
        pub h2_ping_use_tls: bool = "H2PingUseTLS",
        /// A URL.
        pub http: String = "HTTP",
        /// Headers of a request.
        pub header: Option<BTreeMap<String, Option<Vec<String>>>> = "Header",
        /// How often.
        pub interval_ns: i64 = "Interval",
        /// The method of a request.
        pub method: String = "Method",
        /// A service of the operating system.
        pub os_service: String = "OSService",
        /// Output beyond this many bytes is cut off.
        pub output_max_size: u64 = "OutputMaxSize",
        /// A command.
        pub script_args: Option<Vec<String>> = "ScriptArgs",
        /// The name of a session, whose life it follows.
        pub session_name: String = "SessionName",
        /// The shell it runs in.
        pub shell: String = "Shell",
        /// An address that accepts connections.
        pub tcp: String = "TCP",
        /// Whether the connection uses TLS.
        pub tcp_use_tls: bool = "TCPUseTLS",
        /// The name that a certificate must bear.
        pub tls_server_name: String = "TLSServerName",
        /// Whether certificates are not verified.
        pub tls_skip_verify: bool = "TLSSkipVerify",
        /// How soon it must be told again that all is well.
        pub ttl_ns: i64 = "TTL",
        /// How long it may take.
        pub timeout_ns: i64 = "Timeout",
        /// An address that takes datagrams.
        pub udp: String = "UDP",
    }
}

/// The content of a `Register` record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// The node.
    pub node: Node,
    /// The service it is about.
    pub service: Option<Service>,
    /// The check it is about. Old archives can hold one beside a service.
    pub check: Option<Check>,
    // The rest are fields of requests, which a server's state has no use for.
    checks: Opaque,
    /// Genuine servers lose it here.
    locality: Opaque,
    skip_node_update: bool,
    token: String,
}

impl Registration {
    /// A node alone.
    pub fn of_node(node: Node) -> Registration {
        Registration { node, ..Registration::default() }
    }

    /// A service of a node.
    pub fn of_service(node: Node, service: Service) -> Registration {
        Registration { service: Some(service), ..Registration::of_node(node) }
    }

    /// A check of a node.
    pub fn of_check(node: Node, check: Check) -> Registration {
        Registration { check: Some(check), ..Registration::of_node(node) }
    }

    /// Decodes the value of a `Register` record.
    pub fn decode(bytes: &[u8]) -> Result<Registration, Error> {
        structure::decode(bytes)
    }

    /// Encodes the value of a `Register` record as the community edition does.
    pub fn encode(&self) -> Vec<u8> {
        structure::encode(self, None)
    }

    /// Encodes the value in place of an older one: what means the same keeps its bytes, and fields we don't
    /// know stay.
    pub fn encode_over(&self, before: &[u8]) -> Vec<u8> {
        structure::encode(self, Some(before))
    }
}

impl Fields for Registration {
    const PRODUCT: Product = Product::Consul;

    fn take(&mut self, name: &[u8], value: &mut Cursor<'_>) -> Result<bool, Error> {
        match name {
            b"Service" => self.service = Field::decode(value)?,
            b"Check" => self.check = Field::decode(value)?,
            b"Checks" => self.checks = Field::decode(value)?,
            b"Locality" => self.locality = Field::decode(value)?,
            b"SkipNodeUpdate" => self.skip_node_update = Field::decode(value)?,
            b"Token" => self.token = Field::decode(value)?,
            name => return self.node.take(name, value),
        }
        Ok(true)
    }

    fn each<'a>(&'a self, show: &mut dyn FnMut(&'static str, &'a dyn Part)) {
        self.node.each(show);
        show("Service", &self.service);
        show("Check", &self.check);
        show("Checks", &self.checks);
        show("Locality", &self.locality);
        show("SkipNodeUpdate", &self.skip_node_update);
        show("Token", &self.token);
    }
}

impl Node {
    /// The id of its record; see [`super::identity`].
    pub fn record_id(name: &str) -> Vec<u8> {
        [&[SEPARATOR], &lower_case(name.as_bytes())[..]].concat()
    }
}

impl Service {
    /// What the ids of all services of a node begin with; the service's own id follows.
    pub fn record_prefix(node: &str) -> Vec<u8> {
        part_prefix(node, SERVICE)
    }
}

impl Check {
    /// What the ids of all checks of a node begin with; the check's own id follows.
    pub fn record_prefix(node: &str) -> Vec<u8> {
        part_prefix(node, CHECK)
    }
}

fn part_prefix(node: &str, marker: &[u8]) -> Vec<u8> {
    [&Node::record_id(node)[..], &[SEPARATOR], marker, &[SEPARATOR]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consul::{identity, kinds};
    use crate::msgpack::{Encoder, Value};

    fn node() -> Node {
        Node { node: "Foo".into(), address: "10.0.0.1".into(), create_index: 3, ..Node::default() }
    }

    fn names(value: &Value<'_>) -> Vec<String> {
        let entries = value.as_map().expect("a map");
        entries.iter().map(|(name, _)| name.as_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn every_field_is_written_keys_sorted() {
        let bytes = Registration::of_node(node()).encode();
        let value = Value::decode(&bytes).unwrap();
        let expected = [
            "Address",
            "Check",
            "Checks",
            "CreateIndex",
            "Datacenter",
            "ID",
            "Locality",
            "ModifyIndex",
            "Node",
            "NodeMeta",
            "PeerName",
            "Service",
            "SkipNodeUpdate",
            "TaggedAddresses",
            "Token",
        ];
        assert_eq!(names(&value), expected);
    }

    #[test]
    fn what_is_not_known_survives_a_change() {
        let mut old = Encoder::new();
        old.map(4).raw("Zone").uint(7).raw("Node").raw("Foo").raw("Address").raw("old");
        old.raw("Service").map(2).raw("Later").raw("x").raw("ID").raw("web");
        let old = old.into_bytes();
        let mut registration = Registration::decode(&old).unwrap();
        registration.service.as_mut().unwrap().port = 80;
        let new = registration.encode_over(&old);
        let value = Value::decode(&new).unwrap();
        assert_eq!(value.get("Zone").and_then(Value::as_u64), Some(7));
        let service = value.get("Service").unwrap();
        assert_eq!(service.get("Later").and_then(Value::as_str), Some("x"));
        assert_eq!(service.get("Port").and_then(Value::as_u64), Some(80));
        assert_eq!(Registration::decode(&new).unwrap(), registration);
    }

    #[test]
    fn what_does_not_change_keeps_its_bytes() {
        let mut config = Encoder::new();
        config.map(2).raw("b").uint(2).raw("a").uint(1);
        let config = config.into_bytes();
        let mut service = Service { id: "web".into(), ..Service::default() };
        service.proxy.config = Opaque::new(config.clone()).unwrap();
        let old = Registration::of_service(node(), service.clone()).encode();

        let mut sorted = Encoder::new();
        sorted.map(2).raw("a").uint(1).raw("b").uint(2);
        service.proxy.config = Opaque::new(sorted.into_bytes()).unwrap();
        assert_eq!(Registration::of_service(node(), service.clone()).encode_over(&old), old);

        let moved = Node { address: "10.0.0.2".into(), ..node() };
        let new = moved.encode_over(&old);
        let registration = Registration::decode(&new).unwrap();
        assert_eq!((registration.node, registration.service), (moved, Some(service)));
        assert!(new.windows(config.len()).any(|part| part == config));
    }

    #[test]
    fn output_that_is_no_text_is_shown_and_kept() {
        let mut old = Encoder::new();
        old.map(2)
            .raw("Node")
            .raw("Foo")
            .raw("Check")
            .map(2)
            .raw("Output")
            .raw(b"a\xff")
            .raw("CheckID")
            .raw("c");
        let old = old.into_bytes();
        let mut registration = Registration::decode(&old).unwrap();
        assert_eq!(registration.check.as_ref().unwrap().output, "a\u{fffd}");
        registration.check.as_mut().unwrap().status = "passing".into();
        let new = registration.encode_over(&old);
        assert!(new.windows(2).any(|part| part == b"a\xff"));
    }

    #[test]
    fn ids_are_those_by_which_records_are_told_apart() {
        let id = |registration: Registration| identity(kinds::REGISTER, &registration.encode()).unwrap().id;
        let service = Service { id: "Web".into(), ..Service::default() };
        let check = Check { check_id: "Alive".into(), ..Check::default() };
        assert_eq!(id(Registration::of_node(node())), Node::record_id("FOO"));
        let expected = [&Service::record_prefix("FOO")[..], b"Web"].concat();
        assert_eq!(id(Registration::of_service(node(), service)), expected);
        let expected = [&Check::record_prefix("FOO")[..], b"Alive"].concat();
        assert_eq!(id(Registration::of_check(node(), check)), expected);
    }
}
