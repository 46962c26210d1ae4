//! How the rules of a policy look in JSON, spelled out. Members are in the order of their names, as the genuine
//! server writes structures of package `acl`, and nothing is left out.

use records::nomad::acl::{Block, Spelled};
use serde::{Serialize, Serializer};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rules<'a> {
    agent: Option<Level<'a>>,
    // Of rules that were parsed to their end nothing is left here.
    #[serde(rename = "ExtraKeysHCL")]
    extra_keys: (),
    host_volumes: Option<Vec<Named<'a>>>,
    namespaces: Option<Vec<Namespace<'a>>>,
    node: Option<Level<'a>>,
    node_pools: Option<Vec<Named<'a>>>,
    operator: Option<Capable<'a>>,
    plugin: Option<Level<'a>>,
    quota: Option<Level<'a>>,
    raw: &'a str,
    sentinel: Option<Capable<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Level<'a> {
    policy: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Capable<'a> {
    capabilities: &'a Option<Vec<String>>,
    policy: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named<'a> {
    capabilities: &'a Option<Vec<String>>,
    name: &'a str,
    policy: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Namespace<'a> {
    capabilities: &'a Option<Vec<String>>,
    name: &'a str,
    policy: &'a str,
    variables: Option<Variables<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Variables<'a> {
    #[serde(serialize_with = "paths")]
    paths: &'a [Block],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Path<'a> {
    capabilities: &'a Option<Vec<String>>,
    path_spec: &'a str,
}

impl<'a> Rules<'a> {
    pub(super) fn new(raw: &'a str, spelled: &'a Spelled) -> Rules<'a> {
        let level = |block: &'a Option<Block>| block.as_ref().map(|block| Level { policy: &block.policy });
        let capable = |block: &'a Option<Block>| {
            let capable = |Block { capabilities, policy, .. }: &'a Block| Capable { capabilities, policy };
            block.as_ref().map(capable)
        };
        Rules {
            agent: level(&spelled.agent),
            extra_keys: (),
            host_volumes: list(&spelled.host_volumes, named),
            namespaces: list(&spelled.namespaces, namespace),
            node: level(&spelled.node),
            node_pools: list(&spelled.node_pools, named),
            operator: capable(&spelled.operator),
            plugin: level(&spelled.plugin),
            quota: level(&spelled.quota),
            raw,
            sentinel: capable(&spelled.sentinel),
        }
    }
}

/// What there is none of is null.
fn list<'a, T>(blocks: &'a [Block], shown: fn(&'a Block) -> T) -> Option<Vec<T>> {
    (!blocks.is_empty()).then(|| blocks.iter().map(shown).collect())
}

fn named(Block { name, policy, capabilities, .. }: &Block) -> Named<'_> {
    Named { capabilities, name, policy }
}

fn namespace(Block { name, policy, capabilities, variables }: &Block) -> Namespace<'_> {
    let variables = variables.as_deref().map(|paths| Variables { paths });
    Namespace { capabilities, name, policy, variables }
}

fn paths<S: Serializer>(blocks: &[Block], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        blocks.iter().map(|Block { name, capabilities, .. }| Path { capabilities, path_spec: name }),
    )
}
