//! Names that rules leave open: `*` stands for any text, none included.
//!
//! Follows `ryanuber/go-glob:glob.go` and, for which of several globs holds, `hashicorp/nomad:acl/acl.go`.

use std::collections::BTreeMap;

use super::grant::Grant;

/// What stands for any text.
const ANY: char = '*';

/// Grants by name. A name may be a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<C> {
    exact: BTreeMap<String, Grant<C>>,
    globs: BTreeMap<String, Grant<C>>,
}

impl<C> Default for Named<C> {
    fn default() -> Named<C> {
        Named { exact: BTreeMap::new(), globs: BTreeMap::new() }
    }
}

impl<C: Copy + Ord> Named<C> {
    /// Adds a grant to what there is under the same name. One of nothing counts, too: it hides globs.
    pub(super) fn add(&mut self, name: &str, grant: &Grant<C>) {
        let grants = if name.contains(ANY) { &mut self.globs } else { &mut self.exact };
        grants.entry(name.to_owned()).or_default().merge(grant);
    }

    /// Adds every grant of `other`.
    pub(super) fn merge(&mut self, other: &Named<C>) {
        other.all().for_each(|(name, grant)| self.add(name, grant));
    }

    /// The grant that holds for `name`: its own, else that of the glob that leaves the fewest bytes open. Of
    /// several such globs it is the last in the order of their bytes, as sorting makes it in genuine servers.
    pub(super) fn find(&self, name: &str) -> Option<&Grant<C>> {
        let closest = || {
            let matching = self.globs.iter().filter(|(glob, _)| matches(glob, name));
            matching.max_by_key(|(glob, _)| fixed_bytes(glob)).map(|(_, grant)| grant)
        };
        self.exact.get(name).or_else(closest)
    }

    /// Whether there is a grant under any name that `is_wanted`.
    pub(super) fn has(&self, is_wanted: impl Fn(&Grant<C>) -> bool) -> bool {
        self.all().any(|(_, grant)| is_wanted(grant))
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Grant<C>)> {
        self.exact.iter().chain(&self.globs)
    }
}

fn matches(glob: &str, name: &str) -> bool {
    let mut fixed = glob.split(ANY);
    let Some(mut rest) = fixed.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = fixed.next_back() else { return rest.is_empty() };
    for part in fixed {
        // Taking the first place leaves the most for the parts that follow.
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn fixed_bytes(glob: &str) -> usize {
    glob.len() - glob.matches(ANY).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By trying every length of what an asterisk may stand for.
    fn matches_naively(glob: &[u8], name: &[u8]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some((b'*', glob)) => (0..=name.len()).any(|taken| matches_naively(glob, &name[taken..])),
            Some((byte, glob)) => name.first() == Some(byte) && matches_naively(glob, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_a_naive_reading_of_it_matches(glob in "[ab*]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&glob, &name), matches_naively(glob.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn a_name_made_from_a_glob_matches_it(parts in prop::collection::vec("[a-z/é]{0,3}", 1..6)) {
            prop_assert!(matches(&parts.join("*"), &parts.join("filling")));
        }
    }

    #[test]
    fn parts_of_a_glob_do_not_overlap() {
        let table = [("a*a", "a", false), ("a*a", "aa", true), ("ab*b", "ab", false), ("*a*a", "a", false)];
        for (glob, name, expected) in table {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }
}
