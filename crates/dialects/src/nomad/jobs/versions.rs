//! Changes of what versions a job has: going back to one, tags, and which are stable
//! (`hashicorp/nomad:command/agent/job_endpoint.go`).

use axum::Extension;
use axum::body::Body;
use axum::response::IntoResponse;
use records::nomad;
use records::nomad::acl::NamespaceCapability::{ReadJob, RevertJob, StableJob, SubmitJob, TagJobVersion};
use records::nomad::jobs::{self, Command, Revert, Tagged};
use records::{Op, View};
use serde::Serialize;
use serde_json::Value;

use super::read::{self, Tree};
use super::schema::{REVERT_REQUEST, STABILITY_REQUEST, Shape, TAG_REQUEST};
use super::show::Job;
use super::tree::{is_set, text};
use super::{App, Caller, Query, Reply, register, rights};
use crate::http::Failure;
use crate::nomad::params::{namespace, read_json};
use crate::nomad::reply::{json, of_nomad, written};

/// The request of a body, whose names may be in any case.
pub(super) async fn request(shape: &Shape, body: Body) -> Result<Tree, Failure> {
    read::structure(shape, read_json(body).await?, "request").map_err(Failure::invalid)
}

/// A request that must name the job of its path.
async fn request_for(shape: &Shape, body: Body, id: &str) -> Result<Tree, Failure> {
    let request = request(shape, body).await?;
    match text(&request, "JobID") {
        "" => Err(Failure::invalid("JobID must be specified")),
        named if named != id => Err(Failure::invalid("Job ID does not match")),
        _ => Ok(request),
    }
}

fn unsigned(request: &Tree, name: &str) -> u64 {
    request.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Goes back to a version.
pub(super) async fn revert(app: &App, query: &Query, caller: &Caller, id: String, body: Body) -> Reply {
    let request = request_for(&REVERT_REQUEST, body, &id).await?;
    let (namespace, version) = (namespace(query).to_owned(), unsigned(&request, "JobVersion"));
    let (asking, asked_id) = (caller.clone(), id.clone());
    let of_namespace = namespace.clone();
    let nomad_token_id = caller
        .vet(move |view, may| {
            rights::any(may, &of_namespace, &[SubmitJob, RevertJob])?;
            if let Some(job) = tree_of(view, &of_namespace, &asked_id, version)? {
                rights::may_register(&job, view, may, &[SubmitJob, RevertJob])?;
            }
            asking.accessor(view)
        })
        .await?;
    let enforce_prior_version = request.get("EnforcePriorVersion").and_then(Value::as_u64);
    let revert = Revert { namespace, id, version, enforce_prior_version, nomad_token_id };
    register::registered(app, query, Command::Revert(revert), Vec::new()).await
}

/// A version as a tidy structure.
fn tree_of(view: &View, namespace: &str, id: &str, version: u64) -> Result<Option<Tree>, Failure> {
    let Some(bytes) = jobs::job_version(view, namespace, id, version)? else { return Ok(None) };
    let job = super::views::decode(&bytes)?;
    let shown = serde_json::to_value(Job(&job)).map_err(|error| Failure::invalid(error.to_string()))?;
    match shown {
        Value::Object(mut tree) => {
            forget_nulls(&mut tree);
            Ok(Some(tree))
        }
        _ => Ok(None),
    }
}

/// What is shown as null is not there.
fn forget_nulls(tree: &mut Tree) {
    tree.retain(|_, value| !value.is_null());
    for value in tree.values_mut() {
        forget_nulls_in(value);
    }
}

fn forget_nulls_in(value: &mut Value) {
    match value {
        Value::Object(tree) => forget_nulls(tree),
        Value::Array(values) => values.iter_mut().for_each(forget_nulls_in),
        _ => {}
    }
}

/// The index of a change that has no other answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Changed {
    index: u64,
}

/// Says whether a version is stable.
pub(super) async fn stable(app: &App, query: &Query, caller: &Caller, id: String, body: Body) -> Reply {
    let request = request_for(&STABILITY_REQUEST, body, &id).await?;
    let namespace = namespace(query).to_owned();
    rights::may_any(caller, namespace.clone(), &[SubmitJob, StableJob]).await?;
    let (version, stable) = (unsigned(&request, "JobVersion"), is_set(&request, "Stable"));
    let index = change(app, Command::SetStable { namespace, id, version, stable }).await?;
    Ok((written(index), json(query, &Changed { index })).into_response())
}

/// What a tag is answered with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagChanged {
    name: String,
    description: String,
    tagged_time: i64,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

/// Tags a version, or takes a tag away if there is no body.
pub(super) async fn tag(app: &App, query: &Query, caller: &Caller, path: &str, body: Option<Body>) -> Reply {
    let parts: Vec<&str> = path.split('/').collect();
    let [id, _, name, _] = parts[..] else { return Err(Failure::not_found("invalid job tag endpoint")) };
    let (id, name) = (id.to_owned(), name.to_owned());
    let tagged = match body {
        Some(body) => {
            let request = request(&TAG_REQUEST, body).await?;
            let description = text(&request, "Description").to_owned();
            Some(Tagged { version: unsigned(&request, "Version"), description })
        }
        None => None,
    };
    let namespace = namespace(query).to_owned();
    rights::may_any(caller, namespace.clone(), &[SubmitJob, TagJobVersion]).await?;
    let version = tagged.as_ref().map(|tagged| tagged.version);
    let command = Command::Tag { namespace: namespace.clone(), id: id.clone(), name: name.clone(), tagged };
    let index = change(app, command).await?;
    let mut answer = TagChanged {
        name: String::new(),
        description: String::new(),
        tagged_time: 0,
        index,
        last_contact: 0,
        known_leader: false,
        next_token: "",
    };
    if let Some(version) = version {
        // The time is that of the change, which only the state knows.
        let view = app.node.records().view(records::Scope::Nomad).map_err(node::Error::from)?;
        let found = tree_of(&view, &namespace, &id, version)?;
        let tag = found.as_ref().and_then(|job| super::tree::part(job, "VersionTag"));
        answer.name = name;
        answer.description = tag.map(|tag| text(tag, "Description").to_owned()).unwrap_or_default();
        answer.tagged_time = tag.map(|tag| super::tree::integer(tag, "TaggedTime")).unwrap_or_default();
    }
    Ok(json(query, &answer))
}

/// Makes a change that is answered with its index alone.
async fn change(app: &App, command: Command) -> Result<u64, Failure> {
    match of_nomad(app.node.change(Op::Nomad(nomad::Command::Jobs(command))).await?)? {
        nomad::Reply::Done { index } => Ok(index),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Whether a job would be registered, and what is to be said of it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Validated {
    driver_config_validated: bool,
    validation_errors: Option<Vec<String>>,
    error: String,
    warnings: String,
}

/// Checks a job without registering it.
pub(super) async fn validate(Extension(query): Extension<Query>, caller: Caller, body: Body) -> Reply {
    let request = register::Request::read(read_json(body).await?)?;
    let asked = query.clone();
    let answer = caller
        .vet(move |view, may| {
            may.namespace(request.namespace(&asked), ReadJob)?;
            let register::Examined { faults, warnings, .. } = request.examine(&asked, view)?;
            let error = if faults.is_empty() { String::new() } else { faults.to_string() };
            let errors = faults.into_sentences();
            Ok(Validated {
                driver_config_validated: true,
                validation_errors: Some(errors).filter(|errors| !errors.is_empty()),
                error,
                warnings: super::validate::merged(&warnings),
            })
        })
        .await?;
    Ok(json(&query, &answer))
}
