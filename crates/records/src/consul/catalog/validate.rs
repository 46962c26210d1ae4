//! What must be right about a registration before any state is looked at, and what is filled in.
//!
//! Follows `hashicorp/consul:agent/consul/{catalog,txn}_endpoint.go`, `hashicorp/consul:agent/structs/structs.go`
//! (`Validate`, `ValidateServiceMetadata`) and `hashicorp/consul:agent/structs/check_type.go`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use archive::consul::{Check, Definition, Node, Service};

use super::ops::{CheckOp, Deregister, NodeOp, Register, ServiceOp, Verb};
use super::refusal::Refusal;

const META_PAIRS_MAX: usize = 64;
const META_KEY_BYTES_MAX: usize = 128;
const META_VALUE_BYTES_MAX: usize = 512;
const META_RESERVED: &str = "consul-";

/// The one reserved key that a mesh gateway may bear.
const META_OF_MESH_GATEWAYS: &str = "consul-wan-federation";

impl Register {
    /// Fills in what may be left out; refuses what no state could make right.
    pub(in crate::consul) fn settle(mut self) -> Result<Register, Refusal> {
        let of_peer = |name: &String| !name.is_empty();
        let mut peers = self.checks.iter().map(|check| &check.peer_name);
        if of_peer(&self.node.peer_name)
            || self.service.as_ref().is_some_and(|service| of_peer(&service.peer_name))
            || peers.any(of_peer)
        {
            return Err(Refusal::Peer);
        }
        check_node(&self.node)?;
        if self.node.address.is_empty() && !self.skip_node_update {
            return Err(Refusal::NoAddress);
        }
        if let Some(service) = &mut self.service {
            settle_service(service)?;
        }
        for check in &mut self.checks {
            if check.node.is_empty() {
                check.node.clone_from(&self.node.node);
            }
            settle_check(check);
            if check.kind.is_empty() {
                check.kind = kind(&check.definition).to_owned();
            }
        }
        Ok(self)
    }
}

impl Deregister {
    /// Refuses what no state could make right.
    pub(in crate::consul) fn check(&self) -> Result<(), Refusal> {
        if self.node.is_empty() { Err(Refusal::NoNode) } else { Ok(()) }
    }
}

impl NodeOp {
    /// Refuses what no state could make right.
    pub(in crate::consul) fn check(&self) -> Result<(), Refusal> {
        match self.verb {
            Verb::Get => Ok(()),
            _ => check_node(&self.node),
        }
    }
}

impl ServiceOp {
    /// Fills in what may be left out; refuses what no state could make right.
    pub(in crate::consul) fn settle(&mut self) -> Result<(), Refusal> {
        match self.verb {
            Verb::Get => Ok(()),
            _ => settle_service(&mut self.service),
        }
    }
}

impl CheckOp {
    /// Fills in what may be left out.
    pub(in crate::consul) fn settle(&mut self) {
        if self.verb != Verb::Get {
            settle_check(&mut self.check);
        }
    }
}

fn check_node(node: &Node) -> Result<(), Refusal> {
    if node.node.is_empty() {
        return Err(Refusal::NoNode);
    }
    match uuid_fault(&node.id) {
        Some(fault) if !node.id.is_empty() => Err(Refusal::BadNodeId(fault)),
        _ => Ok(()),
    }
}

/// What is wrong with a UUID, in the words of `hashicorp/go-uuid:uuid.go`.
fn uuid_fault(uuid: &str) -> Option<String> {
    let bytes = uuid.as_bytes();
    if bytes.len() != 36 {
        return Some("uuid string is wrong length".into());
    }
    if [8, 13, 18, 23].iter().any(|at| bytes[*at] != b'-') {
        return Some("uuid is improperly formatted".into());
    }
    let digits = (0..36).filter(|at| ![8, 13, 18, 23].contains(at)).map(|at| bytes[at]);
    let wrong = digits.into_iter().find(|digit| !digit.is_ascii_hexdigit())?;
    Some(match wrong {
        0x20..=0x7e => format!("encoding/hex: invalid byte: U+{wrong:04X} {:?}", char::from(wrong)),
        _ => format!("encoding/hex: invalid byte: U+{wrong:04X}"),
    })
}

fn settle_service(service: &mut Service) -> Result<(), Refusal> {
    let faults = definition_faults(service);
    if !faults.is_empty() {
        return Err(Refusal::Definition(listed(&faults)));
    }
    if service.id.is_empty() {
        service.id.clone_from(&service.service);
    }
    if !service.id.is_empty() && service.service.is_empty() {
        return Err(Refusal::NoServiceName);
    }
    let is_any = |ip: IpAddr| ip.is_unspecified();
    if service.address.parse().is_ok_and(is_any) { Err(Refusal::AnyAddress) } else { Ok(()) }
}

fn settle_check(check: &mut Check) {
    if check.check_id.is_empty() {
        check.check_id.clone_from(&check.name);
    }
}

/// What a definition lacks to be what its kind says.
fn definition_faults(service: &Service) -> Vec<String> {
    let (kind, proxy) = (service.kind.as_str(), &service.proxy);
    let has_no_way_in = service.port == 0 && service.socket_path.is_empty();
    let mut faults = Vec::new();
    let mut fault = |is_there: bool, text: String| {
        if is_there {
            faults.push(text);
        }
    };
    if kind == "connect-proxy" {
        let destination = proxy.destination_service_name.as_str();
        let must = |what| format!("Proxy.DestinationServiceName must {what} for Connect proxy services");
        fault(has_no_way_in, format!("Port or SocketPath must be set for a {kind}"));
        fault(destination.trim().is_empty(), must("be non-empty"));
        fault(destination == "*", must("not be a wildcard"));
        let text = "A Proxy cannot also be Connect Native, only typical services";
        fault(service.connect.native, text.into());
    }
    if matches!(kind, "mesh-gateway" | "terminating-gateway" | "ingress-gateway" | "api-gateway") {
        let is_free = matches!(kind, "ingress-gateway" | "api-gateway");
        fault(service.port == 0 && !is_free, format!("Port must be non-zero for a {kind}"));
        let text = format!("A {kind} cannot have a sidecar service defined");
        fault(!service.connect.sidecar_service.is_nil(), text);
        let set = [
            ("DestinationServiceName", !proxy.destination_service_name.is_empty()),
            ("DestinationServiceID", !proxy.destination_service_id.is_empty()),
            ("LocalServiceAddress", !proxy.local_service_address.is_empty()),
            ("LocalServicePort", proxy.local_service_port != 0),
            ("LocalServiceSocketPath", !proxy.local_service_socket_path.is_empty()),
            ("Upstreams", proxy.upstreams.as_ref().is_some_and(|upstreams| !upstreams.is_empty())),
        ];
        for (name, is_set) in set {
            fault(is_set, format!("The Proxy.{name} configuration is invalid for a {kind}"));
        }
    }
    let text = "Port or SocketPath must be set for a Connect native service.";
    fault(service.connect.native && has_no_way_in, text.into());
    faults
}

/// Several faults in one text, as `hashicorp/go-multierror:format.go` has it.
fn listed(faults: &[String]) -> String {
    let count = match faults.len() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    let mut text = format!("{count} occurred:");
    for fault in faults {
        write!(text, "\n\t* {fault}").expect("a String takes every write");
    }
    text + "\n\n"
}

/// What is wrong with what an owner says about a service.
pub(super) fn meta_fault(service: &Service) -> Option<String> {
    let meta: &BTreeMap<String, String> = service.meta.as_ref()?;
    if meta.len() > META_PAIRS_MAX {
        return Some(format!("Node metadata cannot contain more than {META_PAIRS_MAX} key/value pairs"));
    }
    meta.iter().find_map(|(key, value)| {
        let fault = pair_fault(&service.kind, key, value)?;
        Some(format!("Couldn't load metadata pair ('{key}', '{value}'): {fault}"))
    })
}

fn pair_fault(kind: &str, key: &str, value: &str) -> Option<String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_allowed = kind == "mesh-gateway" && key == META_OF_MESH_GATEWAYS;
    if key.is_empty() {
        Some("Key cannot be blank".into())
    } else if !key.bytes().all(is_legal) {
        Some("Key contains invalid characters".into())
    } else if key.len() > META_KEY_BYTES_MAX {
        Some(format!("Key is too long (limit: {META_KEY_BYTES_MAX} characters)"))
    } else if key.starts_with(META_RESERVED) && !is_allowed {
        Some(format!("Key prefix '{META_RESERVED}' is reserved for internal use"))
    } else if value.len() > META_VALUE_BYTES_MAX {
        Some(format!("Value is too long (limit: {META_VALUE_BYTES_MAX} characters)"))
    } else {
        None
    }
}

/// The type of a check that doesn't say it.
fn kind(definition: &Definition) -> &'static str {
    let repeats = definition.interval_ns > 0;
    let is_script = definition.script_args.as_ref().is_some_and(|args| !args.is_empty());
    let types = [
        (repeats && !definition.grpc.is_empty(), "grpc"),
        (repeats && !definition.http.is_empty(), "http"),
        (definition.ttl_ns > 0, "ttl"),
        (repeats && !definition.tcp.is_empty(), "tcp"),
        (repeats && !definition.udp.is_empty(), "udp"),
        (!definition.alias_node.is_empty() || !definition.alias_service.is_empty(), "alias"),
        (repeats && is_script && !definition.docker_container_id.is_empty(), "docker"),
        (is_script, "script"),
        (repeats && !definition.h2_ping.is_empty(), "h2ping"),
        (repeats && !definition.os_service.is_empty(), "os_service"),
    ];
    types.into_iter().find_map(|(is_so, name)| is_so.then_some(name)).unwrap_or_default()
}
