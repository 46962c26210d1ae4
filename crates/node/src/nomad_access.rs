//! Who may do what in the Nomad scope: what the bearer of a secret may do, and what of it a restore changes.

use archive::nomad::AclToken;
use records::View;
use records::nomad::acl::{self, Authorizer, Unresolved};

use crate::access::TOKEN_MISSING;
use crate::error::Result;
use crate::node::Node;
use crate::secret::Secret;

impl Node {
    /// What the bearer of `secret` may do, as `view` has it; the empty secret is nobody's. Everything, unless
    /// access is controlled.
    pub fn nomad_authorizer(&self, view: &View, secret: &str) -> Result<Authorizer, Unresolved> {
        match self.settings().nomad_access {
            true => acl::resolve(view, secret, self.now_ms()),
            false => Ok(Authorizer::unrestricted()),
        }
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
        let lost = caller.and_then(|caller| match self.nomad_authorizer(image, caller.expose()) {
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
