//! A service of a node as registrations hold it (`hashicorp/consul:agent/structs/structs.go`, `NodeService`;
//! `hashicorp/consul:agent/structs/connect_proxy_config.go`).

use std::collections::BTreeMap;

use crate::state::structure::{Opaque, structure};

structure! { Consul:
    /// One instance of a service.
    pub struct Service {
        /// Where it is reached, if elsewhere than its node.
        pub address: String = "Address",
        /// Its part in the service mesh.
        pub connect: Connect = "Connect",
        /// The index at which it was registered.
        pub create_index: u64 = "CreateIndex",
        /// Whether others may change its tags.
        pub enable_tag_override: bool = "EnableTagOverride",
        /// Unique on its node.
        pub id: String = "ID",
        /// Empty for a typical service, otherwise such as `connect-proxy`.
        pub kind: String = "Kind",
        /// Where in the world it runs.
        pub locality: Option<Locality> = "Locality",
        /// An agent's own note; never set in a server's state.
        pub locally_registered_as_sidecar: bool = "LocallyRegisteredAsSidecar",
        /// What its owner says about it.
        pub meta: Option<BTreeMap<String, String>> = "Meta",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// The peer it was imported from, or empty.
        pub peer_name: String = "PeerName",
        /// The port it listens on.
        pub port: i64 = "Port",
        /// What it proxies, if it is a proxy or gateway.
        pub proxy: Proxy = "Proxy",
        /// Its name, which all instances share.
        pub service: String = "Service",
        /// The Unix socket it listens on.
        pub socket_path: String = "SocketPath",
        /// Addresses for other networks, by their names.
        pub tagged_addresses: Option<BTreeMap<String, ServiceAddress>> = "TaggedAddresses",
        /// Labels by which instances are chosen.
        pub tags: Option<Vec<String>> = "Tags",
        /// Its share of requests.
        pub weights: Option<Weights> = "Weights",
    }

    /// An address and a port.
    pub struct ServiceAddress {
        /// The address.
        pub address: String = "Address",
        /// The port.
        pub port: i64 = "Port",
    }

    /// Shares of requests by health.
    pub struct Weights {
        /// While all checks pass.
        pub passing: i64 = "Passing",
        /// While a check warns.
        pub warning: i64 = "Warning",
    }

    /// A place in the world.
    pub struct Locality {
        /// Such as `us-west-1`.
        pub region: String = "Region",
        /// Such as `us-west-1a`.
        pub zone: String = "Zone",
    }

    /// A service's part in the service mesh.
    pub struct Connect {
        /// Whether it speaks the mesh's protocol itself.
        pub native: bool = "Native",
        /// How peers reach it.
        pub peer_meta: Opaque = "PeerMeta",
        /// A sidecar that was to be registered along.
        pub sidecar_service: Opaque = "SidecarService",
    }

    /// What a proxy or gateway does.
    pub struct Proxy {
        /// What it logs.
        pub access_logs: AccessLogs = "AccessLogs",
        /// Settings for the proxy program; a map or nil.
        pub config: Opaque = "Config",
        /// The instance it stands for.
        pub destination_service_id: String = "DestinationServiceID",
        /// The service it stands for.
        pub destination_service_name: String = "DestinationServiceName",
        /// Extensions; a list or nil.
        pub envoy_extensions: Opaque = "EnvoyExtensions",
        /// Paths that are reached past the mesh.
        pub expose: Expose = "Expose",
        /// Where it finds its service.
        pub local_service_address: String = "LocalServiceAddress",
        /// The port on which it finds its service.
        pub local_service_port: i64 = "LocalServicePort",
        /// The socket on which it finds its service.
        pub local_service_socket_path: String = "LocalServiceSocketPath",
        /// How it reaches other datacenters.
        pub mesh_gateway: MeshGateway = "MeshGateway",
        /// Empty, `direct` or `transparent`.
        pub mode: String = "Mode",
        /// Empty, `strict` or `permissive`.
        pub mutual_tls_mode: String = "MutualTLSMode",
        /// How it captures traffic.
        pub transparent_proxy: TransparentProxy = "TransparentProxy",
        /// The services it gives access to.
        pub upstreams: Option<Vec<Upstream>> = "Upstreams",
    }

    /// What a proxy logs.
    pub struct AccessLogs {
        /// Whether refused connections are left out.
        pub disable_listener_logs: bool = "DisableListenerLogs",
        /// Whether anything is logged.
        pub enabled: bool = "Enabled",
        /// The format of lines in JSON.
        pub json_format: String = "JSONFormat",
        /// The file, for the type `file`.
        pub path: String = "Path",
        /// The format of lines of text.
        pub text_format: String = "TextFormat",
        /// Empty, `stdout`, `stderr` or `file`.
        pub kind: String = "Type",
    }

    /// Paths that are reached past the mesh.
    pub struct Expose {
        /// Whether all paths that checks use are.
        pub checks: bool = "Checks",
        /// Others.
        pub paths: Option<Vec<ExposePath>> = "Paths",
    }

    /// One path that is reached past the mesh.
    pub struct ExposePath {
        /// The proxy's port for it.
        pub listener_port: i64 = "ListenerPort",
        /// The service's port.
        pub local_path_port: i64 = "LocalPathPort",
        /// Whether it was made for a check.
        pub parsed_from_check: bool = "ParsedFromCheck",
        /// The path.
        pub path: String = "Path",
        /// Empty, `http` or `http2`.
        pub protocol: String = "Protocol",
    }

    /// How other datacenters are reached.
    pub struct MeshGateway {
        /// Empty, `none`, `local` or `remote`.
        pub mode: String = "Mode",
    }

    /// How traffic is captured.
    pub struct TransparentProxy {
        /// Whether instances are dialed directly.
        pub dialed_directly: bool = "DialedDirectly",
        /// The port to which traffic is led.
        pub outbound_listener_port: i64 = "OutboundListenerPort",
    }

    /// A service that a proxy gives access to.
    pub struct Upstream {
        /// Whether it stands for the settings of all upstreams.
        pub centrally_configured: bool = "CentrallyConfigured",
        /// Settings for the proxy program; a map or nil.
        pub config: Opaque = "Config",
        /// The datacenter, or empty for its own.
        pub datacenter: String = "Datacenter",
        /// The service or query.
        pub destination_name: String = "DestinationName",
        /// Of Consul Enterprise.
        pub destination_namespace: String = "DestinationNamespace",
        /// Of Consul Enterprise.
        pub destination_partition: String = "DestinationPartition",
        /// The peer that exports the service.
        pub destination_peer: String = "DestinationPeer",
        /// `service` or `prepared_query`.
        pub destination_type: String = "DestinationType",
        /// Host names, for ingress gateways.
        pub ingress_hosts: Option<Vec<String>> = "IngressHosts",
        /// Where the proxy listens for it.
        pub local_bind_address: String = "LocalBindAddress",
        /// The port on which the proxy listens for it.
        pub local_bind_port: i64 = "LocalBindPort",
        /// The rights of the socket, in octal.
        pub local_bind_socket_mode: String = "LocalBindSocketMode",
        /// The socket on which the proxy listens for it.
        pub local_bind_socket_path: String = "LocalBindSocketPath",
        /// How it is reached in other datacenters.
        pub mesh_gateway: MeshGateway = "MeshGateway",
    }
}
