//! What can be snapshotted alone: a part of the control state, all collections, one of them, or one shard.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind};

/// What can be snapshotted alone. Written `consul`, `nomad`, `qdrant`, `qdrant/COLLECTION` or
/// `qdrant/COLLECTION/SHARD`; names of collections hold no slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Records of the control state.
    Records(records::Scope),
    /// Points, with the settings and aliases of their collections.
    #[cfg(feature = "qdrant")]
    Points(PointsScope),
}

/// Which points.
#[cfg(feature = "qdrant")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PointsScope {
    /// All collections and aliases.
    Storage,
    /// One collection, by its own name, never an alias.
    Collection(String),
    /// One shard of a collection, by its number.
    Shard(String, u32),
}

impl Scope {
    /// Whose state it is: `consul`, `nomad` or `qdrant`. The only part of a scope that metrics may show.
    pub fn product(&self) -> &'static str {
        match self {
            Scope::Records(scope) => scope.name(),
            #[cfg(feature = "qdrant")]
            Scope::Points(_) => QDRANT,
        }
    }

    /// Whether some state is part of both.
    pub(crate) fn overlaps(&self, other: &Scope) -> bool {
        match (self, other) {
            #[cfg(feature = "qdrant")]
            (Scope::Points(one), Scope::Points(other)) => match (one, other) {
                (PointsScope::Storage, _) | (_, PointsScope::Storage) => true,
                (PointsScope::Shard(..), PointsScope::Shard(..)) => one == other,
                _ => one.collection() == other.collection(),
            },
            _ => self == other,
        }
    }
}

#[cfg(feature = "qdrant")]
impl PointsScope {
    fn named(text: &str) -> Option<PointsScope> {
        let mut parts = text.split('/');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (QDRANT, None, ..) => Some(PointsScope::Storage),
            (QDRANT, Some(name), None, _) if !name.is_empty() => Some(PointsScope::Collection(name.into())),
            (QDRANT, Some(name), Some(id), None) if !name.is_empty() => {
                Some(PointsScope::Shard(name.into(), id.parse().ok()?))
            }
            _ => None,
        }
    }

    /// The collection that it is, or is of; `None` for all of them.
    pub fn collection(&self) -> Option<&str> {
        match self {
            PointsScope::Storage => None,
            PointsScope::Collection(name) | PointsScope::Shard(name, _) => Some(name),
        }
    }
}

#[cfg(feature = "qdrant")]
const QDRANT: &str = "qdrant";

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Records(scope) => scope.fmt(f),
            #[cfg(feature = "qdrant")]
            Scope::Points(scope) => scope.fmt(f),
        }
    }
}

#[cfg(feature = "qdrant")]
impl fmt::Display for PointsScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointsScope::Storage => f.write_str(QDRANT),
            PointsScope::Collection(name) => write!(f, "{QDRANT}/{name}"),
            PointsScope::Shard(name, id) => write!(f, "{QDRANT}/{name}/{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Scope, Error> {
        let records = records::Scope::named(text).map(Scope::from);
        #[cfg(feature = "qdrant")]
        let found = records.or_else(|| PointsScope::named(text).map(Scope::from));
        #[cfg(not(feature = "qdrant"))]
        let found = records;
        found.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no scope {text:?}")))
    }
}

impl From<records::Scope> for Scope {
    fn from(scope: records::Scope) -> Scope {
        Scope::Records(scope)
    }
}

#[cfg(feature = "qdrant")]
impl From<PointsScope> for Scope {
    fn from(scope: PointsScope) -> Scope {
        Scope::Points(scope)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(all(test, feature = "qdrant"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["consul", "nomad", "qdrant", "qdrant/a b", "qdrant/cities/12"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "consul/a", "qdrant/", "qdrant//0", "qdrant/a/b", "qdrant/a/0/0", "vault"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn scopes_overlap_where_they_share_points() {
        let overlap = |one: &str, other: &str| {
            let [one, other]: [Scope; 2] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(one.overlaps(&other), other.overlaps(&one));
            one.overlaps(&other)
        };
        for (one, other) in [("consul", "consul"), ("qdrant", "qdrant/a"), ("qdrant/a", "qdrant/a/1")] {
            assert!(overlap(one, other), "{one} {other}");
        }
        for (one, other) in [("consul", "nomad"), ("qdrant/a/0", "qdrant/a/1"), ("qdrant/a", "qdrant/b/0")] {
            assert!(!overlap(one, other), "{one} {other}");
        }
    }
}
