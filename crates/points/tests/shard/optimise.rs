//! Optimising beside traffic: nothing applied meanwhile is lost, readers go on, and idle shards are left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use points::engine::{EdgeConfig, EdgeShardRead, HnswIndexConfig};
use points::{Keeper, Status};
use serde_json::{Map, Value, json};

use super::common::{agrees, apply, config, is_indexed, open, open_with, read, settle, wait};
use super::model::{Change, Model};

fn payload(city: &str) -> Map<String, Value> {
    Map::from_iter([("city".to_owned(), json!(city))])
}

/// Points from `begin` on, in one operation.
pub(crate) fn upsert(begin: u64, count: u64, seed: f32) -> Change {
    let points = (begin..begin + count).map(|id| (id, seed + id as f32 / 8.0, true, payload("Oslo")));
    Change::Upsert(points.collect())
}

/// With these settings an index takes long enough to do something beside it.
pub(crate) fn slow() -> EdgeConfig {
    let hnsw = HnswIndexConfig { m: 32, ef_construct: 400, max_indexing_threads: 1, ..Default::default() };
    EdgeConfig { hnsw_config: Some(hnsw), ..config() }
}

#[test]
fn what_is_applied_while_a_generation_is_built_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    let shard = open_with(home.path(), &Keeper::new(1), slow(), Duration::from_millis(20));
    let mut model = Model::new();
    let mut index = 0;
    let mut go = |change: Change, model: &mut Model| {
        // Ids that do not exist are among them, and refused.
        let _reply = apply(&shard, index, &change.operation());
        change.apply(model);
        index += 1;
    };
    go(upsert(0, 3000, 1.0), &mut model);
    wait(|| shard.status() == Status::Yellow);
    let before = shard.live().unwrap();

    let mut during = 0;
    while shard.status() == Status::Yellow {
        let id = during % 3000;
        go(Change::Delete(vec![id]), &mut model);
        go(Change::Set(vec![(id + 1) % 3000, id + 3000], payload("Rome")), &mut model);
        go(upsert(id + 2, 3, 5.0), &mut model);
        go(upsert(3000 + during, 2, 7.0), &mut model);
        during += 1;
        if during == 300 {
            wait(|| shard.status() != Status::Yellow);
        }
    }
    assert!(during > 0);
    settle(&shard);
    assert!(is_indexed(&shard));
    assert!(!Arc::ptr_eq(&before, &shard.live().unwrap()));
    agrees(&shard.live().unwrap(), &model);
    // Whoever began to read before goes on with what there was.
    assert!(before.info().unwrap().points_count > 0);
    let former = before.path().to_owned();
    drop(before);
    wait(|| !former.exists());

    shard.close().unwrap();
    drop(shard);
    let shard = open(home.path(), &Keeper::new(1));
    agrees(&shard.live().unwrap(), &model);
}

#[test]
fn readers_see_every_point_while_generations_are_exchanged() {
    let home = tempfile::tempdir().unwrap();
    let shard = open(home.path(), &Keeper::new(2));
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                let found = read(&shard.live().unwrap()).len();
                assert!(found >= most, "{found} points after {most}");
                most = found;
            }
            most
        });
        for index in 0..60 {
            apply(&shard, index, &upsert(index * 50, 50, 1.0).operation());
        }
        settle(&shard);
        ended.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert!(is_indexed(&shard));
    assert_eq!(read(&shard.live().unwrap()).len(), 3000);
}

#[test]
fn a_shard_that_nobody_writes_to_is_not_copied() {
    let home = tempfile::tempdir().unwrap();
    let keeper = Keeper::new(1);
    let shard = open(home.path(), &keeper);
    apply(&shard, 0, &upsert(0, 10, 1.0).operation());
    shard.sync().unwrap();
    let before = shard.live().unwrap().path().to_owned();
    assert_eq!(shard.status(), Status::Green);
    shard.close().unwrap();
    drop(shard);
    let shard = open(home.path(), &keeper);
    assert_eq!(shard.status(), Status::Green);
    assert_eq!(shard.live().unwrap().path(), before);
}

#[test]
fn changed_settings_are_brought_in_line() {
    let home = tempfile::tempdir().unwrap();
    let shard = open(home.path(), &Keeper::new(1));
    let mut without = config();
    without.optimizers.as_mut().unwrap().indexing_threshold = Some(0);
    shard.configure(without).unwrap();
    settle(&shard);
    apply(&shard, 0, &upsert(0, 500, 1.0).operation());
    settle(&shard);
    assert!(!is_indexed(&shard));
    shard.configure(config()).unwrap();
    wait(|| is_indexed(&shard));
    settle(&shard);

    let other = EdgeConfig::builder()
        .vector("", points::engine::EdgeVectorParams::builder(3, points::engine::Distance::Dot).build())
        .build();
    assert_eq!(shard.configure(other).unwrap_err().kind, points::Kind::Invalid);
}

#[test]
fn segments_that_became_hollow_are_filled_again() {
    let home = tempfile::tempdir().unwrap();
    let shard = open(home.path(), &Keeper::new(1));
    let mut model = Model::new();
    let mut index = 0;
    let mut go = |change: Change, model: &mut Model| {
        apply(&shard, index, &change.operation());
        change.apply(model);
        index += 1;
    };
    go(upsert(0, 1000, 1.0), &mut model);
    settle(&shard);
    let before = shard.live().unwrap().path().to_owned();
    go(Change::Delete((0..600).collect()), &mut model);
    settle(&shard);
    assert_ne!(shard.live().unwrap().path(), before);
    agrees(&shard.live().unwrap(), &model);
}
