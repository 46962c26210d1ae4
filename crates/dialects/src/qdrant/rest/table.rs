//! The table of routes. A route cannot be added without saying which right it needs.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{MethodFilter, on};
use futures_util::FutureExt;

use super::App;
use super::answer::Outcome;
use super::call::{Call, nowhere, respond};
use super::failure::Failure;
use crate::qdrant::access::Need;

/// What whoever asks must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Nothing; not even a key is asked for.
    Open,
    /// Nothing, but to have a key.
    Key,
    GlobalRead,
    Manage,
    PointsRead,
    PointsWrite,
    CollectionRead,
    CollectionWrite,
    CollectionManage,
}

impl Right {
    /// The same of the collection that the path names.
    pub(super) fn need(self, name: &str) -> Option<Need<'_>> {
        match self {
            Right::Open | Right::Key => None,
            Right::GlobalRead => Some(Need::GlobalRead),
            Right::Manage => Some(Need::Manage),
            Right::PointsRead => Some(Need::PointsRead(name)),
            Right::PointsWrite => Some(Need::PointsWrite(name)),
            Right::CollectionRead => Some(Need::CollectionRead(name)),
            Right::CollectionWrite => Some(Need::CollectionWrite(name)),
            Right::CollectionManage => Some(Need::CollectionManage(name)),
        }
    }
}

/// A route that is served, for tests that must not miss one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The method.
    pub method: &'static str,
    /// The path, its variables in braces; `{name}` is a collection.
    pub path: &'static str,
    /// Whether it answers without a key.
    pub is_open: bool,
}

/// Routes and their rights.
#[derive(Default)]
pub(super) struct Table {
    router: Router<App>,
    routes: Vec<Served>,
}

impl Table {
    pub(super) fn get<H, F>(self, path: &'static str, right: Right, handler: H) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.add((MethodFilter::GET, "GET"), path, right, handler)
    }

    pub(super) fn post<H, F>(self, path: &'static str, right: Right, handler: H) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.add((MethodFilter::POST, "POST"), path, right, handler)
    }

    pub(super) fn put<H, F>(self, path: &'static str, right: Right, handler: H) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.add((MethodFilter::PUT, "PUT"), path, right, handler)
    }

    pub(super) fn patch<H, F>(self, path: &'static str, right: Right, handler: H) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.add((MethodFilter::PATCH, "PATCH"), path, right, handler)
    }

    pub(super) fn delete<H, F>(self, path: &'static str, right: Right, handler: H) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.add((MethodFilter::DELETE, "DELETE"), path, right, handler)
    }

    fn add<H, F>(
        mut self,
        (filter, method): (MethodFilter, &'static str),
        path: &'static str,
        right: Right,
        handler: H,
    ) -> Table
    where
        H: Fn(Call) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.routes.push(Served { method, path, is_open: right == Right::Open });
        let serve = async move |State(app): State<App>, request: Request| {
            let began = Instant::now();
            let responses = Arc::clone(&app.responses);
            let answer = async { handler(Call::admit(app, right, request).await?).await };
            // A panic may cost its request, never the connection or the node.
            let caught = std::panic::AssertUnwindSafe(answer).catch_unwind().await;
            let response = respond(caught.unwrap_or_else(|_| Err(Failure::bug())), began);
            responses.count(method, path, response.status(), began.elapsed());
            response
        };
        Table { router: self.router.route(path, on(filter, serve)), ..self }
    }

    /// The routes, and 404 for everything else.
    pub(super) fn into_router(self, app: App) -> Router {
        // Whoever has no key learns nothing, not even what is not there.
        let unknown = async |State(app): State<App>, request: Request| {
            let began = Instant::now();
            match Call::admit(app, Right::Key, request).await {
                Ok(_) => nowhere(),
                Err(failure) => respond(Err(failure), began),
            }
        };
        self.router.method_not_allowed_fallback(unknown).fallback(unknown).with_state(app)
    }

    pub(super) fn into_routes(self) -> Vec<Served> {
        self.routes
    }
}
