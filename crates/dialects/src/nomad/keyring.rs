//! Root keys: `/v1/operator/keyring/{keys,rotate}` and `/v1/operator/keyring/key/{id}`.
//!
//! Follows `hashicorp/nomad:command/agent/keyring_endpoint.go` and `nomad/keyring_endpoint.go`.

use archive::nomad::RootKey;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, put};
use node::Kind;
use records::nomad::acl::OperatorCapability::{self, KeyringDelete, KeyringRead, KeyringRotate};
use records::nomad::root_keys::{self, Command};
use records::{Op, View, nomad};
use serde::Serialize;

use super::App;
use super::access::Caller;
use super::params::{Params, boolean};
use super::reads::read as read_with;
use super::reply::{json, of_nomad, written};
use crate::http::{Failure, Query, Reply, Routes, below, signed_or_why};

const KEY: &str = "/v1/operator/keyring/key/";

/// The routes; `through` gives an endpoint what every endpoint has.
pub(super) fn routes(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    Routes::default()
        .route("/v1/operator/keyring/keys", through("GET", get(list)))
        .route("/v1/operator/keyring/rotate", through("PUT,POST", put(rotate).post(rotate)))
        .below(KEY, || through("DELETE", delete(remove)))
}

/// What is shown of a root key: nothing of the key itself.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    #[serde(rename = "KeyID")]
    key_id: &'a str,
    algorithm: &'a str,
    create_time: i64,
    create_index: u64,
    modify_index: u64,
    state: &'a str,
    publish_time: i64,
}

impl<'a> Metadata<'a> {
    fn of(key: &'a RootKey) -> Metadata<'a> {
        Metadata {
            key_id: &key.key_id,
            algorithm: &key.algorithm,
            create_time: key.create_time_ns,
            create_index: key.create_index,
            modify_index: key.modify_index,
            state: &key.state,
            publish_time: key.publish_time_ns,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rotated<'a> {
    key: Metadata<'a>,
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    index: u64,
}

async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let (headers, keys) = read_with(&caller, params.read, |view, may| {
        may.operator(KeyringRead)?;
        Ok(root_keys::root_keys(view)?)
    })
    .await?;
    let shown: Vec<_> = keys.iter().map(Metadata::of).collect();
    Ok((headers, json(&query, &shown)).into_response())
}

/// `?full` encrypts anew what older keys encrypted, in the background; `?publish_time`, in nanoseconds since 1970,
/// is when the key becomes the active one. There is one `?algo` only, and any other is taken for it.
async fn rotate(State(app): State<App>, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let failed = |text: String| Failure::genuine(Kind::Invalid, text);
    let publish_time_ns = match query.filled("publish_time").map(signed_or_why).transpose() {
        Ok(time) => time.unwrap_or_default(),
        Err(why) => return Err(failed(format!("invalid publish_time: {why}"))),
    };
    may(&caller, KeyringRotate).await?;
    let reply = app.node.rotate_root_key(publish_time_ns, query.has("full")).await?;
    match of_nomad(records::Reply::Nomad(reply))? {
        nomad::Reply::RootKey(key) => {
            let shown = Rotated { key: Metadata::of(&key), index: key.modify_index };
            Ok((written(key.modify_index), json(&query, &shown)).into_response())
        }
        other => Err(Failure::unexpected(&other)),
    }
}

async fn remove(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let force = query.get("force").map(boolean).unwrap_or(Some(false));
    let force = force.ok_or_else(|| {
        Failure::of(Kind::Invalid, StatusCode::UNPROCESSABLE_ENTITY, "invalid force parameter")
    })?;
    let key_id = below(&uri, KEY)?;
    may(&caller, KeyringDelete).await?;
    let delete = nomad::Command::RootKeys(Command::Delete { key_id, force });
    match of_nomad(app.node.change_on_full_disk(Op::Nomad(delete)).await?)? {
        nomad::Reply::Done { index } => {
            Ok((written(index), json(&query, &Deleted { index })).into_response())
        }
        other => Err(Failure::unexpected(&other)),
    }
}

async fn may(caller: &Caller, capability: OperatorCapability) -> Result<(), Failure> {
    caller.vet(move |_: &View, may| Ok(may.operator(capability)?)).await
}
