//! `${…}` in texts of jobs (`hashicorp/nomad:helper/args/args.go`).

use super::read::Tree;
use super::tree::{list, part, text};

/// No text that is longer means anything; what is not, does not grow far beyond.
const BYTES_MAX: usize = 64 << 10;

/// Replaces the variables that `value` knows; the others stay as they are.
pub(super) fn replaced(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, name, after)) = next(rest).filter(|_| out.len() <= BYTES_MAX) {
        out.push_str(before);
        out.push_str(&value(name).unwrap_or_else(|| format!("${{{name}}}")));
        rest = after;
    }
    out + rest
}

/// Whether there is a variable in a text.
pub(super) fn has_any(text: &str) -> bool {
    next(text).is_some()
}

/// The first variable: what stands before, its name, what stands behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let is_named = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    text.match_indices("${").find_map(|(at, _)| {
        let behind = &text[at + 2..];
        let (name, after) = behind.split_once('}')?;
        (!name.is_empty() && name.chars().all(is_named)).then_some((&text[..at], name, after))
    })
}

/// A variable as it is known when a group of a job is registered
/// (`hashicorp/nomad:client/taskenv/env.go`).
pub(super) fn of_group(job: &Tree, group: &Tree, name: &str) -> Option<String> {
    let known = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    match name {
        "NOMAD_GROUP_NAME" => known(text(group, "Name")),
        "NOMAD_JOB_ID" => known(text(job, "ID")),
        "NOMAD_JOB_NAME" => known(text(job, "Name")),
        "NOMAD_REGION" => known(text(job, "Region")),
        "NOMAD_ALLOC_INDEX" => known("0"),
        _ => {
            let wanted = name.strip_prefix("NOMAD_META_")?;
            let is_it = |key: &str| clean(key) == wanted || clean(&key.to_uppercase()) == wanted;
            let found = [group, job].into_iter().find_map(|place| {
                part(place, "Meta")?.iter().find(|(key, _)| is_it(key)).and_then(|(_, value)| value.as_str())
            });
            found.map(str::to_owned)
        }
    }
}

/// A key as it may stand in the name of a variable.
fn clean(key: &str) -> String {
    let is_kept = |character: char| character.is_ascii_alphanumeric() || "_.".contains(character);
    key.chars().map(|character| if is_kept(character) { character } else { '_' }).collect()
}

/// The value of the port with a label, among networks.
pub(super) fn port(group: &Tree, label: &str) -> i64 {
    let ports = list(group, "Networks")
        .flat_map(|network| list(network, "ReservedPorts").chain(list(network, "DynamicPorts")));
    let mut found = ports.filter(|port| text(port, "Label") == label);
    found.next().map(|port| super::tree::integer(port, "Value")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_replaced() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(replaced("x${A}-${B}${ A}${}$A${A", value), "x1-${B}${ A}${}$A${A");
        assert!(has_any("a${b.c}") && !has_any("${a b}${}"));
    }
}
