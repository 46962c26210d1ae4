//! Who may do what: whether access control is on, what the bearer of a secret may do in the Consul scope, and
//! what of it a restore changes. For the Nomad scope see [`crate::nomad_access`].

use std::collections::BTreeMap;
use std::sync::Arc;

use groups::Role;
use records::consul::acl::{self, Authorizer, Command, DefaultPolicy, ManagementToken, Unresolved};
use records::{Op, Scope, View, consul, nomad};
use uuid::Uuid;

use crate::error::Result;
use crate::node::Node;
use crate::secret::Secret;

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
    /// By scope: the state index at which the next expiration was read, and that expiration.
    expirations: BTreeMap<Scope, (u64, Option<u64>)>,
}

impl Node {
    /// What the bearer of `secret` may do, as `view`, one of the live generation, has it; the empty secret is that
    /// of the anonymous token. Everything, unless access is controlled.
    pub fn authorizer(&self, view: &View, secret: &str) -> Result<Arc<Authorizer>, Unresolved> {
        if !self.settings().access.enabled {
            return Ok(Arc::new(Authorizer::unrestricted()));
        }
        let (of, now_ms) = ((view.state().live.image, acl::last_change(view)?), self.now_ms());
        let is_valid = |authorizer: &Authorizer| authorizer.is_valid(now_ms);
        self.known().recall(of, secret, is_valid, || self.resolve(view, secret))
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

    /// Whether there ever was a first management token, so that nobody can ask for one any more.
    pub fn is_bootstrapped(&self) -> Result<bool> {
        Ok(acl::bootstrapped_at(&self.records().view(Scope::Consul)?)?.is_some())
    }

    /// The change that adds what a generation of the Consul scope lacks of built-in policies, the anonymous token
    /// and the operator's management token, if it lacks anything and access is controlled.
    pub(crate) fn access_to_add(&self, view: &View) -> Result<Option<Op>> {
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
        if !memory.is_initialized {
            self.initialize().await?;
            memory.is_initialized = true;
        }
        for scope in Scope::ALL.into_iter().filter(|scope| self.controls_access(*scope)) {
            self.reap_tokens(scope, &mut memory.expirations).await?;
        }
        Ok(())
    }

    /// Whether access to `scope` is controlled at all.
    pub(crate) fn controls_access(&self, scope: Scope) -> bool {
        match scope {
            Scope::Consul => self.settings().access.enabled,
            Scope::Nomad => self.settings().nomad_access,
        }
    }

    async fn reap_tokens(
        &self,
        scope: Scope,
        expirations: &mut BTreeMap<Scope, (u64, Option<u64>)>,
    ) -> Result<()> {
        let index = self.records().state(scope).index;
        let next = match expirations.get(&scope) {
            Some((at, next)) if *at == index => *next,
            _ => acl::next_expiration_ms(&self.records().view(scope)?)?,
        };
        expirations.insert(scope, (index, next));
        if next.is_some_and(|at_ms| at_ms < self.now_ms()) {
            self.propose(match scope {
                Scope::Consul => Op::Consul(consul::Command::Acl(Command::ReapTokens)),
                Scope::Nomad => Op::Nomad(nomad::Command::Acl(nomad::acl::Command::ReapTokens)),
            })
            .await?;
        }
        Ok(())
    }

    /// What an operator should know before `image` becomes live: whether `caller`, the secret of the token
    /// that asks for it, can still restore then, and whether anybody can make themselves the first operator.
    pub(crate) fn access_warnings(&self, image: &View, caller: Option<&Secret>) -> Result<Vec<String>> {
        if !self.controls_access(image.scope()) {
            return Ok(Vec::new());
        }
        let (lost, is_open) = match image.scope() {
            Scope::Consul => self.consul_access_after(image, caller)?,
            Scope::Nomad => self.nomad_access_after(image, caller)?,
        };
        Ok([lost, is_open.then_some(BOOTSTRAP_OPEN)].into_iter().flatten().map(str::to_owned).collect())
    }

    /// What `caller` loses once `image` is live, and whether the first management token can be had then.
    fn consul_access_after(
        &self,
        image: &View,
        caller: Option<&Secret>,
    ) -> Result<(Option<&'static str>, bool)> {
        let initial = self.settings().access.initial_management.as_ref();
        let lost = caller.and_then(|caller| match self.resolve(image, caller.expose()) {
            Err(Unresolved::NotFound) if Some(caller) == initial => None,
            Ok(authorizer) => authorizer.snapshot().err().map(|_| TOKEN_LACKS_RIGHT),
            // That of a restored policy which can't be read is the same to the caller: nothing is allowed.
            Err(Unresolved::Rules { .. }) => Some(TOKEN_LACKS_RIGHT),
            Err(_) => Some(TOKEN_MISSING),
        });
        Ok((lost, initial.is_none() && acl::bootstrapped_at(image)?.is_none()))
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

pub(crate) const TOKEN_MISSING: &str =
    "the token in use is not in the archive: once restored, it is no longer valid";

const TOKEN_LACKS_RIGHT: &str =
    "in the archive the token in use lacks acl:write: once restored, it can neither save nor restore";

const BOOTSTRAP_OPEN: &str = "the archive knows of no ACL bootstrap: once restored, whoever comes first to /v1/acl/bootstrap gets \
     a management token";
