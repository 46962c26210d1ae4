//! Who asks, and what they may do. Every handler that serves or changes state takes a [`Caller`] and asks it.

use std::sync::Arc;

use archive::nomad::AclToken;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use node::{Kind, Node, Secret};
use records::nomad::acl::{Authorizer, Denied, Unresolved};
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
    pub(super) fn on(&self, view: &View) -> Result<Arc<Authorizer>, Failure> {
        Ok(self.node.nomad_authorizer(view, self.secret.expose())?)
    }

    /// The caller's token, or what stands for having none.
    pub(super) fn token(&self, view: &View) -> Result<AclToken, Failure> {
        Ok(self.node.nomad_token(view, self.secret.expose())?)
    }

    /// The accessor of the caller's token, if access is controlled.
    pub(super) fn accessor(&self, view: &View) -> Result<Option<String>, Failure> {
        match self.node.settings().nomad_access {
            true => Ok(Some(self.token(view)?.accessor_id)),
            false => Ok(None),
        }
    }

    /// The secret itself, for what asks on the caller's behalf.
    pub(super) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// What the caller may do now, as this node knows it.
    pub(super) async fn now(&self) -> Result<Arc<Authorizer>, Failure> {
        let caller = self.clone();
        off_thread(move || caller.on(&caller.node.records().view(Scope::Nomad)?)).await
    }

    /// Asks `vet` whether the caller may make a change. What was acknowledged before is known to it; to make
    /// the change afterwards is the leader's alone.
    pub(super) async fn vet<T: Send + 'static>(
        &self,
        vet: impl FnOnce(&View, &Authorizer) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if self.node.settings().nomad_access {
            self.node.know_rights().await?;
        }
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

impl From<Unresolved> for Failure {
    fn from(unresolved: Unresolved) -> Failure {
        match unresolved {
            // Of what is wrong with a token nobody is told but its bearer, who asks for it.
            Unresolved::NotFound | Unresolved::Expired => Denied.into(),
            Unresolved::Rules(unreadable) => Failure::genuine(Kind::Internal, unreadable.to_string()),
            Unresolved::Store(error) => error.into(),
        }
    }
}
