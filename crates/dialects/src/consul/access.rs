//! Who asks, and what they may do. Every handler that serves or changes state takes a [`Caller`] and asks it.
//!
//! Follows `hashicorp/consul:agent/consul/acl.go`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use node::{Kind, Node, Secret};
use records::consul::acl::{Authorizer, Denied, Unresolved, Veto};
use records::{Scope, View};

use super::App;
use super::blocking::off_thread;
use super::params::{Query, token};
use super::reply::{Failure, hide};

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
        Ok(self.node.authorizer(view, self.secret.expose())?)
    }

    /// The secret itself, for what asks on the caller's behalf.
    pub(super) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// What the caller may do now, as this node knows it.
    pub(super) async fn now(&self) -> Result<Arc<Authorizer>, Failure> {
        let caller = self.clone();
        off_thread(move || caller.on(&caller.node.records().view(Scope::Consul)?)).await
    }

    /// Asks `vet` whether the caller may make a change. What was acknowledged before is known to it; to make
    /// the change afterwards is the leader's alone.
    pub(super) async fn vet<T: Send + 'static>(
        &self,
        vet: impl FnOnce(&View, &Arc<Authorizer>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if self.node.settings().access.enabled {
            self.node.know_rights().await?;
        }
        let caller = self.clone();
        off_thread(move || {
            let view = caller.node.records().view(Scope::Consul)?;
            let may = caller.on(&view)?;
            vet(&view, &may)
        })
        .await
    }

    /// What the caller may see, as `view` has it.
    pub(super) fn sight(&self, view: &View) -> Result<Sight, Failure> {
        Ok(Sight { may: self.on(view)?, hides: false })
    }

    /// Tells a caller who bears a token that there is more than it may see. Others are told nothing, not even
    /// that.
    pub(super) fn tell_hidden(&self, hides: bool, headers: &mut HeaderMap) {
        if self.is_told(hides) {
            hide(headers);
        }
    }

    /// Whether the caller is to be told of what it may not see.
    pub(super) fn is_told(&self, hides: bool) -> bool {
        hides && !self.secret.expose().is_empty()
    }
}

/// What a caller may see, and whether that kept something from it.
pub(super) struct Sight {
    /// What it may do.
    pub(super) may: Arc<Authorizer>,
    /// Whether there was anything that it may not see.
    pub(super) hides: bool,
}

impl Sight {
    /// Takes out of a list what may not be seen.
    pub(super) fn keep<T>(&mut self, list: &mut Vec<T>, sees: impl Fn(&Authorizer, &T) -> bool) {
        let before = list.len();
        list.retain(|item| sees(&self.may, item));
        self.hides |= list.len() != before;
    }
}

/// Whether a service may be seen; what belongs to none may.
pub(super) fn sees_service(may: &Authorizer, name: &str) -> bool {
    name.is_empty() || may.service_read(name).is_ok()
}

/// Whether a part of a node, such as an instance of a service, may be seen.
pub(super) fn sees_part(may: &Authorizer, node: &str, service: &str) -> bool {
    may.node_read(node).is_ok() && sees_service(may, service)
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

impl From<Veto> for Failure {
    fn from(veto: Veto) -> Failure {
        match veto {
            Veto::Denied(_) | Veto::DeniedUnnamed => Failure::denied(veto.to_string()),
            Veto::Refused(text) => Failure::genuine(Kind::Invalid, text),
            Veto::Store(error) => error.into(),
        }
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
