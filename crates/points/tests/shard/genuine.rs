//! Shards that a genuine server made: staged, they answer what it answered, and take changes, also after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use points::config::CollectionConfig;
use points::engine::{
    EdgeConfig, Filter, PointId, PointInsertOperations, PointOperations, ScoredPoint, SparseVector,
    TypedMultiDenseVector, UpdateOperation, VectorInternal,
};
use points::query::{Count, Others, Query, Scoring, Shards, Stage, VectorInput};
use points::{Keeper, Operation, Reply, Shard, Staged, Staging};
use serde_json::{Value, json};

use super::common::{apply, open_with, settle};
use super::history::NEVER;
use super::kill::{HOME, kill_child, say, start};
use super::kinds::read;
use super::staging::Content;

/// The directory of genuine archives, if there is one: beside the checkout, or where `STILLPOINT_FIXTURES` says.
fn fixtures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or(beside, PathBuf::from).join("qdrant");
    if !fixtures.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(fixtures)
}

fn expected(fixtures: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures.join("expected.json")).unwrap()).unwrap()
}

/// The members of a tar, by name.
fn members(archive: impl Read) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let members = archive.entries().unwrap().map(|member| {
        let mut member = member.unwrap();
        let name = member.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    members.filter(|(name, _)| !name.ends_with('/')).collect()
}

/// A file with holes where there are only zeros.
fn sparse(bytes: &[u8]) -> Content {
    const ZEROS: [u8; 4096] = [0; 4096];
    let blocks = bytes.chunks(4096).enumerate().filter(|(_, block)| **block != ZEROS[..block.len()]);
    let extents = blocks.map(|(number, block)| (number as u64 * 4096, block.to_vec())).collect();
    Content { length: bytes.len() as u64, extents }
}

/// Takes in the shard that lies below `prefix` in an archive.
fn stage(archive: &[u8], prefix: &str, dir: &Path, config: &EdgeConfig) -> points::Result<Staged> {
    let staging = Staging::begin(dir).unwrap();
    for (name, bytes) in members(archive) {
        let Some(name) = name.strip_prefix(prefix) else { continue };
        if let Some(wal) = name.strip_prefix("wal/") {
            let log = sparse(&bytes);
            log.write_to(&staging.wal_file(wal, log.length).unwrap());
        } else if let Some(segment) =
            name.strip_prefix("segments/").and_then(|name| name.strip_suffix(".tar"))
        {
            for (path, bytes) in members(bytes.as_slice()) {
                let Some(path) = path.strip_prefix("snapshot/files/") else { panic!("{path}") };
                let file = sparse(&bytes);
                file.write_to(&staging.file(segment.parse().unwrap(), path, file.length).unwrap());
            }
        }
    }
    staging.finish(config.clone())
}

/// A collection of a genuine server, in shards of ours.
struct Restored {
    shards: Vec<Arc<Shard>>,
    staged: Vec<Staged>,
}

impl Restored {
    fn new(archive: &[u8], shards: &[&str], dir: &Path, config: &EdgeConfig) -> Restored {
        let keeper = Keeper::new(1);
        let (mut open, mut staged) = (Vec::new(), Vec::new());
        for (number, prefix) in shards.iter().enumerate() {
            let dir = dir.join(number.to_string());
            staged.push(stage(archive, prefix, &dir, config).unwrap());
            open.push(open_with(&dir, &keeper, config.clone(), NEVER));
        }
        Restored { shards: open, staged }
    }

    fn live(&self) -> Shards {
        Shards::new("restored", self.shards.iter().map(|shard| shard.live().unwrap()).collect())
    }

    /// Asserts that everything is as the server said.
    fn answers(&self, expected: &Value) {
        let shards = self.live();
        let count = |filter: Option<Filter>| shards.count(Count { filter, exact: true }).unwrap();
        assert_eq!(json!(count(None)), expected["points_count"]);
        for case in expected["counts_by_filter"].as_array().unwrap() {
            let filter = serde_json::from_value(case["filter"].clone()).unwrap();
            assert_eq!(json!(count(Some(filter))), case["count"], "{case}");
        }
        for case in expected["queries"].as_array().unwrap() {
            let found = shards.query(query(&case["request"]), &Others::new()).unwrap();
            same(&found, case);
        }
        let found: BTreeMap<String, Value> =
            self.shards.iter().flat_map(|shard| read(&shard.live().unwrap())).collect();
        for point in expected["points"].as_array().unwrap() {
            let id = point["id"].as_str().map_or_else(|| point["id"].to_string(), str::to_owned);
            assert_eq!(found[&id]["payload"], point["payload"], "point {id}");
            let vectors = match &point["vector"] {
                Value::Object(named) => named.clone(),
                single => serde_json::Map::from_iter([(String::new(), single.clone())]),
            };
            for (name, vector) in vectors {
                near(&numbers(&found[&id]["vectors"][&name]), &numbers(&vector), &format!("{id} {name}"));
            }
        }
    }
}

/// All numbers in a vector of whatever form, in order.
fn numbers(vector: &Value) -> Vec<f64> {
    match vector {
        Value::Number(number) => vec![number.as_f64().unwrap()],
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::Object(object) => ["Dense", "MultiDense", "Sparse", "flattened_vectors", "indices", "values"]
            .iter()
            .filter_map(|name| object.get(*name))
            .flat_map(numbers)
            .collect(),
        other => panic!("{other}"),
    }
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(found.len() == expected.len() && near, "{what}: {found:?} for {expected:?}");
}

fn query(request: &Value) -> Query {
    let vector = match &request["query"] {
        Value::Object(_) => {
            VectorInternal::Sparse(serde_json::from_value::<SparseVector>(request["query"].clone()).unwrap())
        }
        Value::Array(rows) if rows[0].is_array() => {
            let rows = serde_json::from_value(request["query"].clone()).unwrap();
            VectorInternal::MultiDense(TypedMultiDenseVector::try_from_matrix(rows).unwrap())
        }
        dense => VectorInternal::Dense(serde_json::from_value(dense.clone()).unwrap()),
    };
    let part = |name: &str| request.get(name).cloned();
    Query::new(Stage {
        scoring: Some(Scoring::Nearest(VectorInput::Vector(vector))),
        using: part("using").map_or(String::new(), |name| name.as_str().unwrap().to_owned()),
        filter: part("filter").map(|filter| serde_json::from_value(filter).unwrap()),
        params: part("params").map(|params| serde_json::from_value(params).unwrap()),
        ..Stage::new(request["limit"].as_u64().unwrap() as usize)
    })
}

fn same(found: &[ScoredPoint], case: &Value) {
    let expected = case["result"].as_array().unwrap();
    let ids: Vec<Value> = found.iter().map(|point| serde_json::to_value(point.id).unwrap()).collect();
    let expected_ids: Vec<&Value> = expected.iter().map(|point| &point["id"]).collect();
    assert!(ids.iter().eq(expected_ids.iter().copied()), "{ids:?} for {expected_ids:?}");
    let scores: Vec<f64> = found.iter().map(|point| f64::from(point.score)).collect();
    let expected: Vec<f64> = expected.iter().map(|point| point["score"].as_f64().unwrap()).collect();
    near(&scores, &expected, "scores");
}

/// The point of an id, new in everything.
fn changed(expected: &Value, turn: u64) -> (PointId, Operation) {
    let mut point = expected["points"][0].clone();
    point["payload"] = json!({ "turn": turn });
    let id = serde_json::from_value(point["id"].clone()).unwrap();
    let points = vec![serde_json::from_value(point).unwrap()];
    let upsert = PointOperations::UpsertPoints(PointInsertOperations::PointsList(points));
    (id, Operation::new(UpdateOperation::PointOperation(upsert)).unwrap())
}

fn turn_of(shard: &Shard, id: PointId) -> Value {
    read(&shard.live().unwrap())[&id.to_string()]["payload"]["turn"].clone()
}

/// What there is to restore: an archive, what is expected of it, and its shards' directories.
fn collections(fixtures: &Path) -> Vec<(String, Vec<u8>, Value, Vec<&'static str>)> {
    let expected = expected(fixtures);
    let mut all = Vec::new();
    for name in ["plain8", "plain8-shard0", "named", "sparse", "two_shards", "indexed8"] {
        let file = format!("{name}.snapshot");
        let shards = match name {
            "plain8-shard0" => vec![""],
            "two_shards" => vec!["0/", "1/"],
            _ => vec!["0/"],
        };
        let archive = std::fs::read(fixtures.join(&file)).unwrap();
        all.push((name.to_owned(), archive, expected[&file].clone(), shards));
    }
    let full = File::open(fixtures.join("full-storage.snapshot")).unwrap();
    for (name, archive) in members(full).into_iter().filter(|(name, _)| name.ends_with(".snapshot")) {
        let (collection, shards) = match name.starts_with("tiny") {
            true => ("tiny", vec!["0/"]),
            false => ("two_shards", vec!["0/", "1/"]),
        };
        let expected = expected["full-storage.snapshot"]["collections"][collection].clone();
        all.push((format!("full: {collection}"), archive, expected, shards));
    }
    all
}

fn settings(expected: &Value) -> EdgeConfig {
    serde_json::from_value::<CollectionConfig>(expected["config"].clone()).unwrap().to_edge_config()
}

#[test]
fn genuine_shards_answer_as_they_did() {
    let Some(fixtures) = fixtures() else { return };
    for (name, archive, expected, shards) in collections(&fixtures) {
        eprintln!("{name}");
        let home = tempfile::tempdir().unwrap();
        let restored = Restored::new(&archive, &shards, home.path(), &settings(&expected));
        let points: u64 = restored.staged.iter().map(|staged| staged.points).sum();
        assert_eq!(json!(points), expected["points_count"]);
        for staged in &restored.staged {
            let schema: BTreeMap<&String, &Value> =
                expected["payload_schema"].as_object().unwrap().iter().collect();
            assert!(staged.schema.keys().eq(schema.keys().copied()), "{:?}", staged.schema);
            for (field, index) in schema {
                let found = serde_json::to_value(&staged.schema[field]).unwrap();
                let kind = found.get("type").unwrap_or(&found);
                assert_eq!(kind, &index["data_type"], "{field}");
            }
        }
        restored.answers(&expected);
        restored.shards.iter().for_each(|shard| settle(shard));
        restored.answers(&expected);

        // Changes take effect, whatever numbers the points brought along.
        let turns = restored.shards.iter().map(|shard| {
            let (id, change) = changed(&expected, 1);
            assert_eq!(apply(shard, 1, &change), Reply::Done);
            turn_of(shard, id)
        });
        assert!(turns.into_iter().all(|turn| turn == json!(1)), "{name}");
    }
}

#[test]
fn changes_of_genuine_points_take_effect_after_a_crash() {
    let Some(fixtures) = fixtures() else { return };
    for (name, _, expected, _) in collections(&fixtures).into_iter().take(6) {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("name"), &name).unwrap();
        let mut child = start("genuine::the_child_that_restores", home.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "changed"));
        kill_child(child);
        let shard = open_with(&home.path().join("0"), &Keeper::new(1), settings(&expected), NEVER);
        // The log gives the change again, then there is a new one.
        for turn in 1..3 {
            let (id, change) = changed(&expected, turn);
            assert_eq!(apply(&shard, turn, &change), Reply::Done);
            assert_eq!(turn_of(&shard, id), json!(turn), "{name}");
        }
    }
}

/// Does nothing unless it is started by the test above.
#[test]
fn the_child_that_restores() {
    let (Some(home), Some(fixtures)) = (std::env::var_os(HOME), fixtures()) else { return };
    let home = Path::new(&home);
    let name = std::fs::read_to_string(home.join("name")).unwrap();
    let (_, archive, expected, shards) =
        collections(&fixtures).into_iter().find(|(other, ..)| *other == name).unwrap();
    let restored = Restored::new(&archive, &shards[..1], home, &settings(&expected));
    let (_, change) = changed(&expected, 1);
    apply(&restored.shards[0], 1, &change);
    say("\nchanged");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_genuine_shard_of_other_vectors_is_refused() {
    let Some(fixtures) = fixtures() else { return };
    let all = collections(&fixtures);
    let config = settings(&all[2].2);
    let home = tempfile::tempdir().unwrap();
    let error = stage(&all[0].1, "0/", &home.path().join("0"), &config).unwrap_err();
    assert_eq!(error.kind, points::Kind::Invalid, "{error}");
}
