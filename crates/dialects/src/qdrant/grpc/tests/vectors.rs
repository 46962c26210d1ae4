//! Vectors in every form that a client may send, and in both that it may read.
#![allow(deprecated, reason = "older clients use the deprecated form")]

use node::points::engine::{
    PointId, SparseVector, TypedMultiDenseVector, VectorInternal, VectorPersisted, VectorStructInternal,
    VectorStructPersisted,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::vector::Vector as Form;
use qdrant_client::qdrant::vectors::VectorsOptions;

use crate::qdrant::grpc::point;

fn of(form: Form) -> proto::Vector {
    proto::Vector { data: Vec::new(), indices: None, vectors_count: None, vector: Some(form) }
}

fn old(data: &[f32], indices: Option<&[u32]>, vectors_count: Option<u32>) -> proto::Vector {
    let indices = indices.map(|data| proto::SparseIndices { data: data.to_vec() });
    proto::Vector { data: data.to_vec(), indices, vectors_count, vector: None }
}

fn sparse(indices: &[u32], values: &[f32]) -> Form {
    Form::Sparse(proto::SparseVector { indices: indices.to_vec(), values: values.to_vec() })
}

fn multi(rows: &[&[f32]]) -> Form {
    let vectors = rows.iter().map(|row| proto::DenseVector { data: row.to_vec() }).collect();
    Form::MultiDense(proto::MultiDenseVector { vectors })
}

#[test]
fn every_form_is_read() {
    let dense = VectorPersisted::Dense(vec![1.0, 2.0]);
    let few = VectorPersisted::new_sparse(vec![7, 3], vec![0.5, 1.5]);
    let rows = VectorPersisted::MultiDense(vec![vec![1.0, 2.0], vec![3.0, 4.0]]);
    for (vector, expected) in [
        (of(Form::Dense(proto::DenseVector { data: vec![1.0, 2.0] })), &dense),
        (old(&[1.0, 2.0], None, None), &dense),
        (of(sparse(&[7, 3], &[0.5, 1.5])), &few),
        (old(&[0.5, 1.5], Some(&[7, 3]), None), &few),
        (of(multi(&[&[1.0, 2.0], &[3.0, 4.0]])), &rows),
        (old(&[1.0, 2.0, 3.0, 4.0], None, Some(2)), &rows),
    ] {
        assert_eq!(point::vector(vector).unwrap(), *expected);
    }
}

#[test]
fn what_is_no_vector_is_refused() {
    for vector in [
        of(sparse(&[1], &[])),
        of(sparse(&[1, 1], &[0.5, 0.5])),
        of(multi(&[])),
        of(multi(&[&[]])),
        of(multi(&[&[1.0], &[1.0, 2.0]])),
        old(&[1.0], Some(&[1]), Some(1)),
        old(&[], None, Some(0)),
        old(&[1.0, 2.0], None, Some(0)),
        old(&[1.0, 2.0, 3.0], None, Some(2)),
        old(&[1.0], None, Some(u32::MAX)),
    ] {
        let status = point::vector(vector.clone()).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{vector:?}");
    }
    let document = Form::Document(proto::Document { text: "what".into(), ..Default::default() });
    assert_eq!(point::vector(of(document)).unwrap_err().code(), tonic::Code::Unimplemented);
}

#[test]
fn points_are_read_whole() {
    let named =
        proto::NamedVectors { vectors: [("few".to_owned(), of(sparse(&[1], &[0.5])))].into_iter().collect() };
    let message = |vectors: Option<VectorsOptions>| proto::PointStruct {
        id: Some(7.into()),
        payload: Default::default(),
        vectors: Some(proto::Vectors { vectors_options: vectors }),
    };
    let read = point::point(message(Some(VectorsOptions::Vectors(named)))).unwrap();
    assert_eq!(read.id, PointId::NumId(7));
    assert_eq!(read.payload, None);
    let few = VectorPersisted::new_sparse(vec![1], vec![0.5]);
    assert_eq!(read.vector, VectorStructPersisted::Named([("few".to_owned(), few)].into_iter().collect()));

    let text = |message| point::point(message).unwrap_err().message().to_owned();
    assert_eq!(
        text(message(Some(VectorsOptions::Vector(of(sparse(&[1], &[0.5])))))),
        "Sparse vector must be named"
    );
    assert_eq!(text(message(None)), "No Vector Provided");
    assert_eq!(text(proto::PointStruct { vectors: None, ..message(None) }), "Expected some vectors");
    let nameless = Some(VectorsOptions::Vector(old(&[1.0], None, None)));
    assert_eq!(text(proto::PointStruct { id: None, ..message(nameless) }), "Empty ID is not allowed");
}

#[test]
fn what_is_stored_comes_back_in_both_forms() {
    let stored = [
        VectorInternal::Dense(vec![1.0, 2.0]),
        VectorInternal::Sparse(SparseVector { indices: vec![3, 7], values: vec![1.5, 0.5] }),
        VectorInternal::MultiDense(TypedMultiDenseVector {
            flattened_vectors: vec![1.0, 2.0, 3.0, 4.0],
            dim: 2,
        }),
    ];
    for vector in stored {
        let named = VectorStructInternal::Named([("v".to_owned(), vector.clone())].into_iter().collect());
        let options = point::vectors_out(named).vectors_options.unwrap();
        let proto::vectors_output::VectorsOptions::Vectors(named) = options else { panic!("one vector") };
        let out = named.vectors["v"].clone();
        let form = match out.vector.unwrap() {
            proto::vector_output::Vector::Dense(dense) => Form::Dense(dense),
            proto::vector_output::Vector::Sparse(sparse) => Form::Sparse(sparse),
            proto::vector_output::Vector::MultiDense(multi) => Form::MultiDense(multi),
        };
        let old = proto::Vector {
            data: out.data,
            indices: out.indices,
            vectors_count: out.vectors_count,
            vector: None,
        };
        assert_eq!(point::vector(old).unwrap(), point::vector(of(form)).unwrap());
    }
}
