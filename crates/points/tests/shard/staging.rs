//! From a capture's files to a shard again: equal, durable, and open to changes; and nothing that does not fit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use points::engine::EdgeConfig;
use points::{Applied, Capture, Keeper, Kind, Result, Shard, Staged, Staging};
use serde_json::json;
use uuid::Uuid;

use super::common::{agrees, apply, open_with, settle, wait};
use super::history::NEVER;
use super::kinds::{Filled, kinds};
use super::model::{Change, Model};
use super::optimise::{slow, upsert};

/// What an archive's log holds: the first number that nothing in the archive has.
pub(crate) fn empty_log(staging: &Staging, first: u64) {
    let mut log = staging.wal_file(&format!("closed-{first}"), 64).unwrap();
    log.write_all(b"wal\0seed").unwrap();
}

/// A file without its holes.
#[derive(Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) length: u64,
    pub(crate) extents: Vec<(u64, Vec<u8>)>,
}

impl Content {
    pub(crate) fn of(capture: &Capture, segment: Uuid, path: &str, length: u64) -> Content {
        let (file, extents) = capture.open(segment, path).unwrap();
        let extents = extents.into_iter().map(|(start, end)| {
            let mut bytes = vec![0; (end - start) as usize];
            file.read_exact_at(&mut bytes, start).unwrap();
            (start, bytes)
        });
        Content { length, extents: extents.collect() }
    }

    /// A small file.
    pub(crate) fn plain(bytes: Vec<u8>) -> Content {
        Content { length: bytes.len() as u64, extents: vec![(0, bytes)] }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.extents[0].1).unwrap()
    }

    pub(crate) fn write_to(&self, file: &File) {
        for (start, bytes) in &self.extents {
            file.write_all_at(bytes, *start).unwrap();
        }
    }
}

/// Takes a capture's files in, as `change` wants them.
fn receive(capture: &Capture, dir: &Path, change: impl Fn(&str, Content) -> Content) -> Staging {
    let staging = Staging::begin(dir).unwrap();
    for segment in capture.segments().unwrap() {
        for file in segment.files {
            let content = Content::of(capture, segment.uuid, &file.path, file.length);
            let content = change(&file.path, content);
            content.write_to(&staging.file(segment.uuid, &file.path, content.length).unwrap());
        }
    }
    empty_log(&staging, capture.first_number());
    staging
}

fn stage(capture: &Capture, dir: &Path, config: &EdgeConfig) -> Result<Staged> {
    receive(capture, dir, |_, content| content).finish(config.clone())
}

fn reopen(dir: &Path, config: &EdgeConfig) -> Arc<Shard> {
    open_with(dir, &Keeper::new(1), config.clone(), NEVER)
}

#[test]
fn a_staged_shard_holds_what_was_captured_and_takes_changes() {
    for (kind, config) in kinds() {
        let home = tempfile::tempdir().unwrap();
        let mut source = Filled::new(&home.path().join("source"), config.clone());
        source.shard.sync().unwrap();
        let capture = source.shard.capture().unwrap();
        let expected = source.read();
        // What comes later is not in it.
        source.upsert(100..140, 2);
        source.delete(200..220);
        source.shard.sync().unwrap();

        let target = home.path().join("target");
        let staged = stage(&capture, &target, &config).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!((staged.points, capture.points()), (300, 300), "{kind}");
        assert_eq!(staged.schema.len(), 12, "{kind}: {:?}", staged.schema.keys());
        assert!(staged.first_number <= capture.first_number(), "{kind}");
        assert!(staged.allocated > 0);

        let mut target = Filled::of(reopen(&target, &config), config.clone());
        assert_eq!(target.shard.applied(), Applied::default());
        assert_eq!(target.read(), expected, "{kind}");
        // The same changes lead to the same.
        target.upsert(100..140, 2);
        target.delete(200..220);
        assert_eq!(target.read(), source.read(), "{kind}");
        settle(&target.shard);
        settle(&source.shard);
        assert_eq!(target.read(), source.read(), "{kind}");
        target.shard.close().unwrap();
    }
}

#[test]
fn what_was_captured_never_changes_and_is_all_there_is_to_it() {
    for (kind, config) in kinds() {
        let home = tempfile::tempdir().unwrap();
        let mut shard = Filled::new(home.path(), config);
        let capture = shard.shard.capture().unwrap();
        let content = |capture: &Capture| {
            let mut content = BTreeMap::new();
            for segment in capture.segments().unwrap() {
                for file in segment.files {
                    let name = PathBuf::from(segment.uuid.to_string()).join(&file.path);
                    content.insert(name, Content::of(capture, segment.uuid, &file.path, file.length));
                }
            }
            content
        };
        let before = content(&capture);
        // Whatever the engine has and its manifest does not name is the journal of a tracker, which a flush has
        // brought into the tracker.
        let segments = capture.dir().join("segments");
        for path in files(&segments) {
            let name = path.strip_prefix(&segments).unwrap();
            let is_journal = name.ends_with("tracker_journal.dat");
            assert_eq!(before.contains_key(name), !is_journal, "{kind}: {}", name.display());
        }
        shard.upsert(0..330, 3);
        shard.delete(100..200);
        shard.shard.sync().unwrap();
        shard.upsert(150..160, 4);
        shard.shard.close().unwrap();
        for (path, content) in content(&capture) {
            assert!(before[&path] == content, "{kind}: {} changed", path.display());
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn what_a_capture_does_not_name_cannot_be_opened() {
    let home = tempfile::tempdir().unwrap();
    let (_, config) = kinds().swap_remove(0);
    let shard = Filled::new(home.path(), config);
    let capture = shard.shard.capture().unwrap();
    let segment = capture.segments().unwrap()[0].uuid;
    for (segment, path) in
        [(segment, "nothing"), (segment, "../../applied.json"), (Uuid::nil(), "segment.json")]
    {
        assert_eq!(capture.open(segment, path).unwrap_err().kind, Kind::NotFound);
    }
}

#[test]
fn an_empty_shard_is_staged_too() {
    for (kind, config) in kinds() {
        let home = tempfile::tempdir().unwrap();
        let source = Filled::empty(&home.path().join("source"), config.clone());
        let capture = source.shard.capture().unwrap();
        assert_eq!(capture.segments().unwrap().len(), 1, "{kind}");
        let target = home.path().join("target");
        let staged = stage(&capture, &target, &config).unwrap();
        assert_eq!(staged.points, 0, "{kind}");
        let mut target = Filled::of(reopen(&target, &config), config);
        target.upsert(0..10, 0);
        assert_eq!(target.shard.live().unwrap().info().unwrap().points_count, 10, "{kind}");
    }
}

#[test]
fn vectors_that_are_not_those_of_the_collection_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (_, config) = kinds().swap_remove(1);
    let source = Filled::new(&home.path().join("source"), config.clone());
    let capture = source.shard.capture().unwrap();
    let mut others = Vec::new();
    let mut other = |change: &dyn Fn(&mut serde_json::Value), what: &'static str| {
        let mut json = serde_json::to_value(&config).unwrap();
        change(&mut json);
        others.push((serde_json::from_value::<EdgeConfig>(json).unwrap(), what));
    };
    other(&|json| json["vectors"]["text"]["size"] = json!(17), "expected vector size 17, but got 16");
    other(&|json| json["vectors"]["text"]["distance"] = json!("Euclid"), "expected distance Euclid");
    other(&|json| json["vectors"]["text"]["datatype"] = json!("uint8"), "datatype Uint8, but got Float32");
    other(&|json| json["vectors"]["late"]["multivector_config"] = json!(null), "multivector config None");
    other(&|json| json["sparse_vectors"]["words"]["modifier"] = json!("none"), "modifier");
    other(&|json| drop(json["vectors"].as_object_mut().unwrap().remove("image")), "image");
    other(&|json| json["vectors"]["more"] = json["vectors"]["text"].clone(), "more");
    other(&|json| drop(json["sparse_vectors"].as_object_mut().unwrap().remove("disk")), "disk");
    for (config, what) in others {
        let target = home.path().join("target");
        let error = stage(&capture, &target, &config).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
        assert!(error.text.contains(what), "{error} does not say {what}");
        assert!(!target.exists());
    }
}

#[test]
fn an_incomplete_shard_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (_, config) = kinds().swap_remove(0);
    let source = Filled::new(&home.path().join("source"), config.clone());
    let capture = source.shard.capture().unwrap();
    let target = home.path().join("target");

    let staging = Staging::begin(&target).unwrap();
    assert_eq!(staging.finish(config.clone()).unwrap_err().kind, Kind::Corrupt);
    assert!(!target.exists());

    let segment = capture.segments().unwrap().remove(0);
    for missing in ["version.info", "segment.json", "payload_storage/config.json"] {
        let staging = Staging::begin(&target).unwrap();
        for file in segment.files.iter().filter(|file| file.path != missing) {
            let content = Content::of(&capture, segment.uuid, &file.path, file.length);
            content.write_to(&staging.file(segment.uuid, &file.path, file.length).unwrap());
        }
        let error = staging.finish(config.clone()).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt, "without {missing}: {error}");
        assert!(!target.exists());
    }

    // Dropped before it is whole; and begun again where one was left by a crash.
    drop(receive(&capture, &target, |_, content| content));
    assert!(!target.exists());
    std::fs::create_dir_all(target.join(Uuid::new_v4().simple().to_string()).join("segments")).unwrap();
    stage(&capture, &target, &config).unwrap();
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2);
    assert_eq!(Staging::begin(&target).err().unwrap().kind, Kind::Invalid);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let staging = Staging::begin(&home.path().join("target")).unwrap();
    let segment = Uuid::new_v4();
    let long = "x".repeat(300);
    let paths = [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        "a\0b",
        "a\\b",
        "1/2/3/4/5/6/7/8/9",
        &long,
        &"x/".repeat(300),
    ];
    for path in paths {
        assert_eq!(staging.file(segment, path, 1).err().unwrap().kind, Kind::Corrupt, "{path:?}");
    }
    for name in
        ["", "open-", "open-x", "closed--1", "../open-1", "open-1/2", ".wal", "closed-100000000000000000000"]
    {
        assert_eq!(staging.wal_file(name, 1).err().unwrap().kind, Kind::Corrupt, "{name:?}");
    }
    staging.file(segment, "a/b", 1).unwrap();
    for twice in ["a/b", "a", "a/b/c"] {
        assert_eq!(staging.file(segment, twice, 1).err().unwrap().kind, Kind::Corrupt, "{twice:?}");
    }
    assert_eq!(staging.file(segment, "huge", u64::MAX).err().unwrap().kind, Kind::Corrupt);
    drop(staging);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

/// Numbers of operations that no shard comes to by using them: they would be counted to for ever, or overflow.
#[test]
fn numbers_out_of_all_proportion_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (_, config) = kinds().swap_remove(0);
    let source = Filled::new(&home.path().join("source"), config.clone());
    let capture = source.shard.capture().unwrap();
    for number in [1 << 40, u64::MAX - 1, u64::MAX] {
        for file in ["mutable_id_tracker.versions", "id_tracker.versions", "segment.json"] {
            let staging =
                receive(&capture, &home.path().join("target"), |path, content| match path == file {
                    false => content,
                    true if file == "segment.json" => versioned(&content, number),
                    true => {
                        let mut content = content;
                        content.extents[0].1[..8].copy_from_slice(&number.to_le_bytes());
                        content
                    }
                });
            match staging.finish(config.clone()) {
                Err(error) => assert_eq!(error.kind, Kind::Corrupt, "{file}: {error}"),
                Ok(staged) => {
                    assert_eq!((file, number), ("segment.json", 1 << 40));
                    assert_eq!(staged.first_number, (1 << 40) + 1);
                }
            }
            let _staged = std::fs::remove_dir_all(home.path().join("target"));
        }
    }
}

/// A segment's state with another version.
fn versioned(state: &Content, version: u64) -> Content {
    let mut json = state.json();
    json["version"] = json!(version);
    Content::plain(serde_json::to_vec(&json).unwrap())
}

/// A segment whose own version was lost in a crash may be behind its points.
#[test]
fn points_ahead_of_their_segment_take_changes() {
    let home = tempfile::tempdir().unwrap();
    let (_, config) = kinds().swap_remove(0);
    let mut source = Filled::new(&home.path().join("source"), config.clone());
    let capture = source.shard.capture().unwrap();
    let behind = |path: &str, content: Content| match path {
        "segment.json" => versioned(&content, 1),
        _ => content,
    };
    let target = home.path().join("target");
    receive(&capture, &target, behind).finish(config.clone()).unwrap();
    let mut target = Filled::of(reopen(&target, &config), config);
    for filled in [&mut target, &mut source] {
        filled.upsert(60..330, 5);
        filled.delete(55..60);
    }
    assert_eq!(target.read(), source.read());
}

#[test]
fn captures_under_load_are_what_was_applied_at_their_moment() {
    let home = tempfile::tempdir().unwrap();
    let keeper = Keeper::new(1);
    let shard = open_with(&home.path().join("source"), &keeper, slow(), NEVER);
    let (ended, held, captured) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let change = |index: u64| match index % 4 {
        0 => Change::Delete((index * 7 % 300..index * 7 % 300 + 20).collect()),
        1 => Change::UpdateB((0..300).step_by(3).collect(), index as f32),
        _ => upsert(index * 31 % 600, 200, index as f32),
    };
    let (mut while_optimising, mut next, mut model) = (0, 0, Model::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut index = 0;
            while !ended.load(Ordering::Relaxed) {
                // As whoever proposes changes does while a capture is taken; and not far ahead of it, for all is
                // compared.
                if held.load(Ordering::Relaxed) || index > captured.load(Ordering::Relaxed) + 40 {
                    std::thread::yield_now();
                    continue;
                }
                let _missing = apply(&shard, index, &change(index).operation());
                index += 1;
            }
        });
        // Whatever fails, the writer must end.
        let _end = End(&ended, &held);
        for _ in 0..50 {
            wait(|| shard.applied().position.is_some_and(|position| position.index > next + 2));
            while_optimising += u64::from(shard.status() == points::Status::Yellow);
            held.store(true, Ordering::Relaxed);
            let capture = shard.capture().unwrap();
            held.store(false, Ordering::Relaxed);

            let last = capture.applied().position.unwrap().index;
            (next..=last).for_each(|index| change(index).apply(&mut model));
            next = last + 1;
            captured.store(last, Ordering::Relaxed);
            let target = home.path().join("target");
            let staged = stage(&capture, &target, &slow()).unwrap();
            assert_eq!((staged.points, capture.points()), (model.len() as u64, model.len() as u64));
            let staged = open_with(&target, &keeper, slow(), NEVER);
            agrees(&staged.live().unwrap(), &model);
            staged.close().unwrap();
            std::fs::remove_dir_all(&target).unwrap();
        }
    });
    assert!(while_optimising > 5, "{while_optimising} while optimising");
}

struct End<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.store(false, Ordering::Relaxed);
    }
}
