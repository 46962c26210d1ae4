//! Two servers in two datacenters: what one is asked of the other, it passes on, and so it does with the answer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::thread;

use archive::testing::Builder;
use axum::http::HeaderName;
use axum::http::header::{CONNECTION, DATE};
use serde_json::{Value, json};
use support::http::{Answer, Http};
use support::server::Server;
use support::{Cli, Fake, Seen, answer, small};

const DC2: &str = "datacenter = \"dc2\"\n";

/// The configuration of a server in `dc1` that knows where `dc2` is.
fn knowing(dc2: &str) -> String {
    format!("[datacenters]\ndc2 = \"http://{dc2}\"\n")
}

/// A server in `dc1` and the one in `dc2` that it knows.
fn two() -> (Server, Server) {
    let far = Server::start(Cli::new(), DC2);
    let near = Server::start(Cli::new(), &knowing(&far.consul));
    (near, far)
}

fn saved(http: &Http, server: &Server) -> Vec<u8> {
    let answer = http.get(&format!("{}/v1/snapshot", server.consul));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Without what belongs to a moment or to a connection.
fn lasting(mut answer: Answer) -> Answer {
    let id = HeaderName::from_static("x-request-id");
    [DATE, CONNECTION, id].iter().for_each(|name| drop(answer.headers.remove(name)));
    answer
}

#[test]
fn a_save_and_a_restore_reach_the_other_server_alone() {
    let (near, far) = two();
    let http = Http::new();
    assert_eq!(http.send(&format!("PUT {}/v1/kv/k", near.consul), "near").text(), "true");
    assert_eq!(http.send(&format!("PUT {}/v1/kv/k?dc=dc2", near.consul), "far").text(), "true");
    let (of_near, of_far) = (saved(&http, &near), saved(&http, &far));
    assert_ne!(of_near, of_far);

    let through = http.get(&format!("{}/v1/snapshot?dc=dc2", near.consul));
    assert_eq!(lasting(through), lasting(http.get(&format!("{}/v1/snapshot", far.consul))));

    let archive = Builder::new(5).key("k", b"restored", 5).archive();
    let restored = http.send(&format!("PUT {}/v1/snapshot?dc=dc2", near.consul), archive);
    restored.check(200, "");
    http.get(&format!("{}/v1/kv/k?raw", far.consul)).check(200, "restored");
    assert_eq!(saved(&http, &near), of_near);

    // What was saved through one is restored through it, and is the same state again.
    http.send(&format!("PUT {}/v1/snapshot?dc=dc2", near.consul), of_far).check(200, "");
    http.get(&format!("{}/v1/kv/k?raw&dc=dc2", near.consul)).check(200, "far");
}

#[test]
fn the_cli_reaches_a_datacenter_by_name() {
    let (near, far) = two();
    let (cli, http) = (Cli::new(), Http::new());
    cli.write("a.snap", &small());
    let dc2 = format!("consul://{}?dc=dc2", near.consul);
    cli.run(&["restore", "a.snap", &dc2, "--yes"]).expect(0, "Restored");
    cli.run(&["save", &dc2, "b.snap"]).expect(0, "Saved and verified");
    assert_eq!(std::fs::read(cli.path("b.snap")).unwrap(), saved(&http, &far));
    assert_eq!(http.get(&format!("{}/v1/kv/?keys", near.consul)).text(), "[]");
    let dc3 = format!("consul://{}?dc=dc3", near.consul);
    cli.run(&["save", &dc3, "c.snap"]).expect(1, "No path to datacenter");
}

#[test]
fn keys_sessions_and_the_catalog_are_reached_too() {
    let (near, far) = two();
    let http = Http::new();
    let send = |request: &str, body: &Value| {
        let (method, path) = request.split_once(' ').unwrap();
        http.send(&format!("{method} {}{path}", near.consul), body.to_string())
    };
    let node = json!({"Node": "n", "Address": "10.0.0.1", "Service": {"Service": "web", "Port": 80}});
    send("PUT /v1/catalog/register?dc=dc2", &node).check(200, "true");
    let session = send("PUT /v1/session/create?dc=dc2", &json!({"Node": "n", "Checks": []})).json();
    let session = session["ID"].as_str().unwrap();
    let lock = format!("PUT /v1/kv/lock?dc=dc2&acquire={session}");
    send(&lock, &json!(1)).check(200, "true");
    let set = json!([{"KV": {"Verb": "set", "Key": "t", "Value": "dA=="}}]);
    assert_eq!(send("PUT /v1/txn?dc=dc2", &set).status, 200);

    let reads = [
        "/v1/kv/lock?",
        "/v1/kv/t?raw&",
        "/v1/session/list?",
        "/v1/catalog/nodes?",
        "/v1/catalog/service/web?pretty&",
        "/v1/health/service/web?",
        "/v1/status/leader?",
        "/v1/operator/raft/configuration?",
    ];
    for path in reads {
        let through = http.get(&format!("{}{path}dc=dc2", near.consul));
        assert_eq!(through.status, 200, "{path}");
        assert_eq!(lasting(through), lasting(http.get(&format!("{}{path}dc=dc2", far.consul))));
        let own = http.get(&format!("{}{path}dc=dc1", near.consul));
        assert_ne!(own.body, http.get(&format!("{}{path}dc=dc2", near.consul)).body, "{path}");
    }
}

#[test]
fn a_blocking_query_waits_for_a_change_over_there() {
    let (near, far) = two();
    let http = Http::new();
    http.send(&format!("PUT {}/v1/kv/k", far.consul), "1").check(200, "true");
    let url = format!("{}/v1/kv/k?raw&dc=dc2", near.consul);
    let index = http.get(&url).header("x-consul-index").to_owned();
    // One that nothing ends but its time.
    http.get(&format!("{url}&index={index}&wait=10ms")).check(200, "1");

    let query = format!("{url}&index={index}&wait=60s");
    let waiter = thread::spawn(move || Http::new().get(&query));
    // Nor does a change here.
    http.send(&format!("PUT {}/v1/kv/k", near.consul), "here").check(200, "true");
    http.send(&format!("PUT {}/v1/kv/k", far.consul), "2").check(200, "true");
    let answer = waiter.join().unwrap();
    answer.check(200, "2");
    assert!(answer.header("x-consul-index").parse::<u64>().unwrap() > index.parse().unwrap());
}

#[test]
fn refusals_arrive_as_they_were_made() {
    let far = Server::start(Cli::new(), &format!("{DC2}[limits]\nrestore_max_bytes = 100000\n"));
    let near = Server::start(Cli::new(), &knowing(&far.consul));
    let http = Http::new();
    let mut damaged = small();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let large = vec![0; 200_000];
    let table: [(&str, Vec<u8>, u16); 9] = [
        ("GET /v1/kv/missing?", vec![], 404),
        ("GET /v1/kv/?", vec![], 400),
        ("GET /v1/kv/k?index=x&", vec![], 400),
        ("GET /v1/kv/k?stale&consistent&", vec![], 400),
        ("PUT /v1/snapshot?stale&", small(), 500),
        ("PUT /v1/snapshot?", damaged, 500),
        ("PUT /v1/snapshot?", b"no archive".to_vec(), 500),
        ("PUT /v1/snapshot?", large, 413),
        ("PUT /v1/session/create?", b"no JSON".to_vec(), 400),
    ];
    for (request, body, status) in table {
        let (method, path) = request.split_once(' ').unwrap();
        let ask = |server: &Server| {
            let request = format!("{method} {}{path}dc=dc2", server.consul);
            lasting(http.send(&request, body.clone()))
        };
        let through = ask(&near);
        assert_eq!(through.status, status, "{request}: {through:?}");
        assert_eq!(through, ask(&far), "{request}");
    }
}

#[test]
fn a_token_and_a_foreign_refusal_pass_unchanged() {
    let far = Fake::start(|_| {
        let text = "Permission denied: token with AccessorID 'a' lacks permission 'acl:write'";
        let mut refusal = answer(403, text);
        refusal.headers_mut().insert("x-consul-default-acl-policy", "deny".parse().unwrap());
        refusal.headers_mut().insert("x-consul-index", "7".parse().unwrap());
        refusal
    });
    let near = Server::start(Cli::new(), &knowing(&far.address));
    let http = Http::new();
    let ask = |query: &str, headers: &[(&'static str, &str)]| {
        let refusal = http.send_with(&format!("PUT {}/v1/snapshot?dc=dc2{query}", near.consul), headers, "a");
        assert_eq!(refusal.status, 403);
        assert!(refusal.text().starts_with("Permission denied: token with"));
        let policy = refusal.headers.get_all("x-consul-default-acl-policy");
        assert_eq!(policy.iter().collect::<Vec<_>>(), ["deny"]);
        assert_eq!(refusal.header("x-consul-index"), "7");
    };
    ask("", &[("x-consul-token", "one")]);
    ask("", &[("authorization", "Bearer two")]);
    ask("&token=three", &[("x-consul-token", "one")]);
    ask("", &[]);
    let tokens: Vec<String> =
        far.seen().iter().map(|seen| seen.header("x-consul-token").to_owned()).collect();
    assert_eq!(tokens, ["one", "two", "three", ""]);
    // A URL is what ends up in logs.
    let lines: Vec<String> = far.seen().iter().map(Seen::line).collect();
    assert_eq!(lines, ["PUT /v1/snapshot?dc=dc2"; 4]);
}

#[test]
fn unknown_datacenters_and_circles_have_no_path() {
    let (mut near, mut far) = two();
    let http = Http::new();
    // Each believes that the third datacenter is where the other one is.
    near.restart(&format!("[datacenters]\ndc3 = \"http://{}\"\n", far.consul));
    far.restart(&format!("{DC2}[datacenters]\ndc3 = \"http://{}\"\n", near.consul));
    for server in [&near, &far] {
        for path in ["/v1/snapshot?dc=dc3", "/v1/kv/k?dc=dc3", "/v1/kv/k?dc=dc4"] {
            for method in ["GET", "PUT"] {
                let answer = http.send(&format!("{method} {}{path}", server.consul), "");
                answer.check(500, "No path to datacenter");
            }
        }
    }
}

#[test]
fn a_server_that_is_down_is_told_in_words_until_it_is_back() {
    let (near, mut far) = two();
    let http = Http::new();
    let url = format!("{}/v1/kv/k?raw&dc=dc2", near.consul);
    http.send(&format!("PUT {url}"), "kept").check(200, "true");
    far.kill();
    for request in ["GET /v1/snapshot", "PUT /v1/snapshot", "GET /v1/kv/k"] {
        let (method, path) = request.split_once(' ').unwrap();
        let answer = http.send(&format!("{method} {}{path}?dc=dc2", near.consul), small());
        assert_eq!(answer.status, 500);
        let expected = format!("forward to http://{}: ", far.consul);
        assert!(answer.text().starts_with(&expected) && answer.text().contains("refused"), "{answer:?}");
    }
    http.get(&format!("{}/v1/kv/?keys", near.consul)).check(200, "[]");
    far.restart(DC2);
    http.get(&url).check(200, "kept");
}
