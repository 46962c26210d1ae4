//! The commands about points against servers that say what a test wants them to say: what is asked, what is kept,
//! and how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Stdio};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Cli, Fake, Run, Seen, answer, answer_cut, answer_json, points};

const NAME: &str = "cities-7-2026-01-02-03-04-05.snapshot";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn result(value: Value) -> Response {
    answer_json(200, json!({"result": value, "status": "ok", "time": 0.1}))
}

fn refused(status: u16, message: &str) -> Response {
    answer_json(status, json!({"status": {"error": message}, "time": 0.1}))
}

fn description(checksum: &str) -> Value {
    json!({"name": NAME, "creation_time": "2026-01-02T03:04:05", "size": 12, "checksum": checksum})
}

/// A server that makes a snapshot with this checksum, and sends it in this way.
fn server(checksum: String, download: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| match (seen.method.as_str(), seen.uri.path().ends_with(NAME)) {
        ("GET", true) => download(),
        ("GET", false) => result(json!([description(&checksum)])),
        ("POST", _) => result(description(&checksum)),
        _ => result(json!(true)),
    })
}

fn url(fake: &Fake, path: &str) -> String {
    format!("qdrant://{}/{path}", fake.address)
}

fn native(fake: &Fake, cli: &Cli, arguments: &[&str]) -> Run {
    cli.run(&[arguments, &["--native", &fake.address]].concat())
}

#[test]
fn a_save_has_a_snapshot_made_fetches_it_and_removes_it() {
    let archive = points::collection();
    let sent = archive.clone();
    let fake = server(sha256(&archive), move || answer(200, sent.clone()));
    let cli = Cli::new().variable("QDRANT_API_KEY", "s3cret");
    let found = cli.run(&["save", &url(&fake, "two%20words%3F"), "--json"]).expect(0, "Saved and verified");
    let [file] = &cli.files()[..] else { panic!("{:?}", cli.files()) };
    assert!(file.starts_with("qdrant-two words?-") && file.ends_with("Z.snapshot"), "{file}");
    assert_eq!(std::fs::read(cli.path(file)).unwrap(), archive);
    assert_eq!((&found.json()["sha256"], &found.json()["index"]), (&json!(sha256(&archive)), &json!(null)));
    let below = "/collections/two%20words%3F/snapshots";
    let expected = [
        format!("POST {below}?wait=true"),
        format!("GET {below}/{NAME}"),
        format!("DELETE {below}/{NAME}?wait=true"),
    ];
    assert_eq!(fake.lines(), expected);
    assert!(fake.seen().iter().all(|seen| seen.header("api-key") == "s3cret"));
}

#[test]
fn a_save_that_fails_leaves_nothing_here_and_nothing_there() {
    let archive = points::collection();
    let check = |checksum: &str, download: fn() -> Response, code: i32, talk: &str| {
        let fake = server(checksum.to_owned(), download);
        let cli = Cli::new();
        cli.run(&["save", &url(&fake, "cities"), "a.snapshot"]).expect(code, talk);
        assert!(cli.files().is_empty(), "{:?}", cli.files());
        assert!(fake.lines().last().unwrap().starts_with("DELETE "), "{:?}", fake.lines());
    };
    check(&"0".repeat(64), || answer(200, points::collection()), 4, "the server promised 000");
    check(&sha256(&archive), || answer_cut(&points::collection()[..700]), 1, "cut off after 700 bytes");
    // Whole on the wire, and yet no archive.
    let half = &archive[..archive.len() / 2];
    let begin = || {
        let archive = points::collection();
        answer(200, archive[..archive.len() / 2].to_vec())
    };
    check(&sha256(half), begin, 4, "not a whole archive");
}

#[test]
fn an_interrupted_save_removes_what_the_server_made() {
    let fake = server("0".repeat(64), || {
        let begin = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"begin"))]);
        answer(200, Body::from_stream(begin.chain(stream::pending())))
    });
    let cli = Cli::new();
    let mut command = cli.command(&["save", &url(&fake, "cities"), "a.snapshot"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while fake.lines().len() < 2 {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    Run::from(child.wait_with_output().unwrap()).expect(130, "interrupted");
    assert!(fake.lines()[2].starts_with("DELETE "), "{:?}", fake.lines());
    assert!(cli.files().is_empty(), "{:?}", cli.files());
}

#[test]
fn a_shard_is_streamed_and_what_is_cut_is_noticed() {
    let check = |keep: fn(Vec<u8>) -> Vec<u8>, code: i32, talk: &str| {
        let fake = Fake::start(move |_| answer(200, keep(points::shard())));
        let cli = Cli::new();
        cli.run(&["save", &url(&fake, "cities/3"), "a.snapshot"]).expect(code, talk);
        assert_eq!(fake.lines(), ["GET /collections/cities/shards/3/snapshot"]);
        assert_eq!(cli.files().is_empty(), code != 0);
    };
    check(|archive| archive, 0, "Saved and verified");
    // A server that fails after it has begun can only stop; not even the mark at the end may be missing.
    check(|archive| archive[..archive.len() - 1024].to_vec(), 4, "not a whole archive");
}

#[test]
fn an_archive_goes_where_it_belongs() {
    let fake = Fake::start(|_| answer(200, points::shard()));
    let cli = Cli::new();
    cli.write("shard.snapshot", &points::shard());
    let wrong = native(&fake, &cli, &["save", "qdrant/cities", "a.snapshot"]);
    wrong.expect(1, "this is a snapshot of a shard, not a snapshot of a collection");
    native(&fake, &cli, &["restore", "shard.snapshot", "qdrant/cities", "--yes"])
        .expect(1, "hint: the scope for it is like `qdrant/COLLECTION/SHARD`");
    assert_eq!(fake.lines(), ["GET /v1/scopes/qdrant%2Fcities/archive"]);
}

#[test]
fn a_restore_uploads_the_archive_with_its_checksum() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.uri.path()) {
        ("POST", "/collections/cities/points/count") => result(json!({"count": 7})),
        _ => result(json!(true)),
    });
    let cli = Cli::new();
    let archive = points::collection();
    cli.write("a.snapshot", &archive);
    let target = url(&fake, "cities");
    let plan = cli.run(&["restore", "a.snapshot", &target, "--dry-run", "--json"]).expect(0, "");
    assert_eq!(plan.json()["current"]["points"], 7);
    cli.run(&["restore", "a.snapshot", &target, "--yes"]).expect(0, "Restored");
    let lines = fake.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    let query = format!("wait=true&priority=snapshot&checksum={}", sha256(&archive));
    assert_eq!(lines[2], format!("POST /collections/cities/snapshots/upload?{query}"));
    let upload: &Seen = &fake.seen()[2];
    let boundary = upload.header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = upload.body.to_vec();
    let begin = body.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&body[begin..begin + archive.len()], &archive[..]);
    assert_eq!(&body[begin + archive.len()..], format!("\r\n--{boundary}--\r\n").as_bytes());
    let head = String::from_utf8(body[..begin].to_vec()).unwrap();
    let (_, name) = head.split_once("name=\"snapshot\"; filename=\"").unwrap();
    let (name, _) = name.split_once('"').unwrap();
    // Genuine servers keep what was uploaded.
    assert_eq!(lines[3], format!("DELETE /collections/cities/snapshots/{name}?wait=true"));
}

#[test]
fn a_full_snapshot_is_not_for_a_running_genuine_server() {
    let fake = Fake::start(|_| result(json!(true)));
    let run = Cli::new().run(&["restore", "a.snapshot", &url(&fake, ""), "--yes"]);
    let run = run.expect(2, "--storage-snapshot FILE");
    assert!(
        run.stderr.contains("hint: ") && run.stderr.contains("`stillpoint restore FILE qdrant`"),
        "{run}"
    );
    assert!(fake.seen().is_empty());
}

#[test]
fn refusals_end_with_the_code_of_their_kind() {
    let check = |status: u16, body: fn(u16) -> Response, code: i32, talk: &str| {
        let fake = Fake::start(move |_| body(status));
        let cli = Cli::new();
        cli.write("a.snapshot", &points::collection());
        cli.run(&["restore", "a.snapshot", &url(&fake, "cities"), "--yes"]).expect(code, talk);
    };
    let missing = |status| refused(status, "Not found: Collection `cities` doesn't exist!");
    check(404, missing, 10, "error: Not found: Collection `cities` doesn't exist!");
    check(403, |status| refused(status, "Forbidden: Manage access is required"), 12, "error: Forbidden: ");
    check(401, |status| answer(status, "Invalid API key or JWT"), 12, "QDRANT_API_KEY");
    check(400, |status| refused(status, "Checksum mismatch: expected a, actual b"), 4, "mismatch");
    check(500, |status| refused(status, "Service internal error: no"), 1, "Service internal error: no");
}

#[test]
fn stored_snapshots_of_a_qdrant_server() {
    let archive = points::collection();
    let (sent, checksum) = (archive.clone(), sha256(&archive));
    let fake = server(checksum.clone(), move || answer(200, sent.clone()));
    let cli = Cli::new();
    let target = url(&fake, "cities");
    let run = |arguments: &[&str]| cli.run(arguments);
    assert!(run(&["list", &target]).expect(0, "").text().contains(&checksum));
    assert_eq!(run(&["create", &target]).expect(0, "Stored").text().trim(), NAME);
    run(&["download", &target, NAME]).expect(0, "Saved and verified");
    assert_eq!(std::fs::read(cli.path(NAME)).unwrap(), archive);
    run(&["download", &target, "other.snapshot"]).expect(10, "there is no snapshot");
    run(&["delete", &target, NAME]).expect(0, "Deleted");
    let below = "/collections/cities/snapshots";
    let expected = [
        format!("GET {below}"),
        format!("POST {below}?wait=true"),
        format!("GET {below}"),
        format!("GET {below}/{NAME}"),
        format!("GET {below}"),
        format!("DELETE {below}/{NAME}?wait=true"),
    ];
    assert_eq!(fake.lines(), expected);
    // What its API cannot do.
    run(&["create", &target, "mine"]).expect(2, "chooses the names of snapshots itself");
    run(&["upload", &target, "mine", NAME]).expect(2, "cannot store an archive without restoring it");
    run(&["undo", &target]).expect(2, "cannot undo a restore");
    run(&["save", &target, "--stale"]).expect(2, "--stale means nothing for a save of points");
    run(&["restore", NAME, &target, "--yes", "--keep-others"]).expect(2, "--keep-others means nothing");
    assert_eq!(fake.lines().len(), expected.len());
}

#[test]
fn points_of_our_own_server_go_through_the_native_api() {
    const IMAGE: &str = "018f0000-0000-7000-8000-000000000001";
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.uri.path()) {
        ("GET", "/v1/scopes/qdrant%2Fcities") => answer_json(
            200,
            json!({"scope": "qdrant/cities", "points": 9, "image": IMAGE, "last_snapshot_at": null,
                   "previous": {"image": IMAGE, "replaced_at": "2026-01-02T03:04:05Z",
                                "expires_at": "2026-01-03T03:04:05Z"}}),
        ),
        ("GET", _) => answer(200, points::collection()),
        ("POST", _) => answer_json(200, json!({"scope": "qdrant/cities", "index": 5, "image": IMAGE})),
        _ => answer_json(
            200,
            json!({"task": seen.header("stillpoint-task"), "scope": "qdrant/cities", "index": 4, "points": 9,
                   "bytes": 10}),
        ),
    });
    let cli = Cli::new();
    native(&fake, &cli, &["save", "qdrant/cities", "a.snapshot"]).expect(0, "Saved and verified");
    let restore = ["restore", "a.snapshot", "qdrant/cities", "--yes", "--json"];
    let restored = native(&fake, &cli, &restore).expect(0, "Restored qdrant/cities: 9 points");
    assert_eq!(restored.json()["points"], 9);
    native(&fake, &cli, &["undo", "qdrant/cities"]).expect(0, "undo again to redo");
    let archive = "/v1/scopes/qdrant%2Fcities/archive";
    let expected = [
        format!("GET {archive}"),
        "GET /v1/scopes/qdrant%2Fcities".to_owned(),
        format!("PUT {archive}?sha256={}", sha256(&points::collection())),
        "GET /v1/scopes/qdrant%2Fcities".to_owned(),
        format!("POST /v1/scopes/qdrant%2Fcities/undo?image={IMAGE}"),
    ];
    assert_eq!(fake.lines(), expected);
}
