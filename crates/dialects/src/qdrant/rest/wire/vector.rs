//! Vectors: lists, lists of lists, pairs of indices and values, or something to make one of.

use std::collections::HashMap;

use node::points::engine::{SparseVector, VectorInternal, VectorPersisted, VectorStructPersisted};
use serde::Deserialize;
use serde::de::IgnoredAny;
use validator::{Validate, ValidationErrors};

use crate::qdrant::rest::failure::Failure;
use crate::qdrant::unserved::Unserved;

/// One vector.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum Vector {
    Dense(Vec<f32>),
    // Before the sparse ones: two rows of integers could be read as indices and values.
    MultiDense(Vec<Vec<f32>>),
    Sparse(SparseVector),
    Inference(#[expect(dead_code, reason = "refused, whatever it is")] Inference),
}

/// The vectors of one point.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum VectorStruct {
    Single(Vec<f32>),
    MultiDense(Vec<Vec<f32>>),
    Named(HashMap<String, Vector>),
    Inference(#[expect(dead_code, reason = "refused, whatever it is")] Inference),
}

/// The vectors of many points.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum BatchVectorStruct {
    Single(Vec<Vec<f32>>),
    MultiDense(Vec<Vec<Vec<f32>>>),
    Named(HashMap<String, Vec<Vector>>),
    Inference(#[expect(dead_code, reason = "refused, whatever it is")] Vec<Inference>),
}

/// What a vector is to be made of: a text, an image, or something else.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "recognised, and refused")]
pub(in crate::qdrant::rest) enum Inference {
    Document { text: String, model: String },
    Image { image: IgnoredAny, model: String },
    Object { object: IgnoredAny, model: String },
}

impl Vector {
    /// The vector as it is stored.
    pub(in crate::qdrant::rest) fn stored(self) -> Result<VectorPersisted, Failure> {
        match self {
            Vector::Dense(vector) => Ok(VectorPersisted::Dense(vector)),
            Vector::Sparse(vector) => Ok(VectorPersisted::Sparse(vector)),
            Vector::MultiDense(vectors) => Ok(VectorPersisted::MultiDense(vectors)),
            Vector::Inference(_) => Err(Unserved::Inference.into()),
        }
    }

    /// The vector as it is compared.
    pub(in crate::qdrant::rest) fn compared(self) -> Result<VectorInternal, Failure> {
        // What was vetted has vectors in it, and all of them equally long.
        self.stored().map(VectorInternal::from)
    }

    fn is_empty(&self) -> bool {
        match self {
            Vector::Dense(vector) => vector.is_empty(),
            Vector::Sparse(vector) => vector.indices.is_empty(),
            Vector::MultiDense(vectors) => vectors.is_empty(),
            Vector::Inference(_) => false,
        }
    }
}

impl VectorStruct {
    /// The vectors as they are stored.
    pub(in crate::qdrant::rest) fn stored(self) -> Result<VectorStructPersisted, Failure> {
        match self {
            VectorStruct::Single(vector) => Ok(VectorStructPersisted::Single(vector)),
            VectorStruct::MultiDense(vectors) => Ok(VectorStructPersisted::MultiDense(vectors)),
            VectorStruct::Named(named) => {
                let named = named.into_iter().map(|(name, vector)| Ok((name, vector.stored()?)));
                named.collect::<Result<_, Failure>>().map(VectorStructPersisted::Named)
            }
            VectorStruct::Inference(_) => Err(Unserved::Inference.into()),
        }
    }

    /// Whether there is nothing in any of them.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            VectorStruct::Single(vector) => vector.is_empty(),
            VectorStruct::MultiDense(vectors) => vectors.is_empty(),
            VectorStruct::Named(named) => named.values().all(Vector::is_empty),
            VectorStruct::Inference(_) => false,
        }
    }
}

impl BatchVectorStruct {
    /// How many vectors there are, or how many of one name where that is not `expected`.
    pub(super) fn len(&self, expected: usize) -> usize {
        match self {
            BatchVectorStruct::Single(vectors) => vectors.len(),
            BatchVectorStruct::MultiDense(vectors) => vectors.len(),
            BatchVectorStruct::Named(named) => {
                named.values().map(Vec::len).find(|found| *found != expected).unwrap_or(expected)
            }
            BatchVectorStruct::Inference(_) => expected,
        }
    }

    /// The vectors point by point, `count` of them.
    pub(super) fn stored(self, count: usize) -> Result<Vec<VectorStructPersisted>, Failure> {
        match self {
            BatchVectorStruct::Single(vectors) => {
                Ok(vectors.into_iter().map(VectorStructPersisted::Single).collect())
            }
            BatchVectorStruct::MultiDense(vectors) => {
                Ok(vectors.into_iter().map(VectorStructPersisted::MultiDense).collect())
            }
            BatchVectorStruct::Named(named) => {
                let mut points = vec![HashMap::with_capacity(named.len()); count];
                for (name, vectors) in named {
                    for (point, vector) in points.iter_mut().zip(vectors) {
                        point.insert(name.clone(), vector.stored()?);
                    }
                }
                Ok(points.into_iter().map(VectorStructPersisted::Named).collect())
            }
            BatchVectorStruct::Inference(_) => Err(Unserved::Inference.into()),
        }
    }
}

impl Validate for Vector {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Vector::Dense(_) | Vector::Inference(_) => Ok(()),
            Vector::Sparse(vector) => vector.validate(),
            Vector::MultiDense(vectors) => matrix(vectors),
        }
    }
}

impl Validate for VectorStruct {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            VectorStruct::Single(_) | VectorStruct::Inference(_) => Ok(()),
            VectorStruct::MultiDense(vectors) => matrix(vectors),
            VectorStruct::Named(named) => each(named.values()),
        }
    }
}

impl Validate for BatchVectorStruct {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            BatchVectorStruct::Single(_) | BatchVectorStruct::Inference(_) => Ok(()),
            BatchVectorStruct::MultiDense(points) => points.iter().try_for_each(|vectors| matrix(vectors)),
            BatchVectorStruct::Named(named) => each(named.values().flatten()),
        }
    }
}

/// Vets vectors that belong together by the rule of the engine.
fn matrix(vectors: &[Vec<f32>]) -> Result<(), ValidationErrors> {
    VectorPersisted::MultiDense(vectors.to_vec()).validate()
}

/// Vets vectors of which it matters not which one is wrong.
fn each<'a>(vectors: impl Iterator<Item = &'a Vector>) -> Result<(), ValidationErrors> {
    for vector in vectors {
        if let Err(errors) = vector.validate() {
            return ValidationErrors::merge(Ok(()), "?", Err(errors));
        }
    }
    Ok(())
}
