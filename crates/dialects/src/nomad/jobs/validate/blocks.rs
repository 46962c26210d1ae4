//! Constraints, affinities and spreads (`hashicorp/nomad:nomad/structs/structs.go`, `structs/constraint.go`).

use std::collections::BTreeSet;

use super::super::read::Tree;
use super::super::tree::{integer, list, text};
use super::faults::Faults;
use super::versions;

/// Those of a job, a group or a task.
pub(super) fn constraints(within: &Tree, faults: &mut Faults) {
    for (at, one) in list(within, "Constraints").enumerate() {
        faults.nest_as(&format!("Constraint {} validation failed", at + 1), constraint(one));
    }
}

pub(super) fn affinities(within: &Tree, kind: &str, faults: &mut Faults) {
    if kind == "system" {
        let has_some = within.contains_key("Affinities");
        faults.add_if(has_some, "System jobs may not have an affinity block");
        return;
    }
    for (at, one) in list(within, "Affinities").enumerate() {
        faults.nest_as(&format!("Affinity {} validation failed", at + 1), affinity(one));
    }
}

pub(super) fn spreads(within: &Tree, kind: &str, faults: &mut Faults) {
    if kind == "system" {
        faults.add_if(within.contains_key("Spreads"), "System jobs may not have a spread block");
        return;
    }
    for (at, one) in list(within, "Spreads").enumerate() {
        faults.nest_as(&format!("Spread {} validation failed", at + 1), spread(one));
    }
}

pub(super) fn constraint(constraint: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (operand, value) = (text(constraint, "Operand"), text(constraint, "RTarget"));
    faults.add_if(operand.is_empty(), "Missing constraint operand");
    match operand {
        "distinct_hosts" => return faults,
        "set_contains_all" | "set_contains_any" | "set_contains" => {
            faults.add_if(value.is_empty(), "Set contains constraint requires an RTarget");
        }
        "regexp" => {}
        "version" => {
            faults.check(
                versions::version(value).map_err(|why| format!("Version constraint is invalid: {why}")),
            );
        }
        "semver" => {
            faults
                .check(versions::semver(value).map_err(|why| format!("Semver constraint is invalid: {why}")));
        }
        "distinct_property" if value.is_empty() => {}
        "distinct_property" => match number(value) {
            Err(why) => faults.add(format!("Failed to convert RTarget {value:?} to uint64: {why}")),
            Ok(0) => faults.add("Distinct Property must have an allowed count of 1 or greater: 0 < 1"),
            Ok(_) => {}
        },
        "is_set" | "is_not_set" => {
            if !value.is_empty() {
                faults.add(format!("Operator {operand:?} does not support an RTarget"));
            }
        }
        operand if is_comparison(operand) => {
            if value.is_empty() {
                faults.add(format!("Operator {operand:?} requires an RTarget"));
            }
        }
        other => faults.add(format!("Unknown constraint type {other:?}")),
    }
    match text(constraint, "LTarget") {
        "" => faults.add("no attribute provided but is required by operator"),
        attribute => faults.check(is_attribute(attribute)),
    }
    faults
}

/// A count, or why it is none (`golang/go:src/strconv/atoi.go`).
fn number(text: &str) -> Result<u64, String> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let why = if is_digits { "value out of range" } else { "invalid syntax" };
    let parsed = text.parse().ok().filter(|_| is_digits);
    parsed.ok_or_else(|| format!("strconv.ParseUint: parsing {text:?}: {why}"))
}

fn is_comparison(operand: &str) -> bool {
    matches!(operand, "=" | "==" | "is" | "!=" | "not" | "<" | "<=" | ">" | ">=")
}

/// What is no variable is a value.
fn is_attribute(target: &str) -> Result<(), String> {
    const WHOLE: [&str; 5] =
        ["${node.unique.id}", "${node.datacenter}", "${node.unique.name}", "${node.class}", "${node.pool}"];
    const PREFIXES: [&str; 3] = ["${attr.", "${device.", "${meta."];
    match target {
        _ if !target.starts_with('$') => Ok(()),
        _ if !target.starts_with("${") => Err(format!("attribute {target:?} is missing an opening brace")),
        _ if !target.ends_with('}') => Err(format!("attribute {target:?} is missing a closing brace")),
        _ if WHOLE.contains(&target) || PREFIXES.iter().any(|prefix| target.starts_with(prefix)) => Ok(()),
        _ => Err(format!("unsupported attribute {target:?}")),
    }
}

pub(super) fn affinity(affinity: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (operand, value) = (text(affinity, "Operand"), text(affinity, "RTarget"));
    faults.add_if(operand.is_empty(), "Missing affinity operand");
    match operand {
        "set_contains_all" | "set_contains_any" | "set_contains" => {
            faults.add_if(value.is_empty(), "Set contains operators require an RTarget");
        }
        "regexp" => {}
        "version" => {
            faults
                .check(versions::version(value).map_err(|why| format!("Version affinity is invalid: {why}")));
        }
        "semver" => {
            faults.check(versions::semver(value).map_err(|why| format!("Semver affinity is invalid: {why}")));
        }
        operand if is_comparison(operand) => {
            if value.is_empty() {
                faults.add(format!("Operator {operand:?} requires an RTarget"));
            }
        }
        other => faults.add(format!("Unknown affinity operator {other:?}")),
    }
    faults.add_if(text(affinity, "LTarget").is_empty(), "No LTarget provided but is required");
    let weight = integer(affinity, "Weight");
    faults.add_if(weight == 0, "Affinity weight cannot be zero");
    faults.add_if(!(-100..=100).contains(&weight), "Affinity weight must be within the range [-100,100]");
    faults
}

fn spread(spread: &Tree) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(text(spread, "Attribute").is_empty(), "Missing spread attribute");
    let is_weighed = (1..=100).contains(&integer(spread, "Weight"));
    faults.add_if(!is_weighed, "Spread block must have a positive weight from 0 to 100");
    let (mut seen, mut sum) = (BTreeSet::new(), 0);
    for target in list(spread, "SpreadTarget") {
        let (value, percent) = (text(target, "Value"), integer(target, "Percent"));
        if !seen.insert(value) {
            faults.add(format!("Spread target value {value:?} already defined"));
        }
        if percent > 100 {
            faults.add(format!("Spread target percentage for value {value:?} must be between 0 and 100"));
        }
        sum += percent;
    }
    if sum > 100 {
        faults.add(format!("Sum of spread target percentages must not be greater than 100%; got {sum}%"));
    }
    faults
}
