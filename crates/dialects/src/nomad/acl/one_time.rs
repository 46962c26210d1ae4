//! One-time tokens: `/v1/acl/token/onetime` and `/v1/acl/token/onetime/exchange`.

use archive::nomad::AclToken;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;
use node::Kind;
use records::nomad::acl::{self, Command, Denied, is_exchangeable};
use records::{Op, Scope, View, nomad};
use serde::Serialize;
use uuid::Uuid;

use super::decode;
use crate::http::blocking::off_thread;
use crate::http::shape::{Shown, shapes};
use crate::http::{Failure, Query, Reply};
use crate::nomad::App;
use crate::nomad::access::Caller;
use crate::nomad::reply::{json, of_nomad, written};

/// What is to be exchanged.
#[derive(Default)]
struct Exchange {
    secret: String,
}

shapes! { Exchange { [lenient] "OneTimeSecretID": secret always, } }

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Created<'a> {
    one_time_token: OneTime<'a>,
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneTime<'a> {
    #[serde(rename = "OneTimeSecretID")]
    secret: &'a str,
    #[serde(rename = "AccessorID")]
    accessor: &'a str,
    expires_at: String,
    create_index: u64,
    modify_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Exchanged<'a> {
    token: Shown<'a, AclToken>,
    index: u64,
}

/// Makes one for the caller's own token.
pub(super) async fn create(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    // Whoever bears no token has none to stand in for.
    if caller.secret().expose().is_empty() {
        return Err(Denied.into());
    }
    let asking = caller.clone();
    let token = caller.vet(move |view: &View, _| asking.token(view)).await?;
    let secret = Uuid::new_v4().to_string();
    let create = Command::CreateOneTime { accessor: token.accessor_id, secret };
    let (index, made) = match of_nomad(app.node.change(Op::Nomad(nomad::Command::Acl(create))).await?)? {
        nomad::Reply::Acl { index, reply: acl::Reply::OneTime(made) } => (index, made),
        other => return Err(Failure::unexpected(&other)),
    };
    let expires_ms = i64::try_from(made.expires_ms).unwrap_or(i64::MAX);
    let one_time_token = OneTime {
        secret: &made.secret,
        accessor: &made.accessor,
        expires_at: Timestamp::from_millisecond(expires_ms).unwrap_or(Timestamp::MAX).to_string(),
        create_index: index,
        modify_index: index,
    };
    Ok((written(index), json(&query, &Created { one_time_token, index })).into_response())
}

/// Whoever knows its secret needs no other right.
pub(super) async fn exchange(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    body: Body,
) -> Reply {
    let Exchange { secret } = decode(body).await?;
    if secret.is_empty() {
        let text = "one-time token lookup failed: missing secret";
        return Err(Failure::genuine(Kind::Invalid, text));
    }
    let (node, asked) = (app.node.clone(), secret.clone());
    node.know_rights().await?;
    let is_there = off_thread(move || {
        let view = node.records().view(Scope::Nomad)?;
        Ok::<_, Failure>(is_exchangeable(&view, &asked, node.now_ms())?)
    });
    if !is_there.await? {
        return Err(Denied.into());
    }
    let exchange = Op::Nomad(nomad::Command::Acl(Command::ExchangeOneTime { secret }));
    match of_nomad(app.node.change(exchange).await?)? {
        nomad::Reply::Acl { index, reply: acl::Reply::Token(token) } => {
            Ok((written(index), json(&query, &Exchanged { token: Shown(&*token), index })).into_response())
        }
        nomad::Reply::Acl { reply: acl::Reply::Denied, .. } => Err(Denied.into()),
        other => Err(Failure::unexpected(&other)),
    }
}
