//! Who may do what in the Consul scope: whether access control is on, what the bearer of a secret may do, and
//! what of it a restore changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use groups::Role;
use records::consul::acl::{self, Authorizer, Command, DefaultPolicy, ManagementToken, Unresolved};
use records::{Op, Reply, Scope, View, consul};
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::secret::Secret;

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
    /// The secret of a management token that each start and each restore brings back if it is missing
    /// (Consul's `initial_management`).
    pub initial_management: Option<Secret>,
}

/// What the leader remembers of access control between two looks at it.
#[derive(Debug, Default)]
pub(crate) struct AccessMemory {
    /// Whether everything is there that has to be.
    is_initialized: bool,
    /// The state index at which the next expiration was read, and that expiration.
    expiration: Option<(u64, Option<u64>)>,
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
    /// What the bearer of `secret` may do, as `view`, one of the live generation, has it; the empty secret is that
    /// of the anonymous token. Everything, unless access is controlled.
    pub fn authorizer(&self, view: &View, secret: &str) -> Result<Arc<Authorizer>, Unresolved> {
        if !self.settings().access.enabled {
            return Ok(Arc::new(Authorizer::unrestricted()));
        }
        let (of, now_ms) = ((view.state().live.image, acl::last_change(view)?), self.now_ms());
        if let Some(authorizer) = self.known().get(of, secret, now_ms) {
            return Ok(authorizer);
        }
        let authorizer = Arc::new(self.resolve(view, secret)?);
        self.known().put(of, secret, &authorizer);
        Ok(authorizer)
    }

    /// The same as the records of `view` have it, whatever generation they are of, and remembering nothing.
    fn resolve(&self, view: &View, secret: &str) -> Result<Authorizer, Unresolved> {
        let access = &self.settings().access;
        let settings = acl::Settings {
            default: access.default_policy,
            datacenter: self.settings().datacenter.clone(),
            key_list_policy: access.key_list_policy,
        };
        acl::resolve(view, secret, self.now_ms(), &settings)
    }

    /// Makes sure that built-in policies, the anonymous token and the operator's management token are there,
    /// if access is controlled. Fails unless this node leads.
    ///
    /// Each start and each new leader does this, and so does each restore and undo, in the log entry that
    /// commits it: what an archive lacks of these comes on top of it. The genuine server does the same in
    /// several steps after a restore (`hashicorp/consul:agent/consul/leader.go`).
    pub async fn initialize_access(&self) -> Result<()> {
        if !self.settings().access.enabled {
            return Ok(());
        }
        self.confirm_leader().await?;
        let Some(initialize) = self.access_to_add(&self.records().view(Scope::Consul)?)? else {
            return Ok(());
        };
        match self.propose(initialize).await?.1 {
            Reply::Consul(consul::Reply::Acl(acl::Reply::Failed(why))) => {
                Err(Error::new(Kind::Conflict, format!("initialize access control: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether there ever was a first management token, so that nobody can ask for one any more.
    pub fn is_bootstrapped(&self) -> Result<bool> {
        Ok(acl::bootstrapped_at(&self.records().view(Scope::Consul)?)?.is_some())
    }

    /// The change that adds what a generation lacks of all this, if it lacks anything.
    pub(crate) fn access_to_add(&self, view: &View) -> Result<Option<Op>> {
        if view.scope() != Scope::Consul {
            return Ok(None);
        }
        let access = &self.settings().access;
        let secret = access.initial_management.as_ref().map(Secret::expose);
        if !access.enabled || acl::is_initialized(view, secret)? {
            return Ok(None);
        }
        let management = secret.map(|secret| ManagementToken {
            accessor: Uuid::new_v4().to_string(),
            secret: secret.to_owned(),
        });
        Ok(Some(Op::Consul(consul::Command::Acl(Command::Initialize { management }))))
    }

    /// Called on the leader, again and again: looks after a new leadership once, and after expired tokens.
    pub(crate) async fn keep_access(&self, memory: &mut AccessMemory) -> Result<()> {
        if !self.settings().access.enabled {
            return Ok(());
        }
        if !memory.is_initialized {
            self.initialize_access().await?;
            memory.is_initialized = true;
        }
        let index = self.records().state(Scope::Consul).index;
        let next = match memory.expiration {
            Some((at, next)) if at == index => next,
            _ => acl::next_expiration_ms(&self.records().view(Scope::Consul)?)?,
        };
        memory.expiration = Some((index, next));
        if next.is_some_and(|at_ms| at_ms < self.now_ms()) {
            self.propose(Op::Consul(consul::Command::Acl(Command::ReapTokens))).await?;
        }
        Ok(())
    }

    /// What an operator should know before `image` becomes live: whether `caller`, the secret of the token
    /// that asks for it, can still restore then, and whether anybody can make themselves the first operator.
    pub(crate) fn access_warnings(&self, image: &View, caller: Option<&Secret>) -> Result<Vec<String>> {
        let access = &self.settings().access;
        if !access.enabled || image.scope() != Scope::Consul {
            return Ok(Vec::new());
        }
        let initial = access.initial_management.as_ref();
        let lost = caller.and_then(|caller| match self.resolve(image, caller.expose()) {
            Err(Unresolved::NotFound) if Some(caller) == initial => None,
            Ok(authorizer) => authorizer.snapshot().err().map(|_| TOKEN_LACKS_RIGHT),
            // That of a restored policy which can't be read is the same to the caller: nothing is allowed.
            Err(Unresolved::Rules { .. }) => Some(TOKEN_LACKS_RIGHT),
            Err(_) => Some(TOKEN_MISSING),
        });
        let is_open = initial.is_none() && acl::bootstrapped_at(image)?.is_none();
        Ok([lost, is_open.then_some(BOOTSTRAP_OPEN)].into_iter().flatten().map(str::to_owned).collect())
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

const TOKEN_MISSING: &str = "the token in use is not in the archive: once restored, it is no longer valid";

const TOKEN_LACKS_RIGHT: &str =
    "in the archive the token in use lacks acl:write: once restored, it can neither save nor restore";

const BOOTSTRAP_OPEN: &str = "the archive knows of no ACL bootstrap: once restored, whoever comes first to /v1/acl/bootstrap gets \
     a management token";

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
