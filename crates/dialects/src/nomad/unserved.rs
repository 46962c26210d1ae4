//! What the genuine server serves and we don't: told from what nobody serves.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::http::Failure;

/// Patterns of `hashicorp/nomad:command/agent/http.go` and of the Enterprise edition, without those that have a
/// handler here. A final slash stands for everything below it.
const UNSERVED: &[&str] = &[
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/v1/acl/auth-method",
    "/v1/acl/auth-method/",
    "/v1/acl/auth-methods",
    "/v1/acl/binding-rule",
    "/v1/acl/binding-rule/",
    "/v1/acl/binding-rules",
    "/v1/acl/identity/client-introduction-token",
    "/v1/acl/login",
    "/v1/acl/oidc/",
    "/v1/agent/force-leave",
    "/v1/agent/host",
    "/v1/agent/join",
    "/v1/agent/keyring/",
    "/v1/agent/monitor",
    "/v1/agent/monitor/export",
    "/v1/agent/pprof/",
    "/v1/agent/schedulers",
    "/v1/agent/schedulers/config",
    "/v1/agent/servers",
    "/v1/allocation/",
    "/v1/allocations",
    "/v1/client/",
    "/v1/deployment/",
    "/v1/deployments",
    "/v1/evaluation/",
    "/v1/evaluations",
    "/v1/evaluations/count",
    "/v1/event/stream",
    "/v1/jobs/parse",
    "/v1/jobs/statuses",
    "/v1/metrics",
    "/v1/node/",
    "/v1/node/pools",
    "/v1/nodes",
    "/v1/operator/autopilot/configuration",
    "/v1/operator/autopilot/health",
    "/v1/operator/license",
    "/v1/operator/raft/",
    "/v1/operator/scheduler/configuration",
    "/v1/operator/upgrade-check/",
    "/v1/operator/utilization",
    "/v1/plugin/csi/",
    "/v1/plugins",
    "/v1/quota",
    "/v1/quota-usages",
    "/v1/quota/",
    "/v1/quotas",
    "/v1/recommendation",
    "/v1/recommendation/",
    "/v1/recommendations",
    "/v1/recommendations/apply",
    "/v1/search",
    "/v1/search/fuzzy",
    "/v1/sentinel/policies",
    "/v1/sentinel/policy/",
    "/v1/service/",
    "/v1/services",
    "/v1/system/gc",
    "/v1/system/reconcile/summaries",
    "/v1/volume/csi/",
    "/v1/volume/host/",
    "/v1/volumes",
    "/v1/volumes/claim/",
    "/v1/volumes/claims",
    "/v1/volumes/external",
    "/v1/volumes/snapshot",
];

/// Answers a path that has no handler. What nobody serves has no body, as with genuine servers.
pub(super) async fn answer(uri: Uri) -> Response {
    let path = uri.path();
    let matches = |pattern: &&&str| {
        if pattern.ends_with('/') { path.starts_with(**pattern) } else { path == **pattern }
    };
    if let Some(pattern) = UNSERVED.iter().find(matches) {
        return Failure::unserved(format!("Stillpoint does not serve {pattern}")).into_response();
    }
    match path {
        "/" => "This is Stillpoint, which answers the Nomad API under /v1/.\n".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
