//! Which points: all of a server's, those of a collection, or those of one shard.

use std::fmt;
use std::str::FromStr;

/// What a snapshot of points can be of. Written `qdrant`, `qdrant/COLLECTION` or `qdrant/COLLECTION/SHARD`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All collections and aliases.
    Storage,
    /// One collection.
    Collection(String),
    /// One shard of a collection, by its number.
    Shard(String, u32),
}

/// A text that is no scope of points.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScopeError {
    /// The name is empty, or not one that a collection can have.
    #[error("{0:?} is no name of a collection")]
    Collection(String),
    /// The shard is not a number.
    #[error("{0:?} is no number of a shard")]
    Shard(String),
    /// Something follows the shard.
    #[error("a scope of points is `qdrant`, `qdrant/COLLECTION` or `qdrant/COLLECTION/SHARD`")]
    Long,
}

impl Scope {
    /// Takes the collection and the shard as they are meant: nothing is unescaped.
    pub fn of(parts: &[&str]) -> Result<Scope, ScopeError> {
        let name = |name: &str| match name {
            // What a path could not carry, servers refuse.
            "" | "." | ".." => Err(ScopeError::Collection(name.into())),
            _ if name.contains(['/', '\0']) => Err(ScopeError::Collection(name.into())),
            _ => Ok(name.to_owned()),
        };
        match parts {
            [] => Ok(Scope::Storage),
            [collection] => Ok(Scope::Collection(name(collection)?)),
            [collection, shard] => {
                let id = shard.parse().map_err(|_| ScopeError::Shard((*shard).into()))?;
                Ok(Scope::Shard(name(collection)?, id))
            }
            _ => Err(ScopeError::Long),
        }
    }

    /// The collection that it is, or is of; `None` for all of them.
    pub fn collection(&self) -> Option<&str> {
        match self {
            Scope::Storage => None,
            Scope::Collection(name) | Scope::Shard(name, _) => Some(name),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Scope, ScopeError> {
        let mut parts = text.split('/');
        match parts.next() {
            Some("qdrant") => Scope::of(&parts.collect::<Vec<_>>()),
            _ => Err(ScopeError::Long),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Storage => f.write_str("qdrant"),
            Scope::Collection(name) => write!(f, "qdrant/{name}"),
            Scope::Shard(name, id) => write!(f, "qdrant/{name}/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["qdrant", "qdrant/cities", "qdrant/a b?", "qdrant/cities/12"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "points", "qdrant/", "qdrant//0", "qdrant/..", "qdrant/a/b", "qdrant/a/0/0"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
