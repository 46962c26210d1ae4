//! What rules say, parsed, checked and merged.
//!
//! Follows `Parse` in `hashicorp/nomad:acl/policy.go` and `NewACL` in `hashicorp/nomad:acl/acl.go` of 1.11.3.

use super::blocks::Block;
use super::capability::{
    Capability, HostVolumeCapability, Level, NamespaceCapability, NodePoolCapability, OperatorCapability,
    SentinelCapability, VariableCapability,
};
use super::decode::{HOST_VOLUME, NAMESPACE, NODE_POOL, Policy, SINGLE, decode};
use super::glob::Named;
use super::grant::Grant;
use super::print;

/// The rules of one policy, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub(super) namespaces: Named<NamespaceCapability>,
    /// By namespace and path, which a zero byte parts: a glob may reach across it, as in genuine servers.
    pub(super) variables: Named<VariableCapability>,
    pub(super) node_pools: Named<NodePoolCapability>,
    pub(super) host_volumes: Named<HostVolumeCapability>,
    pub(super) operator: Grant<OperatorCapability>,
    pub(super) levels: Levels,
}

/// Rules about what there is one of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) agent: Option<Level>,
    pub(super) node: Option<Level>,
    pub(super) operator: Option<Level>,
    pub(super) quota: Option<Level>,
    pub(super) plugin: Option<Level>,
}

/// What becomes of rules with keys that name nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeys {
    /// They are refused, as servers since Nomad 1.11 do with new rules.
    Refused,
    /// Such keys say nothing, as in rules that were stored before.
    PassedOver,
}

/// Why rules are refused. Texts are the genuine ones, but that errors of form name no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They are neither HCL nor JSON, or not shaped as rules are.
    #[error("Failed to parse ACL Policy: {0}")]
    Syntax(String),
    /// They have text and no rule. Holds the text.
    #[error("Invalid policy: {0}")]
    Empty(String),
    /// A rule says what it cannot say. Holds the genuine text.
    #[error("{0}")]
    Invalid(String),
    /// There are keys that name nothing, or blocks are repeated of which there is one.
    #[error("Invalid or duplicate policy keys: {}", .0.join(", "))]
    UnknownKeys(Vec<String>),
}

/// The key of [`Rules::variables`].
pub(super) fn variable_key(namespace: &str, path: &str) -> String {
    format!("{namespace}\0{path}")
}

impl Rules {
    /// Parses the rules of a policy.
    pub fn parse(source: &str, unknown_keys: UnknownKeys) -> Result<Rules, Error> {
        let mut rules = Rules::default();
        if source.is_empty() {
            return Ok(rules);
        }
        let mut policy = decode(source).map_err(Error::Syntax)?;
        if policy.labelled.iter().all(Vec::is_empty) && policy.single.iter().all(Option::is_none) {
            return Err(Error::Empty(source.to_owned()));
        }
        rules.add_labelled(&policy).map_err(Error::Invalid)?;
        let unknown = std::mem::take(&mut policy.unknown_keys);
        if unknown_keys == UnknownKeys::Refused && !unknown.is_empty() {
            return Err(Error::UnknownKeys(unknown));
        }
        rules.add_single(&policy).map_err(Error::Invalid)?;
        Ok(rules)
    }

    /// Adds every rule of `other`. Of two about the same thing both grant, unless one denies.
    ///
    /// Genuine servers forget that last part in two places: where one policy denies a path of variables and
    /// another grants it, and where one denies by a capability of `operator` and another has level `write`.
    /// Here deny always holds.
    pub fn merge(&mut self, other: &Rules) {
        let Rules { namespaces, variables, node_pools, host_volumes, operator, levels } = other;
        self.namespaces.merge(namespaces);
        self.variables.merge(variables);
        self.node_pools.merge(node_pools);
        self.host_volumes.merge(host_volumes);
        self.operator.merge(operator);
        self.levels.agent = self.levels.agent.max(levels.agent);
        self.levels.node = self.levels.node.max(levels.node);
        self.levels.operator = self.levels.operator.max(levels.operator);
        self.levels.quota = self.levels.quota.max(levels.quota);
        self.levels.plugin = self.levels.plugin.max(levels.plugin);
    }

    fn add_labelled(&mut self, policy: &Policy) -> Result<(), String> {
        policy.labelled[NAMESPACE].iter().try_for_each(|block| self.add_namespace(block))?;
        policy.labelled[NODE_POOL].iter().try_for_each(|block| self.add_node_pool(block))?;
        policy.labelled[HOST_VOLUME].iter().try_for_each(|block| self.add_host_volume(block))
    }

    fn add_namespace(&mut self, block: &Block) -> Result<(), String> {
        let printed = || print::namespace(block);
        if !is_name(&block.name, "-*") {
            return Err(format!("Invalid namespace name: {}", printed()));
        }
        let grant = grant(block).map_err(|wrong| match wrong {
            Wrong::Policy => format!("Invalid namespace policy: {}", printed()),
            Wrong::Capability(word) => format!("Invalid namespace capability '{word}': {}", printed()),
        })?;
        self.namespaces.add(&block.name, &grant);
        let Some(paths) = &block.variables else { return Ok(()) };
        if paths.is_empty() {
            return Err(format!("Invalid variable policy: no variable paths in namespace {}", block.name));
        }
        paths.iter().try_for_each(|path| self.add_variables(&block.name, path))
    }

    fn add_variables(&mut self, namespace: &str, block: &Block) -> Result<(), String> {
        let path = block.name.as_str();
        if path.is_empty() {
            return Err(format!("Invalid missing variable path in namespace {namespace}"));
        }
        if path.starts_with('/') {
            let path = print::quoted(path);
            return Err(format!(
                "Invalid variable path {path} in namespace {namespace}: cannot start with a leading '/'`"
            ));
        }
        let grant = granted(block)
            .map_err(|word| format!("Invalid variable capability '{word}' in namespace {namespace}"))?;
        self.variables.add(&variable_key(namespace, path), &grant);
        Ok(())
    }

    fn add_node_pool(&mut self, block: &Block) -> Result<(), String> {
        let Block { name, policy, .. } = block;
        if !is_name(name, "-_*") {
            return Err(format!("Invalid node pool name '{name}'"));
        }
        let grant = grant(block).map_err(|wrong| match wrong {
            Wrong::Policy => format!("Invalid node pool policy '{policy}' for '{name}'"),
            Wrong::Capability(word) => format!("Invalid node pool capability '{word}' for '{name}'"),
        })?;
        self.node_pools.add(name, &grant);
        Ok(())
    }

    fn add_host_volume(&mut self, block: &Block) -> Result<(), String> {
        let printed = || print::host_volume(block);
        if !is_name(&block.name, "-*") {
            return Err(format!("Invalid host volume name: {}", printed()));
        }
        let grant = grant(block).map_err(|wrong| match wrong {
            Wrong::Policy => format!("Invalid host volume policy: {}", printed()),
            Wrong::Capability(word) => format!("Invalid host volume capability '{word}': {}", printed()),
        })?;
        self.host_volumes.add(&block.name, &grant);
        Ok(())
    }

    fn add_single(&mut self, policy: &Policy) -> Result<(), String> {
        for ((name, shape), block) in SINGLE.into_iter().zip(&policy.single) {
            let Some(block) = block else { continue };
            let invalid =
                || format!("Invalid {name} policy: {}", print::single(name, block, shape.has_capabilities));
            let told = |wrong| match wrong {
                Wrong::Policy => invalid(),
                Wrong::Capability(word) => format!("Invalid {name} capability '{word}'"),
            };
            let level = match name {
                "plugin" => Level::plugin(&block.policy),
                _ => Level::named(&block.policy),
            };
            match name {
                "operator" => self.operator.merge(&grant(block).map_err(told)?),
                "sentinel" => grant::<SentinelCapability>(block).map(|_| ()).map_err(told)?,
                _ if level.is_none() => return Err(invalid()),
                _ => {}
            }
            let levels = &mut self.levels;
            match name {
                "agent" => levels.agent = level,
                "node" => levels.node = level,
                "operator" => levels.operator = level,
                "quota" => levels.quota = level,
                "plugin" => levels.plugin = level,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is wrong with a block.
enum Wrong {
    Policy,
    Capability(String),
}

/// What a block grants by its level, if it has one, and by its capabilities.
fn grant<C: Capability>(block: &Block) -> Result<Grant<C>, Wrong> {
    let level = match block.policy.as_str() {
        "" => None,
        word => Some(Level::named(word).ok_or(Wrong::Policy)?),
    };
    let mut grant = granted(block).map_err(Wrong::Capability)?;
    if let Some(level) = level {
        grant.merge(&C::grant_of_level(level));
    }
    Ok(grant)
}

/// What a block grants by its capabilities. An error is the word that is none.
fn granted<C: Capability>(block: &Block) -> Result<Grant<C>, String> {
    let mut grant = Grant::default();
    for word in block.capabilities.iter().flatten() {
        grant.merge(&C::grant(word).ok_or_else(|| word.clone())?);
    }
    Ok(grant)
}

/// Whether a text has 1 to 128 characters, all of them ASCII letters, digits or among `others`.
fn is_name(text: &str, others: &str) -> bool {
    let belongs = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (1..=128).contains(&text.len()) && text.chars().all(belongs)
}
