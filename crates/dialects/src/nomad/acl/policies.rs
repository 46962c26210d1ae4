//! Policies: `/v1/acl/policies`, `/v1/acl/policy/{name}`.

use archive::nomad::AclPolicy;
use axum::Extension;
use axum::body::Body;
use axum::http::Uri;
use axum::response::IntoResponse;
use node::Kind;
use records::View;
use records::nomad::Answer;
use records::nomad::acl::{self, ANONYMOUS_POLICY, Authorizer, Command, Denied, Spelled};

use super::shapes::{ListedPolicy, ReadPolicy};
use super::{change_silently, decode, name};
use crate::http::{Failure, Query, Reply};
use crate::nomad::access::Caller;
use crate::nomad::params::Params;
use crate::nomad::reads::read as read_with;
use crate::nomad::reply::json;

const PATH: &str = "/v1/acl/policy/";
const NO_NAME: &str = "Missing Policy Name";

/// Lists the policies that the caller may see: all of them, or those of its own token.
pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let (prefix, asking) = (params.prefix, caller.clone());
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        let Answer { index, value } = acl::policies(view, &prefix)?;
        let sees = sight(&asking, view, may)?;
        Ok(Answer { index, value: value.into_iter().filter(|policy| sees(&policy.name)).collect::<Vec<_>>() })
    })
    .await?;
    let shown: Vec<_> = found.iter().map(ListedPolicy::new).collect();
    Ok((headers, json(&query, &shown)).into_response())
}

/// The same for whoever bears a token.
pub(super) async fn list_own(params: Params, query: Extension<Query>, caller: Caller) -> Reply {
    if caller.secret().expose().is_empty() {
        return Err(Denied.into());
    }
    list(params, query, caller).await
}

pub(super) async fn read(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let name = name(&uri, PATH, NO_NAME)?;
    let asking = caller.clone();
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        // Everyone has the anonymous policy.
        if name != ANONYMOUS_POLICY && !sight(&asking, view, may)?(&name) {
            return Err(Denied.into());
        }
        Ok(acl::policy(view, &name)?)
    })
    .await?;
    match found {
        Some(policy) => {
            // A genuine server shows nothing either of a policy that it can't read.
            let spelled = Spelled::parse(&policy.rules)
                .map_err(|unreadable| Failure::genuine(Kind::Corrupt, unreadable.to_string()))?;
            Ok((headers, json(&query, &ReadPolicy::new(&policy, &spelled))).into_response())
        }
        None => Ok((headers, Failure::not_found("ACL policy not found")).into_response()),
    }
}

/// Tells which policies the caller may see.
fn sight(caller: &Caller, view: &View, may: &Authorizer) -> Result<impl Fn(&str) -> bool, Failure> {
    let own = match may.management() {
        Ok(()) => None,
        Err(Denied) => Some(acl::policy_names(view, &caller.token(view)?)?),
    };
    Ok(move |name: &str| own.as_ref().is_none_or(|own| own.contains(name)))
}

pub(super) async fn upsert(caller: Caller, uri: Uri, body: Body) -> Reply {
    let name = name(&uri, PATH, NO_NAME)?;
    let policy: AclPolicy = decode(body).await?;
    if policy.name != name {
        return Err(Failure::invalid("ACL policy name does not match request path"));
    }
    change_silently(&caller, Command::UpsertPolicy(Box::new(policy))).await
}

pub(super) async fn delete(caller: Caller, uri: Uri) -> Reply {
    let name = name(&uri, PATH, NO_NAME)?;
    change_silently(&caller, Command::DeletePolicy { name }).await
}
