//! One job, and what is told of it.

use archive::msgpack;
use archive::nomad::{ChildrenSummary, GroupSummary, JobSubmission, JobSummary, kinds};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use records::nomad::Answer;
use records::nomad::acl::{Authorizer, NamespaceCapability::ReadJob};
use records::nomad::jobs;
use serde::Serialize;
use serde_json::Value;

use super::show::Job;
use super::tree::{list, text};
use super::{Caller, Params, Query, Reply, dispatch, flag, scale};
use crate::http::json::json_body;
use crate::http::shape::{Shown, shapes};
use crate::http::{Failure, unescape};
use crate::nomad::reads::read;
use crate::nomad::reply::json;

shapes! {
    JobSummary {
        [lenient]
        "JobID": job_id always,
        "Namespace": namespace always,
        "Summary": summary always,
        "Children": children always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    GroupSummary {
        [lenient]
        "Queued": queued always,
        "Complete": complete always,
        "Failed": failed always,
        "Running": running always,
        "Starting": starting always,
        "Lost": lost always,
        "Unknown": unknown always,
    }

    ChildrenSummary {
        [lenient]
        "Pending": pending always,
        "Running": running always,
        "Dead": dead always,
    }

    JobSubmission {
        [lenient]
        "Source": source always,
        "Format": format always,
        "VariableFlags": variable_flags always,
        "Variables": variables always,
        "Namespace": namespace always,
        "JobID": job_id always,
        "Version": version always,
        "JobModifyIndex": job_modify_index always,
    }
}

/// What can be seen of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum View {
    /// The job itself.
    Job,
    Versions,
    Summary,
    Submission,
    /// How it is scaled.
    Scale,
    /// What can be run in its tasks.
    Actions,
    /// What only a scheduler makes: the type of the records, and the answer where there are none.
    Made(u8, &'static str),
}

/// How the paths of views end.
pub(super) const VIEWS: &[(&str, View)] = &[
    ("/versions", View::Versions),
    ("/summary", View::Summary),
    ("/submission", View::Submission),
    ("/scale", View::Scale),
    ("/actions", View::Actions),
    ("/services", View::Made(kinds::SERVICE_REGISTRATION, "[]")),
    ("/evaluations", View::Made(kinds::EVAL, "[]")),
    ("/allocations", View::Made(kinds::ALLOC, "[]")),
    ("/deployments", View::Made(kinds::DEPLOYMENT, "[]")),
    ("/deployment", View::Made(kinds::DEPLOYMENT, "null")),
];

/// Shows one of the views of a job.
pub(super) async fn show(view: View, params: Params, query: Query, id: String, caller: Caller) -> Reply {
    match view {
        View::Job => one(params, query, id, caller).await,
        View::Versions => versions(params, query, id, caller).await,
        View::Summary => summary(params, query, id, caller).await,
        View::Submission => submission(params, query, id, caller).await,
        View::Scale => scale::status(params, query, id, caller).await,
        View::Actions => actions(params, query, id, caller).await,
        View::Made(kind, none) => made(kind, none, params, id, caller).await,
    }
}

/// Finds something of a job in the namespace of the request, for whoever may see its jobs.
async fn find<T: Send + 'static>(
    params: Params,
    caller: &Caller,
    find: impl Fn(&records::View, &str) -> Result<Answer<T>, records::Error> + Clone + Send + 'static,
) -> Result<(HeaderMap, T), Failure> {
    let namespace = params.namespace;
    read(caller, params.read, move |view, may: &Authorizer| {
        may.namespace(&namespace, ReadJob)?;
        Ok(find(view, &namespace)?)
    })
    .await
}

async fn one(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    let (headers, found) =
        find(params, &caller, move |view, namespace| jobs::job(view, namespace, &id)).await?;
    let Some(bytes) = found else { return Ok(missing(headers, "job not found")) };
    let job = decode(&bytes)?;
    if job.get("Payload").and_then(msgpack::Value::as_bytes).is_some_and(|payload| !payload.is_empty()) {
        let mut shown = serde_json::to_value(Job(&job)).map_err(|e| Failure::invalid(e.to_string()))?;
        dispatch::unpack(&mut shown)?;
        return Ok((headers, json(&query, &shown)).into_response());
    }
    Ok((headers, json(&query, &Job(&job))).into_response())
}

/// The versions, and what answers of this type have beside the headers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Versions<'a> {
    versions: Vec<Job<'a>>,
    diffs: Option<()>,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

async fn versions(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    if flag(&query, "diffs")? {
        return Err(Failure::unserved("Stillpoint does not compare versions of jobs"));
    }
    let (headers, found) = find(params, &caller, move |view, namespace| {
        let Answer { index, value } = jobs::job_versions(view, namespace, &id)?;
        Ok(Answer { index, value: (index, value) })
    })
    .await?;
    let (index, found) = found;
    if found.is_empty() {
        return Ok(missing(headers, "job versions not found"));
    }
    let found = found.iter().map(|bytes| decode(bytes)).collect::<Result<Vec<_>, _>>()?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let versions = Versions {
        versions: found.iter().map(Job).collect(),
        diffs: None,
        index,
        // Milliseconds there, nanoseconds here.
        last_contact: header("x-nomad-lastcontact")
            .parse::<u64>()
            .unwrap_or_default()
            .saturating_mul(1_000_000),
        known_leader: header("x-nomad-knownleader") == "true",
        next_token: "",
    };
    let body = json(&query, &versions);
    Ok((headers, body).into_response())
}

async fn summary(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    let (headers, found) =
        find(params, &caller, move |view, namespace| jobs::job_summary(view, namespace, &id)).await?;
    match found {
        Some(summary) => Ok((headers, json(&query, &Shown(&summary))).into_response()),
        None => Ok(missing(headers, "job not found")),
    }
}

async fn submission(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    let Some(Ok(version)) = query.get("version").map(str::parse::<u64>) else {
        return Err(Failure::invalid("Unable to parse job submission version parameter"));
    };
    let (headers, found) =
        find(params, &caller, move |view, namespace| jobs::job_submission(view, namespace, &id, version))
            .await?;
    match found {
        Some(mut submission) => {
            for value in submission.variable_flags.iter_mut().flat_map(|flags| flags.values_mut()) {
                *value = unescaped(value)?;
            }
            Ok((headers, json(&query, &Shown(&submission))).into_response())
        }
        None => Ok(missing(headers, "job source not found")),
    }
}

/// Values of flags are stored escaped.
fn unescaped(value: &str) -> Result<String, Failure> {
    let bytes = unescape(value.replace('+', " ").as_bytes());
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok_or_else(|| {
        Failure::genuine(node::Kind::Invalid, format!("invalid URL escape in the variable flag {value:?}"))
    })
}

/// An action, and where it is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    name: Value,
    command: Value,
    args: Value,
    task_name: String,
    task_group_name: String,
}

async fn actions(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    let called = id.clone();
    let (headers, found) =
        find(params, &caller, move |view, namespace| jobs::job(view, namespace, &id)).await?;
    let Some(bytes) = found else {
        return Ok((headers, Failure::not_found(format!("Unknown job: {called}"))).into_response());
    };
    let job = decode(&bytes)?;
    let shown = serde_json::to_value(Job(&job)).map_err(|e| Failure::invalid(e.to_string()))?;
    let mut found = Vec::new();
    for group in shown.as_object().into_iter().flat_map(|job| list(job, "TaskGroups")) {
        for task in list(group, "Tasks") {
            found.extend(list(task, "Actions").map(|action| Action {
                name: action.get("Name").cloned().unwrap_or_default(),
                command: action.get("Command").cloned().unwrap_or_default(),
                args: action.get("Args").cloned().unwrap_or_default(),
                task_name: text(task, "Name").to_owned(),
                task_group_name: text(group, "Name").to_owned(),
            }));
        }
    }
    Ok((headers, json(&query, &found)).into_response())
}

/// Nothing is scheduled here, so there is nothing to see, unless it came with an archive.
async fn made(kind: u8, none: &'static str, params: Params, id: String, caller: Caller) -> Reply {
    let (headers, (has_some, is_job)) = find(params, &caller, move |view, namespace| {
        let Answer { index, value } = jobs::has_of_job(view, kind, namespace, &id)?;
        Ok(Answer { index, value: (value, jobs::job(view, namespace, &id)?.value.is_some()) })
    })
    .await?;
    match (has_some, is_job) {
        (true, _) => Err(carried(kind)),
        (_, false) if kind == kinds::SERVICE_REGISTRATION => Ok(missing(headers, "job not found")),
        _ => Ok((headers, json_body(none)).into_response()),
    }
}

/// Why what an archive brought is not shown.
pub(super) fn carried(kind: u8) -> Failure {
    Failure::unserved(format!(
        "Stillpoint keeps the records of type {} that the archive has for this job, but does not show them",
        kinds::name(kind)
    ))
}

fn missing(headers: HeaderMap, text: &'static str) -> Response {
    (headers, Failure::not_found(text)).into_response()
}

pub(super) fn decode(bytes: &[u8]) -> Result<msgpack::Value<'_>, Failure> {
    msgpack::Value::decode(bytes).map_err(|error| {
        node::Error::new(node::Kind::Corrupt, format!("the stored job is damaged: {error}")).into()
    })
}
