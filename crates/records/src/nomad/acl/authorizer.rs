//! What the bearer of a token may do: one question per right.
//!
//! Follows `hashicorp/nomad:acl/acl.go` of 1.11.3.

use super::capability::{
    HostVolumeCapability, Level, NamespaceCapability, NodePoolCapability, OperatorCapability,
    VariableCapability,
};
use super::grant::Grant;
use super::rules::{self, Rules, UnknownKeys, variable_key};
use crate::quote::Quoted;

/// Stands for every namespace in requests.
pub const ALL_NAMESPACES: &str = "*";

/// The policy, if there is one, that holds for requests without a token.
pub const ANONYMOUS_POLICY: &str = "anonymous";

/// Answers for one token.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// None for those who may do everything.
    rules: Option<Rules>,
    /// Until when it may be asked, in milliseconds since the Unix epoch.
    expires_ms: Option<u64>,
}

/// The token lacks the right. Displays as the genuine text, which clients are sent with status 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Permission denied")]
pub struct Denied;

/// Why there is nothing to ask about a token's rights: a policy of it can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse {name}: {source}", name = Quoted(policy.clone().into()))]
pub struct Unreadable {
    /// Its name.
    pub policy: String,
    /// What is wrong with it.
    pub source: rules::Error,
}

/// The answer to one question.
type Answer = Result<(), Denied>;

impl Authorizer {
    /// Allows everything: for management tokens, and for servers without access control.
    pub fn unrestricted() -> Authorizer {
        Authorizer { rules: None, expires_ms: None }
    }

    /// Answers for a token of type `client` whose policies have these names and rules. Whoever asks has left
    /// out policies that are not there: they grant nothing. A request without a token has the one policy
    /// called [`ANONYMOUS_POLICY`].
    pub fn client<'a>(
        policies: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Authorizer, Unreadable> {
        let mut merged = Rules::default();
        let mut policies: Vec<(&str, &str)> = policies.into_iter().collect();
        // So that of several unreadable policies it is always the same one that is told of.
        policies.sort_unstable();
        for (name, source) in policies {
            let rules = Rules::parse(source, UnknownKeys::PassedOver);
            merged.merge(&rules.map_err(|source| Unreadable { policy: name.into(), source })?);
        }
        Ok(Authorizer { rules: Some(merged), expires_ms: None })
    }

    /// Whether the token has not expired at this time, in milliseconds since the Unix epoch.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|at_ms| at_ms >= now_ms)
    }

    pub(super) fn expiring(self, expires_ms: Option<u64>) -> Authorizer {
        Authorizer { expires_ms, ..self }
    }

    /// May do everything, access control itself included.
    pub fn management(&self) -> Answer {
        self.allow(|_| false)
    }

    /// May save a snapshot of everything.
    pub fn snapshot_save(&self) -> Answer {
        self.operator(OperatorCapability::SnapshotSave)
    }

    /// May replace everything by a snapshot.
    pub fn snapshot_restore(&self) -> Answer {
        self.management()
    }

    /// May do this in a namespace; in [`ALL_NAMESPACES`], if in any: what lists across namespaces asks again
    /// about each thing that it lists.
    pub fn namespace(&self, namespace: &str, capability: NamespaceCapability) -> Answer {
        self.in_namespace(namespace, |grant| grant.allows(capability))
    }

    /// May do anything at all in a namespace; in [`ALL_NAMESPACES`], if in any.
    pub fn namespace_any(&self, namespace: &str) -> Answer {
        self.in_namespace(namespace, Grant::allows_any)
    }

    /// May do this to a variable.
    pub fn variable(&self, namespace: &str, path: &str, capability: VariableCapability) -> Answer {
        self.allow(|rules| {
            let found = rules.variables.find(&variable_key(namespace, path));
            found.is_some_and(|grant| grant.allows(capability))
        })
    }

    /// May do this to a node pool.
    pub fn node_pool(&self, pool: &str, capability: NodePoolCapability) -> Answer {
        self.allow(|rules| rules.node_pools.find(pool).is_some_and(|grant| grant.allows(capability)))
    }

    /// May do anything at all to a node pool.
    pub fn node_pool_any(&self, pool: &str) -> Answer {
        self.allow(|rules| rules.node_pools.find(pool).is_some_and(Grant::allows_any))
    }

    /// May do this with a host volume.
    pub fn host_volume(&self, volume: &str, capability: HostVolumeCapability) -> Answer {
        self.allow(|rules| rules.host_volumes.find(volume).is_some_and(|grant| grant.allows(capability)))
    }

    /// May do anything at all with a host volume.
    pub fn host_volume_any(&self, volume: &str) -> Answer {
        self.allow(|rules| rules.host_volumes.find(volume).is_some_and(Grant::allows_any))
    }

    /// May see what agents tell.
    pub fn agent_read(&self) -> Answer {
        self.allow(|rules| reads(rules.levels.agent))
    }

    /// May have agents do something.
    pub fn agent_write(&self) -> Answer {
        self.allow(|rules| writes(rules.levels.agent))
    }

    /// May see client nodes.
    pub fn node_read(&self) -> Answer {
        self.allow(|rules| reads(rules.levels.node))
    }

    /// May change client nodes.
    pub fn node_write(&self) -> Answer {
        self.allow(|rules| writes(rules.levels.node))
    }

    /// May see how the cluster is.
    pub fn operator_read(&self) -> Answer {
        self.allow(|rules| reads(rules.levels.operator))
    }

    /// May change the cluster.
    pub fn operator_write(&self) -> Answer {
        self.allow(|rules| writes(rules.levels.operator))
    }

    /// May do this to the cluster.
    pub fn operator(&self, capability: OperatorCapability) -> Answer {
        self.allow(|rules| rules.operator.allows(capability))
    }

    /// May see quotas.
    pub fn quota_read(&self) -> Answer {
        self.allow(|rules| reads(rules.levels.quota))
    }

    /// May change quotas.
    pub fn quota_write(&self) -> Answer {
        self.allow(|rules| writes(rules.levels.quota))
    }

    /// May see which plugins there are.
    pub fn plugin_list(&self) -> Answer {
        self.allow(|rules| matches!(rules.levels.plugin, Some(Level::List | Level::Read)))
    }

    /// May see plugins. As in genuine servers, level `write` does not contain this.
    pub fn plugin_read(&self) -> Answer {
        self.allow(|rules| rules.levels.plugin == Some(Level::Read))
    }

    fn in_namespace(
        &self,
        namespace: &str,
        is_enough: impl Fn(&Grant<NamespaceCapability>) -> bool,
    ) -> Answer {
        self.allow(|rules| match namespace {
            ALL_NAMESPACES => rules.namespaces.has(is_enough),
            _ => rules.namespaces.find(namespace).is_some_and(is_enough),
        })
    }

    fn allow(&self, is_granted: impl FnOnce(&Rules) -> bool) -> Answer {
        if self.rules.as_ref().is_none_or(is_granted) { Ok(()) } else { Err(Denied) }
    }
}

fn reads(level: Option<Level>) -> bool {
    matches!(level, Some(Level::Read | Level::Write))
}

fn writes(level: Option<Level>) -> bool {
    level == Some(Level::Write)
}
