//! From a source to the blocks that it is made of, whatever they say.
//!
//! Follows `hclDecode` in `hashicorp/nomad:acl/policy.go` of 1.11.3.

use std::collections::BTreeMap;

use super::blocks::{self, Block, Entry, Shape};
use crate::hcl::{self, Repeats, Value};

/// A source's blocks, by kind.
#[derive(Debug, Default)]
pub(super) struct Policy {
    /// Of each of [`LABELLED`].
    pub(super) labelled: [Vec<Block>; 3],
    /// Of each of [`SINGLE`].
    pub(super) single: [Option<Block>; 6],
    /// Keys that name nothing, in order.
    pub(super) unknown_keys: Vec<String>,
}

pub(super) const NAMESPACE: usize = 0;
pub(super) const NODE_POOL: usize = 1;
pub(super) const HOST_VOLUME: usize = 2;

/// Blocks that have labels.
const LABELLED: [(&str, Shape); 3] = [
    ("namespace", shape("Name", true, true)),
    ("node_pool", shape("Name", true, false)),
    ("host_volume", shape("Name", true, false)),
];

/// Blocks of which there is one, in the order in which they are checked.
pub(super) const SINGLE: [(&str, Shape); 6] = [
    ("agent", shape("", false, false)),
    ("node", shape("", false, false)),
    ("operator", shape("", true, false)),
    ("sentinel", shape("", true, false)),
    ("quota", shape("", false, false)),
    ("plugin", shape("", false, false)),
];

const fn shape(label: &'static str, has_capabilities: bool, has_variables: bool) -> Shape {
    Shape { label, has_policy: true, has_capabilities, has_variables }
}

/// Reads a source. What is wrong with its form is told in genuine words, but for the place.
pub(super) fn decode(source: &str) -> Result<Policy, String> {
    let told = |error: hcl::Error| error.to_string();
    let mut items = hcl::parse(source, Repeats::LastHolds).map_err(told)?;
    if hcl::is_json(source) {
        items = hcl::flatten(items).map_err(told)?;
    }
    let root = blocks::entries(&items);
    let mut policy = Policy::default();
    let mut unknown = Keys::of(&root);
    for (kind, (name, shape)) in LABELLED.into_iter().enumerate() {
        let found = blocks::find(&root, name);
        policy.labelled[kind] = blocks::read_labelled(&found, &format!("root.{name}"), shape)?;
        if !found.is_empty() {
            unknown.remove_called(name);
        }
    }
    for (kind, (name, shape)) in SINGLE.into_iter().enumerate() {
        let found = blocks::find(&root, name);
        policy.single[kind] = blocks::read_single(&found, &format!("root.{name}"), shape)?;
        if !found.is_empty() {
            unknown.remove_called(name);
        }
    }
    for (kind, (name, _)) in LABELLED.into_iter().enumerate() {
        for (place, entry) in blocks::called(&root, name).enumerate() {
            clear_missing_labels(&mut policy.labelled[kind], place, entry, kind == NAMESPACE)
                .map_err(|problem| format!("invalid acl policy: runtime error: {problem}"))?;
            if place > 0 {
                unknown.remove(name);
            }
        }
        policy.labelled[kind].iter().for_each(|block| unknown.remove(&block.name));
    }
    policy.unknown_keys = unknown.into_vec();
    Ok(policy)
}

/// A block without a label has taken its first key for one. Takes that back; where there is no such block,
/// genuine servers find that out by an index out of range, and say so.
fn clear_missing_labels(
    blocks: &mut [Block],
    place: usize,
    entry: Entry<'_>,
    has_variables: bool,
) -> Result<(), String> {
    if entry.keys.is_empty() {
        at(blocks, place)?.name.clear();
    }
    let Value::Object(items) = entry.value else { return Ok(()) };
    let variables = blocks::called(&blocks::entries(items), "variables").next();
    let Some(Entry { value: Value::Object(items), .. }) = variables.filter(|_| has_variables) else {
        return Ok(());
    };
    for (path_place, path) in blocks::called(&blocks::entries(items), "path").enumerate() {
        if path.keys.is_empty() {
            let paths = at(blocks, place)?.variables.as_deref_mut();
            let paths = paths.ok_or("invalid memory address or nil pointer dereference")?;
            at(paths, path_place)?.name.clear();
        }
    }
    Ok(())
}

fn at(blocks: &mut [Block], place: usize) -> Result<&mut Block, String> {
    let length = blocks.len();
    blocks.get_mut(place).ok_or_else(|| format!("index out of range [{place}] with length {length}"))
}

/// Keys that have not been recognised yet, each as often as it is there.
struct Keys<'a> {
    counts: BTreeMap<&'a str, usize>,
    in_order: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    fn of(entries: &[Entry<'a>]) -> Keys<'a> {
        let in_order: Vec<&str> = entries.iter().flat_map(|entry| entry.keys).map(String::as_str).collect();
        let mut counts = BTreeMap::new();
        in_order.iter().for_each(|key| *counts.entry(*key).or_default() += 1);
        Keys { counts, in_order }
    }

    /// Removes the first key called `name`, whatever its case.
    fn remove_called(&mut self, name: &str) {
        let is_left = |key: &&&str| self.counts.contains_key(**key);
        let found = self.in_order.iter().filter(is_left).find(|key| key.eq_ignore_ascii_case(name));
        if let Some(key) = found.copied() {
            self.remove(key);
        }
    }

    /// Removes one key that is exactly `name`, if there is one.
    fn remove(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(name);
            }
        }
    }

    fn into_vec(self) -> Vec<String> {
        let repeated = |(key, count)| std::iter::repeat_n(key, count);
        self.counts.into_iter().flat_map(repeated).map(str::to_owned).collect()
    }
}
