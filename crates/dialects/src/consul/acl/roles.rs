//! Roles: `/v1/acl/role…`, `/v1/acl/roles`.

use archive::consul::AclRole;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use records::View;
use records::consul::Answer;
use records::consul::acl::{self, Authorizer, Command};
use uuid::Uuid;

use super::{change, decode, read as read_state, settle_id};
use crate::consul::App;
use crate::consul::access::Caller;
use crate::consul::catalog::name;
use crate::consul::params::{Query, ReadOptions, below, refuse_tenancy};
use crate::consul::reply::{Failure, Reply, json};
use crate::http::shape::Shown;

const PATH: &str = "/v1/acl/role/";

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    write(&app, &caller, &query, &headers, String::new(), body).await
}

pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Reply {
    write(&app, &caller, &query, &headers, below(&uri, PATH)?, body).await
}

/// Creates a role without an id, and changes one with an id.
async fn write(
    app: &App,
    caller: &Caller,
    query: &Query,
    headers: &HeaderMap,
    in_path: String,
    body: Body,
) -> Reply {
    refuse_tenancy(query, headers)?;
    let mut role: AclRole = decode(app, body, "Role decoding failed").await?;
    settle_id(&mut role.id, in_path, "Role ID in URL and payload do not match")?;
    let command = if role.id.is_empty() {
        role.id = Uuid::new_v4().to_string();
        Command::CreateRole(Box::new(role))
    } else {
        Command::UpdateRole(Box::new(role))
    };
    match change(app, caller, command).await? {
        acl::Reply::Role(role) => Ok(json(query, &Shown(&*role))),
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
    let id = name(&uri, PATH, "Missing role ID")?;
    refuse_tenancy(&query, &headers)?;
    super::delete(&app, &caller, &query, Command::DeleteRole { id }, "role").await
}

pub(super) async fn read(
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let id = name(&uri, PATH, "Missing role ID")?;
    show(&caller, &query, &headers, move |view| acl::role(view, &id)).await
}

pub(super) async fn read_by_name(
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let name = name(&uri, "/v1/acl/role/name/", "Missing role Name")?;
    show(&caller, &query, &headers, move |view| acl::role_by_name(view, &name)).await
}

async fn show(
    caller: &Caller,
    query: &Query,
    headers: &HeaderMap,
    find: impl Fn(&View) -> Result<Answer<Option<AclRole>>, records::Error> + Clone + Send + 'static,
) -> Reply {
    let options = ReadOptions::parse(query)?;
    refuse_tenancy(query, headers)?;
    let find = move |view: &View, _: &Authorizer| Ok(find(view)?);
    let (headers, role) = read_state(caller, options, find, Option::is_some).await?;
    let missing = || Failure::not_found("Requested role does not exist: ACL not found");
    let role = role.ok_or_else(missing)?;
    Ok((headers, json(query, &Shown(&role))).into_response())
}

/// Every role, or those that link to the policy whose id is `?policy=`.
pub(super) async fn list(caller: Caller, Extension(query): Extension<Query>, headers: HeaderMap) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let policy = query.filled("policy").map(str::to_owned);
    let find = move |view: &View, _: &Authorizer| Ok(acl::roles(view, policy.as_deref())?);
    let (headers, roles) = read_state(&caller, options, find, |_| true).await?;
    let roles: Vec<_> = roles.iter().map(Shown).collect();
    Ok((headers, json(&query, &roles)).into_response())
}
