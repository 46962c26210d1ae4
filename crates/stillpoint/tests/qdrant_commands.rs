//! The commands about points against a server of ours, through both of its APIs, with archives of genuine servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "qdrant")]

mod support;

use serde_json::{Value, json};
use support::http::Http;
use support::points::genuine;
use support::server::Server;
use support::{Cli, Run};

struct Points {
    server: Server,
    http: Http,
}

impl Points {
    fn start() -> Points {
        Points { server: Server::start(Cli::new(), ""), http: Http::new() }
    }

    /// Runs a command that may want the native API.
    fn run(&self, arguments: &[&str]) -> Run {
        let data = self.server.data_dir();
        self.server.cli.run(&[arguments, &["--native", &self.server.native, "--data-dir", &data]].concat())
    }

    fn url(&self, path: &str) -> String {
        format!("qdrant://{}/{path}", self.server.qdrant)
    }

    #[track_caller]
    fn ask(&self, request: &str, body: Value) -> Value {
        let (method, path) = request.split_once(' ').unwrap();
        let request = format!("{method} {}{path}", self.server.qdrant);
        let answer = self.http.send_with(&request, &[("content-type", "application/json")], body.to_string());
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        answer.json()["result"].clone()
    }

    #[track_caller]
    fn count(&self, collection: &str) -> u64 {
        let request = format!("POST /collections/{collection}/points/count");
        self.ask(&request, json!({"exact": true}))["count"].as_u64().unwrap()
    }

    #[track_caller]
    fn delete_point(&self, collection: &str, id: u64) {
        let request = format!("POST /collections/{collection}/points/delete?wait=true");
        self.ask(&request, json!({"points": [id]}));
    }
}

#[test]
fn a_collection_goes_out_and_in_by_both_ways() {
    let Some(plain) = genuine("plain8.snapshot") else { return };
    let plain = plain.display().to_string();
    let points = Points::start();
    let plan = points.run(&["restore", &plain, "qdrant/plain8", "--dry-run", "--json"]).expect(0, "").json();
    assert_eq!(plan["archive"]["points"], 980, "{plan}");
    let restored = points.run(&["restore", &plain, "qdrant/plain8", "--yes"]);
    let restored = restored.expect(0, "Restored qdrant/plain8: 980 points");
    assert!(restored.stderr.contains("carries no hashes"), "{restored}");
    assert_eq!(points.count("plain8"), 980);
    assert!(points.run(&["status"]).expect(0, "").text().contains("980 points"));

    let saved = points.run(&["save", "qdrant/plain8", "native.snapshot", "--json"]).expect(0, "Saved").json();
    points.run(&["save", &points.url("plain8"), "rest.snapshot"]).expect(0, "Saved");
    for command in ["verify", "inspect"] {
        points.server.cli.run(&[command, "native.snapshot"]).expect(0, "");
    }
    assert_eq!(
        points.run(&["list", "qdrant/plain8", "--json"]).expect(0, "").json(),
        json!([]),
        "it is gone"
    );
    let bytes = std::fs::read(points.server.cli.path("native.snapshot")).unwrap();
    assert_eq!(saved["bytes"], bytes.len());

    // A name may hold what a URL cannot.
    points.run(&["restore", "rest.snapshot", "qdrant/two words", "--yes"]).expect(0, "Restored");
    let there = points.url("%C3%A9t%C3%A9%20%25");
    points.run(&["restore", "native.snapshot", &there, "--yes"]).expect(0, "Restored");
    assert_eq!((points.count("two%20words"), points.count("%C3%A9t%C3%A9%20%25")), (980, 980));

    points.delete_point("plain8", 1);
    points.run(&["restore", "native.snapshot", "qdrant/plain8", "--yes"]).expect(0, "stillpoint undo");
    assert_eq!(points.count("plain8"), 980);
    points.run(&["undo", "qdrant/plain8"]).expect(0, "undo again to redo");
    assert_eq!(points.count("plain8"), 979);
    points.run(&["undo", "qdrant/plain8"]).expect(0, "");
    assert_eq!(points.count("plain8"), 980);
    let other = "018f0000-0000-7000-8000-000000000002";
    points.run(&["undo", "qdrant/plain8", "--image", other]).expect(1, "not the one named");
}

#[test]
fn a_shard_goes_out_and_in_by_both_ways() {
    let Some(two) = genuine("two_shards.snapshot") else { return };
    let points = Points::start();
    points.run(&["restore", &two.display().to_string(), "qdrant/two", "--yes"]).expect(0, "");
    points.run(&["save", "qdrant/two/1", "native.snapshot"]).expect(0, "Saved");
    points.run(&["save", &points.url("two/0"), "streamed.snapshot"]).expect(0, "Saved");
    let ids: Vec<u64> = (1..=50).collect();
    points.ask("POST /collections/two/points/delete?wait=true", json!({"points": ids}));
    let left = points.count("two");
    points.run(&["restore", "native.snapshot", "qdrant/two/1", "--yes"]).expect(0, "Restored");
    let restored_one = points.count("two");
    assert!(left < restored_one && restored_one < 600, "{left} {restored_one}");
    points.run(&["restore", "streamed.snapshot", &points.url("two/0"), "--yes"]).expect(0, "Restored");
    assert_eq!(points.count("two"), 600);
    points.run(&["undo", "qdrant/two/0"]).expect(0, "");
    assert_eq!(points.count("two"), restored_one);
    points.run(&["save", "qdrant/two/9", "a.snapshot"]).expect(10, "shard 9 not found");
    points.run(&["save", &points.url("two/9"), "a.snapshot"]).expect(10, "shard 9 not found");
    assert!(!points.server.cli.path("a.snapshot").exists());
}

#[test]
fn everything_goes_out_and_in() {
    let Some(full) = genuine("full-storage.snapshot") else { return };
    let full = full.display().to_string();
    let points = Points::start();
    points.ask("PUT /collections/mine", json!({"vectors": {"size": 2, "distance": "Dot"}}));
    let planned = points.run(&["restore", &full, "qdrant", "--dry-run"]);
    let planned = planned.expect(0, "warning: collection \"mine\" is not in the archive and goes");
    let rows: Vec<Vec<&str>> = planned.text().lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["points", "0", "650"]) && rows.contains(&vec!["tiny", "50"]), "{planned}");
    points
        .run(&["restore", &full, "qdrant", "--yes", "--keep-others"])
        .expect(0, "Restored qdrant: 650 points");
    assert_eq!((points.count("prod-alias"), points.count("mine")), (600, 0));
    points.run(&["save", "qdrant", "ours.snapshot"]).expect(0, "Saved");
    points.run(&["save", &points.url(""), "rest.snapshot"]).expect(0, "Saved");
    points.ask("DELETE /collections/two_shards", json!(null));
    points.run(&["restore", "ours.snapshot", "qdrant", "--yes"]).expect(0, "650 points");
    assert_eq!((points.count("prod-alias"), points.count("current")), (600, 50));
    points.run(&["undo", "qdrant"]).expect(0, "");
    let names = points.ask("GET /collections", json!(null))["collections"].as_array().unwrap().len();
    assert_eq!((names, points.count("current")), (2, 50));
    points.run(&["restore", &full, &points.url(""), "--yes"]).expect(2, "--storage-snapshot FILE");
}

#[test]
fn stored_snapshots_are_the_same_by_both_ways() {
    let Some(plain) = genuine("plain8.snapshot") else { return };
    let plain = plain.display().to_string();
    let points = Points::start();
    points.run(&["restore", &plain, "qdrant/plain8", "--yes"]).expect(0, "");
    let url = points.url("plain8");
    let native = points.run(&["create", "qdrant/plain8"]).expect(0, "980 points").text().trim().to_owned();
    let rest = points.run(&["create", &url]).expect(0, "Stored").text().trim().to_owned();
    let names = |run: Run| -> Vec<String> {
        let listed = run.expect(0, "").json();
        let mut names: Vec<String> =
            listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().into()).collect();
        names.sort();
        names
    };
    let mut both = vec![native.clone(), rest.clone()];
    both.sort();
    assert_eq!(names(points.run(&["list", "qdrant/plain8", "--json"])), both);
    assert_eq!(names(points.run(&["list", &url, "--json"])), both);
    points.run(&["download", "qdrant/plain8", &rest, "one.snapshot"]).expect(0, "of 980 points");
    points.run(&["download", &url, &native, "two.snapshot"]).expect(0, "Saved");
    points.run(&["upload", "qdrant/plain8", "genuine.snapshot", &plain]).expect(0, "Stored");
    points.run(&["upload", "qdrant/plain8", "genuine.snapshot", &plain]).expect(1, "there is a snapshot");
    points.run(&["download", &url, "genuine.snapshot"]).expect(0, "Saved");
    let same = std::fs::read(points.server.cli.path("genuine.snapshot")).unwrap();
    assert_eq!(same, std::fs::read(&plain).unwrap());
    for (target, name) in [("qdrant/plain8", &rest), (&url, &native), (&url, &"genuine.snapshot".to_owned())]
    {
        points.run(&["delete", target, name]).expect(0, "Deleted");
    }
    assert!(names(points.run(&["list", &url, "--json"])).is_empty());
    points.run(&["download", "qdrant/plain8", &rest]).expect(10, "there is no snapshot");
    points.run(&["delete", &url, &rest]).expect(10, "not found");
}

#[test]
fn what_is_refused_says_so_in_its_code() {
    let Some(plain) = genuine("plain8.snapshot") else { return };
    let points = Points::start();
    points.run(&["save", "qdrant/none", "a.snapshot"]).expect(10, "doesn't exist");
    points.run(&["save", &points.url("none"), "a.snapshot"]).expect(10, "doesn't exist");
    assert!(!points.server.cli.path("a.snapshot").exists());
    let archive = std::fs::read(&plain).unwrap();
    points.server.cli.write("half.snapshot", &archive[..archive.len() / 2]);
    points.run(&["restore", "half.snapshot", "qdrant/c", "--yes"]).expect(4, "half.snapshot");
    points.ask("PUT /collections/c", json!({"vectors": {"size": 3, "distance": "Dot"}}));
    let plain = plain.display().to_string();
    let unfit = "Snapshot is not compatible with existing collection: Collection vectors: ";
    points.run(&["restore", &plain, "qdrant/c", "--yes"]).expect(1, unfit);
    points.run(&["restore", &plain, &points.url("c"), "--yes"]).expect(1, unfit);
    points.run(&["restore", &plain, "qdrant/c"]).expect(2, "nobody is there to be asked");
    let nobody =
        points.server.cli.run(&["save", "qdrant/c", "--native", &points.server.native, "--data-dir", "x"]);
    nobody.expect(12, "a valid token is needed");
    points.run(&["undo", "qdrant/c"]).expect(1, "there is nothing to undo");
    assert_eq!(points.count("c"), 0);
}

#[test]
fn keys_open_qdrants_api_to_the_commands() {
    let Some(plain) = genuine("plain8.snapshot") else { return };
    let cli = Cli::new().variable("QDRANT__SERVICE__API_KEY", "s3cret");
    let points = Points { server: Server::start(cli, ""), http: Http::new() };
    let (plain, url) = (plain.display().to_string(), points.url("c"));
    points.run(&["restore", &plain, &url, "--yes"]).expect(12, "QDRANT_API_KEY");
    points.server.cli.write("key", b"s3cret\n");
    let key = ["--token-file", "key"];
    points.run(&[&["restore", &plain, &url, "--yes"][..], &key].concat()).expect(0, "Restored");
    let saved = points.run(&[&["save", &url, "a.snapshot"][..], &key].concat()).expect(0, "Saved");
    assert!(!saved.stderr.contains("s3cret"), "{saved}");
}
