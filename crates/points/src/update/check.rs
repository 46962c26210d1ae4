//! Whether a change fits the collection, said before it is proposed: then none of its points are changed.

use qdrant_edge::{SparseVector, VectorPersisted, VectorStructPersisted};

use super::Update;
use crate::config::{CollectionParams, Flaws, VectorParams};
use crate::{Error, Result};

/// No multivector has as many numbers.
const MULTI_NUMBERS_MAX: usize = 1 << 20;

impl Update {
    /// Whether the vectors fit `params`: `Unprocessable` for malformed ones, `Invalid` in the engine's sentences for
    /// those that the collection does not have.
    pub fn check(&self, params: &CollectionParams) -> Result<()> {
        match self {
            Update::Upsert { points, .. } => check_all(params, points.iter().map(|point| &point.vector)),
            Update::UpdateVectors { points, .. } => {
                check_all(params, points.iter().map(|point| &point.vector))
            }
            Update::DeleteVectors { names, .. } => names.iter().try_for_each(|name| match params.has(name) {
                true => Ok(()),
                false => Err(no_vector(name)),
            }),
            Update::Delete(_)
            | Update::SetPayload { .. }
            | Update::OverwritePayload { .. }
            | Update::DeletePayload { .. }
            | Update::ClearPayload(_) => Ok(()),
        }
    }
}

fn check_all<'a>(
    params: &CollectionParams,
    points: impl Iterator<Item = &'a VectorStructPersisted> + Clone,
) -> Result<()> {
    let mut flaws = Flaws::default();
    for (at, vectors) in points.clone().enumerate() {
        let path = format!("points[{at}].vector");
        match vectors {
            VectorStructPersisted::Single(_) => {}
            VectorStructPersisted::MultiDense(rows) => flaws.rows(&path, rows),
            VectorStructPersisted::Named(named) => named.values().for_each(|vector| match vector {
                VectorPersisted::Dense(_) => {}
                VectorPersisted::Sparse(sparse) => flaws.sparse(&format!("{path}.?"), sparse),
                VectorPersisted::MultiDense(rows) => flaws.rows(&format!("{path}.?"), rows),
            }),
        }
    }
    flaws.end()?;
    let mut points = points;
    points.try_for_each(|vectors| match vectors {
        VectorStructPersisted::Single(vector) => params.check_dense("", vector.len()),
        VectorStructPersisted::MultiDense(rows) => params.check_rows("", rows),
        VectorStructPersisted::Named(named) => named.iter().try_for_each(|(name, vector)| match vector {
            VectorPersisted::Dense(vector) => params.check_dense(name, vector.len()),
            VectorPersisted::Sparse(_) => params.check_sparse(name),
            VectorPersisted::MultiDense(rows) => params.check_rows(name, rows),
        }),
    })
}

impl Flaws {
    /// A multivector is a matrix: at least one row, none empty, all of one length.
    fn rows(&mut self, path: &str, rows: &[Vec<f32>]) {
        let path = format!("{path}.data");
        let numbers: usize = rows.iter().map(Vec::len).sum();
        let Some(first) = rows.first() else {
            return self.add(path, "multi vector must not be empty");
        };
        if rows.iter().any(Vec::is_empty) {
            self.add(path, "all vectors must be non-empty");
        } else if numbers >= MULTI_NUMBERS_MAX {
            self.add(
                path,
                format!("Total size of all vectors ({numbers}) must be less than {MULTI_NUMBERS_MAX}"),
            );
        } else if let Some(other) = rows.iter().find(|row| row.len() != first.len()) {
            let found = other.len();
            self.add(
                path,
                format!("all vectors must have the same dimension, found vector with dimension {found}"),
            );
        }
    }

    fn sparse(&mut self, path: &str, vector: &SparseVector) {
        if vector.indices.len() != vector.values.len() {
            self.add(format!("{path}.values"), "must be the same length as indices");
        }
        let mut indices = vector.indices.clone();
        indices.sort_unstable();
        if indices.windows(2).any(|pair| pair[0] == pair[1]) {
            self.add(format!("{path}.indices"), "must be unique");
        }
    }
}

impl CollectionParams {
    fn has(&self, name: &str) -> bool {
        self.vectors.get(name).is_some() || self.has_sparse(name)
    }

    fn has_sparse(&self, name: &str) -> bool {
        self.sparse_vectors.as_ref().is_some_and(|sparse| sparse.contains_key(name))
    }

    fn check_dense(&self, name: &str, got: usize) -> Result<()> {
        match self.vectors.get(name) {
            Some(params) if params.size.get() != got as u64 => Err(Error::invalid(format!(
                "Vector dimension error: expected dim: {}, got {got}",
                params.size
            ))),
            Some(_) => Ok(()),
            None if self.has_sparse(name) => Err(wrong("sparse")),
            None => Err(no_vector(name)),
        }
    }

    fn check_rows(&self, name: &str, rows: &[Vec<f32>]) -> Result<()> {
        if self.has_sparse(name) {
            return Err(wrong("multi"));
        }
        rows.iter().try_for_each(|row| self.check_dense(name, row.len()))?;
        match self.vectors.get(name) {
            Some(VectorParams { multivector_config: None, .. }) => Err(wrong("multi")),
            _ => Ok(()),
        }
    }

    fn check_sparse(&self, name: &str) -> Result<()> {
        match self.vectors.get(name) {
            _ if self.has_sparse(name) => Ok(()),
            Some(_) => Err(wrong("sparse")),
            None => Err(no_vector(name)),
        }
    }
}

fn wrong(kind: &str) -> Error {
    Error::invalid(format!("Wrong usage of {kind} vectors"))
}

fn no_vector(name: &str) -> Error {
    Error::invalid(format!("Not existing vector name error: {name}"))
}
