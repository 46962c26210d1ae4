//! Policies: `/v1/acl/policy…`, `/v1/acl/policies`.

use archive::consul::AclPolicy;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use records::View;
use records::consul::Answer;
use records::consul::acl::{self, Authorizer, Command};
use uuid::Uuid;

use super::shapes::ListedPolicy;
use super::{change, decode, read as read_state, settle_id};
use crate::consul::App;
use crate::consul::access::Caller;
use crate::consul::catalog::name;
use crate::consul::params::{Query, ReadOptions, below, refuse_tenancy};
use crate::consul::reply::{Failure, Reply, json};
use crate::http::shape::Shown;

const PATH: &str = "/v1/acl/policy/";

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let policy: AclPolicy = decode(&app, body, "Policy decoding failed").await?;
    if !policy.id.is_empty() {
        return Err(Failure::invalid("Cannot specify the ID when creating a new policy"));
    }
    write(&app, &caller, &query, policy).await
}

pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let in_path = below(&uri, PATH)?;
    let mut policy: AclPolicy = decode(&app, body, "Policy decoding failed").await?;
    settle_id(&mut policy.id, in_path, "Policy ID in URL and payload do not match")?;
    write(&app, &caller, &query, policy).await
}

/// Creates a policy without an id, and changes one with an id.
async fn write(app: &App, caller: &Caller, query: &Query, mut policy: AclPolicy) -> Reply {
    let command = if policy.id.is_empty() {
        policy.id = Uuid::new_v4().to_string();
        Command::CreatePolicy(Box::new(policy))
    } else {
        Command::UpdatePolicy(Box::new(policy))
    };
    match change(app, caller, command).await? {
        acl::Reply::Policy(policy) => Ok(json(query, &Shown(&*policy))),
        other => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let id = name(&uri, PATH, "Missing policy ID")?;
    refuse_tenancy(&query, &headers)?;
    super::delete(&app, &caller, &query, Command::DeletePolicy { id }, "policy").await
}

pub(super) async fn read(
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let id = name(&uri, PATH, "Missing policy ID")?;
    show(&caller, &query, &headers, move |view| acl::policy(view, &id)).await
}

pub(super) async fn read_by_name(
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let name = name(&uri, "/v1/acl/policy/name/", "Missing policy Name")?;
    show(&caller, &query, &headers, move |view| acl::policy_by_name(view, &name)).await
}

async fn show(
    caller: &Caller,
    query: &Query,
    headers: &HeaderMap,
    find: impl Fn(&View) -> Result<Answer<Option<AclPolicy>>, records::Error> + Clone + Send + 'static,
) -> Reply {
    let options = ReadOptions::parse(query)?;
    refuse_tenancy(query, headers)?;
    let find = move |view: &View, _: &Authorizer| Ok(find(view)?);
    let (headers, policy) = read_state(caller, options, find, Option::is_some).await?;
    let missing = || Failure::not_found("Requested policy does not exist: ACL not found");
    let policy = policy.ok_or_else(missing)?;
    Ok((headers, json(query, &Shown(&policy))).into_response())
}

pub(super) async fn list(caller: Caller, Extension(query): Extension<Query>, headers: HeaderMap) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let find = |view: &View, _: &Authorizer| Ok(acl::policies(view)?);
    let (headers, policies) = read_state(&caller, options, find, |_| true).await?;
    let policies: Vec<_> = policies.iter().map(ListedPolicy::new).collect();
    Ok((headers, json(&query, &policies)).into_response())
}
