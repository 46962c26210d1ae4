//! Tokens: `/v1/acl/bootstrap`, `/v1/acl/token…`.

use archive::consul::AclToken;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use node::{Kind, Seen};
use records::View;
use records::consul::Answer;
use records::consul::acl::{self, Authorizer, Command, TokenFilter, redact};
use uuid::Uuid;

use super::shapes::Bootstrapped;
use super::{change, decode, decode_if_any, granted, read as read_state, settle_id};
use crate::consul::App;
use crate::consul::access::Caller;
use crate::consul::blocking::{self, Glance, off_thread};
use crate::consul::catalog::name;
use crate::consul::params::{Query, ReadOptions, below, refuse_tenancy};
use crate::consul::reply::{Failure, Reply, json, read_headers};
use crate::http::shape::{Shown, shapes};

const PATH: &str = "/v1/acl/token/";
const CLONE: &str = "/clone";
const NO_ACCESSOR: &str = "Missing token AccessorID";

const MISSING: &str = "token does not exist: ACL not found";
const EXPIRED: &str = "token has expired: ACL not found";

/// What a bootstrap may ask for.
#[derive(Default)]
struct Wish {
    secret: String,
}

shapes! { Wish { "BootstrapSecret": secret always, } }

pub(super) async fn bootstrap(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    body: Body,
) -> Reply {
    let wish: Option<Wish> = decode_if_any(&app, body, "Request decoding failed").await?;
    let secret = wish.map(|wish| wish.secret).filter(|secret| !secret.is_empty());
    match granted(app.node.bootstrap(secret).await?)? {
        acl::Reply::Token(token) => Ok(json(&query, &Bootstrapped::new(&token))),
        other => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let token = decode(&app, body, "Token decoding failed").await?;
    create_token(&app, &caller, &query, token).await
}

/// Changes a token. Without an accessor it creates one, and below an accessor it copies one.
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
    let mut token: AclToken = decode(&app, body, "Token decoding failed").await?;
    if let Some(source) = in_path.strip_suffix(CLONE) {
        return clone_token(&app, &caller, &query, source.to_owned(), token.description).await;
    }
    settle_id(&mut token.accessor_id, in_path, "Token Accessor ID in URL and payload do not match")?;
    if token.accessor_id.is_empty() {
        return create_token(&app, &caller, &query, token).await;
    }
    answer(&query, change(&app, &caller, Command::UpdateToken(Box::new(token))).await?)
}

async fn create_token(app: &App, caller: &Caller, query: &Query, mut token: AclToken) -> Reply {
    for id in [&mut token.accessor_id, &mut token.secret_id] {
        if id.is_empty() {
            *id = Uuid::new_v4().to_string();
        }
    }
    answer(query, change(app, caller, Command::CreateToken(Box::new(token))).await?)
}

async fn clone_token(
    app: &App,
    caller: &Caller,
    query: &Query,
    source: String,
    description: String,
) -> Reply {
    let [accessor, secret] = [(), ()].map(|()| Uuid::new_v4().to_string());
    answer(query, change(app, caller, Command::CloneToken { source, accessor, secret, description }).await?)
}

fn answer(query: &Query, reply: acl::Reply) -> Reply {
    match reply {
        acl::Reply::Token(token) => Ok(json(query, &Shown(&*token))),
        acl::Reply::NotFound => Err(Failure::denied(MISSING)),
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
    let accessor = name(&uri, PATH, NO_ACCESSOR)?;
    refuse_tenancy(&query, &headers)?;
    let by = caller.vet(|_, may| Ok(may.accessor().to_owned())).await?;
    super::delete(&app, &caller, &query, Command::DeleteToken { accessor, by }, "token").await
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
) -> Reply {
    let accessor = name(&uri, PATH, NO_ACCESSOR)?;
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    if query.has("expanded") {
        return Err(Failure::unserved("Stillpoint does not serve ?expanded"));
    }
    let find = move |view: &View, may: &Authorizer| {
        let mut answer = there(app.node.now_ms(), |now_ms| acl::token(view, &accessor, now_ms))?;
        redact(&mut answer.value, may);
        Ok(answer)
    };
    let (headers, token) = read_state(&caller, options, find, |_| true).await?;
    Ok((headers, json(&query, &Shown(&token))).into_response())
}

/// The caller's own token: whoever knows its secret may see it.
pub(super) async fn read_own(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
) -> Reply {
    let options = ReadOptions::parse(&query)?;
    let (node, secret) = (app.node.clone(), caller.secret());
    // The anonymous token is nobody's own.
    if secret.expose().is_empty() {
        return Err(Failure::denied(MISSING));
    }
    let find =
        move |view: &View| there(node.now_ms(), |now_ms| acl::token_by_secret(view, secret.expose(), now_ms));
    let glance = {
        let find = find.clone();
        move |view: &View| Ok(Glance { index: find(view)?.index, found: true })
    };
    let Seen { view, freshness } = blocking::view(&app.node, options, glance).await?;
    let Answer { index, value: token } = off_thread(move || find(&view)).await?;
    Ok((read_headers(index, freshness), json(&query, &Shown(&token))).into_response())
}

/// A token that is there. Whoever waits for one that is not is told so at once.
fn there(
    now_ms: u64,
    find: impl Fn(u64) -> Result<Answer<Option<AclToken>>, records::Error>,
) -> Result<Answer<AclToken>, Failure> {
    let Answer { index, value } = find(now_ms)?;
    match value {
        Some(token) => Ok(Answer { index, value: token }),
        // When time began it had not expired.
        None if find(0)?.value.is_some() => Err(Failure::denied(EXPIRED)),
        None => Err(Failure::denied(MISSING)),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    if filters(&query).len() > 1 {
        let text = "can only filter by one of policy, role, serviceName, or methodName at a time";
        return Err(Failure::genuine(Kind::Invalid, text));
    }
    let filtered = query.clone();
    let find = move |view: &View, may: &Authorizer| {
        let filter = filters(&filtered).first().copied().unwrap_or(TokenFilter::All);
        let mut answer = acl::tokens(view, filter, app.node.now_ms())?;
        for token in &mut answer.value {
            redact(token, may);
            // Not among what is listed.
            token.expiration_ttl_ns = 0;
        }
        Ok(answer)
    };
    let (headers, tokens) = read_state(&caller, options, find, |_| true).await?;
    let tokens: Vec<_> = tokens.iter().map(Shown).collect();
    Ok((headers, json(&query, &tokens)).into_response())
}

fn filters(query: &Query) -> Vec<TokenFilter<'_>> {
    let filters = [
        query.filled("policy").map(TokenFilter::Policy),
        query.filled("role").map(TokenFilter::Role),
        query.filled("authmethod").map(TokenFilter::AuthMethod),
        query.filled("servicename").map(TokenFilter::Service),
    ];
    filters.into_iter().flatten().collect()
}
