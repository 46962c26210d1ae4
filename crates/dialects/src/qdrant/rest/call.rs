//! A request on its way to its handler: admitted, its path and query read, its body not yet.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::RequestPartsExt;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use node::collections::Collection;
use serde::de::DeserializeOwned;
use validator::Validate;

use super::App;
use super::answer::Outcome;
use super::body;
use super::failure::Failure;
use super::names;
use super::params::Params;
use super::table::Right;
use super::validation;
use crate::qdrant::access::{Access, Need, authenticate};

/// A request whose sender may do what its route asks for.
pub(super) struct Call {
    pub(super) app: App,
    pub(super) access: Access,
    pub(super) params: Params,
    pub(super) headers: HeaderMap,
    path: Vec<(String, String)>,
    /// Nobody locks it: it makes the call one that threads can share.
    body: Mutex<Body>,
}

impl Call {
    /// Admits a request: key, right and names, in this order, and before a byte of its body is read.
    pub(super) async fn admit(app: App, right: Right, request: Request) -> Result<Call, Failure> {
        let (mut parts, body) = request.into_parts();
        let access = match right {
            // Nothing is done for whoever has no key, and nothing refused.
            Right::Open => Access::Manage,
            _ => authenticate(&app.node, &app.keys, &parts.headers).await?,
        };
        let path = match parts.extract::<RawPathParams>().await {
            Ok(path) => path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Err(_) => return Err(Failure::not_found("the path is no UTF-8")),
        };
        let params = Params::parse(parts.uri.query());
        let call = Call { app, access, params, headers: parts.headers, path, body: Mutex::new(body) };
        if let Some(need) = right.need(call.collection_name()) {
            call.access.check(need)?;
        }
        names::check_path(call.path("name"))?;
        Ok(call)
    }

    /// The collection or alias in the path.
    pub(super) fn collection_name(&self) -> &str {
        self.path("name").unwrap_or_default()
    }

    /// A part of the path, its escapes resolved.
    pub(super) fn path(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The collection in the path.
    pub(super) async fn collection(&self) -> Result<Collection, Failure> {
        Ok(self.app.node.collection(self.collection_name()).await?)
    }

    /// Refuses whoever may not read other collections that the body names.
    pub(super) fn check_others(&self, names: BTreeSet<&str>) -> Result<(), Failure> {
        let mut needs = names.into_iter().map(Need::PointsRead);
        Ok(needs.try_for_each(|need| self.access.check(need))?)
    }

    /// The body, read and vetted. It can be read once.
    pub(super) async fn json<T>(&mut self) -> Result<T, Failure>
    where
        T: DeserializeOwned + Validate + Send + 'static,
    {
        let value = self.unvetted().await?;
        validation::check("JSON body", &value)?;
        Ok(value)
    }

    /// The body, to be vetted by the node.
    pub(super) async fn unvetted<T>(&mut self) -> Result<T, Failure>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let body = self.body();
        body::json(&self.headers, body).await
    }

    /// The body, as it comes in. It can be taken once.
    pub(super) fn body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Puts an outcome into its envelope.
pub(super) fn respond(outcome: Outcome, began: Instant) -> Response {
    let time_s = began.elapsed().as_secs_f64();
    match outcome {
        Ok(answer) => answer.into_response(time_s),
        Err(failure) => failure.into_response(time_s),
    }
}

/// What is not routed: 404 and nothing else.
pub(super) fn nowhere() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
