//! Scaling: how many instances groups have, and the policies about it
//! (`hashicorp/nomad:command/agent/{job,scaling}_endpoint.go`).

use std::collections::BTreeMap;

use archive::msgpack;
use archive::nomad::{ScalingPolicy, kinds};
use axum::Extension;
use axum::body::Body;
use axum::http::Uri;
use axum::response::IntoResponse;
use records::nomad::Answer;
use records::nomad::acl::Authorizer;
use records::nomad::acl::NamespaceCapability::{
    ListJobs, ListScalingPolicies, ReadJob, ReadJobScaling, ReadScalingPolicy, ScaleJob, SubmitJob,
};
use records::nomad::jobs::{self, Command, ScaleRequest};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::schema::{SCALE_REQUEST, SCALING_EVENT, SCALING_POLICY};
use super::show::Structure;
use super::tree::{is_set, part, text};
use super::views::decode;
use super::{App, Caller, Params, Query, Reply, register, rights, versions, write};
use crate::http::{Failure, below};
use crate::nomad::params::namespace;
use crate::nomad::reads::read;
use crate::nomad::reply::json;

/// Scales a group, or notes something about it.
pub(super) async fn scale(app: &App, query: &Query, caller: &Caller, id: String, body: Body) -> Reply {
    let request = versions::request(&SCALE_REQUEST, body).await?;
    let target = |what| part(&request, "Target").map(|target| text(target, what)).unwrap_or_default();
    if !target("Job").is_empty() && target("Job") != id {
        return Err(Failure::invalid("job ID in payload did not match URL"));
    }
    let namespace = namespace(query).to_owned();
    let of_namespace = namespace.clone();
    caller
        .vet(move |view, may| {
            rights::any(may, &of_namespace, &[ScaleJob, SubmitJob])?;
            rights::are_open(view, may)
        })
        .await?;
    if !target("Namespace").is_empty() && target("Namespace") != namespace {
        return Err(Failure::invalid("namespace in payload did not match header"));
    }
    let scale = ScaleRequest {
        namespace,
        id,
        group: target("Group").to_owned(),
        count: request.get("Count").and_then(Value::as_i64),
        message: text(&request, "Message").to_owned(),
        error: is_set(&request, "Error"),
        meta: write::untyped(request.get("Meta")),
        job_modify_index: request.get("JobModifyIndex").and_then(Value::as_u64).unwrap_or_default(),
    };
    register::registered(app, query, Command::Scale(scale), Vec::new()).await
}

/// How many instances the groups of a job have, and how that came.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status<'a> {
    #[serde(rename = "JobID")]
    job_id: &'a str,
    namespace: &'a str,
    job_create_index: u64,
    job_modify_index: u64,
    job_stopped: bool,
    task_groups: BTreeMap<&'a str, OfGroup<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OfGroup<'a> {
    desired: i64,
    placed: u64,
    running: u64,
    healthy: u64,
    unhealthy: u64,
    events: Option<Vec<Structure<'a>>>,
}

/// Shows how a job is scaled.
pub(super) async fn status(params: Params, query: Query, id: String, caller: Caller) -> Reply {
    let namespace = params.namespace.clone();
    let (headers, (found, is_placed)) = read(&caller, params.read, move |view, may| {
        rights::any(may, &namespace, &[ReadJob, ReadJobScaling])?;
        let Answer { index, value } = jobs::job_scale(view, &namespace, &id)?;
        let is_placed = jobs::has_of_job(view, kinds::ALLOC, &namespace, &id)?.value;
        Ok(Answer { index, value: (value, is_placed) })
    })
    .await?;
    let Some((job, events)) = found else {
        return Ok((headers, Failure::not_found("job not found")).into_response());
    };
    if is_placed {
        return Err(super::views::carried(kinds::ALLOC));
    }
    let job = decode(&job)?;
    let events = events.as_deref().map(decode).transpose()?;
    let of_group = |name: &str| {
        let events = events.as_ref()?.get("ScalingEvents")?.get(name)?.as_array()?;
        Some(events.iter().map(|event| Structure(&SCALING_EVENT, event)).collect())
    };
    let name = |field| job.get(field).and_then(msgpack::Value::as_str).unwrap_or_default();
    let number = |field| job.get(field).and_then(msgpack::Value::as_u64).unwrap_or_default();
    let groups = job.get("TaskGroups").and_then(msgpack::Value::as_array).unwrap_or_default();
    let groups = groups.iter().filter_map(|group| {
        let called = group.get("Name")?.as_str()?;
        let desired = group.get("Count").and_then(msgpack::Value::as_i64).unwrap_or_default();
        let events = of_group(called);
        Some((called, OfGroup { desired, placed: 0, running: 0, healthy: 0, unhealthy: 0, events }))
    });
    let status = Status {
        job_id: name("ID"),
        namespace: name("Namespace"),
        job_create_index: number("CreateIndex"),
        job_modify_index: number("ModifyIndex"),
        job_stopped: job.get("Stop").and_then(msgpack::Value::as_bool).unwrap_or_default(),
        task_groups: groups.collect(),
    };
    Ok((headers, json(&query, &status)).into_response())
}

/// A policy as lists show it.
struct Stub<'a>(&'a ScalingPolicy);

impl Serialize for Stub<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ID", &self.0.id)?;
        map.serialize_entry("Enabled", &self.0.enabled)?;
        map.serialize_entry("Type", &self.0.kind)?;
        map.serialize_entry("Target", &self.0.target.clone().unwrap_or_default())?;
        map.serialize_entry("CreateIndex", &self.0.create_index)?;
        map.serialize_entry("ModifyIndex", &self.0.modify_index)?;
        map.end()
    }
}

/// `GET /v1/scaling/policies`.
pub(super) async fn policies(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let (namespace, prefix) = (params.namespace.clone(), params.prefix.clone());
    let wanted = |name: &str| query.filled(name).map(str::to_owned);
    let (job, kind) = (wanted("job"), wanted("type"));
    let (headers, found) = read(&caller, params.read, move |view, may| {
        let is_everywhere = namespace == "*";
        if !is_everywhere {
            may_list(may, &namespace)?;
        }
        let Answer { index, value } = jobs::scaling_policies(view, &prefix)?;
        let is_asked_for = |policy: &ScalingPolicy| {
            let of = jobs::namespace_of(policy);
            let is_there = if is_everywhere { may_list(may, of).is_ok() } else { of == namespace };
            let target = policy.target.as_ref().and_then(|target| target.get("Job"));
            // A prefix goes before everything else, as in genuine servers.
            let is_of_job = !prefix.is_empty() || is_everywhere || job.is_none() || target == job.as_ref();
            let is_of_kind = kind.as_ref().is_none_or(|kind| policy.kind.starts_with(kind.as_str()));
            is_there && is_of_job && is_of_kind
        };
        Ok(Answer { index, value: value.into_iter().filter(is_asked_for).collect::<Vec<_>>() })
    })
    .await?;
    let stubs: Vec<_> = found.iter().map(Stub).collect();
    Ok((headers, json(&query, &stubs)).into_response())
}

fn may_list(may: &Authorizer, namespace: &str) -> Result<(), Failure> {
    Ok(may.namespace(namespace, ListScalingPolicies).or_else(|_| reads_jobs(may, namespace))?)
}

fn reads_jobs(may: &Authorizer, namespace: &str) -> Result<(), records::nomad::acl::Denied> {
    may.namespace(namespace, ListJobs).and_then(|()| may.namespace(namespace, ReadJob))
}

/// `GET /v1/scaling/policy/{id}`.
pub(super) async fn policy(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let id = below(&uri, "/v1/scaling/policy/")?;
    let namespace = params.namespace.clone();
    let (headers, found) = read(&caller, params.read, move |view, may| {
        may.namespace(&namespace, ReadScalingPolicy).or_else(|_| reads_jobs(may, &namespace))?;
        let Answer { index, value } = jobs::scaling_policy(view, &id)?;
        // Rights in one namespace show nothing of another.
        let is_hidden = match &value {
            Some(bytes) => {
                let policy =
                    ScalingPolicy::decode(bytes).map_err(|error| Failure::invalid(error.to_string()))?;
                let of = jobs::namespace_of(&policy);
                may.namespace(of, ReadScalingPolicy).or_else(|_| reads_jobs(may, of)).is_err()
            }
            None => false,
        };
        Ok(Answer { index, value: value.filter(|_| !is_hidden) })
    })
    .await?;
    match found {
        Some(bytes) => {
            let policy = decode(&bytes)?;
            Ok((headers, json(&query, &Structure(&SCALING_POLICY, &policy))).into_response())
        }
        None => Ok((headers, Failure::not_found("policy not found")).into_response()),
    }
}
