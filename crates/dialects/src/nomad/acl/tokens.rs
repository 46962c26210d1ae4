//! Tokens: `/v1/acl/bootstrap`, `/v1/acl/token…`.

use archive::nomad::AclToken;
use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use node::Kind;
use records::nomad::Answer;
use records::nomad::acl::{self, Command, Unresolved};
use uuid::Uuid;

use super::shapes::ListedToken;
use super::{change, change_silently, decode, name, settle};
use crate::http::filter::{Filter, kept};
use crate::http::shape::{Shape, Shown, shapes};
use crate::http::{Failure, Query, Reply};
use crate::nomad::App;
use crate::nomad::access::Caller;
use crate::nomad::params::{Params, read_json};
use crate::nomad::reads::read as read_with;
use crate::nomad::reply::{continue_at, json};

const PATH: &str = "/v1/acl/token/";
const NO_ACCESSOR: &str = "Missing Token Accessor";
const MISSING: &str = "ACL token not found";

/// What a bootstrap may ask for.
#[derive(Default)]
struct Wish {
    secret: String,
}

shapes! { Wish { [lenient] "BootstrapSecret": secret always, } }

pub(super) async fn bootstrap(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    body: Body,
) -> Reply {
    let wish = if body.size_hint().exact() == Some(0) {
        Wish::default()
    } else {
        let refuse = |failure: Failure| failure.in_context("failed to decode request body: ");
        let value = read_json(body).await.map_err(refuse)?;
        Wish::read(value).map_err(|why| refuse(Failure::invalid(why)))?
    };
    let secret = Some(wish.secret).filter(|secret| !secret.is_empty());
    answer(&query, settle(app.node.bootstrap_nomad(secret).await?)?)
}

pub(super) async fn create(caller: Caller, Extension(query): Extension<Query>, body: Body) -> Reply {
    upsert(&caller, &query, decode(body).await?).await
}

pub(super) async fn update(
    caller: Caller,
    Extension(query): Extension<Query>,
    uri: Uri,
    body: Body,
) -> Reply {
    let accessor = name(&uri, PATH, NO_ACCESSOR)?;
    let token: AclToken = decode(body).await?;
    if token.accessor_id != accessor {
        return Err(Failure::invalid("ACL token accessor does not match request path"));
    }
    upsert(&caller, &query, token).await
}

/// Changes a token; creates one if none is named.
async fn upsert(caller: &Caller, query: &Query, token: AclToken) -> Reply {
    let command = if token.accessor_id.is_empty() {
        let [accessor_id, secret_id] = [(), ()].map(|()| Uuid::new_v4().to_string());
        Command::CreateToken(Box::new(AclToken { accessor_id, secret_id, ..token }))
    } else {
        Command::UpdateToken(Box::new(token))
    };
    answer(query, change(caller, command).await?)
}

fn answer(query: &Query, (headers, reply): (HeaderMap, acl::Reply)) -> Reply {
    match reply {
        acl::Reply::Token(token) => Ok((headers, json(query, &Shown(&*token))).into_response()),
        other => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn delete(caller: Caller, uri: Uri) -> Reply {
    let accessor = name(&uri, PATH, NO_ACCESSOR)?;
    change_silently(&caller, Command::DeleteToken { accessor }).await
}

pub(super) async fn read(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let accessor = name(&uri, PATH, NO_ACCESSOR)?;
    let secret = caller.secret();
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        let answer = acl::token(view, &accessor)?;
        // Whoever knows the secret may see the token.
        let is_own = |token: &AclToken| token.secret_id.eq_ignore_ascii_case(secret.expose());
        match may.management() {
            Err(denied) if !answer.value.as_ref().is_some_and(is_own) => Err(denied.into()),
            _ => Ok(answer),
        }
    })
    .await?;
    match found {
        Some(token) => Ok((headers, json(&query, &Shown(&token))).into_response()),
        None => Ok((headers, Failure::not_found(MISSING)).into_response()),
    }
}

/// The caller's own token, or what stands for having none.
pub(super) async fn read_own(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let node = caller.node().clone();
    let secret = caller.secret();
    // The genuine server never waits here.
    let options = crate::http::blocking::ReadOptions { index: 0, ..params.read };
    let (headers, token) = crate::nomad::reads::read_unvetted(&node.clone(), options, move |view| {
        let token = node.nomad_token(view, secret.expose()).map_err(|unresolved| match unresolved {
            Unresolved::Expired => Failure::genuine(Kind::Denied, unresolved.to_string()),
            other => other.into(),
        })?;
        Ok(Answer { index: token.modify_index, value: token })
    })
    .await?;
    Ok((headers, json(&query, &Shown(&token))).into_response())
}

pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let filter = Filter::nomad(&query, "ACLToken")?;
    let prefix = params.prefix.clone();
    let (mut headers, found) = read_with(&caller, params.read, move |view, may| {
        may.management()?;
        Ok(acl::tokens(view, &prefix)?)
    })
    .await?;
    let found = kept(filter.as_ref(), found, |filter, token| filter.passes_record(&token.encode()))?;
    let is_by_accessor = !params.prefix.is_empty();
    let (page, next) = params.page(found, |token| match is_by_accessor {
        true => token.accessor_id.clone(),
        // With zeros before it, so that the order of the texts is that of the numbers.
        false => format!("{:020}.{}", token.create_index, token.accessor_id),
    });
    continue_at(&mut headers, next.as_deref());
    let shown: Vec<_> = page.iter().map(ListedToken::new).collect();
    Ok((headers, json(&query, &shown)).into_response())
}
