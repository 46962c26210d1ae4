//! What the genuine server serves and we don't: told from what nobody serves.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::reply::Failure;

/// Patterns of `hashicorp/consul:agent/http_register.go` and of the Enterprise edition, without those that
/// have a handler here. A final slash stands for everything below it.
const UNSERVED: &[&str] = &[
    "/v1/acl/auth-method",
    "/v1/acl/auth-method/",
    "/v1/acl/auth-methods",
    "/v1/acl/binding-rule",
    "/v1/acl/binding-rule/",
    "/v1/acl/binding-rules",
    "/v1/acl/login",
    "/v1/acl/logout",
    "/v1/acl/oidc/",
    "/v1/acl/templated-policies",
    "/v1/acl/templated-policy/",
    "/v1/agent/check/",
    "/v1/agent/checks",
    "/v1/agent/connect/",
    "/v1/agent/force-leave/",
    "/v1/agent/health/",
    "/v1/agent/host",
    "/v1/agent/join/",
    "/v1/agent/leave",
    "/v1/agent/maintenance",
    "/v1/agent/members",
    "/v1/agent/metrics",
    "/v1/agent/metrics/stream",
    "/v1/agent/monitor",
    "/v1/agent/reload",
    "/v1/agent/service/",
    "/v1/agent/services",
    "/v1/agent/token/",
    "/v1/agent/version",
    "/v1/catalog/gateway-services/",
    "/v1/config",
    "/v1/config/",
    "/v1/connect/ca/configuration",
    "/v1/connect/ca/roots",
    "/v1/connect/intentions",
    "/v1/connect/intentions/",
    "/v1/coordinate/datacenters",
    "/v1/coordinate/node/",
    "/v1/coordinate/nodes",
    "/v1/coordinate/update",
    "/v1/discovery-chain/",
    "/v1/event/fire/",
    "/v1/event/list",
    "/v1/exported-services",
    "/v1/health/connect/",
    "/v1/health/ingress/",
    "/v1/internal/federation-state/",
    "/v1/internal/federation-states",
    "/v1/internal/federation-states/mesh-gateways",
    "/v1/internal/service-virtual-ip",
    "/v1/internal/ui/",
    "/v1/namespace",
    "/v1/namespace/",
    "/v1/namespaces",
    "/v1/operator/area",
    "/v1/operator/area/",
    "/v1/operator/audit-hash",
    "/v1/operator/autopilot/configuration",
    "/v1/operator/autopilot/health",
    "/v1/operator/autopilot/state",
    "/v1/operator/keyring",
    "/v1/operator/license",
    "/v1/operator/raft/peer",
    "/v1/operator/raft/transfer-leader",
    "/v1/operator/segment",
    "/v1/operator/usage",
    "/v1/operator/utilization",
    "/v1/partition",
    "/v1/partition/",
    "/v1/partitions",
    "/v1/peering/",
    "/v1/peerings",
    "/v1/query",
    "/v1/query/",
];

/// Answers a path that has no handler. The texts end as genuine ones do.
pub(super) async fn answer(uri: Uri) -> Response {
    let path = uri.path();
    let matches = |pattern: &&&str| {
        if pattern.ends_with('/') { path.starts_with(**pattern) } else { path == **pattern }
    };
    if let Some(pattern) = UNSERVED.iter().find(matches) {
        return Failure::unserved(format!("Stillpoint does not serve {pattern}")).into_response();
    }
    let text = match path {
        "/" => return "This is Stillpoint, which answers the Consul API under /v1/.\n".into_response(),
        path if path.contains("/v1/") => "Invalid URL path: not a recognized HTTP API endpoint\n",
        _ => "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n",
    };
    (StatusCode::NOT_FOUND, text).into_response()
}
