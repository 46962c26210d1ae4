//! Saving from and restoring to a server that speaks Consul's API.

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use archive::consul::kinds;
use archive::testing::{Builder, map, raw};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use support::{Cli, Fake, answer, answer_archive, answer_cut, small};

#[test]
fn save_leaves_a_verified_file_for_this_user_alone() {
    let fake = Fake::start(|_| answer_archive(&small()));
    let cli = Cli::new().variable("CONSUL_HTTP_TOKEN", "s3cret");
    let url = format!("{}?dc=dc2", fake.consul());
    let run =
        cli.run(&["save", &url, "a.snap", "--stale"]).expect(0, "Saved and verified snapshot to index 8419");
    assert_eq!(run.text(), "a.snap\n");
    assert_eq!(std::fs::read(cli.path("a.snap")).unwrap(), small());
    assert_eq!(cli.files(), ["a.snap"]);
    assert_eq!(std::fs::metadata(cli.path("a.snap")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fake.lines(), ["GET /v1/snapshot?dc=dc2&stale"]);
    assert_eq!(fake.seen()[0].header("x-consul-token"), "s3cret");
    assert!(!run.stderr.contains("s3cret"));
}

#[test]
fn save_finds_the_server_and_a_name_by_itself() {
    let fake = Fake::start(|_| answer_archive(&small()));
    let cli = Cli::new().variable("CONSUL_HTTP_ADDR", format!("http://{}", fake.address));
    let json = cli.run(&["save", "consul://", "--json"]).expect(0, "").json();
    let files = cli.files();
    assert!(files[0].starts_with("consul-2") && files[0].ends_with("Z.snap"), "{files:?}");
    assert_eq!(json["file"], files[0].as_str());
    assert_eq!((json["index"].as_u64(), json["records"].as_u64()), (Some(8419), Some(3)));
    assert_eq!(json["bytes"].as_u64(), Some(small().len() as u64));
}

#[test]
fn save_never_replaces_a_file_unless_told_to() {
    let fake = Fake::start(|_| answer_archive(&small()));
    let cli = Cli::new();
    cli.write("a.snap", b"old");
    cli.run(&["save", &fake.consul(), "a.snap"]).expect(1, "hint: --force");
    assert_eq!(std::fs::read(cli.path("a.snap")).unwrap(), b"old");
    assert!(fake.seen().is_empty(), "nobody is asked for what has no place to go");
    cli.run(&["save", &fake.consul(), "a.snap", "--force"]).expect(0, "");
    assert_eq!(std::fs::read(cli.path("a.snap")).unwrap(), small());
}

#[test]
fn a_cut_stream_leaves_no_file() {
    // Cut before the end, and cut when all but the end of the stream had come.
    for length in [100, small().len()] {
        let fake = Fake::start(move |_| answer_cut(&small()[..length]));
        let cli = Cli::new();
        cli.run(&["save", &fake.consul(), "a.snap"]).expect(1, "cut off after");
        assert!(cli.files().is_empty(), "{:?}", cli.files());
        cli.run(&["save", &fake.consul(), "-"]).expect(1, "cut off after");
    }
}

#[test]
fn a_damaged_archive_leaves_no_file() {
    let mut damaged = small();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for bytes in [damaged, small()[..50].to_vec(), Vec::new()] {
        let fake = Fake::start(move |_| answer_archive(&bytes));
        let cli = Cli::new();
        cli.run(&["save", &fake.consul(), "a.snap"]).expect(4, "not a whole archive");
        assert!(cli.files().is_empty(), "{:?}", cli.files());
        cli.run(&["save", &fake.consul(), "-"]).expect(4, "not a whole archive");
    }
}

#[test]
fn save_to_stdout_is_the_archive_and_nothing_else() {
    let fake = Fake::start(|_| answer_archive(&small()));
    let run = Cli::new().run(&["save", &fake.consul(), "-"]).expect(0, "Saved and verified");
    assert_eq!(run.stdout, small());
    Cli::new().run(&["save", &fake.consul(), "-", "--json"]).expect(2, "stdout");
}

#[test]
fn an_archive_that_nobody_took_was_not_saved() {
    let fake = Fake::start(|_| answer_archive(&small()));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let cli = Cli::new();
    let mut command = cli.command(&["save", &fake.consul(), "-"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn an_interrupted_save_leaves_no_file() {
    let (reached, reaching) = mpsc::channel();
    let fake = Fake::start(move |_| {
        let reached = reached.clone();
        let begin = stream::once(async { Ok::<_, std::io::Error>(Bytes::from(small()[..100].to_vec())) });
        let forever = stream::once(async move {
            reached.send(()).unwrap();
            std::future::pending().await
        });
        answer(200, Body::from_stream(begin.chain(forever)))
    });
    let cli = Cli::new();
    let mut command = cli.command(&["save", &fake.consul(), "a.snap"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    reaching.recv().unwrap();
    assert!(cli.files()[0].ends_with(".partial"), "{:?}", cli.files());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run: support::Run = child.wait_with_output().unwrap().into();
    run.expect(130, "error: interrupted");
    assert!(cli.files().is_empty(), "{:?}", cli.files());
}

#[test]
fn what_the_server_says_is_passed_on() {
    let table = [
        (403, "Permission denied: anonymous token lacks permission 'acl:write'.", 12),
        (403, "ACL not found", 12),
        (500, "No path to datacenter", 1),
        (500, "No cluster leader", 1),
        (429, "RPC rate limit exceeded", 1),
    ];
    for (status, text, code) in table {
        let fake = Fake::start(move |_| answer(status, text));
        let cli = Cli::new();
        cli.run(&["save", &fake.consul(), "a.snap"]).expect(code, &format!("error: {text}\n"));
        assert!(cli.files().is_empty());
        cli.write("b.snap", &small());
        cli.run(&["restore", "b.snap", &fake.consul(), "--yes"]).expect(code, &format!("error: {text}\n"));
    }
}

#[test]
fn nobody_there_is_one_sentence() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Cli::new().run(&["save", &format!("consul://{free}"), "a.snap"]).expect(1, "cannot be reached");
    assert!(run.stderr.contains("refused") && run.stderr.lines().count() == 1, "{run}");
}

#[test]
fn settings_that_cannot_be_meant_are_refused_in_words() {
    let table = [
        ("CONSUL_HTTP_ADDR", "unix:///run/consul.sock", "Unix sockets are not supported"),
        ("CONSUL_HTTP_SSL", "maybe", "CONSUL_HTTP_SSL=maybe is neither true nor false"),
        ("CONSUL_HTTP_SSL_VERIFY", "maybe", "CONSUL_HTTP_SSL_VERIFY=maybe is neither true nor false"),
    ];
    for (name, value, text) in table {
        let cli = Cli::new().variable(name, value);
        cli.run(&["save", "consul://", "a.snap"]).expect(2, text);
        assert!(cli.files().is_empty());
    }
}

#[test]
fn restore_sends_the_archive_as_it_is() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    cli.write("token", b"s3cret\n");
    let cli = cli.variable("CONSUL_HTTP_TOKEN_FILE", "token");
    cli.write("a.snap", &small());
    let url = format!("{}?dc=dc2", fake.consul());
    let json = cli.run(&["restore", "a.snap", &url, "--yes", "--json"]).expect(0, "Restored").json();
    assert_eq!(json["records"], 3);
    let seen = fake.seen();
    assert_eq!((fake.lines(), seen[0].body.as_ref()), (vec!["PUT /v1/snapshot?dc=dc2".into()], &small()[..]));
    assert_eq!(seen[0].header("x-consul-token"), "s3cret");
    assert_eq!(seen[0].header("content-length"), small().len().to_string());
}

#[test]
fn restore_takes_stdin() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    let mut command = cli.command(&["restore", "-", &fake.consul(), "--yes"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&small()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fake.seen()[0].body, small());
}

#[test]
fn a_restore_that_cannot_be_right_never_reaches_the_server() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    let mut damaged = small();
    damaged.truncate(small().len() - 4);
    cli.write("damaged.snap", &damaged);
    cli.write("whole.snap", &small());
    cli.run(&["restore", "damaged.snap", &fake.consul(), "--yes"]).expect(4, "damaged.snap");
    cli.run(&["restore", "whole.snap", &fake.consul()]).expect(2, "hint: --yes");
    cli.run(&["restore", "nope.snap", &fake.consul(), "--yes"]).expect(10, "nope.snap");
    assert!(fake.seen().is_empty());
}

#[test]
fn a_dry_run_shows_the_plan_and_touches_nothing() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    cli.write("a.snap", &small());
    let json = cli.run(&["restore", "a.snap", &fake.consul(), "--dry-run", "--json"]).expect(0, "").json();
    assert_eq!(
        (json["current"].is_null(), json["archive"]["types"]["KVS"]["count"].as_u64()),
        (true, Some(3))
    );
    let run = cli.run(&["restore", "a.snap", &fake.consul(), "--dry-run"]).expect(0, "");
    assert!(run.text().lines().any(|line| line.starts_with("KVS") && line.contains("unknown")), "{run}");
    assert!(fake.seen().is_empty());
}

#[test]
fn a_token_that_the_restore_would_lose_is_warned_of() {
    let token = [("AccessorID", raw(b"1")), ("SecretID", raw(b"s3cret"))];
    let holding = Builder::new(1).record(kinds::ACL_TOKEN, map(&token)).archive();
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new().variable("CONSUL_HTTP_TOKEN", "s3cret");
    cli.write("with.snap", &holding);
    cli.write("without.snap", &small());
    let warning = "the token in use is not in the archive";
    cli.run(&["restore", "without.snap", &fake.consul(), "--dry-run"]).expect(0, warning);
    let run = cli.run(&["restore", "with.snap", &fake.consul(), "--dry-run"]).expect(0, "");
    assert!(!run.stderr.contains(warning), "{run}");
}

#[test]
fn undo_and_stored_snapshots_are_refused_in_words() {
    let url = "consul://127.0.0.1:8500";
    let table: [&[&str]; 5] =
        [&["undo", url], &["list", url], &["create", url], &["download", url, "a"], &["delete", url, "a"]];
    for arguments in table {
        Cli::new().run(arguments).expect(2, "Consul's API cannot");
    }
}

#[test]
fn a_server_that_answers_before_the_upload_ends_is_heard() {
    // A raw socket: it reads the head alone, refuses, and closes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("consul://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = [0; 16];
        connection.read_exact(&mut head).unwrap();
        connection.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied").unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        // Until the client hangs up, so that the answer is not lost to a reset.
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
    });
    let cli = Cli::new();
    cli.write("a.snap", &Builder::new(1).key("big", &incompressible(400_000), 1).archive());
    cli.run(&["restore", "a.snap", &url, "--yes"]).expect(12, "error: denied");
    server.join().unwrap();
}

/// Bytes that gzip cannot shrink, from a small generator of fixed seed.
fn incompressible(length: usize) -> Vec<u8> {
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((*state >> 56) as u8)
    };
    std::iter::repeat(()).scan(1u64, |state, ()| next(state)).take(length).collect()
}
