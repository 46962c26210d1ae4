//! What rules grant about one thing.

use std::collections::BTreeSet;

/// Capabilities, unless a rule denies them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant<C> {
    /// Nothing, whatever other rules about the same thing say.
    Denied,
    /// These.
    Some(BTreeSet<C>),
}

impl<C> Default for Grant<C> {
    fn default() -> Grant<C> {
        Grant::Some(BTreeSet::new())
    }
}

impl<C: Copy + Ord> Grant<C> {
    pub(super) fn of(capabilities: &[C]) -> Grant<C> {
        Grant::Some(capabilities.iter().copied().collect())
    }

    /// Adds what another rule about the same thing says.
    pub(super) fn merge(&mut self, other: &Grant<C>) {
        match (&mut *self, other) {
            (Grant::Some(mine), Grant::Some(theirs)) => mine.extend(theirs),
            _ => *self = Grant::Denied,
        }
    }

    pub(super) fn allows(&self, capability: C) -> bool {
        matches!(self, Grant::Some(these) if these.contains(&capability))
    }

    pub(super) fn allows_any(&self) -> bool {
        matches!(self, Grant::Some(these) if !these.is_empty())
    }
}
