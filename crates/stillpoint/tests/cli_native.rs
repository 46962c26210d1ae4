//! The commands that speak the native API, against a server that answers as `docs/api.md` says.

mod support;

use axum::response::Response;
use serde_json::{Value, json};
use support::{Cli, Fake, Run, Seen, answer, answer_archive, answer_cut, answer_json, small};

const IMAGE: &str = "0198c0de-0000-7000-8000-000000000001";
const TASK: &str = "0198c0de-0000-7000-8000-000000000002";

fn run(fake: &Fake, cli: &Cli, arguments: &[&str]) -> Run {
    cli.run(&[arguments, &["--native", &fake.address]].concat())
}

fn scope(previous: Value) -> Value {
    json!({"scope": "consul", "index": 8419, "floor": 8400, "image": IMAGE, "records": 1204, "bytes": 301222,
           "types": {"KVS": {"count": 1200, "bytes": 300000}}, "previous": previous, "last_snapshot_at": null})
}

fn previous() -> Value {
    json!({"image": IMAGE, "index": 8399, "replaced_at": "2026-01-02T03:04:05Z",
           "expires_at": "2026-01-03T03:04:05Z", "bytes": 52211})
}

fn restored(task: &str) -> Value {
    json!({"task": task, "scope": "consul", "index": 8420, "records": 3, "bytes": 230, "image": task,
           "warnings": ["mind the gap"]})
}

fn task(id: &str, state: &str, error: Value, result: Value) -> Value {
    json!({"id": id, "kind": "restore", "scope": "consul", "state": state, "step": "commit",
           "progress": {"done": 10, "total": 20}, "created_at": "2026-01-02T03:04:05Z",
           "updated_at": "2026-01-02T03:04:06Z", "ended_at": null, "error": error, "result": result})
}

fn error(status: u16, kind: &str, message: &str) -> Response {
    answer_json(status, json!({"error": {"kind": kind, "message": message, "hint": "some advice"}}))
}

fn status() -> Value {
    let member = json!({"id": 1, "name": "still-1", "address": "127.0.0.1:7400"});
    json!({"version": "0.1.0", "node": {"id": 1, "name": "still-1"}, "datacenter": "dc1", "role": "leader",
           "term": 2, "applied_index": 17, "last_log_index": 17, "leader": member, "voters": [member],
           "data_dir": "stillpoint-data", "disk_free_bytes": 1 << 30, "scopes": [scope(previous())]})
}

#[test]
fn save_uses_the_token_of_the_local_data_directory() {
    let fake = Fake::start(|_| {
        let mut response = answer_archive(&small());
        response.headers_mut().insert("stillpoint-index", "77".parse().unwrap());
        response.headers_mut().insert("stillpoint-warning", "half asleep".parse().unwrap());
        response
    });
    let cli = Cli::new();
    std::fs::create_dir(cli.path("stillpoint-data")).unwrap();
    cli.write("stillpoint-data/token", b"s3cret\n");
    let found = run(&fake, &cli, &["save", "consul", "a.snap", "--level", "6"]).expect(0, "to index 77");
    assert!(found.stderr.contains("warning: half asleep"), "{found}");
    assert_eq!(fake.lines(), ["GET /v1/scopes/consul/archive?level=6"]);
    assert_eq!(fake.seen()[0].header("authorization"), "Bearer s3cret");
}

#[test]
fn the_environment_and_a_file_name_tokens_too() {
    let fake = Fake::start(|_| answer_json(200, json!([])));
    let cli = Cli::new().variable("STILLPOINT_TOKEN", "from-env");
    cli.write("other", b"from-file");
    run(&fake, &cli, &["task", "list"]).expect(0, "");
    run(&fake, &cli, &["task", "list", "--token-file", "other"]).expect(0, "");
    run(&fake, &cli, &["task", "list", "--token-file", "nope"]).expect(2, "nope");
    let tokens: Vec<String> =
        fake.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(tokens, ["Bearer from-env", "Bearer from-file"]);
}

#[test]
fn without_a_token_the_hint_says_where_one_comes_from() {
    let fake =
        Fake::start(|_| answer_json(401, json!({"error": {"kind": "denied", "message": "who asks?"}})));
    run(&fake, &Cli::new(), &["task", "list"]).expect(12, "hint: --token-file");
}

#[test]
fn restore_names_its_task_and_says_how_to_undo() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "GET" => answer_json(200, scope(json!(null))),
        _ => answer_json(200, restored(seen.header("stillpoint-task"))),
    });
    let cli = Cli::new();
    cli.write("a.snap", &small());
    let found =
        run(&fake, &cli, &["restore", "a.snap", "consul", "--yes", "--json"]).expect(0, "stillpoint undo");
    let json = found.json();
    assert_eq!((json["index"].as_u64(), json["target"].as_str()), (Some(8420), Some("consul")));
    assert_eq!(fake.lines(), ["GET /v1/scopes/consul", "PUT /v1/scopes/consul/archive"]);
    let seen = fake.seen();
    assert_eq!(seen[1].body, small());
    assert_eq!(json["task"].as_str(), Some(seen[1].header("stillpoint-task")));
    assert!(found.stderr.contains("warning: mind the gap"), "{found}");
}

#[test]
fn a_restore_that_is_not_allowed_is_not_sent() {
    let fake = Fake::start(|_| error(403, "denied", "not yours"));
    let cli = Cli::new();
    cli.write("a.snap", &small());
    run(&fake, &cli, &["restore", "a.snap", "consul", "--yes"])
        .expect(12, "error: not yours\nhint: some advice");
    assert_eq!(fake.lines(), ["GET /v1/scopes/consul"]);
}

/// A restore whose answer is lost, and whose task answers with `task`.
fn restore_with_lost_answer(task: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Run {
    let fake = Fake::start(move |seen: &Seen| match (seen.method.as_str(), seen.uri.path()) {
        ("GET", "/v1/scopes/consul") => answer_json(200, scope(json!(null))),
        ("PUT", _) => answer_cut(b"{\"task\":"),
        (_, path) => task(path.trim_start_matches("/v1/tasks/")),
    });
    let cli = Cli::new();
    cli.write("a.snap", &small());
    run(&fake, &cli, &["restore", "a.snap", "consul", "--yes", "--json"])
}

#[test]
fn a_lost_answer_is_looked_up_in_the_task() {
    let run =
        restore_with_lost_answer(|id| answer_json(200, task(id, "succeeded", json!(null), restored(id))));
    assert_eq!(run.expect(0, "asking the server how the restore ended").json()["index"], 8420);
    let problem = json!({"kind": "corrupt", "message": "state.bin is not whole"});
    restore_with_lost_answer(move |id| answer_json(200, task(id, "failed", problem.clone(), json!(null))))
        .expect(4, "error: state.bin is not whole");
    restore_with_lost_answer(|_| error(404, "not_found", "no such task"))
        .expect(1, "error: the answer was cut off");
}

#[test]
fn a_dry_run_is_planned_by_the_server() {
    let fake = Fake::start(|_| {
        let types = json!({"KVS": {"count": 1, "bytes": 77}});
        answer_json(
            200,
            json!({"scope": "consul",
                   "current": {"index": 8419, "records": 1204, "bytes": 301222, "types": {}},
                   "archive": {"id": "2-62-1", "index": 62, "term": 2, "version": 1, "records": 109,
                               "bytes": 25469, "types": types},
                   "warnings": ["much would go"]}),
        )
    });
    let cli = Cli::new();
    cli.write("a.snap", &small());
    let arguments = ["restore", "a.snap", "consul", "--dry-run", "--allow-unknown-records"];
    let found = run(&fake, &cli, &arguments).expect(0, "warning: much would go");
    assert_eq!(fake.lines(), ["PUT /v1/scopes/consul/archive?allow_unknown_records=true&dry_run=true"]);
    let rows: Vec<Vec<&str>> = found.text().lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        rows.contains(&vec!["records", "1204", "109"]) && rows.contains(&vec!["KVS", "0", "1"]),
        "{found}"
    );
}

#[test]
fn undo_undoes_what_it_saw() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "GET" => answer_json(200, scope(previous())),
        _ => answer_json(200, json!({"scope": "consul", "index": 8421, "image": IMAGE})),
    });
    let found = run(&fake, &Cli::new(), &["undo", "consul", "--json"]).expect(0, "8421");
    assert_eq!(found.json()["index"], 8421);
    assert_eq!(fake.lines()[1], format!("POST /v1/scopes/consul/undo?image={IMAGE}"));
}

#[test]
fn nothing_to_undo_is_an_error() {
    let fake = Fake::start(|_| answer_json(200, scope(json!(null))));
    run(&fake, &Cli::new(), &["undo", "consul"]).expect(1, "there is nothing to undo");
}

#[test]
fn status_succeeds_only_if_the_node_serves() {
    let fake = Fake::start(|seen| match seen.uri.path() {
        "/health" => answer_json(200, json!({"status": "ok"})),
        _ => answer_json(200, status()),
    });
    let found = run(&fake, &Cli::new(), &["status"]).expect(0, "");
    assert!(found.text().contains("1 (still-1)") && found.text().contains("to index 8399"), "{found}");
    let json = run(&fake, &Cli::new(), &["status", "--json"]).json();
    assert_eq!((json["health"]["status"].as_str(), json["term"].as_u64()), (Some("ok"), Some(2)));

    let fake = Fake::start(|seen| match seen.uri.path() {
        "/health" => answer_json(503, json!({"status": "unavailable", "reason": "no leader"})),
        _ => answer_json(200, status()),
    });
    run(&fake, &Cli::new(), &["status"]).expect(1, "error: the node does not serve: no leader");
}

#[test]
fn tasks_are_listed_shown_and_cancelled() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.uri.path()) {
        ("GET", "/v1/tasks") => answer_json(200, json!([task(TASK, "running", json!(null), json!(null))])),
        ("GET", _) => answer_json(200, task(TASK, "running", json!(null), json!(null))),
        _ => answer(202, ""),
    });
    let found = run(&fake, &Cli::new(), &["task", "list"]).expect(0, "");
    assert!(found.text().contains(TASK) && found.text().contains("running"), "{found}");
    let found = run(&fake, &Cli::new(), &["task", "show", TASK]).expect(0, "");
    assert!(found.text().contains("10 of 20 bytes"), "{found}");
    run(&fake, &Cli::new(), &["task", "cancel", TASK]).expect(0, "Asked the server to cancel");
    assert_eq!(fake.lines()[2], format!("DELETE /v1/tasks/{TASK}"));
}

#[test]
fn what_is_not_there_ends_with_10() {
    let fake = Fake::start(|_| error(404, "not_found", "no such task"));
    run(&fake, &Cli::new(), &["task", "show", TASK]).expect(10, "error: no such task");
}

#[test]
fn something_else_on_the_port_is_called_that() {
    let fake = Fake::start(|_| answer(200, "<html>"));
    run(&fake, &Cli::new(), &["task", "list"]).expect(1, "not of this API");
}

#[test]
fn stored_snapshots_are_listed_made_sent_and_removed() {
    let entry = || {
        json!({"scope": "consul", "name": "nightly", "created_at": "2026-01-02T03:04:05Z", "size": 8421,
               "sha256": "00", "index": 8419, "records": 3, "status": "ready"})
    };
    let fake = Fake::start(move |seen| match seen.method.as_str() {
        "GET" => answer_json(200, json!([entry()])),
        "DELETE" => answer(204, ""),
        _ => answer_json(201, entry()),
    });
    let cli = Cli::new();
    cli.write("a.snap", &small());
    assert!(run(&fake, &cli, &["list", "consul"]).expect(0, "").text().contains("nightly"));
    run(&fake, &cli, &["create", "consul", "nightly"]).expect(0, "Stored");
    run(&fake, &cli, &["upload", "consul", "nightly", "a.snap"]).expect(0, "Stored");
    run(&fake, &cli, &["delete", "consul", "nightly"]).expect(0, "Deleted");
    let expected = [
        "GET /v1/scopes/consul/snapshots",
        "POST /v1/scopes/consul/snapshots",
        "PUT /v1/scopes/consul/snapshots/nightly",
        "DELETE /v1/scopes/consul/snapshots/nightly",
    ];
    assert_eq!(fake.lines(), expected);
    assert_eq!(fake.seen()[1].body, r#"{"name":"nightly"}"#);
    assert_eq!(fake.seen()[2].body, small());
}

#[test]
fn a_damaged_archive_is_not_stored() {
    let fake = Fake::start(|_| answer(500, ""));
    let cli = Cli::new();
    cli.write("a.snap", &small()[..100]);
    run(&fake, &cli, &["upload", "consul", "nightly", "a.snap"]).expect(4, "a.snap");
    assert!(fake.seen().is_empty());
}

#[test]
fn a_download_must_be_what_the_catalog_lists() {
    let fake = Fake::start(|_| {
        let mut response = answer(200, small());
        response.headers_mut().insert("stillpoint-sha256", "00ff".parse().unwrap());
        response
    });
    let cli = Cli::new();
    run(&fake, &cli, &["download", "consul", "nightly"]).expect(4, "the server promised 00ff");
    assert!(cli.files().is_empty());
    let fake = Fake::start(|_| answer(200, small()));
    run(&fake, &cli, &["download", "consul", "nightly"]).expect(0, "Saved and verified snapshot to index 7");
    assert_eq!(cli.files(), ["nightly.snap"]);
}
