//! The list of jobs.

use archive::nomad::Job;
use axum::Extension;
use axum::response::IntoResponse;
use records::nomad::Answer;
use records::nomad::acl::NamespaceCapability::ListJobs;
use records::nomad::jobs::{self, Listed};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::show::Multiregion;
use super::{Caller, Params, Query, Reply, flag};
use crate::http::filter::{Filter, kept};
use crate::http::shape::Shown;
use crate::nomad::reads::read;
use crate::nomad::reply::{continue_at, json};

pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let with_meta = flag(&query, "meta")?;
    let filter = Filter::nomad(&query, "Job")?;
    let (namespace, prefix) = (params.namespace.clone(), params.prefix.clone());
    let (mut headers, mut found) = read(&caller, params.read, move |view, may| {
        may.namespace(&namespace, ListJobs)?;
        let namespace = Some(namespace.as_str()).filter(|namespace| *namespace != "*");
        let Answer { index, value } = jobs::jobs(view, namespace, &prefix)?;
        let sees = |listed: &Listed| may.namespace(&listed.job.namespace, ListJobs).is_ok();
        Ok(Answer { index, value: value.into_iter().filter(sees).collect::<Vec<_>>() })
    })
    .await?;
    let token = |listed: &Listed| format!("{}.{}", listed.job.namespace, listed.job.id);
    found.sort_by_key(token);
    let found = kept(filter.as_ref(), found, |filter, listed| filter.passes_record(&listed.job.encode()))?;
    let (found, next) = params.page(found, token);
    continue_at(&mut headers, next.as_deref());
    let stubs: Vec<_> = found.iter().map(|listed| Stub { listed, with_meta }).collect();
    Ok((headers, json(&query, &stubs)).into_response())
}

/// A job as lists show it.
struct Stub<'a> {
    listed: &'a Listed,
    with_meta: bool,
}

impl Serialize for Stub<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listed { job, summary } = self.listed;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ID", &job.id)?;
        map.serialize_entry("ParentID", &job.parent_id)?;
        map.serialize_entry("Name", &job.name)?;
        map.serialize_entry("Namespace", &job.namespace)?;
        map.serialize_entry("Datacenters", &job.datacenters)?;
        map.serialize_entry("NodePool", &job.node_pool)?;
        map.serialize_entry("Multiregion", &Multiregion(&job.multiregion.value()))?;
        map.serialize_entry("Type", &job.kind)?;
        map.serialize_entry("Priority", &job.priority)?;
        map.serialize_entry("Periodic", &!job.periodic.is_nil())?;
        map.serialize_entry("ParameterizedJob", &is_parameterized(job))?;
        map.serialize_entry("Stop", &job.stop)?;
        map.serialize_entry("Status", &job.status)?;
        map.serialize_entry("StatusDescription", &job.status_description)?;
        map.serialize_entry("JobSummary", &Shown(summary))?;
        map.serialize_entry("CreateIndex", &job.create_index)?;
        map.serialize_entry("ModifyIndex", &job.modify_index)?;
        map.serialize_entry("JobModifyIndex", &job.job_modify_index)?;
        map.serialize_entry("SubmitTime", &job.submit_time_ns)?;
        if let Some(meta) = job.meta.as_ref().filter(|meta| self.with_meta && !meta.is_empty()) {
            map.serialize_entry("Meta", meta)?;
        }
        map.end()
    }
}

/// What was dispatched has the block too.
fn is_parameterized(job: &Job) -> bool {
    !job.parameterized_job.is_nil() && !job.dispatched
}
