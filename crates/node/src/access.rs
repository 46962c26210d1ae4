//! Who may do what in the Consul scope: whether access control is on, and what the bearer of a secret may do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use groups::Role;
use records::View;
use records::consul::acl::{self, Authorizer, DefaultPolicy, Unresolved};

use uuid::Uuid;

use crate::error::Result;
use crate::node::Node;

/// So many tokens are remembered with what they may do.
const KNOWN_MAX: usize = 1_000;

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

/// What tokens may do, as it was found last. To read the rules of a policy takes longer than to read a key.
#[derive(Default)]
pub(crate) struct Known(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Of which image, and as of which change of tokens, policies and roles. Whatever an archive says, the
    /// next change in its image has a higher index than all there is.
    of: (Uuid, u64),
    by_secret: HashMap<String, Arc<Authorizer>>,
}

impl Known {
    fn get(&self, of: (Uuid, u64), secret: &str, now_ms: u64) -> Option<Arc<Authorizer>> {
        let known = self.0.lock().expect("no panic while held");
        let found = known.by_secret.get(secret).filter(|_| known.of == of)?;
        found.is_valid(now_ms).then(|| Arc::clone(found))
    }

    fn put(&self, of: (Uuid, u64), secret: &str, authorizer: &Arc<Authorizer>) {
        let mut known = self.0.lock().expect("no panic while held");
        if known.of != of || known.by_secret.len() >= KNOWN_MAX {
            *known = Remembered { of, ..Remembered::default() };
        }
        known.by_secret.insert(secret.to_owned(), Arc::clone(authorizer));
    }
}

impl Node {
    /// What the bearer of `secret` may do, as `view` has it; the empty secret is that of the anonymous token.
    /// Everything, unless access is controlled.
    pub fn authorizer(&self, view: &View, secret: &str) -> std::result::Result<Arc<Authorizer>, Unresolved> {
        let access = &self.settings().access;
        if !access.enabled {
            return Ok(Arc::new(Authorizer::unrestricted()));
        }
        let (of, now_ms) = ((view.state().live.image, acl::last_change(view)?), self.now_ms());
        if let Some(authorizer) = self.known().get(of, secret, now_ms) {
            return Ok(authorizer);
        }
        let settings = acl::Settings {
            default: access.default_policy,
            datacenter: self.settings().datacenter.clone(),
            key_list_policy: access.key_list_policy,
        };
        let authorizer = Arc::new(acl::resolve(view, secret, now_ms, &settings)?);
        self.known().put(of, secret, &authorizer);
        Ok(authorizer)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn authorizer() -> Arc<Authorizer> {
        Arc::new(Authorizer::unrestricted())
    }

    #[test]
    fn what_is_known_holds_for_one_image_and_one_change() {
        let (known, of) = (Known::default(), (Uuid::from_u128(1), 7));
        known.put(of, "a", &authorizer());
        assert!(known.get(of, "a", 0).is_some());
        assert!(known.get(of, "b", 0).is_none());
        assert!(known.get((of.0, 8), "a", 0).is_none());
        assert!(known.get((Uuid::from_u128(2), 7), "a", 0).is_none());
        known.put((of.0, 8), "b", &authorizer());
        assert!(known.get((of.0, 8), "b", 0).is_some() && known.get((of.0, 8), "a", 0).is_none());
    }

    #[test]
    fn no_more_than_so_many_are_known() {
        let (known, of) = (Known::default(), (Uuid::from_u128(1), 7));
        for number in 0..3 * KNOWN_MAX {
            known.put(of, &number.to_string(), &authorizer());
        }
        assert!(known.0.lock().unwrap().by_secret.len() <= KNOWN_MAX);
    }
}
