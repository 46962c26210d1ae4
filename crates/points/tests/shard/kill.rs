//! Guards against: anything acknowledged that a killed process takes along, and anything half applied.
//!
//! A child process applies random changes, each first appended to a log of the test's own, until it is killed;
//! the next child opens the shard, applies the log from where the shard says it stood, and compares
//! everything with a model made from the whole log. Flushes and optimising go on all the time.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use points::{Keeper, Shard, Status};
use serde_json::{Map, json};

use super::common::{agrees, apply, entry, is_indexed, open, open_with, wait};
use super::model::{Change, Model};
use super::optimise::{slow, upsert};

/// Tells the test binary to be the child, and where.
pub(crate) const HOME: &str = "POINTS_KILL_TEST_HOME";
const KILLS: u64 = 50;
const IDS: u64 = 400;
/// How many more changes are waited for what a life is to come to.
const PATIENCE: u64 = 5_000;

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut indexed, mut while_optimising) = (0, 0, 0);
    for kill in 0..KILLS {
        let mut child = start("kill::the_child_that_changes", home.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = acknowledged + 1 + kill * 37 % 60;
        let mut found = None;
        // Some lives last until there is what the kill is to fall behind, or into.
        let mut is_indexed = false;
        for line in lines.map(Result::unwrap) {
            if let Some(number) = line.strip_prefix("found ") {
                found = Some(number.parse::<u64>().unwrap());
            }
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged = number.parse().unwrap();
            }
            is_indexed |= line == "indexed";
            let is_time = match kill % 5 {
                0 => is_indexed,
                1 => building(home.path()),
                _ => true,
            };
            if acknowledged >= enough && is_time || acknowledged >= enough + PATIENCE {
                break;
            }
        }
        indexed += u64::from(is_indexed);
        let found = found.expect("the child found the shard as it should be");
        assert!(found >= enough - 1 - kill * 37 % 60, "{found} changes found");
        kill_child(child);
        while_optimising += u64::from(building(home.path()));
    }
    assert!(indexed > 5, "it was optimised in {indexed} lives");
    assert!(while_optimising > 0, "no kill fell into optimising");
}

/// Whether a generation is being built, or was when the process died.
fn building(home: &Path) -> bool {
    let files = std::fs::read_dir(home.join("shard")).unwrap();
    // Removed while we look, it is no longer there.
    files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "spool"))
}

/// Changes to the very points that are being optimised, flushed, and then the kill.
#[test]
fn changes_of_points_being_optimised_survive_a_kill() {
    for round in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let mut child = start("kill::the_child_that_optimises", home.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "flushed"));
        if round == 2 {
            assert!(lines.any(|line| line == "more"));
        }
        kill_child(child);

        let changes = read_log(&home.path().join("log"));
        let shard = Shard::open(points::Options {
            dir: home.path().join("shard"),
            config: slow(),
            flush_interval: Duration::from_secs(60),
            keeper: Keeper::new(1),
        })
        .unwrap();
        replay(&shard, &changes);
        agrees(&shard.live().unwrap(), &model(&changes));
    }
}

/// Does nothing unless it is started by the first test above.
#[test]
fn the_child_that_changes() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let home = Path::new(&home);
    let path = home.join("log");
    let mut numbers = read_log(&path);
    let shard = open(&home.join("shard"), &Keeper::new(1));
    replay(&shard, &numbers);
    let mut model = model(&numbers);
    agrees(&shard.live().unwrap(), &model);
    say(&format!("\nfound {}", numbers.len()));
    let mut log = OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let mut random = Random(numbers.len() as u64 ^ u64::from(std::process::id()) << 20);
    loop {
        let number = random.next();
        let index = numbers.len() as u64;
        append(&mut log, number);
        numbers.push(number);
        let change = change(number);
        apply(&shard, index, &change.operation());
        change.apply(&mut model);
        if number.is_multiple_of(16) {
            shard.sync().unwrap();
        }
        say(&format!("acknowledged {}", numbers.len()));
        if is_indexed(&shard) {
            say("indexed");
        }
    }
}

/// Does nothing unless it is started by the second test above.
#[test]
fn the_child_that_optimises() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let home = Path::new(&home);
    let mut log = OpenOptions::new().create(true).append(true).open(home.join("log")).unwrap();
    let shard = open_with(&home.join("shard"), &Keeper::new(1), slow(), Duration::from_secs(60));
    let mut index = 0;
    let mut go = |number: u64| {
        append(&mut log, number);
        apply(&shard, index, &change(number).operation());
        index += 1;
    };
    go(FILL);
    wait(|| shard.status() == Status::Yellow);
    for number in 0..60 {
        go(number);
    }
    shard.sync().unwrap();
    assert_eq!(shard.status(), Status::Yellow);
    say("\nflushed");
    for number in 60..90 {
        go(number);
    }
    say("more");
    loop {
        std::thread::park();
    }
}

/// A process that dies right before or right after the file that names the live generation is replaced.
#[test]
fn a_process_that_dies_around_an_exchange_loses_nothing() {
    if !fail::has_failpoints() {
        eprintln!("skipped: built without fail points");
        return;
    }
    for point in ["exchange::before", "exchange::after"] {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("shard");
        std::fs::write(home.path().join("point"), point).unwrap();
        let mut child = start("kill::the_child_that_exchanges", home.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<_> = lines.collect();
        assert!(!child.wait().unwrap().success());
        let live = |line: &str| {
            let found = lines.iter().find_map(|other| other.strip_prefix(line).map(str::to_owned));
            found.unwrap_or_else(|| panic!("{line}: {lines:?}"))
        };
        assert!(lines.iter().any(|line| line == "dies"));
        let before = live("live ");

        let changes = read_log(&home.path().join("log"));
        let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        let shard = open_with(&dir, &Keeper::new(1), slow(), Duration::from_secs(60));
        let found = shard.live().unwrap().path().display().to_string();
        assert_eq!(found == before, point == "exchange::before", "{found} after {before}");
        assert!(point == "exchange::before" || is_indexed(&shard));
        // The other generation and the spool are gone.
        assert!(left.len() > 2 && left.iter().filter(|path| path.exists()).count() == 2, "{left:?}");
        replay(&shard, &changes);
        agrees(&shard.live().unwrap(), &model(&changes));
    }
}

/// Does nothing unless it is started by the test above.
#[test]
fn the_child_that_exchanges() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let home = Path::new(&home);
    let point = std::fs::read_to_string(home.join("point")).unwrap();
    let mut log = OpenOptions::new().create(true).append(true).open(home.join("log")).unwrap();
    let shard = open_with(&home.join("shard"), &Keeper::new(1), slow(), Duration::from_secs(60));
    say(&format!("\nlive {}", shard.live().unwrap().path().display()));
    fail::cfg_callback(point, || {
        say("dies");
        std::process::abort();
    })
    .unwrap();
    let mut index = 0;
    let mut go = |number: u64| {
        append(&mut log, number);
        apply(&shard, index, &change(number).operation());
        index += 1;
    };
    go(FILL);
    wait(|| shard.status() == Status::Yellow);
    (0..60).for_each(&mut go);
    shard.sync().unwrap();
    // What was not flushed comes from the log.
    (60..90).for_each(&mut go);
    loop {
        std::thread::park();
    }
}

/// The number of the change that fills the shard.
const FILL: u64 = u64::MAX;

/// The change of a number: logs hold numbers.
fn change(number: u64) -> Change {
    if number == FILL {
        return upsert(0, 4000, 1.0);
    }
    let mut random = Random(number);
    let ids: Vec<u64> = (0..1 + random.next() % 30).map(|_| random.next() % IDS).collect();
    let seed = (random.next() % 100) as f32;
    let city = ["Oslo", "Rome"][(random.next() % 2) as usize];
    let payload = Map::from_iter([("city".to_owned(), json!(city)), ("number".to_owned(), json!(seed))]);
    match number % 8 {
        0 => Change::Delete(ids),
        1 => Change::Set(ids, payload),
        2 => Change::Overwrite(ids, payload),
        3 => Change::UpdateB(ids, seed),
        4 => Change::DeleteKeys(ids, vec!["city"]),
        _ => Change::Upsert(
            ids.into_iter().map(|id| (id, seed + id as f32, id % 2 == 0, payload.clone())).collect(),
        ),
    }
}

fn model(numbers: &[u64]) -> Model {
    let mut model = Model::new();
    for number in numbers {
        change(*number).apply(&mut model);
    }
    model
}

fn replay(shard: &Arc<Shard>, numbers: &[u64]) {
    let next = shard.applied().position.map_or(0, |position| position.index + 1);
    let missing = numbers.iter().enumerate().skip(next as usize);
    let entries = missing.map(|(index, number)| entry(index as u64, &change(*number).operation()));
    shard.apply(entries.collect()).unwrap();
}

fn append(log: &mut File, number: u64) {
    log.write_all(&number.to_le_bytes()).unwrap();
    log.sync_data().unwrap();
}

fn read_log(path: &Path) -> Vec<u64> {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        file.read_to_end(&mut bytes).unwrap();
    }
    bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number)).collect()
}

pub(crate) fn start(child: &str, home: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture"])
        .env(HOME, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn kill_child(mut child: Child) {
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the child ended before it was killed");
}

pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
