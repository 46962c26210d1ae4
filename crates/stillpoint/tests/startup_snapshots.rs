//! Snapshots restored before the server serves: what is there then, what is refused and with which code, and that a
//! start that fails or is killed leaves what was there.
//!
//! Loss guarded against: genuine servers remove an existing collection before the new one is in its place.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "qdrant")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use support::http::Http;
use support::points::genuine;
use support::server::Server;
use support::{Cli, Run};

/// A server that was started with these arguments, or the directory that another one has left.
struct Points {
    server: Server,
    http: Http,
}

impl Points {
    fn start(cli: Cli, arguments: &[&str]) -> Points {
        Points { server: Server::start_with(cli, "", arguments), http: Http::new() }
    }

    fn stop(self) -> Cli {
        self.server.stop()
    }

    #[track_caller]
    fn ask(&self, request: &str, body: Value) -> Value {
        let (method, path) = request.split_once(' ').unwrap();
        let request = format!("{method} {}{path}", self.server.qdrant);
        let answer = self.http.send_with(&request, &[("content-type", "application/json")], body.to_string());
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        answer.json()["result"].clone()
    }

    /// How many points a collection has, if there is one.
    fn count(&self, collection: &str) -> Option<u64> {
        let exists = self.ask(&format!("GET /collections/{collection}/exists"), json!(null));
        if exists["exists"] != json!(true) {
            return None;
        }
        self.ask(&format!("POST /collections/{collection}/points/count"), json!({"exact": true}))["count"]
            .as_u64()
    }

    fn aliases(&self) -> Vec<(String, String)> {
        let found = self.ask("GET /aliases", json!(null));
        let text = |alias: &Value, key: &str| alias[key].as_str().unwrap().to_owned();
        let aliases = found["aliases"].as_array().unwrap().iter();
        let mut aliases: Vec<_> =
            aliases.map(|alias| (text(alias, "alias_name"), text(alias, "collection_name"))).collect();
        aliases.sort();
        aliases
    }

    /// A collection of one point that no archive has.
    fn make(&self, collection: &str) {
        self.ask(
            &format!("PUT /collections/{collection}"),
            json!({"vectors": {"size": 2, "distance": "Dot"}}),
        );
        let points = json!({"points": [{"id": 77, "vector": [1.0, 2.0]}]});
        self.ask(&format!("PUT /collections/{collection}/points?wait=true"), points);
    }
}

/// A start that ends by itself.
fn fail(cli: &Cli, arguments: &[&str]) -> Run {
    let mut command = Server::command(cli, "");
    command.args(arguments);
    Run::from(command.output().unwrap())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn of(path: &Path, collection: &str) -> String {
    format!("{}:{collection}", path.display())
}

/// The first half of an archive.
fn half(cli: &Cli, path: &Path) -> PathBuf {
    let archive = std::fs::read(path).unwrap();
    cli.write("half.snapshot", &archive[..archive.len() / 2]);
    cli.path("half.snapshot")
}

#[test]
fn a_full_snapshot_comes_with_its_collections_and_aliases() {
    let Some(full) = genuine("full-storage.snapshot") else { return };
    let full = text(&full);
    let points = Points::start(Cli::new(), &["--storage-snapshot", &full]);
    let aliases = |points: &Points| points.aliases();
    let both =
        [("current".to_owned(), "tiny".to_owned()), ("prod-alias".to_owned(), "two_shards".to_owned())];
    assert_eq!((points.count("tiny"), points.count("two_shards")), (Some(50), Some(600)));
    assert_eq!((aliases(&points), points.count("current")), (both.to_vec(), Some(50)));
    points.make("other");
    let cli = points.stop();
    // The next start needs no archive, and finds that it has no use for one.
    fail(&cli, &["--storage-snapshot", &full])
        .expect(101, "error: Collection tiny already exists. Use --force-snapshot to overwrite it.");
    let points = Points::start(cli, &[]);
    assert_eq!((points.count("tiny"), points.count("other")), (Some(50), Some(1)));
    points.ask("POST /collections/tiny/points/delete?wait=true", json!({"points": [1, 2, 3]}));
    let cli = points.stop();
    let points = Points::start(cli, &["--storage-snapshot", &full, "-f"]);
    assert_eq!((points.count("tiny"), points.count("other")), (Some(50), Some(1)), "what it lacks stays");
    assert_eq!(aliases(&points), both);
    // And what was replaced is not lost.
    let (native, data) = (points.server.native.clone(), points.server.data_dir());
    let undo = ["undo", "qdrant", "--native", &native, "--data-dir", &data];
    points.server.cli.run(&undo).expect(0, "undo again to redo");
    assert_eq!((points.count("tiny"), points.count("other")), (Some(47), Some(1)));
}

#[test]
fn an_alias_that_exists_is_not_taken_over_unless_told_so() {
    let Some(full) = genuine("full-storage.snapshot") else { return };
    let full = text(&full);
    let points = Points::start(Cli::new(), &[]);
    points.make("mine");
    let alias = json!({"actions": [{"create_alias": {"collection_name": "mine", "alias_name": "current"}}]});
    points.ask("POST /collections/aliases", alias);
    let cli = points.stop();
    fail(&cli, &["--storage-snapshot", &full])
        .expect(101, "error: Alias current already exists. Use --force-snapshot to overwrite it.");
    let points = Points::start(cli, &[]);
    assert_eq!((points.count("tiny"), points.count("current")), (None, Some(1)));
    let cli = points.stop();
    let points = Points::start(cli, &["--storage-snapshot", &full, "--force-snapshot"]);
    assert_eq!((points.count("current"), points.count("mine")), (Some(50), Some(1)));
}

#[test]
fn snapshots_of_collections_go_where_they_are_told() {
    let (Some(plain), Some(named)) = (genuine("plain8.snapshot"), genuine("named.snapshot")) else { return };
    let arguments = ["--snapshot", &of(&plain, "plain8"), "--collection-snapshot", &of(&named, "other name")];
    let points = Points::start(Cli::new(), &arguments);
    assert_eq!((points.count("plain8"), points.count("other%20name")), (Some(980), Some(400)));
    let expected: Value =
        serde_json::from_slice(&std::fs::read(plain.with_file_name("expected.json")).unwrap()).unwrap();
    for filtered in expected["plain8.snapshot"]["counts_by_filter"].as_array().unwrap() {
        let request = json!({"filter": filtered["filter"], "exact": true});
        let found = points.ask("POST /collections/plain8/points/count", request);
        assert_eq!(found["count"], filtered["count"], "{filtered}");
    }
    let cli = points.stop();
    // What exists is replaced whole, with its settings, if that is asked for. An old spelling will do.
    let again = of(&named, "plain8");
    fail(&cli, &["--snapshot", &again]).expect(101, "Collection plain8 already exists.");
    let points = Points::start(cli, &["--snapshot", &again, "--force_snapshot"]);
    assert_eq!(points.count("plain8"), Some(400));
    let vectors = &points.ask("GET /collections/plain8", json!(null))["config"]["params"]["vectors"];
    assert_eq!(vectors["text"]["size"], 8, "{vectors}");
    let (native, data) = (points.server.native.clone(), points.server.data_dir());
    let undo = ["undo", "qdrant/plain8", "--native", &native, "--data-dir", &data];
    points.server.cli.run(&undo).expect(0, "");
    assert_eq!(points.count("plain8"), Some(980));
    let vectors = &points.ask("GET /collections/plain8", json!(null))["config"]["params"]["vectors"];
    assert_eq!(vectors["size"], 8, "{vectors}");
}

#[test]
fn what_cannot_be_restored_changes_nothing() {
    let (Some(plain), Some(shard)) = (genuine("plain8.snapshot"), genuine("plain8-shard0.snapshot")) else {
        return;
    };
    let full = genuine("full-storage.snapshot").unwrap();
    let points = Points::start(Cli::new(), &["--snapshot", &of(&plain, "plain8")]);
    points.ask("POST /collections/plain8/points/delete?wait=true", json!({"points": [1]}));
    let cli = points.stop();
    let half = half(&cli, &plain);
    let refused = |arguments: &[&str], talk: &str| fail(&cli, arguments).expect(101, talk);
    // The second one is looked at before the first one is restored.
    let both = ["--snapshot", &of(&plain, "first"), "--snapshot", &of(&half, "second")];
    refused(&both, "error: Failed to recover snapshot second: ");
    refused(&["--snapshot", &of(&half, "plain8"), "-f"], "error: Failed to recover snapshot plain8: ");
    refused(&["--storage-snapshot", &text(&half), "-f"], "error: Failed to recover snapshot ");
    refused(&["--snapshot", &of(&full, "a")], "--storage-snapshot restores");
    refused(&["--storage-snapshot", &text(&plain)], "--snapshot restores");
    refused(&["--snapshot", &of(&shard, "a")], "of one shard");
    refused(&["--snapshot", "missing.snapshot:a"], "Failed to recover snapshot a: missing.snapshot: ");
    refused(&["--snapshot", &of(&plain, "a/b")], "Collection name must not contain slashes: a/b");
    refused(&["--snapshot", "plain8.snapshot"], "Collection name is missing: plain8.snapshot");
    refused(&["--snapshot", ":a"], "Snapshot path is missing: :a");
    let twice = ["--snapshot", &of(&plain, "a"), "--snapshot", &of(&plain, "a")];
    refused(&twice, "Collection a already exists.");
    let points = Points::start(cli, &[]);
    assert_eq!(points.ask("GET /collections", json!(null)), json!({"collections": [{"name": "plain8"}]}));
    assert_eq!(points.count("plain8"), Some(979));
}

#[test]
fn a_start_that_is_killed_leaves_the_old_or_the_new() {
    let (Some(plain), Some(indexed)) = (genuine("plain8.snapshot"), genuine("indexed8.snapshot")) else {
        return;
    };
    let points = Points::start(Cli::new(), &["--snapshot", &of(&indexed, "c")]);
    let mut cli = points.stop();
    let mut outcomes = Vec::new();
    // How long it takes if nobody kills it.
    let mut whole = None;
    for tenths in [10, 0, 2, 4, 6, 8, 9, 10] {
        let mut command = Server::command(&cli, "");
        command.args(["--snapshot", &of(&plain, "c"), "-f"]).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        read_until(&mut talk, "restoring a snapshot");
        let began = Instant::now();
        match whole {
            None => {
                read_until(&mut talk, "points=980");
                whole = Some(began.elapsed());
            }
            // Where it is by then is left to chance.
            Some(whole) => std::thread::sleep(whole * tenths / 10),
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let points = Points::start(cli, &[]);
        let count = points.count("c");
        assert!([Some(495), Some(980)].contains(&count), "{count:?} after {tenths} tenths of {whole:?}");
        outcomes.push(count);
        if count == Some(980) {
            let data = points.server.data_dir();
            let undo = ["undo", "qdrant/c", "--native", &points.server.native, "--data-dir", &data];
            points.server.cli.run(&undo).expect(0, "");
            assert_eq!(points.count("c"), Some(495));
        }
        cli = points.stop();
    }
    assert_eq!(outcomes[..2], [Some(980), Some(495)], "{outcomes:?}");
    eprintln!("{outcomes:?}");
}

fn read_until(talk: &mut impl BufRead, text: &str) {
    let mut told = String::new();
    while !told.contains(text) {
        assert!(talk.read_line(&mut told).unwrap() > 0, "{told}");
    }
}
