//! Rules by name: an exact one decides, else that of the longest prefix.
//!
//! Follows `hashicorp/consul:acl/policy_authorizer.go`.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::access::Access;

/// What the rules about one name say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) access: Access,
    /// Of services alone: what holds for intentions, if it is said.
    pub(super) intentions: Option<Access>,
}

/// Whether rules allow, deny, or say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    Deny,
    Default,
}

/// How a rule's access is read off: as itself, or as what it says of intentions.
pub(super) type Reading = fn(&Rule) -> Access;

/// The rules about one kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<Vec<u8>, Leaf>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Leaf {
    exact: Option<Rule>,
    prefix: Option<Rule>,
}

impl Rule {
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Unless rules say otherwise, who may see or change a service may see its intentions.
    pub(super) fn intentions(&self) -> Access {
        match (self.intentions, self.access) {
            (Some(intentions), _) => intentions,
            (None, Access::Read | Access::Write) => Access::Read,
            (None, Access::List | Access::Deny) => Access::Deny,
        }
    }

    fn merge(self, other: Rule) -> Rule {
        Rule { access: self.access.max(other.access), intentions: self.intentions.max(other.intentions) }
    }
}

impl Decision {
    pub(super) fn of(rule: Access, wanted: Access) -> Decision {
        if rule.grants(wanted) { Decision::Allow } else { Decision::Deny }
    }
}

impl Leaf {
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.prefix.iter().chain(&self.exact)
    }
}

impl Tree {
    /// Adds a rule; beside another one about the same name the stricter of both holds.
    pub(super) fn add(&mut self, name: &[u8], is_prefix: bool, rule: Rule) {
        let leaf = self.0.entry(name.to_vec()).or_default();
        let place = if is_prefix { &mut leaf.prefix } else { &mut leaf.exact };
        *place = Some(place.map_or(rule, |before| before.merge(rule)));
    }

    /// Adds every rule of `other`.
    pub(super) fn merge(&mut self, other: &Tree) {
        for (name, leaf) in &other.0 {
            leaf.prefix.into_iter().for_each(|rule| self.add(name, true, rule));
            leaf.exact.into_iter().for_each(|rule| self.add(name, false, rule));
        }
    }

    /// Whether `wanted` may be done to the thing called `name`.
    pub(super) fn decide(&self, name: &[u8], wanted: Access, reading: Reading) -> Decision {
        let exact = self.0.get(name).and_then(|leaf| leaf.exact);
        match exact.or_else(|| self.longest_prefix(name)) {
            Some(rule) => Decision::of(reading(&rule), wanted),
            None => Decision::Default,
        }
    }

    /// Whether everything under `prefix` may be written: the rule that governs the prefix must allow it, and
    /// no rule under it may forbid it.
    pub(super) fn decide_under(&self, prefix: &[u8]) -> Decision {
        let base = match self.longest_prefix(prefix) {
            Some(rule) => Decision::of(rule.access, Access::Write),
            None => Decision::Default,
        };
        let mut under = self.0.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        let forbids = |leaf: &Leaf| leaf.rules().any(|rule| rule.access != Access::Write);
        let is_forbidden =
            under.by_ref().take_while(|(name, _)| name.starts_with(prefix)).any(|(_, leaf)| forbids(leaf));
        if is_forbidden { Decision::Deny } else { base }
    }

    /// Whether `wanted` may be done to anything at all.
    pub(super) fn decide_any(&self, wanted: Access, reading: Reading) -> Decision {
        let allows = |rule: &Rule| reading(rule).grants(wanted);
        match self.catch_all() {
            _ if self.0.values().any(|leaf| leaf.rules().any(allows)) => Decision::Allow,
            Some(_) => Decision::Deny,
            None => Decision::Default,
        }
    }

    /// Whether `wanted` may be done to everything.
    pub(super) fn decide_all(&self, wanted: Access, reading: Reading) -> Decision {
        let denies = |rule: &Rule| !reading(rule).grants(wanted);
        match self.catch_all() {
            _ if self.0.values().any(|leaf| leaf.rules().any(denies)) => Decision::Deny,
            Some(_) => Decision::Allow,
            None => Decision::Default,
        }
    }

    /// The rule for the empty prefix, which is about everything.
    fn catch_all(&self) -> Option<Rule> {
        self.0.get([].as_slice())?.prefix
    }

    /// The rule whose prefix is the longest among those that `name` begins with.
    ///
    /// Goes down from `name` through its neighbours: whatever prefix of it lies before a neighbour is also a
    /// prefix of what the two have in common. So the work grows with the rules passed, not with the name.
    fn longest_prefix(&self, name: &[u8]) -> Option<Rule> {
        let mut end: Bound<&[u8]> = Bound::Included(name);
        loop {
            let (path, leaf) = self.0.range::<[u8], _>((Bound::Unbounded, end)).next_back()?;
            let common = path.iter().zip(name).take_while(|(a, b)| a == b).count();
            if common < path.len() {
                end = Bound::Included(&name[..common]);
            } else if let Some(rule) = leaf.prefix {
                return Some(rule);
            } else {
                end = Bound::Excluded(&name[..common]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rules = Vec<(Vec<u8>, bool, Access)>;

    fn tree(rules: &Rules) -> Tree {
        let mut tree = Tree::default();
        for (name, is_prefix, access) in rules {
            tree.add(name, *is_prefix, Rule { access: *access, intentions: None });
        }
        tree
    }

    /// The strictest rule among those that `applies` picks.
    fn strictest(rules: &Rules, applies: impl Fn(&[u8], bool) -> bool) -> Option<Access> {
        rules.iter().filter(|(name, is_prefix, _)| applies(name, *is_prefix)).map(|rule| rule.2).max()
    }

    fn governing(rules: &Rules, name: &[u8]) -> Option<Access> {
        (0..=name.len())
            .rev()
            .find_map(|length| strictest(rules, |rule, is_prefix| is_prefix && rule == &name[..length]))
    }

    fn decision(rule: Option<Access>, wanted: Access) -> Decision {
        rule.map_or(Decision::Default, |rule| Decision::of(rule, wanted))
    }

    fn access() -> impl Strategy<Value = Access> {
        prop_oneof![Just(Access::Read), Just(Access::List), Just(Access::Write), Just(Access::Deny)]
    }

    /// Names of few letters, so that prefixes of prefixes are common.
    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0), Just(b'a'), Just(255)], 0..6)
    }

    fn rules() -> impl Strategy<Value = Rules> {
        prop::collection::vec((name(), any::<bool>(), access()), 0..12)
    }

    proptest! {
        #[test]
        fn the_longest_prefix_decides_unless_an_exact_rule_does(
            rules in rules(), name in name(), wanted in access()
        ) {
            let exact = strictest(&rules, |rule, is_prefix| !is_prefix && rule == name);
            let expected = decision(exact.or_else(|| governing(&rules, &name)), wanted);
            prop_assert_eq!(tree(&rules).decide(&name, wanted, Rule::access), expected);
        }

        #[test]
        fn a_whole_prefix_may_be_written_if_no_rule_within_forbids_it(rules in rules(), name in name()) {
            // Of several rules about one name only the strictest is kept.
            let kept = |wanted: &[u8], is_prefix| strictest(&rules, |rule, p| rule == wanted && p == is_prefix);
            let is_forbidden = rules.iter().any(|(rule, is_prefix, _)| {
                rule.starts_with(&name) && kept(rule, *is_prefix) != Some(Access::Write)
            });
            let expected = match decision(governing(&rules, &name), Access::Write) {
                Decision::Deny => Decision::Deny,
                _ if is_forbidden => Decision::Deny,
                base => base,
            };
            prop_assert_eq!(tree(&rules).decide_under(&name), expected);
        }

        #[test]
        fn merging_trees_is_adding_their_rules(left in rules(), right in rules()) {
            let mut merged = tree(&left);
            merged.merge(&tree(&right));
            prop_assert_eq!(merged, tree(&[left, right].concat()));
        }
    }
}
