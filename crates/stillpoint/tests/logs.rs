//! What the server and the commands say while clients show them secrets in every place that there is: each
//! request is in the log by its id, no secret is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use archive::consul::kinds;
use archive::msgpack::Encoder;
use archive::testing::Builder;
use serde_json::Value;
use support::server::Server;
use support::{Cli, Fake, answer};
use tls::testing::Authority;

/// Every planted secret holds this, so that finding it in any form is finding a leak.
const CORE: &str = "7f3aPlanted9c";

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn secret(place: &str) -> String {
    format!("{place}-{CORE}-{place}")
}

/// A server whose every line is kept.
struct Logged {
    cli: Cli,
    child: Child,
    lines: Arc<(Mutex<String>, Condvar)>,
    consul: String,
    native: String,
}

impl Logged {
    fn start(cli: Cli, configuration: &str, arguments: &[&str]) -> Logged {
        let mut command = Server::command(&cli, configuration);
        let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (kept, stderr) = (Arc::clone(&lines), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n') {
                let mut text = kept.0.lock().unwrap();
                text.push_str(&String::from_utf8_lossy(&line.unwrap()));
                text.push('\n');
                kept.1.notify_all();
            }
        });
        let mut server = Logged { cli, child, lines, consul: String::new(), native: String::new() };
        server.consul = server.address("consul");
        server.native = server.address("native");
        server
    }

    /// Waits until a line holds all of these, and returns it.
    #[track_caller]
    fn hear(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.lines.0.lock().unwrap();
        loop {
            let found = text.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some(line) = found {
                return line.to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line with {parts:?} in:\n{text}");
            text = self.lines.1.wait_timeout(text, left).unwrap().0;
        }
    }

    fn address(&self, dialect: &str) -> String {
        let line = self.hear(&[dialect, "127.0.0.1:"]);
        match serde_json::from_str::<Value>(&line) {
            Ok(line) => line[dialect].as_str().unwrap().to_owned(),
            Err(_) => line.rsplit_once("//").unwrap().1.to_owned(),
        }
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.cli.path("stillpoint-data/token")).unwrap().trim().to_owned()
    }

    /// Asks it to stop and returns all that it ever said.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        // The reader ends with the pipe.
        while Arc::strong_count(&self.lines) > 1 {
            std::thread::yield_now();
        }
        self.lines.0.lock().unwrap().clone()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends bytes as they are and reads until the other side closes.
fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    // Whoever is refused may be cut off in the middle.
    let _ = stream.write_all(bytes).and_then(|()| stream.read_to_end(&mut answer).map(drop));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends bytes that are no request and no more, and waits until the other side has closed.
fn blurt(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whoever is refused may be cut off in the middle.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Asks and returns the status, or 0 if there was none, and the answer with its head.
fn ask(address: &str, request: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let mut head = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let answer = exchange(address, &[head.as_bytes(), b"\r\n", body].concat());
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

/// The secret in the forms in which a careless line could show it.
fn forms() -> Vec<String> {
    let bytes = CORE.as_bytes();
    let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![CORE.to_owned(), decimal.join(", "), hex.to_uppercase(), hex];
    // What base64 makes of it depends on where it begins; the letters at both ends on its neighbours.
    for shift in 0..3 {
        let encoded = base64(&[&vec![0; shift], bytes, &[0; 2]].concat());
        forms.push(encoded[4..16].to_owned());
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let number =
            three.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        (0..4).map(|at| char::from(LETTERS[number >> (18 - 6 * at) & 63])).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[track_caller]
fn assert_kept(text: &str, what: &str) {
    for form in forms() {
        let shown = text.lines().find(|line| line.contains(&form));
        assert!(shown.is_none(), "{what} shows a secret as {form}: {}", shown.unwrap_or_default());
    }
}

/// An archive whose values, tokens and sessions are secrets, and which is whole unless `twice`.
fn archive_of_secrets(twice: bool) -> Vec<u8> {
    let mut token = Encoder::new();
    token.map(1);
    token.raw("SecretID").raw(secret("legacy-token"));
    let token = token.into_bytes();
    let mut builder = Builder::new(7).key("app/plain", secret("archived-value").as_bytes(), 5);
    builder = builder.record(kinds::ACL_TOKEN, token.clone());
    if twice {
        builder = builder.record(kinds::ACL_TOKEN, token);
    }
    builder.archive()
}

/// Shows the server secrets in every place, in requests that succeed and that fail.
fn show_secrets(server: &Logged) {
    let (consul, native) = (server.consul.as_str(), server.native.as_str());
    let (header, bearer, wrong) = (secret("header"), format!("Bearer {}", secret("bearer")), secret("wrong"));
    let token = ("X-Consul-Token", header.as_str());
    let value = secret("value");
    let query = format!("token={}", secret("query"));
    let operator = format!("Bearer {}", server.token());
    let operator = ("Authorization", operator.as_str());

    // Values, and tokens in all three places.
    let put = format!("PUT /v1/kv/app/visible-key?{query}");
    let marked = [token, ("X-Request-Id", "visible-id")];
    assert_eq!(ask(consul, &put, &marked, value.as_bytes()).0, 200);
    assert_eq!(ask(consul, "GET /v1/kv/app/visible-key", &[("Authorization", &bearer)], b"").0, 200);
    assert_eq!(ask(consul, &format!("GET /v1/kv/none?recurse&{query}"), &[], b"").0, 404);
    let both = [token, ("Authorization", bearer.as_str())];
    for request in ["GET /v1/kv/app/visible-key?index=1&wait=1ms", "GET /v1/kv/a?index=x", "GET /v1/kv/a?%zz"]
    {
        ask(consul, &format!("{request}&{query}"), &both, b"");
    }
    // Bodies that are right, wrong, and no JSON at all.
    let kv = base64(value.as_bytes());
    for body in [
        format!(r#"[{{"KV":{{"Verb":"set","Key":"app/txn","Value":"{kv}"}}}}]"#),
        format!(r#"[{{"KV":{{"Verb":"cas","Key":"app/txn","Value":"{kv}","Index":1}}}}]"#),
        format!(r#"[{{"KV":{{"Verb":"{value}","Key":"app/txn"}}}}]"#),
        format!(r#"[{{"KV":"{value}"}}]"#),
        format!("{{{value}"),
    ] {
        ask(consul, &format!("PUT /v1/txn?{query}"), &both, body.as_bytes());
    }
    for path in ["session/create", "catalog/register", "catalog/deregister"] {
        for body in [
            format!(r#"{{"Name":"{value}","Node":"n","Address":"127.0.0.1","NodeMeta":{{"k":"{value}"}}}}"#),
            format!(r#"{{"TTL":"{value}","ID":"{value}"}}"#),
            format!("{{{value}"),
        ] {
            ask(consul, &format!("PUT /v1/{path}?{query}"), &both, body.as_bytes());
        }
    }
    // Endpoints that hold secrets in their paths, that are not there, that don't take the method.
    for request in ["PUT /v1/acl/destroy/", "GET /v1/acl/info/", "GET /v1/acl/token/", "PUT /v1/acl/token/"] {
        ask(consul, &format!("{request}{}?{query}", secret("path")), &both, value.as_bytes());
    }
    for request in ["GET /v1/nowhere", "POST /v1/kv/a", "PUT /v1/acl/bootstrap", "GET /v1/event/list"] {
        ask(consul, &format!("{request}?{query}"), &both, value.as_bytes());
    }
    // Other datacenters: one that fails with a secret in its answer, one that is not there.
    for datacenter in ["dc2", "dc3", "dc4"] {
        for request in ["GET /v1/kv/a", "PUT /v1/kv/a", "GET /v1/snapshot"] {
            ask(consul, &format!("{request}?dc={datacenter}&{query}"), &both, value.as_bytes());
        }
    }
    // Archives: whole, damaged in several ways, cut.
    let (whole, twice) = (archive_of_secrets(false), archive_of_secrets(true));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (body, status) in [(&whole[..], 200), (&twice, 500), (value.as_bytes(), 500), (&whole[..90], 500)] {
        let (answered, text) = ask(consul, &format!("PUT /v1/snapshot?{query}"), &both, body);
        assert_eq!(answered, status, "{text}");
        assert!(!text.contains(CORE), "{text}");
        ask(consul, &format!("PUT /v1/snapshot?{query}"), &[token, form], body);
        for request in ["PUT /v1/scopes/consul/archive", "PUT /v1/scopes/consul/archive?dry_run=true"] {
            ask(native, request, &[operator, token], body);
        }
        ask(native, "PUT /v1/scopes/consul/snapshots/first", &[operator], body);
    }
    assert_eq!(ask(consul, &format!("GET /v1/snapshot?{query}"), &both, b"").0, 200);
    let cut = format!("PUT /v1/snapshot?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{value}");
    TcpStream::connect(consul).unwrap().write_all(cut.as_bytes()).unwrap();
    // The native API: who has no token, what is misspelt.
    for authorization in
        [format!("Bearer {wrong}"), format!("Basic {}", base64(value.as_bytes())), wrong.clone()]
    {
        assert_eq!(ask(native, "GET /v1/status", &[("Authorization", &authorization)], b"").0, 401);
    }
    for request in ["GET /v1/status?token=", "PUT /v1/scopes/consul/archive?dry_rum=", "GET /v1/tasks?state="]
    {
        ask(native, &format!("{request}{}", secret("parameter")), &[operator], b"");
    }
    for request in ["POST /v1/scopes/consul/snapshots", "POST /v1/scopes/consul/undo", "GET /v1/status"] {
        ask(native, request, &[operator], format!(r#"{{"nam":"{value}"}}"#).as_bytes());
    }
    // What is no HTTP, or too much of it.
    let long = format!("X-Long: {}\r\n", secret("long").repeat(9000));
    for bytes in [
        format!("GET /\u{1} {value} HTTP/1.1\r\nX-Consul-Token: {value}\r\n\r\n"),
        format!("GET /v1/kv/a HTTP/1.1\r\nX Consul Token: {value}\r\n\r\n"),
        format!("GET /v1/kv/a HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{value}{value}"),
        value.clone(),
    ] {
        blurt(consul, bytes.as_bytes());
        blurt(native, bytes.as_bytes());
    }
}

/// A server as verbose as can be, shown every secret; returns all it said.
fn listen(arguments: &[&str], cli: Cli) -> String {
    let elsewhere = Fake::start(|_| {
        let mut response = answer(500, secret("answer"));
        response.headers_mut().insert("x-secret", secret("answer").parse().unwrap());
        response
    });
    let configuration = format!(
        "node_name = \"n\"\n[datacenters]\ndc2 = \"http://{}\"\ndc3 = \"http://127.0.0.1:1\"\n",
        elsewhere.address
    );
    let server = Logged::start(cli, &configuration, arguments);
    show_secrets(&server);
    let token = server.token();
    // Requests whose clients left are told when that was noticed.
    server.hear(&["restore", "cut"]);
    let log = server.stop();
    assert!(log.contains("visible-key") && log.contains("visible-id"), "what may be seen is seen: {log}");
    assert!(!log.contains(&token), "the operator's token is in the log");
    assert_kept(&log, "the log");
    log
}

#[test]
fn the_log_for_people_holds_no_secret() {
    let log = listen(&["--log-level", "trace"], Cli::new());
    let line = log.lines().find(|line| line.contains("visible-id") && line.contains("finished")).unwrap();
    for part in [
        "dialect=\"consul\"",
        "method=PUT",
        "path=/v1/kv/app/visible-key",
        "operation=\"write\"",
        "status=200",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn the_log_for_machines_holds_no_secret_and_every_line_is_an_object() {
    let log = listen(&["--log-format", "json", "--log-level", "debug"], Cli::new());
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |id: &str| {
        let id = id.to_owned();
        lines.iter().filter(move |line| line["spans"][0]["id"] == *id)
    };
    let finished = of("visible-id").find(|line| line["message"] == "request finished").unwrap();
    assert_eq!(finished["spans"][0]["path"], "/v1/kv/app/visible-key");
    assert_eq!((&finished["status"], &finished["outcome"]), (&200.into(), &"ok".into()));
    assert!(finished["duration_ms"].as_f64().unwrap() > 0.0);
    // What a request sets going carries its id, on whatever thread it runs.
    let failed = lines.iter().find(|line| line["message"] == "task failed").unwrap();
    let id = failed["spans"][0]["id"].as_str().unwrap();
    assert!(of(id).any(|line| line["message"] == "request finished" && line["level"] == "INFO"), "{failed}");
}

#[test]
fn the_libraries_keep_secrets_too() {
    listen(&[], Cli::new().variable("RUST_LOG", "trace").variable("RUST_BACKTRACE", "1"));
}

#[test]
fn a_line_that_shows_a_secret_in_any_form_is_found() {
    for shown in [
        format!("value={}", secret("value")),
        format!("{:?}", secret("value").as_bytes()),
        base64(secret("value").as_bytes()),
        base64(secret("value!").as_bytes()),
        base64(secret("value!!").as_bytes()),
    ] {
        let found = forms().iter().any(|form| shown.contains(form));
        assert!(found, "{shown}");
    }
}

#[test]
fn every_answer_carries_an_id() {
    let server = Logged::start(Cli::new(), "", &[]);
    for address in [&server.consul, &server.native] {
        for request in ["GET /v1/status/leader", "GET /nowhere", "PUT /v1/snapshot", "GET /health"] {
            let (_, answer) = ask(address, request, &[("X-Request-Id", "mine")], b"");
            assert!(answer.to_lowercase().contains("\r\nx-request-id: mine\r\n"), "{answer}");
            let (_, answer) = ask(address, request, &[("X-Request-Id", "not mine")], b"");
            assert!(answer.to_lowercase().contains("\r\nx-request-id: 0"), "{answer}");
        }
    }
}

#[test]
fn keys_of_certificates_are_kept() {
    let authority = Authority::new("ca");
    let cli = Cli::new();
    authority.issue(&["127.0.0.1"]).serve(cli.directory.path(), &authority, false);
    let configuration = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n";
    let key = std::fs::read_to_string(cli.path("key.pem")).unwrap();
    let lines: Vec<String> = key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect();
    let server = Logged::start(cli, configuration, &["--log-level", "trace"]);
    // A key that is broken is told of, not shown.
    server.cli.write("key.pem", key.replacen(&lines[0], &secret("key"), 1).as_bytes());
    blurt(&server.consul, secret("plain").as_bytes());
    blurt(&server.consul, format!("GET /{} HTTP/1.1\r\n\r\n", secret("plain")).as_bytes());
    let id = server.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    server.hear(&["the TLS certificates stay as they were"]);
    let log = server.stop();
    assert_kept(&log, "the log");
    assert!(lines.iter().all(|line| !log.contains(line.as_str())), "{log}");
}

#[test]
fn the_server_does_not_show_what_its_configuration_holds() {
    for configuration in [
        format!("[datacenters]\ndc2 = \"http://user:{}@127.0.0.1:1\"\n", secret("user")),
        format!("[datacenters]\ndc2 = 5 # {}\n", secret("comment")),
        format!("misspelt = \"{}\"\n", secret("misspelt")),
        format!("node_name = \"{}\n", secret("torn")),
    ] {
        let cli = Cli::new();
        let run = Server::command(&cli, &configuration).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{configuration}");
        assert_kept(&String::from_utf8_lossy(&run.stderr), "the refusal");
    }
}

#[test]
fn the_commands_keep_secrets() {
    let refusing = Fake::start(|seen| match seen.uri.path() {
        "/v1/status/leader" => answer(200, "\"127.0.0.1:8300\""),
        _ => answer(403, "Permission denied"),
    });
    let cli = Cli::new()
        .variable("CONSUL_HTTP_TOKEN", secret("variable"))
        .variable("STILLPOINT_TOKEN", secret("variable"))
        .variable("CONSUL_HTTP_AUTH", format!("user:{}", secret("variable")))
        .variable("RUST_LOG", "trace")
        .variable("RUST_BACKTRACE", "1");
    cli.write("whole.snap", &archive_of_secrets(false));
    cli.write("twice.snap", &archive_of_secrets(true));
    cli.write("token", secret("file").as_bytes());
    cli.write("torn", format!("{}\n{}", secret("file"), secret("file")).as_bytes());
    let (user, at) = (secret("user"), refusing.address.as_str());
    let open = format!("consul://{at}");
    let native = ["--native", at];
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut run = |arguments: &[&str]| runs.push(arguments.iter().map(|&a| a.to_owned()).collect());
    run(&["save", &open, "a.snap"]);
    run(&["restore", "whole.snap", &open, "--yes"]);
    run(&["restore", "twice.snap", &open, "--yes"]);
    run(&["verify", "twice.snap"]);
    run(&["verify", "whole.snap", "--json"]);
    run(&["inspect", "whole.snap", "--kv-details"]);
    for scheme in ["consul", "consul+https", "http", "ftp"] {
        run(&["save", &format!("{scheme}://user:{user}@{at}"), "a.snap"]);
        run(&["save", &format!("{scheme}://{at}?token={user}"), "a.snap"]);
    }
    for address in
        [format!("http://user:{user}@{at}"), format!("ftp://user:{user}@{at}"), format!("u:{user}@{at}")]
    {
        run(&["status", "--native", &address]);
    }
    for flag in ["--token", "-token", "--http-token"] {
        run(&["save", &open, "a.snap", flag, &user]);
        run(&["save", &open, "a.snap", &format!("{flag}={user}")]);
        run(&["status", flag, &user]);
    }
    for file in ["token", "torn"] {
        run(&[&["status", "--token-file", file][..], &native].concat());
        run(&[&["save", "consul", "b.snap", "--token-file", file][..], &native].concat());
    }
    run(&[&["restore", "whole.snap", "consul", "--yes"][..], &native].concat());
    for arguments in runs {
        let run = cli.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_kept(&run.stderr, &format!("{arguments:?}"));
        assert_kept(&String::from_utf8_lossy(&run.stdout), &format!("{arguments:?}"));
    }
    for address in [format!("http://user:{user}@{at}"), format!("ftp://u:{user}@{at}")] {
        let cli = Cli::new().variable("CONSUL_HTTP_ADDR", &address).variable("STILLPOINT_ADDR", &address);
        assert_kept(&cli.run(&["save", "consul://", "a.snap"]).stderr, &address);
        assert_kept(&cli.run(&["status"]).stderr, &address);
    }
}
