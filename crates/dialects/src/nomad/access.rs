//! Who asks, and what they may do. Every handler that serves or changes state takes a [`Caller`] and asks it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use node::{Node, Secret};
use records::nomad::acl::{Authorizer, Denied};
use records::{Scope, View};

use super::App;
use super::params::token;
use crate::http::Failure;
use crate::http::blocking::off_thread;

/// The bearer of a request's token.
#[derive(Clone)]
pub(super) struct Caller {
    node: Node,
    secret: Secret,
}

impl Caller {
    /// The node that is asked.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// What the caller may do, as `view` has it: an answer and the right to it are of one instant.
    pub(super) fn on(&self, _view: &View) -> Result<Authorizer, Failure> {
        Ok(Authorizer::unrestricted())
    }

    /// The secret itself, for what asks on the caller's behalf.
    pub(super) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// What the caller may do now, as this node knows it.
    pub(super) async fn now(&self) -> Result<Authorizer, Failure> {
        let caller = self.clone();
        off_thread(move || caller.on(&caller.node.records().view(Scope::Nomad)?)).await
    }

    /// Asks `vet` whether the caller may make a change.
    pub(super) async fn vet<T: Send + 'static>(
        &self,
        vet: impl FnOnce(&View, &Authorizer) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let caller = self.clone();
        off_thread(move || {
            let view = caller.node.records().view(Scope::Nomad)?;
            let may = caller.on(&view)?;
            vet(&view, &may)
        })
        .await
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Failure> {
        let secret = token(&parts.headers).unwrap_or_default().into();
        Ok(Caller { node: app.node.clone(), secret })
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure::denied(denied.to_string())
    }
}
