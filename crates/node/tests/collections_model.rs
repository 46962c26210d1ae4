//! Random histories of changes, by id and by filter, with restarts in between, against a map.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;

use std::collections::BTreeMap;
use std::path::Path;

use collections_support::{create, open};
use node::Node;
use node::collections::Collection;
use node::points::engine::{Filter, PointId, UpdateMode, WithPayloadInterface, WithVector};
use node::points::query::Scroll;
use node::points::{Selector, Update};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

/// Ids are below this, so that histories meet the same points again.
const IDS: u64 = 12;

#[derive(Clone, Debug)]
enum Step {
    Upsert { ids: Vec<u64>, color: u8, mode: Mode, only: Option<u8> },
    Delete(Of),
    Set { of: Of, key: u8, color: u8 },
    Overwrite { of: Of, color: u8 },
    Unset { of: Of, key: u8 },
    Clear(Of),
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Upsert,
    InsertOnly,
    UpdateOnly,
}

#[derive(Clone, Debug)]
enum Of {
    Ids(Vec<u64>),
    Color(u8),
}

type Model = BTreeMap<u64, Map<String, Value>>;

fn of() -> impl Strategy<Value = Of> {
    prop_oneof![prop::collection::vec(0..IDS, 1..5).prop_map(Of::Ids), (0..3u8).prop_map(Of::Color),]
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(Mode::Upsert), Just(Mode::InsertOnly), Just(Mode::UpdateOnly)];
    let ids = prop::collection::vec(0..IDS, 1..6);
    prop_oneof![
        6 => (ids, 0..3u8, mode, prop::option::of(0..3u8))
            .prop_map(|(ids, color, mode, only)| Step::Upsert { ids, color, mode, only }),
        2 => of().prop_map(Step::Delete),
        2 => (of(), 0..2u8, 0..3u8).prop_map(|(of, key, color)| Step::Set { of, key, color }),
        1 => (of(), 0..3u8).prop_map(|(of, color)| Step::Overwrite { of, color }),
        1 => (of(), 0..2u8).prop_map(|(of, key)| Step::Unset { of, key }),
        1 => of().prop_map(Step::Clear),
        1 => Just(Step::Restart),
    ]
}

#[test]
fn a_collection_is_as_a_map_would_be() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 6, max_shrink_iters: 30, ..Config::default() });
    let histories = (1..4u32, prop::collection::vec(step(), 10..40));
    runner
        .run(&histories, |(shards, steps)| {
            runtime.block_on(check(shards, steps));
            Ok(())
        })
        .unwrap();
}

async fn check(shards: u32, steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut node = open(dir.path()).await;
    create(&node, "c", json!({"vectors": {"size": 2, "distance": "Dot"}, "shard_number": shards})).await;
    let mut model = Model::new();
    for step in steps {
        if matches!(step, Step::Restart) {
            node = restart(node, dir.path()).await;
        } else {
            let outcome = node.collection("c").await.unwrap().update(update(&step)).await;
            // Genuine servers, too, say so after they changed the others.
            let missing = apply(&mut model, &step);
            assert_eq!(outcome.is_err(), missing, "{step:?}: {outcome:?}");
        }
        assert_eq!(stored(&node.collection("c").await.unwrap()).await, model, "{step:?}");
    }
    node.shutdown().await;
}

async fn restart(node: Node, dir: &Path) -> Node {
    node.shutdown().await;
    drop(node);
    open(dir).await
}

fn color(color: u8) -> Value {
    json!(format!("color {color}"))
}

fn key(key: u8) -> String {
    format!("k{key}")
}

fn filter(of: u8) -> Filter {
    serde_json::from_value(json!({"must": [{"key": "k0", "match": {"value": color(of)}}]})).unwrap()
}

fn selector(of: &Of) -> Selector {
    match of {
        Of::Ids(ids) => Selector::Ids(ids.iter().map(|id| PointId::from(*id)).collect()),
        Of::Color(of) => Selector::Filter(filter(*of)),
    }
}

fn payload<T: serde::de::DeserializeOwned>(name: u8, of: u8) -> T {
    serde_json::from_value(json!({ key(name): color(of) })).unwrap()
}

fn update(step: &Step) -> Update {
    match step {
        Step::Upsert { ids, color, mode, only } => {
            let point =
                |id: &u64| json!({"id": id, "vector": [*id, 1], "payload": payload::<Value>(0, *color)});
            Update::Upsert {
                points: serde_json::from_value(ids.iter().map(point).collect()).unwrap(),
                filter: only.map(filter),
                mode: match mode {
                    Mode::Upsert => UpdateMode::Upsert,
                    Mode::InsertOnly => UpdateMode::InsertOnly,
                    Mode::UpdateOnly => UpdateMode::UpdateOnly,
                },
            }
        }
        Step::Delete(of) => Update::Delete(selector(of)),
        Step::Set { of, key, color } => {
            Update::SetPayload { of: selector(of), payload: payload(*key, *color), key: None }
        }
        Step::Overwrite { of, color } => {
            Update::OverwritePayload { of: selector(of), payload: payload(0, *color) }
        }
        Step::Unset { of, key: name } => {
            Update::DeletePayload { of: selector(of), keys: vec![key(*name).parse().unwrap()] }
        }
        Step::Clear(of) => Update::ClearPayload(selector(of)),
        Step::Restart => unreachable!("no change"),
    }
}

/// Makes the same change; whether a point was missing.
fn apply(model: &mut Model, step: &Step) -> bool {
    let concerned = |model: &Model, of: &Of| -> Vec<u64> {
        match of {
            Of::Ids(ids) => ids.clone(),
            Of::Color(of) => {
                let matches = |payload: &Map<String, Value>| payload.get("k0") == Some(&color(*of));
                model.iter().filter(|(_, payload)| matches(payload)).map(|(id, _)| *id).collect()
            }
        }
    };
    let mut change = |of: &Of, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut missing = false;
        for id in concerned(model, of) {
            match model.get_mut(&id) {
                Some(payload) => change(payload),
                None => missing = true,
            }
        }
        missing
    };
    match step {
        Step::Upsert { ids, color: of, mode, only } => {
            let before = model.clone();
            for id in ids {
                let there = before.get(id);
                let matches = there
                    .is_some_and(|payload| only.is_none_or(|only| payload.get("k0") == Some(&color(only))));
                let written = match mode {
                    Mode::Upsert => there.is_none() || matches,
                    Mode::InsertOnly => there.is_none(),
                    Mode::UpdateOnly => matches,
                };
                if written {
                    model.insert(*id, payload(0, *of));
                }
            }
            false
        }
        Step::Delete(of) => {
            for id in concerned(model, of) {
                model.remove(&id);
            }
            false
        }
        Step::Set { of, key: name, color: new } => {
            change(of, &|payload| drop(payload.insert(key(*name), color(*new))))
        }
        Step::Overwrite { of, color } => change(of, &|payload| *payload = self::payload(0, *color)),
        Step::Unset { of, key: name } => change(of, &|payload| drop(payload.remove(&key(*name)))),
        Step::Clear(of) => change(of, &|payload| payload.clear()),
        Step::Restart => unreachable!("no change"),
    }
}

async fn stored(c: &Collection) -> Model {
    let request = Scroll {
        offset: None,
        limit: 100,
        filter: None,
        order_by: None,
        with_payload: WithPayloadInterface::Bool(true),
        with_vector: WithVector::Bool(true),
    };
    let page = c.scroll(request).await.unwrap();
    let record = |record: node::points::engine::Record| {
        let PointId::NumId(id) = record.id else { unreachable!("no point has such an id") };
        (id, record.payload.unwrap_or_default().0)
    };
    page.points.into_iter().map(record).collect()
}
