//! Which parts of the control state can be snapshotted alone, and what each of them knows of its records.

use std::fmt;

use archive::state::Product;
use serde::{Deserialize, Serialize};

use crate::key::{Derived, Key};

/// A part of the control state that is captured, restored and undone by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// What Consul clients put.
    Consul,
    /// What Nomad clients put.
    Nomad,
}

impl Scope {
    /// Every scope of records.
    pub const ALL: [Scope; 2] = [Scope::Consul, Scope::Nomad];

    /// The name by which users know it.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Consul => "consul",
            Scope::Nomad => "nomad",
        }
    }

    /// The scope called `name`.
    pub fn named(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Whose archives it comes and goes in.
    pub fn product(self) -> Product {
        match self {
            Scope::Consul => Product::Consul,
            Scope::Nomad => Product::Nomad,
        }
    }

    /// Where a record of this scope is stored.
    pub(crate) fn key(self, kind: u8, bytes: &[u8]) -> Result<Key, String> {
        match self {
            Scope::Consul => crate::consul::key(kind, bytes),
            Scope::Nomad => crate::nomad::key(kind, bytes),
        }
    }

    /// Whether this release knows the record type.
    pub(crate) fn known(self, kind: u8) -> bool {
        self.product().knows(kind)
    }

    /// Whether genuine archives are known to hold such a record twice.
    pub(crate) fn may_repeat(self, kind: u8, id: &[u8]) -> bool {
        match self {
            Scope::Consul => crate::consul::may_repeat(kind, id),
            Scope::Nomad => false,
        }
    }

    /// Whether ids of this record type can be what nobody but their bearer should know.
    pub(crate) fn id_may_be_secret(self, kind: u8) -> bool {
        self.product().id_may_be_secret(kind)
    }

    /// The archive rank of a record type.
    pub(crate) fn rank(self, kind: u8) -> u8 {
        self.product().rank(kind)
    }

    /// What derived keys begin with that no record tells: they are replicated, but no part of an archive.
    pub(crate) fn notes(self) -> &'static [u8] {
        match self {
            Scope::Consul => crate::consul::NOTES,
            Scope::Nomad => crate::nomad::NOTES,
        }
    }

    /// What is looked up by other ways than a record's own id, and the highest index in the record.
    pub(crate) fn derived(self, kind: u8, bytes: &[u8]) -> Result<Derived, String> {
        match self {
            Scope::Consul => crate::consul::derived(kind, bytes),
            Scope::Nomad => crate::nomad::derived(kind, bytes),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
