//! Who asks, and what they may do. Every handler that serves or changes state takes a [`Caller`] and asks it.
//!
//! Follows `hashicorp/consul:agent/consul/acl.go`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use node::{Kind, Node, Secret};
use records::consul::acl::{Authorizer, Denied, Unresolved};
use records::{Scope, View};

use super::App;
use super::blocking::off_thread;
use super::params::{Query, token};
use super::reply::Failure;

/// The bearer of a request's token.
#[derive(Clone)]
pub(super) struct Caller {
    node: Node,
    secret: Secret,
}

impl Caller {
    /// The token's secret; empty if the request bears none.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// What the caller may do, as `view` has it: an answer and the right to it are of one instant.
    pub(super) fn on(&self, view: &View) -> Result<Authorizer, Failure> {
        Ok(self.node.authorizer(view, self.secret.expose())?)
    }

    /// The secret itself, for what asks on the caller's behalf.
    pub(super) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// What the caller may do now, as this node knows it.
    pub(super) async fn now(&self) -> Result<Authorizer, Failure> {
        let caller = self.clone();
        off_thread(move || caller.on(&caller.node.records().view(Scope::Consul)?)).await
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Failure> {
        let query = parts.extensions.get::<Query>().cloned().unwrap_or_default();
        let secret = token(&query, &parts.headers).unwrap_or_default().into();
        Ok(Caller { node: app.node.clone(), secret })
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure::denied(denied.to_string())
    }
}

impl From<Unresolved> for Failure {
    fn from(unresolved: Unresolved) -> Failure {
        match unresolved {
            Unresolved::NotFound | Unresolved::Root => Failure::denied(unresolved.to_string()),
            Unresolved::Rules { .. } => Failure::genuine(Kind::Internal, unresolved.to_string()),
            Unresolved::Store(error) => error.into(),
        }
    }
}
