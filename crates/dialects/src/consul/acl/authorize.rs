//! `POST /v1/internal/acl/authorize`: whether the caller's token lets it do this or that.
//!
//! Follows `hashicorp/consul:acl/authorizer.go`, `Enforce`. What a token may do is found out as easily by
//! trying, so that a valid token is all it takes to ask.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use records::consul::acl::{Authorizer, Denied};
use serde::Serialize;

use super::decode;
use crate::consul::App;
use crate::consul::access::Caller;
use crate::consul::params::Query;
use crate::consul::reply::{Failure, Reply, json};
use crate::http::shape::{Shown, shapes};

/// How many questions are answered at once.
const QUESTIONS_MAX: usize = 64;

/// May this be done, to what the segment names?
#[derive(Default)]
struct Question {
    resource: String,
    segment: String,
    access: String,
}

shapes! {
    Question {
        [lenient]
        "Resource": resource always,
        "Segment": segment unless_empty,
        "Access": access always,
    }
}

/// The answer to a question, which it repeats.
#[derive(Serialize)]
struct Decision<'a> {
    #[serde(flatten)]
    question: Shown<'a, Question>,
    #[serde(rename = "Allow")]
    is_allowed: bool,
}

/// How the right to do something to what a segment names is asked for.
type Right = fn(&Authorizer, &str) -> Result<(), Denied>;

pub(super) async fn answer(
    State(app): State<App>,
    caller: Caller,
    Extension(query): Extension<Query>,
    body: Body,
) -> Reply {
    let questions: Option<Vec<Question>> = decode(&app, body, "Failed to decode request body").await?;
    let questions = questions.unwrap_or_default();
    if questions.len() > QUESTIONS_MAX {
        let text = format!("Refusing to process more than {QUESTIONS_MAX} authorizations at once");
        return Err(Failure::invalid(text));
    }
    let authorizer = caller.now().await?;
    let decide = |question| {
        let is_allowed = right(question)?(&authorizer, &question.segment).is_ok();
        Ok(Decision { question: Shown(question), is_allowed })
    };
    let decisions = questions.iter().map(decide).collect::<Result<Vec<_>, String>>();
    Ok(json(&query, &decisions.map_err(Failure::invalid)?))
}

fn right(question: &Question) -> Result<Right, String> {
    let Question { resource, access, .. } = question;
    let (read, write): (Right, Right) = match resource.as_str() {
        "acl" => (|who, _| who.acl_read(), |who, _| who.acl_write()),
        "agent" => (Authorizer::agent_read, Authorizer::agent_write),
        "event" => (Authorizer::event_read, Authorizer::event_write),
        "intention" => (Authorizer::intention_read, Authorizer::intention_write),
        "key" => (|who, key| who.key_read(key.as_bytes()), |who, key| who.key_write(key.as_bytes())),
        "keyring" => (|who, _| who.keyring_read(), |who, _| who.keyring_write()),
        "mesh" => (|who, _| who.mesh_read(), |who, _| who.mesh_write()),
        "node" => (Authorizer::node_read, Authorizer::node_write),
        "operator" => (|who, _| who.operator_read(), |who, _| who.operator_write()),
        "peering" => (|who, _| who.peering_read(), |who, _| who.peering_write()),
        "query" => (Authorizer::query_read, Authorizer::query_write),
        "service" => (Authorizer::service_read, Authorizer::service_write),
        "session" => (Authorizer::session_read, Authorizer::session_write),
        _ => return Err(format!("Invalid ACL resource requested: {resource:?}")),
    };
    match (resource.as_str(), access.to_ascii_lowercase().as_str()) {
        (_, "read") => Ok(read),
        (_, "write") => Ok(write),
        ("key", "list") => Ok(|who, prefix| who.key_list(prefix.as_bytes())),
        ("key", "write-prefix") => Ok(|who, prefix| who.key_write_prefix(prefix.as_bytes())),
        _ => Err(format!("Invalid access level for {resource} resource: {access}")),
    }
}
