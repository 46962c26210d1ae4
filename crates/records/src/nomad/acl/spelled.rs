//! Rules spelled out: each block with the capabilities that its level stands for, and those that they contain.
//!
//! Follows `Parse` in `hashicorp/nomad:acl/policy.go` of 1.11.3, whose result genuine servers show of a policy.

use super::blocks::Block;
use super::capability::{
    Capability, HostVolumeCapability, Level, NamespaceCapability, NodePoolCapability, OperatorCapability,
    SentinelCapability,
};
use super::decode::{HOST_VOLUME, NAMESPACE, NODE_POOL, Policy, SINGLE, decode};
use super::rules::{Error, Rules, UnknownKeys};

/// What the rules of a policy say. Capabilities may be there more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelled {
    /// Blocks about namespaces.
    pub namespaces: Vec<Block>,
    /// Blocks about node pools.
    pub node_pools: Vec<Block>,
    /// Blocks about host volumes.
    pub host_volumes: Vec<Block>,
    /// The level of `agent`.
    pub agent: Option<Block>,
    /// The level of `node`.
    pub node: Option<Block>,
    /// The level and capabilities of `operator`.
    pub operator: Option<Block>,
    /// The level and capabilities of `sentinel`.
    pub sentinel: Option<Block>,
    /// The level of `quota`.
    pub quota: Option<Block>,
    /// The level of `plugin`.
    pub plugin: Option<Block>,
}

impl Spelled {
    /// Spells out the rules of a stored policy: keys that name nothing are passed over.
    pub fn parse(source: &str) -> Result<Spelled, Error> {
        Rules::parse(source, UnknownKeys::PassedOver)?;
        if source.is_empty() {
            return Ok(Spelled::default());
        }
        let Policy { mut labelled, mut single, .. } = decode(source).map_err(Error::Syntax)?;
        for block in &mut labelled[NAMESPACE] {
            spell_out::<NamespaceCapability>(block);
            block.variables.iter_mut().flatten().for_each(spell_out_path);
        }
        labelled[NODE_POOL].iter_mut().for_each(spell_out::<NodePoolCapability>);
        labelled[HOST_VOLUME].iter_mut().for_each(spell_out::<HostVolumeCapability>);
        let mut take = |name: &str| {
            let place = SINGLE.iter().position(|(known, _)| *known == name)?;
            single[place].take()
        };
        let (mut operator, mut sentinel) = (take("operator"), take("sentinel"));
        operator.iter_mut().for_each(spell_out::<OperatorCapability>);
        sentinel.iter_mut().for_each(spell_out::<SentinelCapability>);
        let (agent, node, quota, plugin) = (take("agent"), take("node"), take("quota"), take("plugin"));
        let [namespaces, node_pools, host_volumes] = labelled;
        Ok(Spelled { namespaces, node_pools, host_volumes, agent, node, operator, sentinel, quota, plugin })
    }
}

/// Adds what the level of a block stands for, and what all its capabilities contain.
fn spell_out<C: Capability>(block: &mut Block) {
    let mut words = block.capabilities.take();
    let level = match Level::named(&block.policy) {
        Some(Level::Deny) => vec!["deny"],
        Some(level) => C::of_level(level).iter().map(|capability| capability.word()).collect(),
        None => Vec::new(),
    };
    add(&mut words, &level);
    let contained: Vec<_> =
        words.iter().flatten().filter_map(|word| C::named(word)).flat_map(C::implied).map(C::word).collect();
    add(&mut words, &contained);
    block.capabilities = words;
}

/// Paths of variables have no level; denying one denies all of it, and whoever reads also lists.
fn spell_out_path(path: &mut Block) {
    let has = |name: &str| path.capabilities.iter().flatten().any(|word| word == name);
    if has("deny") {
        path.capabilities = Some(vec!["deny".into()]);
    } else if has("read") && !has("list") {
        add(&mut path.capabilities, &["list"]);
    }
}

/// No list stays none if nothing is added.
fn add(words: &mut Option<Vec<String>>, more: &[&'static str]) {
    if !more.is_empty() {
        words.get_or_insert_default().extend(more.iter().map(|word| (*word).to_owned()));
    }
}
