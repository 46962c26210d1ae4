//! What the catalog holds as JSON (`hashicorp/consul:agent/structs/{structs,connect_proxy_config}.go`).

use std::collections::BTreeMap;

use archive::consul::{
    AccessLogs, Check, Connect, Definition, Expose, ExposePath, Locality, MeshGateway, Node, Proxy, Service,
    ServiceAddress, ServiceCheck, TransparentProxy, Upstream, Weights,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::http::shape::{Members, Shape, Shown, shapes};

shapes! {
    Node {
        "ID": id always,
        "Node": node always,
        "Address": address always,
        "Datacenter": datacenter always,
        "PeerName": peer_name unless_empty,
        "TaggedAddresses": tagged_addresses always,
        "Meta": meta always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    Service {
        "Kind": kind unless_empty,
        "ID": id always,
        "Service": service always,
        "Tags": tags always,
        "Address": address always,
        "TaggedAddresses": tagged_addresses unless_empty,
        "Meta": meta always,
        "Port": port unless_empty,
        "SocketPath": socket_path unless_empty,
        "Weights": weights always,
        "EnableTagOverride": enable_tag_override always,
        "Locality": locality unless_empty,
        "Proxy": proxy always,
        "Connect": connect always,
        "PeerName": peer_name always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    ServiceAddress { "Address": address always, "Port": port always, }

    Weights { "Passing": passing always, "Warning": warning always, }

    Locality { "Region": region unless_empty, "Zone": zone unless_empty, }

    Connect {
        "Native": native unless_empty,
        "SidecarService": sidecar_service unless_empty,
        "PeerMeta": peer_meta unless_empty,
    }

    AccessLogs {
        "Enabled": enabled unless_empty,
        "DisableListenerLogs": disable_listener_logs unless_empty,
        "Type": kind unless_empty,
        "Path": path unless_empty,
        "JSONFormat": json_format unless_empty,
        "TextFormat": text_format unless_empty,
    }

    Expose { "Checks": checks unless_empty, "Paths": paths unless_empty, }

    ExposePath {
        "ListenerPort": listener_port unless_empty,
        "Path": path unless_empty,
        "LocalPathPort": local_path_port unless_empty,
        "Protocol": protocol unless_empty,
        "ParsedFromCheck": parsed_from_check unless_empty,
    }

    MeshGateway { "Mode": mode unless_empty, }

    TransparentProxy {
        "OutboundListenerPort": outbound_listener_port unless_empty,
        "DialedDirectly": dialed_directly unless_empty,
    }

    Upstream {
        "DestinationType": destination_type always,
        "DestinationNamespace": destination_namespace unless_empty,
        "DestinationPartition": destination_partition unless_empty,
        "DestinationPeer": destination_peer unless_empty,
        "DestinationName": destination_name always,
        "Datacenter": datacenter always,
        "LocalBindAddress": local_bind_address unless_empty,
        "LocalBindPort": local_bind_port unless_empty,
        "LocalBindSocketPath": local_bind_socket_path unless_empty,
        "LocalBindSocketMode": local_bind_socket_mode unless_empty,
        "Config": config unless_empty,
        "MeshGateway": mesh_gateway always,
        "CentrallyConfigured": centrally_configured unless_empty,
    }

    Check {
        "Node": node always,
        "CheckID": check_id always,
        "Name": name always,
        "Status": status always,
        "Notes": notes always,
        "Output": output always,
        "ServiceID": service_id always,
        "ServiceName": service_name always,
        "ServiceTags": service_tags always,
        "Type": kind always,
        "Interval": interval always,
        "Timeout": timeout always,
        "ExposedPort": exposed_port always,
        "PeerName": peer_name unless_empty,
        "Definition": definition always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    ServiceCheck { "ID": id always, "Namespace": namespace always, }
}

/// Written by hand: two structures that mean nothing are left out, which Go does for no other.
impl Shape for Proxy {
    fn read(value: Value) -> Result<Proxy, String> {
        let mut members = Members::of(value)?;
        let proxy = Proxy {
            access_logs: members.take("AccessLogs")?,
            config: members.take("Config")?,
            destination_service_id: members.take("DestinationServiceID")?,
            destination_service_name: members.take("DestinationServiceName")?,
            envoy_extensions: members.take("EnvoyExtensions")?,
            expose: members.take("Expose")?,
            local_service_address: members.take("LocalServiceAddress")?,
            local_service_port: members.take("LocalServicePort")?,
            local_service_socket_path: members.take("LocalServiceSocketPath")?,
            mesh_gateway: members.take("MeshGateway")?,
            mode: members.take("Mode")?,
            mutual_tls_mode: String::new(),
            transparent_proxy: members.take("TransparentProxy")?,
            upstreams: members.take("Upstreams")?,
        };
        members.finish()?;
        Ok(proxy)
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.transparent_proxy != TransparentProxy::default() {
            map.serialize_entry("TransparentProxy", &Shown(&self.transparent_proxy))?;
        }
        if self.access_logs != AccessLogs::default() {
            map.serialize_entry("AccessLogs", &Shown(&self.access_logs))?;
        }
        shapes!(@show map, self.envoy_extensions, "EnvoyExtensions", unless_empty);
        shapes!(@show map, self.destination_service_name, "DestinationServiceName", unless_empty);
        shapes!(@show map, self.destination_service_id, "DestinationServiceID", unless_empty);
        shapes!(@show map, self.local_service_address, "LocalServiceAddress", unless_empty);
        shapes!(@show map, self.local_service_port, "LocalServicePort", unless_empty);
        shapes!(@show map, self.local_service_socket_path, "LocalServiceSocketPath", unless_empty);
        shapes!(@show map, self.mode, "Mode", always);
        shapes!(@show map, self.config, "Config", unless_empty);
        shapes!(@show map, self.upstreams, "Upstreams", unless_empty);
        shapes!(@show map, self.mesh_gateway, "MeshGateway", always);
        shapes!(@show map, self.expose, "Expose", always);
        map.end()
    }
}

shapes! {
    Definition {
        [lenient]
        "Interval": interval_ns duration,
        "OutputMaxSize": output_max_size unless_empty,
        "Timeout": timeout_ns duration,
        "DeregisterCriticalServiceAfter": deregister_critical_service_after_ns duration,
        "HTTP": http unless_empty,
        "TLSServerName": tls_server_name unless_empty,
        "TLSSkipVerify": tls_skip_verify unless_empty,
        "Header": header unless_empty,
        "Method": method unless_empty,
        "Body": body unless_empty,
        "DisableRedirects": disable_redirects unless_empty,
        "TCP": tcp unless_empty,
        "TCPUseTLS": tcp_use_tls unless_empty,
        "UDP": udp unless_empty,
        "H2PING": h2_ping unless_empty,
        "OSService": os_service unless_empty,
        "H2PingUseTLS": h2_ping_use_tls unless_empty,
        "ScriptArgs": script_args unless_empty,
        "DockerContainerID": docker_container_id unless_empty,
        "Shell": shell unless_empty,
        "GRPC": grpc unless_empty,
        "GRPCUseTLS": grpc_use_tls unless_empty,
        "AliasNode": alias_node unless_empty,
        "AliasService": alias_service unless_empty,
        "SessionName": session_name unless_empty,
        "TTL": ttl_ns nanos,
    }
}

/// A service with what is to be known of its node (`hashicorp/consul:agent/structs/structs.go`, `ServiceNode`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ServiceNode<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: &'a str,
    datacenter: &'a str,
    tagged_addresses: &'a Option<BTreeMap<String, String>>,
    node_meta: &'a Option<BTreeMap<String, String>>,
    service_kind: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    service_address: &'a str,
    #[serde(skip_serializing_if = "is_left_out")]
    service_tagged_addresses: Shown<'a, Option<BTreeMap<String, ServiceAddress>>>,
    service_weights: Shown<'a, Option<Weights>>,
    service_meta: BTreeMap<&'a str, &'a str>,
    service_port: i64,
    service_socket_path: &'a str,
    service_enable_tag_override: bool,
    service_proxy: Shown<'a, Proxy>,
    service_connect: Shown<'a, Connect>,
    service_locality: Shown<'a, Option<Locality>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    peer_name: &'a str,
    create_index: u64,
    modify_index: u64,
}

fn is_left_out<T: Shape>(shown: &Shown<'_, T>) -> bool {
    shown.0.is_empty()
}

impl<'a> ServiceNode<'a> {
    pub(super) fn new(node: &'a Node, service: &'a Service) -> ServiceNode<'a> {
        let meta = service.meta.iter().flatten();
        ServiceNode {
            id: &node.id,
            node: &node.node,
            address: &node.address,
            datacenter: &node.datacenter,
            tagged_addresses: &node.tagged_addresses,
            node_meta: &node.meta,
            service_kind: &service.kind,
            service_id: &service.id,
            service_name: &service.service,
            service_tags: service.tags.as_deref().unwrap_or_default(),
            service_address: &service.address,
            service_tagged_addresses: Shown(&service.tagged_addresses),
            service_weights: Shown(&service.weights),
            service_meta: meta.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            service_port: service.port,
            service_socket_path: &service.socket_path,
            service_enable_tag_override: service.enable_tag_override,
            service_proxy: Shown(&service.proxy),
            service_connect: Shown(&service.connect),
            service_locality: Shown(&service.locality),
            peer_name: &service.peer_name,
            create_index: service.create_index,
            modify_index: service.modify_index,
        }
    }
}
