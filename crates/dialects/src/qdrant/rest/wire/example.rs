//! Vectors in questions: given, or that of a point.

use node::points::engine::PointId;
use node::points::query::{Lookup, VectorInput as Input};
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::select::{ShardKey, no_shard_key};
use super::vector::Vector;
use crate::qdrant::rest::failure::Failure;

/// A vector, or the point whose vector is meant.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum VectorInput {
    Id(PointId),
    Vector(Vector),
}

impl VectorInput {
    pub(in crate::qdrant::rest) fn input(self) -> Result<Input, Failure> {
        match self {
            VectorInput::Id(id) => Ok(Input::Id(id)),
            VectorInput::Vector(vector) => Ok(Input::Vector(vector.compared()?)),
        }
    }
}

impl Validate for VectorInput {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            VectorInput::Id(_) => Ok(()),
            VectorInput::Vector(vector) => vector.validate(),
        }
    }
}

/// Where the vectors of points are looked up.
#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct LookupLocation {
    collection: String,
    vector: Option<String>,
    shard_key: Option<ShardKey>,
}

impl LookupLocation {
    pub(in crate::qdrant::rest) fn lookup(self) -> Result<Lookup, Failure> {
        no_shard_key(&self.shard_key)?;
        Ok(Lookup { collection: self.collection, vector: self.vector })
    }
}

/// One value or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum OneOrMany<T> {
    One(Box<T>),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(in crate::qdrant::rest) fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![*one],
            OneOrMany::Many(many) => many,
        }
    }

    pub(in crate::qdrant::rest) fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(&**one),
            OneOrMany::Many(many) => many,
        }
    }
}

impl<T: Validate> Validate for OneOrMany<T> {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            // As if it stood in a list.
            OneOrMany::One(one) => [&**one].validate(),
            OneOrMany::Many(many) => many.validate(),
        }
    }
}
