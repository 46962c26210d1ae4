//! Points, their ids and vectors: messages from and to what the engine has
//! (`qdrant/qdrant:lib/api/src/conversions/vectors.rs`).

use node::points::engine::external::uuid::Uuid;
use node::points::engine::{
    PointId, PointStructPersisted, PointVectorsPersisted, SparseVector, TypedMultiDenseVector,
    VectorInternal, VectorPersisted, VectorStructInternal, VectorStructPersisted,
};
use node::points::query::VectorInput;
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vector::Vector as Form;
use qdrant_client::qdrant::vector_input::Variant;
use qdrant_client::qdrant::vector_output::Vector as FormOutput;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::vectors_output::VectorsOptions as VectorsOutputOptions;

use super::check::{Result, all, fault, invalid, required};
use super::payload;
use super::status::unserved;
use crate::qdrant::unserved::Unserved;

const NAMELESS_SPARSE: &str = "Sparse vector must be named";

/// An id.
pub(super) fn id(id: proto::PointId) -> Result<PointId> {
    match required(id.point_id_options, "No ID options provided")? {
        PointIdOptions::Num(number) => Ok(PointId::NumId(number)),
        PointIdOptions::Uuid(text) => Uuid::parse_str(&text)
            .map(PointId::Uuid)
            .map_err(|_| invalid(format!("Unable to parse UUID: {text}"))),
    }
}

/// An id, as clients read it.
pub(super) fn id_out(id: PointId) -> proto::PointId {
    let options = match id {
        PointId::NumId(number) => PointIdOptions::Num(number),
        PointId::Uuid(uuid) => PointIdOptions::Uuid(uuid.to_string()),
    };
    proto::PointId { point_id_options: Some(options) }
}

/// A whole point. An empty payload is none.
pub(super) fn point(point: proto::PointStruct) -> Result<PointStructPersisted> {
    let payload = match point.payload.is_empty() {
        true => None,
        false => Some(payload::read(point.payload)?),
    };
    Ok(PointStructPersisted {
        vector: vectors(required(point.vectors, "Expected some vectors")?)?,
        id: id(required(point.id, "Empty ID is not allowed")?)?,
        payload,
    })
}

/// New vectors of a point.
pub(super) fn point_vectors(point: proto::PointVectors) -> Result<PointVectorsPersisted> {
    Ok(PointVectorsPersisted {
        id: id(required(point.id, "id is expected")?)?,
        vector: vectors(required(point.vectors, "vectors is expected")?)?,
    })
}

fn vectors(vectors: proto::Vectors) -> Result<VectorStructPersisted> {
    match required(vectors.vectors_options, "No Vector Provided")? {
        VectorsOptions::Vector(nameless) => match vector(nameless)? {
            VectorPersisted::Dense(values) => Ok(VectorStructPersisted::Single(values)),
            VectorPersisted::MultiDense(matrix) => Ok(VectorStructPersisted::MultiDense(matrix)),
            VectorPersisted::Sparse(_) => Err(invalid(NAMELESS_SPARSE)),
        },
        VectorsOptions::Vectors(named) => named
            .vectors
            .into_iter()
            .map(|(name, named)| Ok((name, vector(named)?)))
            .collect::<Result<_>>()
            .map(VectorStructPersisted::Named),
    }
}

/// A vector in any form; the deprecated ones count if there is no other.
#[allow(deprecated, reason = "older clients send the deprecated form")]
pub(super) fn vector(vector: proto::Vector) -> Result<VectorPersisted> {
    match vector.vector {
        Some(Form::Dense(dense)) => Ok(VectorPersisted::Dense(dense.data)),
        Some(Form::Sparse(vector)) => sparse(vector.indices, vector.values).map(VectorPersisted::Sparse),
        Some(Form::MultiDense(multi)) => matrix(multi).map(VectorPersisted::MultiDense),
        Some(Form::Document(_) | Form::Image(_) | Form::Object(_)) => Err(unserved(Unserved::Inference)),
        None => match (vector.indices, vector.vectors_count) {
            (Some(_), Some(_)) => {
                Err(fault("indices", "`indices` and `vectors_count` cannot be both specified"))
            }
            (Some(indices), None) => sparse(indices.data, vector.data).map(VectorPersisted::Sparse),
            (None, Some(count)) => rows(&vector.data, count as usize).map(VectorPersisted::MultiDense),
            (None, None) => Ok(VectorPersisted::Dense(vector.data)),
        },
    }
}

/// What a query compares with: a vector or a point.
pub(super) fn input(input: proto::VectorInput) -> Result<VectorInput> {
    Ok(match required(input.variant, "VectorInput variant is missing")? {
        Variant::Id(point) => VectorInput::Id(id(point)?),
        Variant::Dense(dense) => VectorInput::Vector(VectorInternal::Dense(dense.data)),
        Variant::Sparse(vector) => {
            VectorInput::Vector(VectorInternal::Sparse(sparse(vector.indices, vector.values)?))
        }
        Variant::MultiDense(vectors) => VectorInput::Vector(multi(matrix(vectors)?)),
        Variant::Document(_) | Variant::Image(_) | Variant::Object(_) => {
            return Err(unserved(Unserved::Inference));
        }
    })
}

/// Several.
pub(super) fn inputs(list: Vec<proto::VectorInput>) -> Result<Vec<VectorInput>> {
    all(list, input)
}

fn sparse(indices: Vec<u32>, values: Vec<f32>) -> Result<SparseVector> {
    if indices.len() != values.len() {
        return Err(fault("values", "must be the same length as indices"));
    }
    let mut sorted = indices.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(fault("indices", "must be unique"));
    }
    Ok(SparseVector { indices, values })
}

/// Rows of one length, at least one of them and none empty: nothing else is a multi-vector to the engine.
fn matrix(multi: proto::MultiDenseVector) -> Result<Vec<Vec<f32>>> {
    let rows: Vec<Vec<f32>> = multi.vectors.into_iter().map(|row| row.data).collect();
    let Some(length) = rows.first().map(Vec::len) else {
        return Err(fault("data", "multi vector must not be empty"));
    };
    if rows.iter().any(Vec::is_empty) {
        return Err(fault("data", "all vectors must be non-empty"));
    }
    match rows.iter().find(|row| row.len() != length) {
        None => Ok(rows),
        Some(other) => Err(fault(
            "data",
            format_args!(
                "all vectors must have the same dimension, found vector with dimension {}",
                other.len()
            ),
        )),
    }
}

/// `count` rows that were sent as one list.
fn rows(values: &[f32], count: usize) -> Result<Vec<Vec<f32>>> {
    let refused = |what: String| Err(invalid(format!("Unable to convert to multi-dense vector: {what}")));
    if count == 0 || values.is_empty() {
        return refused(format!("Validation error: Empty multi-vector data with vectors count: {count}"));
    }
    match values.len().checked_rem(count) {
        Some(0) => Ok(values.chunks(values.len() / count).map(<[f32]>::to_vec).collect()),
        _ => refused(format!(
            "Validation error: Data length is not divisible by vectors count. Data length: {}, vectors count: {count}",
            values.len(),
        )),
    }
}

/// `rows` are as [`matrix`] lets them through.
fn multi(rows: Vec<Vec<f32>>) -> VectorInternal {
    let dim = rows.first().map_or(0, Vec::len);
    VectorInternal::MultiDense(TypedMultiDenseVector { flattened_vectors: rows.concat(), dim })
}

/// Stored vectors, as clients read them.
pub(super) fn vectors_out(vectors: VectorStructInternal) -> proto::VectorsOutput {
    let options = match vectors {
        VectorStructInternal::Single(values) => {
            VectorsOutputOptions::Vector(vector_out(VectorInternal::Dense(values)))
        }
        VectorStructInternal::MultiDense(rows) => {
            VectorsOutputOptions::Vector(vector_out(VectorInternal::MultiDense(rows)))
        }
        VectorStructInternal::Named(named) => VectorsOutputOptions::Vectors(proto::NamedVectorsOutput {
            vectors: named.into_iter().map(|(name, vector)| (name, vector_out(vector))).collect(),
        }),
    };
    proto::VectorsOutput { vectors_options: Some(options) }
}

/// Both forms are filled: clients of 1.15 and before read the deprecated one, which later servers leave empty.
#[allow(deprecated, reason = "older clients read the deprecated form")]
fn vector_out(vector: VectorInternal) -> proto::VectorOutput {
    match vector {
        VectorInternal::Dense(data) => proto::VectorOutput {
            data: data.clone(),
            indices: None,
            vectors_count: None,
            vector: Some(FormOutput::Dense(proto::DenseVector { data })),
        },
        VectorInternal::Sparse(SparseVector { indices, values }) => proto::VectorOutput {
            data: values.clone(),
            indices: Some(proto::SparseIndices { data: indices.clone() }),
            vectors_count: None,
            vector: Some(FormOutput::Sparse(proto::SparseVector { values, indices })),
        },
        VectorInternal::MultiDense(TypedMultiDenseVector { flattened_vectors, dim }) => {
            let rows = flattened_vectors.chunks(dim.max(1));
            let vectors: Vec<_> = rows.map(|row| proto::DenseVector { data: row.to_vec() }).collect();
            proto::VectorOutput {
                data: flattened_vectors,
                indices: None,
                vectors_count: Some(u32::try_from(vectors.len()).unwrap_or(u32::MAX)),
                vector: Some(FormOutput::MultiDense(proto::MultiDenseVector { vectors })),
            }
        }
    }
}
