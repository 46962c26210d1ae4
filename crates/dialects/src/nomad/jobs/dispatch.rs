//! Jobs that are made of others (`hashicorp/nomad:command/agent/job_endpoint.go`).

use axum::body::Body;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use records::Op;
use records::nomad;
use records::nomad::acl::NamespaceCapability::{DispatchJob, ForcePeriodicJob, SubmitJob};
use records::nomad::jobs::{Command, Dispatch};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::read::Tree;
use super::schema::DISPATCH_REQUEST;
use super::tree::{integer, part, text};
use super::{App, Caller, Query, Reply, rights, versions};
use crate::http::{Failure, read_up_to};
use crate::nomad::params::namespace;
use crate::nomad::reply::{json, of_nomad, written};

/// More than any payload may take.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What a dispatch is answered with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Dispatched {
    #[serde(rename = "DispatchedJobID")]
    dispatched_job_id: String,
    #[serde(rename = "EvalID")]
    eval_id: &'static str,
    eval_create_index: u64,
    job_create_index: u64,
    index: u64,
}

/// What the launch of a periodic job is answered with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Forced {
    #[serde(rename = "EvalID")]
    eval_id: &'static str,
    eval_create_index: u64,
    index: u64,
}

/// Makes a job of a parameterized one, as the body says.
pub(super) async fn dispatch(app: &App, query: &Query, caller: &Caller, id: String, body: Body) -> Reply {
    let request = versions::request(&DISPATCH_REQUEST, body).await?;
    let named = text(&request, "JobID");
    if !named.is_empty() && named != id {
        return Err(Failure::invalid("Job ID does not match"));
    }
    let payload = STANDARD.decode(text(&request, "Payload")).unwrap_or_default();
    make(app, query, caller, id, request, payload).await
}

/// Makes a job of a parameterized one, with the body as payload.
pub(super) async fn payload(app: &App, query: &Query, caller: &Caller, id: String, body: Body) -> Reply {
    let payload = read_up_to(BODY_BYTES_MAX, body).await?;
    let too_large =
        || Failure::too_large(format!("Request body too large, max size: {BODY_BYTES_MAX} bytes"));
    make(app, query, caller, id, Tree::new(), payload.ok_or_else(too_large)?.to_vec()).await
}

async fn make(
    app: &App,
    query: &Query,
    caller: &Caller,
    id: String,
    request: Tree,
    payload: Vec<u8>,
) -> Reply {
    let namespace = namespace(query).to_owned();
    let of_namespace = namespace.clone();
    caller
        .vet(move |view, may| {
            may.namespace(&of_namespace, DispatchJob)?;
            rights::are_open(view, may)
        })
        .await?;
    let compressed = snap::raw::Encoder::new().compress_vec(&payload);
    let meta = part(&request, "Meta").into_iter().flatten();
    let token = query.filled("idempotency_token").unwrap_or_else(|| text(&request, "IdempotencyToken"));
    let dispatch = Dispatch {
        namespace,
        id,
        payload_bytes: payload.len(),
        payload: compressed.map_err(|error| Failure::invalid(error.to_string()))?,
        meta: meta
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        idempotency_token: token.to_owned(),
        id_prefix_template: text(&request, "IdPrefixTemplate").to_owned(),
        suffix: Uuid::new_v4().to_string()[..8].to_owned(),
        priority: integer(&request, "Priority"),
    };
    let (index, create_index, id) = change(app, Command::Dispatch(dispatch)).await?;
    let answer = Dispatched {
        dispatched_job_id: id,
        eval_id: "",
        eval_create_index: 0,
        job_create_index: create_index,
        index,
    };
    Ok((written(index), json(query, &answer)).into_response())
}

/// Makes a job of a periodic one, now.
pub(super) async fn force(app: &App, query: &Query, caller: &Caller, id: String) -> Reply {
    let namespace = namespace(query).to_owned();
    rights::may_any(caller, namespace.clone(), &[DispatchJob, SubmitJob, ForcePeriodicJob]).await?;
    let (index, ..) = change(app, Command::ForcePeriodic { namespace, id }).await?;
    let answer = Forced { eval_id: "", eval_create_index: 0, index };
    Ok((written(index), json(query, &answer)).into_response())
}

async fn change(app: &App, command: Command) -> Result<(u64, u64, String), Failure> {
    match of_nomad(app.node.change(Op::Nomad(nomad::Command::Jobs(command))).await?)? {
        nomad::Reply::Child { index, create_index, id } => Ok((index, create_index, id)),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Replaces the payload of a job by what it was before it was compressed.
pub(super) fn unpack(job: &mut Value) -> Result<(), Failure> {
    let Some(packed) = job.get("Payload").and_then(Value::as_str).filter(|packed| !packed.is_empty()) else {
        return Ok(());
    };
    let packed = STANDARD.decode(packed).unwrap_or_default();
    let corrupt = |error: snap::Error| {
        Failure::from(node::Error::new(node::Kind::Corrupt, format!("the payload is damaged: {error}")))
    };
    // Whatever an archive declares, no more than this is unpacked.
    if snap::raw::decompress_len(&packed).map_err(corrupt)? > BODY_BYTES_MAX {
        return Err(Failure::unserved("Stillpoint does not show payloads of more than 1 MiB"));
    }
    let payload = snap::raw::Decoder::new().decompress_vec(&packed).map_err(corrupt)?;
    job["Payload"] = STANDARD.encode(payload).into();
    Ok(())
}
