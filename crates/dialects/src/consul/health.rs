//! The health of nodes and services: `/v1/health/…`.
//!
//! Follows `hashicorp/consul:agent/health_endpoint.go`.

use archive::consul::{Check, Node, Service};
use axum::Extension;
use axum::http::{HeaderMap, Uri};
use records::View;
use records::consul::acl::Authorizer;
use records::consul::{
    Answer, CheckState, Health, InstanceHealth, checks_in_state, node_checks, service_checks, service_health,
};
use serde::Serialize;

use super::access::{Caller, Sight, sees_part};
use super::catalog::{Asked, answer, collected, filtered, name, no_nulls};
use super::params::Query;
use super::reply::{Failure, Reply, json};
use crate::http::filter::Filter;
use crate::http::shape::Shown;

/// Stands for every state of a check.
const ANY: &str = "any";

pub(super) async fn node(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let options = Asked::parse(&query, &headers)?.options;
    let name = name(&uri, "/v1/health/node/", "Missing node name")?;
    let find = move |view: &View, sight: &mut Sight| {
        let mut answer = node_checks(view, &name)?;
        sight.keep(&mut answer.value, sees);
        Ok(with_tags(answer))
    };
    let filter = Filter::consul(&query, "HealthCheck")?;
    answer(&caller, &query, options, find, |query, checks| show_checks(query, checks, filter.as_ref())).await
}

pub(super) async fn checks(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let Asked { options, node_meta } = Asked::parse(&query, &headers)?;
    let name = name(&uri, "/v1/health/checks/", "Missing service name")?;
    let find = move |view: &View, sight: &mut Sight| {
        let answer = collected(service_checks(view, &name, &node_meta)?, sight, sees)?;
        Ok(with_tags(answer))
    };
    let filter = Filter::consul(&query, "HealthCheck")?;
    answer(&caller, &query, options, find, |query, checks| show_checks(query, checks, filter.as_ref())).await
}

pub(super) async fn state(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let Asked { options, node_meta } = Asked::parse(&query, &headers)?;
    let state = match name(&uri, "/v1/health/state/", "Missing check state")? {
        state if state == ANY => CheckState::Any,
        state => CheckState::Is(state),
    };
    let find = move |view: &View, sight: &mut Sight| {
        let answer = collected(checks_in_state(view, &state, &node_meta)?, sight, sees)?;
        Ok(with_tags(answer))
    };
    let filter = Filter::consul(&query, "HealthCheck")?;
    answer(&caller, &query, options, find, |query, checks| show_checks(query, checks, filter.as_ref())).await
}

/// Instances of a service with their checks.
pub(super) async fn service(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct CheckServiceNode<'a> {
        node: Shown<'a, Node>,
        service: Shown<'a, Service>,
        checks: Vec<Shown<'a, Check>>,
    }
    let asked = Asked::parse(&query, &headers)?;
    let (options, name) = (asked.options, name(&uri, "/v1/health/service/", "Missing service name")?);
    let (wanted, health) = (asked.instances(&query, false), asked_health(&query)?);
    let find = move |view: &View, sight: &mut Sight| {
        let found = service_health(view, &name, &wanted, health)?;
        let mut answer =
            collected(found, sight, |may, found| sees_part(may, &found.node.node, &found.service.service))?;
        for InstanceHealth { service, checks, .. } in &mut answer.value {
            no_nulls(&mut service.tags);
            checks.iter_mut().for_each(|check| no_nulls(&mut check.service_tags));
        }
        Ok(answer)
    };
    let filter = Filter::consul(&query, "CheckServiceNode")?;
    answer(&caller, &query, options, find, |query, found| {
        let shown = found.iter().map(|InstanceHealth { node, service, checks }| CheckServiceNode {
            node: Shown(node),
            service: Shown(service),
            checks: checks.iter().map(Shown).collect(),
        });
        Ok(json(query, &filtered(filter.as_ref(), shown)?))
    })
    .await
}

/// Which health is asked for; the value is what `golang/go:src/strconv/atob.go`, `ParseBool` takes.
fn asked_health(query: &Query) -> Result<Health, Failure> {
    match query.get("passing") {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Health::Any),
        Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Health::Passing),
        Some(_) => Err(Failure::invalid("Invalid value for ?passing")),
    }
}

fn sees(may: &Authorizer, check: &Check) -> bool {
    sees_part(may, &check.node, &check.service_name)
}

/// Tags are shown as a list even where there are none.
fn with_tags(mut answer: Answer<Vec<Check>>) -> Answer<Vec<Check>> {
    answer.value.iter_mut().for_each(|check| no_nulls(&mut check.service_tags));
    answer
}

fn show_checks(query: &Query, checks: &[Check], filter: Option<&Filter>) -> Reply {
    Ok(json(query, &filtered(filter, checks.iter().map(Shown))?))
}
