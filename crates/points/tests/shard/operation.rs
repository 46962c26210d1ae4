//! Log entries: every form survives its bytes, and nothing that replaying could not repeat becomes one.

use std::collections::HashMap;

use points::engine::{
    CreateIndex, FieldIndexOperations, Filter, Payload, PayloadFieldSchema, PayloadOps, PointId,
    PointInsertOperations, PointOperations, PointStructPersisted, SetPayloadOp, SparseVector,
    UpdateOperation, VectorPersisted, VectorStructPersisted,
};
use points::{Kind, Operation, Result};
use serde_json::{Map, json};

fn upsert(vector: VectorStructPersisted) -> UpdateOperation {
    let payload = json!({"a": {"b": [1, 2.5, -3, u64::MAX, null, "x", true]}, "empty": {}});
    let point = PointStructPersisted {
        id: PointId::Uuid("550e8400-e29b-41d4-a716-446655440000".parse().unwrap()),
        vector,
        payload: Some(Payload(payload.as_object().unwrap().clone())),
    };
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(vec![
        point,
    ])))
}

fn named(vector: VectorPersisted) -> UpdateOperation {
    upsert(VectorStructPersisted::Named(HashMap::from([("text".to_owned(), vector)])))
}

fn sparse(indices: &[u32], values: &[f32]) -> VectorPersisted {
    VectorPersisted::Sparse(SparseVector { indices: indices.to_vec(), values: values.to_vec() })
}

fn survives(update: UpdateOperation) {
    let operation = Operation::new(update).unwrap();
    assert_eq!(Operation::decode(&operation.encode()).unwrap(), operation);
}

fn refused(update: UpdateOperation, kind: Kind) {
    let result: Result<Operation> = Operation::new(update);
    assert_eq!(result.unwrap_err().kind, kind);
}

#[test]
fn every_form_survives_its_bytes() {
    survives(upsert(VectorStructPersisted::Single(vec![0.1, -2.0, f32::MIN_POSITIVE])));
    survives(upsert(VectorStructPersisted::MultiDense(vec![vec![1.0, 2.0], vec![3.0, 4.0]])));
    survives(upsert(VectorStructPersisted::Named(HashMap::new())));
    survives(named(VectorPersisted::Dense(vec![1.5])));
    survives(named(VectorPersisted::MultiDense(vec![vec![1.0]])));
    survives(named(sparse(&[7, 3], &[0.5, 1.0])));
    survives(named(sparse(&[], &[])));
    survives(UpdateOperation::PayloadOperation(PayloadOps::SetPayload(SetPayloadOp {
        payload: Payload(Map::new()),
        points: Some(vec![PointId::NumId(u64::MAX)]),
        filter: None,
        key: Some("a.b[3].\"c d\"[]".parse().unwrap()),
    })));
    let text = json!({"type": "text", "tokenizer": "word", "lowercase": true, "min_token_len": 2});
    for schema in
        [json!("keyword"), json!("geo"), json!({"type": "integer", "range": false, "lookup": true}), text]
    {
        let field_schema: PayloadFieldSchema = serde_json::from_value(schema).unwrap();
        survives(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(CreateIndex {
            field_name: "nested[].city".parse().unwrap(),
            field_schema: Some(field_schema),
        })));
    }
    survives(UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex("a".parse().unwrap())));
}

#[test]
fn filters_and_conditions_must_be_resolved_first() {
    let filter: Filter = serde_json::from_value(json!({"must": []})).unwrap();
    refused(
        UpdateOperation::PointOperation(PointOperations::DeletePointsByFilter(filter.clone())),
        Kind::Invalid,
    );
    refused(
        UpdateOperation::PayloadOperation(PayloadOps::SetPayload(SetPayloadOp {
            payload: Payload(Map::new()),
            points: Some(vec![]),
            filter: Some(filter.clone()),
            key: None,
        })),
        Kind::Invalid,
    );
    refused(UpdateOperation::PayloadOperation(PayloadOps::ClearPayloadByFilter(filter)), Kind::Invalid);
}

#[test]
fn vectors_that_the_engine_would_choke_on_are_refused() {
    refused(upsert(VectorStructPersisted::MultiDense(vec![])), Kind::Invalid);
    refused(upsert(VectorStructPersisted::MultiDense(vec![vec![]])), Kind::Invalid);
    refused(upsert(VectorStructPersisted::MultiDense(vec![vec![1.0], vec![1.0, 2.0]])), Kind::Invalid);
    refused(named(sparse(&[1, 2], &[0.5])), Kind::Invalid);
    refused(named(sparse(&[1, 1], &[0.5, 0.5])), Kind::Invalid);
}

#[test]
fn bytes_of_a_newer_release_are_refused_by_name_and_damaged_ones_read_as_nothing_else() {
    let bytes = Operation::new(upsert(VectorStructPersisted::Single(vec![1.0, 2.0]))).unwrap().encode();
    let mut newer = bytes.to_vec();
    newer[0] = 9;
    let error = Operation::decode(&newer).unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert!(error.text.contains('9'), "{error}");
    for cut in 0..bytes.len() {
        assert_eq!(Operation::decode(&bytes[..cut]).unwrap_err().kind, Kind::Corrupt, "cut at {cut}");
    }
    for place in 1..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 1 << bit;
            // The log has checksums of its own: here it only must not panic.
            let _read = Operation::decode(&flipped);
        }
    }
}
