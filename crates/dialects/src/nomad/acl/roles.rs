//! Roles: `/v1/acl/roles`, `/v1/acl/role…`.

use archive::nomad::{AclRole, RoleLink};
use axum::Extension;
use axum::body::Body;
use axum::http::Uri;
use axum::response::IntoResponse;
use records::View;
use records::nomad::Answer;
use records::nomad::acl::{self, Authorizer, Command, Denied};
use uuid::Uuid;

use super::{change, change_silently, decode, name};
use crate::http::shape::Shown;
use crate::http::{Failure, Query, Reply};
use crate::nomad::access::Caller;
use crate::nomad::params::Params;
use crate::nomad::reads::read as read_with;
use crate::nomad::reply::json;

const PATH: &str = "/v1/acl/role/";

/// What a path says about one role.
#[derive(Clone)]
enum Named {
    Id(String),
    Name(String),
}

/// Lists the roles that the caller may see: all of them, or those of its own token.
pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let (prefix, asking) = (params.prefix, caller.clone());
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        let Answer { index, value } = acl::roles(view, &prefix)?;
        let own = links(&asking, view, may)?;
        let sees = |role: &AclRole| own.as_ref().is_none_or(|own| own.iter().any(|link| link.id == role.id));
        Ok(Answer { index, value: value.into_iter().filter(sees).collect::<Vec<_>>() })
    })
    .await?;
    let shown: Vec<_> = found.iter().map(Shown).collect();
    Ok((headers, json(&query, &shown)).into_response())
}

pub(super) async fn read(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let named = named(&uri)?;
    let asking = caller.clone();
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        let is_named = |link: &RoleLink| match &named {
            Named::Id(id) => link.id == *id,
            Named::Name(name) => link.name == *name,
        };
        if let Some(own) = links(&asking, view, may)?
            && !own.iter().any(is_named)
        {
            return Err(Denied.into());
        }
        Ok(match &named {
            Named::Id(id) => acl::role(view, id)?,
            Named::Name(name) => acl::role_by_name(view, name)?,
        })
    })
    .await?;
    match found {
        Some(role) => Ok((headers, json(&query, &Shown(&role))).into_response()),
        None => Ok((headers, Failure::not_found("ACL role not found")).into_response()),
    }
}

/// The links of the caller's own token; `None` for who may see every role.
fn links(caller: &Caller, view: &View, may: &Authorizer) -> Result<Option<Vec<RoleLink>>, Failure> {
    match may.management() {
        Ok(()) => Ok(None),
        Err(Denied) => Ok(Some(caller.token(view)?.roles.unwrap_or_default())),
    }
}

pub(super) async fn create(caller: Caller, Extension(query): Extension<Query>, body: Body) -> Reply {
    write(&caller, &query, decode(body).await?).await
}

pub(super) async fn update(
    caller: Caller,
    Extension(query): Extension<Query>,
    uri: Uri,
    body: Body,
) -> Reply {
    let id = id(&uri)?;
    let role: AclRole = decode(body).await?;
    if role.id != id {
        return Err(Failure::invalid("ACL role ID does not match request path"));
    }
    write(&caller, &query, role).await
}

/// Changes a role; creates one if none is named.
async fn write(caller: &Caller, query: &Query, role: AclRole) -> Reply {
    let command = if role.id.is_empty() {
        Command::CreateRole(Box::new(AclRole { id: Uuid::new_v4().to_string(), ..role }))
    } else {
        Command::UpdateRole(Box::new(role))
    };
    match change(caller, command).await? {
        (headers, acl::Reply::Role(role)) => Ok((headers, json(query, &Shown(&*role))).into_response()),
        (_, other) => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn delete(caller: Caller, uri: Uri) -> Reply {
    let id = id(&uri)?;
    change_silently(&caller, Command::DeleteRole { id }).await
}

fn id(uri: &Uri) -> Result<String, Failure> {
    match named(uri)? {
        Named::Id(id) => Ok(id),
        // Only reads find roles by name.
        Named::Name(_) => Err(Failure::wrong_method("Invalid method")),
    }
}

fn named(uri: &Uri) -> Result<Named, Failure> {
    let path = name(uri, PATH, "missing ACL role ID")?;
    match path.split('/').collect::<Vec<_>>()[..] {
        [id] => Ok(Named::Id(id.to_owned())),
        ["name", ""] => Err(Failure::invalid("missing ACL role name")),
        ["name", name] => Ok(Named::Name(name.to_owned())),
        _ => Err(Failure::invalid("invalid URI")),
    }
}
