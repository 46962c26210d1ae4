//! Damaged files of segments: refused, or opened as something, and never the end of the process. The engine maps its
//! files, so what ends a process here would end a server: each case runs in a child.

use std::io::{BufRead, BufReader};
use std::path::Path;

use points::{Keeper, Staging};

use super::common::open_with;
use super::history::NEVER;
use super::kill::{HOME, say, start};
use super::kinds::{Filled, kinds, read};
use super::staging::{Content, empty_log};

const DAMAGES: [&str; 6] = ["empty", "half", "short", "zeros", "flip", "ones"];

/// Does `damage` to a file.
fn damage(how: &str, content: &mut Content) {
    let cut = |content: &mut Content, length: u64| {
        content.length = length;
        content.extents.retain(|(start, _)| *start < length);
        for (start, bytes) in &mut content.extents {
            bytes.truncate((length - *start) as usize);
        }
    };
    let length = content.length;
    match how {
        "empty" => cut(content, 0),
        "half" => cut(content, length / 2),
        "short" => cut(content, length.saturating_sub(1)),
        "zeros" => content.extents.clear(),
        "flip" => {
            for (_, bytes) in &mut content.extents {
                for place in [0, 7, 13, bytes.len() / 2, bytes.len().saturating_sub(3)] {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte ^= 0x55;
                    }
                }
            }
        }
        "ones" => content.extents.iter_mut().for_each(|(_, bytes)| {
            bytes.iter_mut().take(64).for_each(|byte| *byte = 0xff);
        }),
        other => panic!("{other}"),
    }
}

/// Of all damages to all files every so many are tried: all would take an hour.
const STEP: usize = 37;

/// Damages to files of shards of two kinds.
#[test]
fn damaged_files_never_take_the_process_along() {
    let mut deaths = Vec::new();
    for kind in ["named", "quantized"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kind"), kind).unwrap();
        // A child that dies is followed by one that begins after the case it died of.
        let mut begin = 0;
        loop {
            std::fs::write(home.path().join("begin"), begin.to_string()).unwrap();
            let mut child = start("hostile::the_child_that_opens", home.path());
            let (mut last, mut ended) = (None, false);
            for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
                ended |= line == "end";
                if let Some(case) = line.strip_prefix("case ") {
                    last = Some(case.to_owned());
                }
            }
            let status = child.wait().unwrap();
            if ended && status.success() {
                break;
            }
            let last = last.unwrap();
            begin = last.split_once(' ').unwrap().0.parse::<usize>().unwrap() + 1;
            deaths.push(format!("{kind}: {last}: {status}"));
        }
    }
    assert!(deaths.is_empty(), "{} of them:\n{}", deaths.len(), deaths.join("\n"));
}

/// Does nothing unless it is started by the test above.
#[test]
fn the_child_that_opens() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let home = Path::new(&home);
    let kind = std::fs::read_to_string(home.join("kind")).unwrap();
    let begin: usize = std::fs::read_to_string(home.join("begin")).unwrap().parse().unwrap();
    let (_, config) = kinds().into_iter().find(|(name, _)| *name == kind).unwrap();
    let _from_before = std::fs::remove_dir_all(home.join("source"));
    let source = Filled::new(&home.join("source"), config.clone());
    let capture = source.shard.capture().unwrap();
    // By kind of segment and path: their names are new in each child.
    let mut files: Vec<_> = capture
        .segments()
        .unwrap()
        .into_iter()
        .flat_map(|segment| segment.files.into_iter().map(move |file| (segment.uuid, file)))
        .map(|(uuid, file)| {
            (file.path.clone(), file.length, uuid, Content::of(&capture, uuid, &file.path, file.length))
        })
        .collect();
    files.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let cases = (0..files.len()).flat_map(|file| DAMAGES.map(|how| (file, how)));
    let keeper = Keeper::new(1);
    say("");
    for (number, (damaged, how)) in cases.enumerate().step_by(STEP).filter(|(number, _)| *number >= begin) {
        say(&format!("case {number} {how} {}", files[damaged].0));
        let target = home.join(format!("target-{number}"));
        let staging = Staging::begin(&target).unwrap();
        for (place, (path, _, uuid, content)) in files.iter().enumerate() {
            let mut content = content.clone();
            if place == damaged {
                damage(how, &mut content);
            }
            content.write_to(&staging.file(*uuid, path, content.length).unwrap());
        }
        empty_log(&staging, capture.first_number());
        match staging.finish(config.clone()) {
            Err(error) => say(&format!("refused {error}")),
            // What passes must be readable: damage that no checksum tells is content.
            Ok(_) => {
                let shard = open_with(&target, &keeper, config.clone(), NEVER);
                let live = shard.live().unwrap();
                let panicked =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&live))).is_err();
                drop(live);
                say(&format!("opened panicked={panicked}"));
                let _closed = shard.close();
            }
        }
        let _refused = std::fs::remove_dir_all(&target);
    }
    say("end");
}
