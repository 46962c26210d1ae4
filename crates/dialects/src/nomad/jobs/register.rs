//! Registering jobs, and stopping them.

use std::collections::BTreeMap;

use archive::nomad::JobSubmission;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use node::Kind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use records::nomad::acl::NamespaceCapability::{DeregisterJob, PurgeJob, RegisterJob, SubmitJob};
use records::nomad::jobs::{Command, Registration, places};
use records::nomad::{self, DEFAULT_NAMESPACE};
use records::{Op, View};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::read::{self, Tree};
use super::schema::JOB;
use super::tree::{each, text, tree};
use super::{
    App, Caller, Query, Reply, connect, constraints, defaults, expose, flag, rights, validate, write,
};
use crate::http::Failure;
use crate::nomad::params::{namespace, read_json};
use crate::nomad::reply::{json, of_nomad, written};

/// What every answer to a change of what should run says.
pub(super) const NOTHING_RUNS: &str = "Nothing is scheduled here: the job is kept as registered, and not run";

/// A source that takes more is not kept.
const SOURCE_BYTES_MAX: usize = 1_000_000;

/// The region that we are.
const REGION: &str = "global";

/// What a registration, or the end of one, is answered with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Registered {
    /// Empty: nothing is evaluated.
    #[serde(rename = "EvalID")]
    eval_id: &'static str,
    eval_create_index: u64,
    job_modify_index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<String>,
    #[serde(rename = "VolumeEvalID", skip_serializing_if = "Option::is_none")]
    volume_eval_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_eval_index: Option<u64>,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

pub(super) async fn create(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
    body: Body,
) -> Reply {
    register(&app, &query, &caller, None, body).await
}

/// Registers the job of a request, which must have the id `expected` if there is one.
pub(super) async fn register(
    app: &App,
    query: &Query,
    caller: &Caller,
    expected: Option<String>,
    body: Body,
) -> Reply {
    let request = Request::read(read_json(body).await?)?;
    let Some(id) = request.job.get("ID").and_then(Value::as_str) else {
        return Err(Failure::invalid("Job ID hasn't been provided"));
    };
    if expected.is_some_and(|expected| expected != id) {
        return Err(Failure::invalid("Job ID does not match name"));
    }
    request.check_options()?;
    let (asked, asking) = (query.clone(), caller.clone());
    let (registration, warnings) = caller
        .vet(move |view, may| {
            // Before anything is done for whoever asks. Genuine servers ask later, and tell others what is wrong.
            rights::any(may, request.namespace(&asked), &[SubmitJob, RegisterJob])?;
            let Examined { mut job, faults, mut warnings } = request.examine(&asked, view)?;
            if !faults.is_empty() {
                return Err(Failure::genuine(Kind::Invalid, faults.to_string()));
            }
            rights::may_register(&job, view, may, &[SubmitJob, RegisterJob])?;
            let (submission, discarded) = fitting(request.submission);
            warnings.extend(discarded);
            if let Some(accessor) = asking.accessor(view)? {
                job.insert("NomadTokenID".into(), accessor.into());
            }
            each(&mut job, "TaskGroups", |group| {
                if let Some(scaling) = tree(group, "Scaling") {
                    scaling.insert("ID".into(), Uuid::new_v4().to_string().into());
                }
            });
            let registration = Registration {
                job: record(&job)?,
                submission,
                enforce_index: request.enforce_index,
                preserve_counts: request.preserve_counts,
                preserve_resources: request.preserve_resources,
            };
            Ok((registration, warnings))
        })
        .await?;
    registered(app, query, Command::Register(registration), warnings).await
}

/// Changes what is to run, and says that nothing does.
pub(super) async fn registered(app: &App, query: &Query, command: Command, warnings: Vec<String>) -> Reply {
    let warnings: Vec<String> = [NOTHING_RUNS.to_owned()].into_iter().chain(warnings).collect();
    change(app, query, command, |index, job_modify_index| Registered {
        eval_id: "",
        eval_create_index: 0,
        job_modify_index,
        warnings: Some(validate::merged(&warnings)),
        volume_eval_id: None,
        volume_eval_index: None,
        index,
        last_contact: 0,
        known_leader: false,
        next_token: "",
    })
    .await
}

/// Stops a job, or purges it.
pub(super) async fn deregister(app: &App, query: &Query, caller: &Caller, id: String) -> Reply {
    let purge = flag(query, "purge")?;
    flag(query, "global")?;
    flag(query, "no_shutdown_delay")?;
    if id.is_empty() {
        return Err(Failure::genuine(Kind::Invalid, "missing job ID for deregistering"));
    }
    let namespace = namespace(query).to_owned();
    let needed: &'static [_] =
        if purge { &[SubmitJob, PurgeJob] } else { &[SubmitJob, PurgeJob, DeregisterJob] };
    rights::may_any(caller, namespace.clone(), needed).await?;
    let command = Command::Deregister { namespace, id, purge };
    change(app, query, command, |index, job_modify_index| Registered {
        eval_id: "",
        eval_create_index: 0,
        job_modify_index,
        warnings: None,
        volume_eval_id: Some(""),
        volume_eval_index: Some(0),
        index,
        last_contact: 0,
        known_leader: false,
        next_token: "",
    })
    .await
}

async fn change(
    app: &App,
    query: &Query,
    command: Command,
    answer: impl Fn(u64, u64) -> Registered,
) -> Reply {
    match of_nomad(app.node.change(Op::Nomad(nomad::Command::Jobs(command))).await?)? {
        nomad::Reply::Job { index, job_modify_index } => {
            Ok((written(index), json(query, &answer(index, job_modify_index))).into_response())
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// A registration as clients send it.
pub(super) struct Request {
    job: Tree,
    submission: Option<JobSubmission>,
    enforce_index: Option<u64>,
    preserve_counts: bool,
    preserve_resources: bool,
    eval_priority: i64,
    namespace: Option<String>,
    region: Option<String>,
}

/// A job as it would be stored.
pub(super) struct Examined {
    pub(super) job: Tree,
    /// What is wrong with it.
    pub(super) faults: validate::Faults,
    /// What is dubious about it.
    pub(super) warnings: Vec<String>,
}

impl Request {
    pub(super) fn read(body: Value) -> Result<Request, Failure> {
        let Value::Object(members) = body else {
            return Err(Failure::invalid(
                "json: cannot unmarshal the body into Go value of type api.JobRegisterRequest",
            ));
        };
        let mut named: BTreeMap<String, Value> = members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let job = named.remove("job").ok_or_else(|| Failure::invalid("Job must be specified"))?;
        let job = read::structure(&JOB, job, "Job").map_err(Failure::invalid)?;
        let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        let is_set = |name: &str| named.get(name).and_then(Value::as_bool).unwrap_or_default();
        let index = named.get("jobmodifyindex").and_then(Value::as_u64).unwrap_or_default();
        let enforce_index = is_set("enforceindex").then_some(index);
        let (preserve_counts, preserve_resources) = (is_set("preservecounts"), is_set("preserveresources"));
        let eval_priority = named.get("evalpriority").and_then(Value::as_i64).unwrap_or_default();
        let submission = named.remove("submission").map(submission).transpose().map_err(Failure::invalid)?;
        Ok(Request {
            job,
            submission,
            enforce_index,
            preserve_counts,
            preserve_resources,
            eval_priority,
            namespace: text(named.remove("namespace")),
            region: text(named.remove("region")),
        })
    }

    fn check_options(&self) -> Result<(), Failure> {
        let scales = super::tree::list(&self.job, "TaskGroups").any(|group| group.contains_key("Scaling"));
        if text(&self.job, "Type") == "system" && scales {
            return Err(Failure::invalid("Task groups with job type system do not support scaling blocks"));
        }
        if self.eval_priority != 0 && !(1..=100).contains(&self.eval_priority) {
            return Err(Failure::invalid("Eval priority must be between 1 and 100 inclusively"));
        }
        Ok(())
    }

    /// The namespace that the job is to be in.
    pub(super) fn namespace<'a>(&'a self, query: &'a Query) -> &'a str {
        let said = [query.get("namespace"), self.namespace.as_deref(), Some(text(&self.job, "Namespace"))];
        said.into_iter().flatten().find(|namespace| !namespace.is_empty()).unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Makes of the job what would be stored, and checks it.
    pub(super) fn examine(&self, query: &Query, view: &View) -> Result<Examined, Failure> {
        let refuse = |why: String| Failure::genuine(Kind::Invalid, why);
        let said = [self.region.as_deref(), query.get("region"), Some(text(&self.job, "Region"))];
        let region = said.into_iter().flatten().find(|region| !region.is_empty()).unwrap_or(REGION);
        if region != REGION {
            return Err(refuse("No path to region".into()));
        }
        let mut job = self.job.clone();
        job.insert("Namespace".into(), self.namespace(query).into());
        job.insert("Region".into(), region.into());
        complete(&mut job).map_err(refuse)?;
        let places = places(view, text(&job, "Namespace"), text(&job, "NodePool"))?;
        let faults = validate::job(&job, validate::places(&job, &places));
        let warnings = validate::warnings(&job, places.oversubscribes);
        Ok(Examined { job, faults, warnings })
    }
}

/// The job as it is stored.
fn record(job: &Tree) -> Result<Box<archive::nomad::Job>, Failure> {
    let bytes = write::record(&JOB, job);
    // Bounded here, so that what is stored can be read again.
    archive::msgpack::Value::decode(&bytes).map_err(|error| Failure::invalid(error.to_string()))?;
    let job = archive::nomad::Job::decode(&bytes).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(Box::new(job))
}

/// Makes of a job as it is asked for what is stored. The error is a sentence.
pub(super) fn complete(job: &mut Tree) -> Result<(), String> {
    defaults::complete(job);
    constraints::partition(job);
    connect::inject(job).map_err(|why| format!("error in job mutator connect: {why}"))?;
    expose::inject(job).map_err(|why| format!("error in job mutator expose-check: {why}"))?;
    constraints::imply(job);
    Ok(())
}

/// What `golang/go:src/net/url/url.go`, `QueryEscape` leaves as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Values of flags are stored escaped, for the line ends in them.
fn submission(value: Value) -> Result<JobSubmission, String> {
    let mut submission = <JobSubmission as crate::http::shape::Shape>::read(value)?;
    let flags = submission.variable_flags.take().filter(|flags| !flags.is_empty());
    let escape = |value: String| utf8_percent_encode(&value, ESCAPED).to_string().replace("%20", "+");
    submission.variable_flags =
        flags.map(|flags| flags.into_iter().map(|(name, value)| (name, escape(value))).collect());
    Ok(submission)
}

/// The source, if it is not too large to be kept; else a warning.
fn fitting(submission: Option<JobSubmission>) -> (Option<JobSubmission>, Option<String>) {
    let Some(found) = &submission else { return (None, None) };
    let flags = found.variable_flags.iter().flatten().map(|(name, value)| name.len() + value.len());
    let bytes = found.source.len() + found.variables.len() + flags.sum::<usize>();
    if bytes <= SOURCE_BYTES_MAX {
        return (submission, None);
    }
    let size = bytes as f64 / 1e6;
    let size = if size < 10.0 { format!("{size:.1}") } else { format!("{size:.0}") };
    (None, Some(format!("job source size of {size} MB exceeds maximum of 1.0 MB and will be discarded")))
}
