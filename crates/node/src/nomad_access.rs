//! Who may do what in the Nomad scope: what the bearer of a secret may do, and what of it a restore changes.

use std::sync::Arc;

use archive::nomad::AclToken;
use records::nomad::acl::{self, Authorizer, Unresolved};
use records::{Scope, View};

use crate::access::TOKEN_MISSING;
use crate::error::Result;
use crate::node::Node;
use crate::secret::Secret;

impl Node {
    /// What the bearer of `secret` may do, as `view`, one of the live generation, has it; the empty secret is
    /// nobody's. Everything, unless access is controlled.
    pub fn nomad_authorizer(&self, view: &View, secret: &str) -> Result<Arc<Authorizer>, Unresolved> {
        if !self.settings().nomad_access {
            return Ok(Arc::new(Authorizer::unrestricted()));
        }
        let (of, now_ms) = ((view.state().live.image, acl::last_change(view)?), self.now_ms());
        let is_valid = |authorizer: &Authorizer| authorizer.is_valid(now_ms);
        self.nomad_known().recall(of, secret, is_valid, || acl::resolve(view, secret, now_ms))
    }

    /// Whether there ever was a first management token, so that nobody can ask for one any more.
    pub fn is_nomad_bootstrapped(&self) -> Result<bool> {
        Ok(acl::bootstrapped_at(&self.records().view(Scope::Nomad)?)?.is_some())
    }

    /// The token that `secret` is of, or the one that stands for having none.
    pub fn nomad_token(&self, view: &View, secret: &str) -> Result<AclToken, Unresolved> {
        match self.settings().nomad_access {
            true => acl::authenticate(view, secret, self.now_ms()),
            false => Ok(acl::disabled_token()),
        }
    }

    /// What `caller` loses once `image` is live, and whether the first management token can be had then.
    pub(crate) fn nomad_access_after(
        &self,
        image: &View,
        caller: Option<&Secret>,
    ) -> Result<(Option<&'static str>, bool)> {
        let lost = caller.and_then(|caller| match acl::resolve(image, caller.expose(), self.now_ms()) {
            Ok(authorizer) => authorizer.snapshot_restore().err().map(|_| TOKEN_LACKS_RIGHT),
            // That of a restored policy which can't be read is the same to the caller: nothing is allowed.
            Err(Unresolved::Rules(_)) => Some(TOKEN_LACKS_RIGHT),
            Err(_) => Some(TOKEN_MISSING),
        });
        Ok((lost, acl::bootstrapped_at(image)?.is_none()))
    }
}

const TOKEN_LACKS_RIGHT: &str =
    "in the archive the token in use is no management token: once restored, it can't restore";
