//! Registering jobs, and stopping them.

use std::collections::BTreeMap;

use archive::nomad::JobSubmission;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use records::nomad::acl::NamespaceCapability::{self, DeregisterJob, PurgeJob, RegisterJob, SubmitJob};
use records::nomad::jobs::{Command, Registration};
use records::nomad::{self, DEFAULT_NAMESPACE};
use records::{Op, View};
use serde::Serialize;
use serde_json::Value;

use super::read::{self, Tree};
use super::schema::JOB;
use super::{App, Caller, Query, Reply, constraints, defaults, flag, validate, write};
use crate::http::Failure;
use crate::nomad::params::read_json;
use crate::nomad::reply::{json, of_nomad, written};

/// In the form in which genuine servers put warnings together.
const WARNING: &str = "1 warning:\n\n* Nothing is scheduled here: the job is kept as registered, and not run";

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
    warnings: Option<&'static str>,
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
    let registration = request.translate(query)?;
    may(caller, registration.job.namespace.clone(), &[SubmitJob, RegisterJob]).await?;
    change(app, query, Command::Register(registration), |index, job_modify_index| Registered {
        eval_id: "",
        eval_create_index: 0,
        job_modify_index,
        warnings: Some(WARNING),
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
        return Err(Failure::genuine(node::Kind::Invalid, "missing job ID for deregistering"));
    }
    let namespace = query.filled("namespace").unwrap_or(DEFAULT_NAMESPACE).to_owned();
    let rights: &'static [NamespaceCapability] =
        if purge { &[SubmitJob, PurgeJob] } else { &[SubmitJob, PurgeJob, DeregisterJob] };
    may(caller, namespace.clone(), rights).await?;
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

/// Whether the caller has any of these rights in a namespace.
async fn may(
    caller: &Caller,
    namespace: String,
    rights: &'static [NamespaceCapability],
) -> Result<(), Failure> {
    caller
        .vet(move |_: &View, may| {
            let mut answers = rights.iter().map(|right| may.namespace(&namespace, *right));
            match answers.find_map(Result::ok) {
                Some(()) => Ok(()),
                None => Ok(may.management()?),
            }
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
struct Request {
    job: Tree,
    submission: Option<JobSubmission>,
    enforce_index: Option<u64>,
    namespace: Option<String>,
    region: Option<String>,
}

impl Request {
    fn read(body: Value) -> Result<Request, Failure> {
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
        let enforces = named.remove("enforceindex").and_then(|value| value.as_bool()).unwrap_or_default();
        let index = named.remove("jobmodifyindex").and_then(|value| value.as_u64()).unwrap_or_default();
        for what in ["preservecounts", "preserveresources"] {
            if named.get(what).and_then(Value::as_bool).unwrap_or_default() {
                return Err(Failure::unserved("Stillpoint does not preserve counts or resources of jobs"));
            }
        }
        if let Some(priority) =
            named.get("evalpriority").and_then(Value::as_i64).filter(|priority| *priority != 0)
            && !(1..=100).contains(&priority)
        {
            return Err(Failure::invalid("Eval priority must be between 1 and 100 inclusively"));
        }
        let submission = named.remove("submission").map(submission).transpose().map_err(Failure::invalid)?;
        Ok(Request {
            job,
            submission,
            enforce_index: enforces.then_some(index),
            namespace: text(named.remove("namespace")),
            region: text(named.remove("region")),
        })
    }

    /// The job as it is to be stored.
    fn translate(self, query: &Query) -> Result<Registration, Failure> {
        let mut job = self.job;
        let own = |name: &str| job.get(name).and_then(Value::as_str).map(str::to_owned);
        let asked = |name| query.filled(name).map(str::to_owned);
        let namespace = [asked("namespace"), self.namespace, own("Namespace")].into_iter().flatten();
        let namespace = namespace.into_iter().find(|namespace| !namespace.is_empty());
        let region = [self.region, asked("region"), own("Region")].into_iter().flatten();
        let region = region.into_iter().find(|region| !region.is_empty()).unwrap_or_else(|| REGION.into());
        if region != REGION {
            return Err(Failure::genuine(node::Kind::Invalid, "No path to region"));
        }
        job.insert("Namespace".into(), namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into()).into());
        job.insert("Region".into(), region.into());
        validate::is_served(&job)?;
        defaults::complete(&mut job);
        constraints::imply(&mut job);
        validate::job(&job)?;
        let bytes = write::record(&JOB, &job);
        // Bounded here, so that what is stored can be read again.
        archive::msgpack::Value::decode(&bytes).map_err(|error| Failure::invalid(error.to_string()))?;
        let job = archive::nomad::Job::decode(&bytes).map_err(|error| Failure::invalid(error.to_string()))?;
        Ok(Registration {
            job: Box::new(job),
            submission: self.submission,
            enforce_index: self.enforce_index,
        })
    }
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
