//! Who may do what in the Consul scope: whether access control is on, and what the bearer of a secret may do.

use groups::Role;
use records::View;
use records::consul::acl::{self, Authorizer, DefaultPolicy, Unresolved};

use crate::error::Result;
use crate::node::Node;

/// How access to the Consul scope is controlled. The tokens are the scope's own records: a restore replaces
/// them with all the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// Whether it is controlled at all.
    pub enabled: bool,
    /// What holds where a token's rules say nothing; not looked at unless access is controlled.
    pub default_policy: DefaultPolicy,
    /// Whether listing keys is a right of its own (Consul's `enable_key_list_policy`).
    pub key_list_policy: bool,
    /// The secret of a management token that always exists (Consul's `initial_management`).
    pub initial_management: Option<String>,
}

impl Node {
    /// What the bearer of `secret` may do, as `view` has it; the empty secret is that of the anonymous token.
    /// Everything, unless access is controlled.
    pub fn authorizer(&self, view: &View, secret: &str) -> std::result::Result<Authorizer, Unresolved> {
        let access = &self.settings().access;
        if !access.enabled {
            return Ok(Authorizer::unrestricted());
        }
        let settings = acl::Settings {
            default: access.default_policy,
            datacenter: self.settings().datacenter.clone(),
            key_list_policy: access.key_list_policy,
        };
        acl::resolve(view, secret, self.now_ms(), &settings)
    }

    /// Waits until no right is known here that was taken away, as far as anyone was told. To be asked before a
    /// right to make a change is: fails unless this node leads.
    ///
    /// No quorum is asked, unlike for [`confirm_leader`](Self::confirm_leader): who leads no more can't make the
    /// change either. A new leader has yet to apply what those before it acknowledged.
    pub async fn know_rights(&self) -> Result<()> {
        let status = self.status();
        let is_of_this_term = status.applied.is_some_and(|applied| applied.term == status.term);
        match status.role {
            Role::Leader if is_of_this_term => Ok(()),
            _ => self.confirm_leader().await,
        }
    }
}
