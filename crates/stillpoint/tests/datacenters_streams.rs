//! Archives on their way through one server to another: nothing is held back, and what breaks off on one side
//! breaks off on the other. Guards against a cut archive that looks whole, and a cut restore that happens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use archive::testing::Builder;
use support::http::{Http, Upload};
use support::server::Server;
use support::{Cli, small};

const DC2: &str = "datacenter = \"dc2\"\n";
const MIB: usize = 1 << 20;

/// More than all sockets between two servers and a client hold together.
const MUCH_MIB: usize = 64;

fn near(dc2: &str) -> Server {
    Server::start(Cli::new(), &format!("[datacenters]\ndc2 = \"http://{dc2}\"\n"))
}

fn two() -> (Server, Server) {
    let far = Server::start(Cli::new(), DC2);
    (near(&far.consul), far)
}

/// An archive of so many keys of half a MiB each, which no compression makes smaller.
fn incompressible(mib: usize) -> Vec<u8> {
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut value = || -> Vec<u8> {
        let words = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()
        });
        words.take(MIB / 2 / 8).flatten().collect()
    };
    let builder = (0..2 * mib as u64)
        .fold(Builder::new(9000), |builder, n| builder.key(&format!("k{n:04}"), &value(), n + 1));
    builder.archive()
}

/// A server of which every byte is this test's own.
fn dc2() -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = near(&listener.local_addr().unwrap().to_string());
    (listener, near)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    // A test that hangs tells nothing.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Reads until this has come, and returns all that came.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn the_first_byte_of_a_save_arrives_before_the_last_is_made() {
    let (listener, near) = dc2();
    let http = Http::new();
    let server = std::thread::spawn(move || {
        let mut stream = accept(&listener);
        let head = read_until(&mut stream, "\r\n\r\n");
        assert!(head.starts_with("GET /v1/snapshot?dc=dc2 "), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
        stream
    });
    let mut answer = http.begin(&format!("GET {}/v1/snapshot?dc=dc2", near.consul), &[], "").unwrap();
    assert_eq!(http.next(&mut answer).unwrap().unwrap(), b"first");
    let mut stream = server.join().unwrap();
    stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").unwrap();
    assert_eq!(http.next(&mut answer).unwrap().unwrap(), b"last");
    assert_eq!(http.next(&mut answer).unwrap(), None);
}

#[test]
fn the_first_byte_of_a_restore_arrives_before_the_last_is_sent() {
    let (listener, near) = dc2();
    let mut upload = Upload::begin(&near.consul, "/v1/snapshot?dc=dc2");
    upload.send(b"first").unwrap();
    let mut stream = accept(&listener);
    let seen = read_until(&mut stream, "first");
    assert!(seen.starts_with("PUT /v1/snapshot?dc=dc2 "), "{seen}");
    upload.send(b"last").unwrap();
    read_until(&mut stream, "last");
    let server = std::thread::spawn(move || {
        read_until(&mut stream, "\r\n0\r\n\r\n");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    assert!(upload.finish().unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    server.join().unwrap();
}

#[test]
fn an_upload_that_its_client_cuts_restores_nothing() {
    let (near, far) = two();
    let http = Http::new();
    http.send(&format!("PUT {}/v1/kv/k", far.consul), "before").check(200, "true");
    let archive = small();
    // The second one lacks nothing but the end of its body.
    for bytes in [&archive[..archive.len() / 2], &archive] {
        let mut upload = Upload::begin(&near.consul, "/v1/snapshot?dc=dc2");
        upload.send(bytes).unwrap();
        await_restore(&far, "running");
        upload.cut();
        let error = await_restore(&far, "failed");
        assert!(error.contains("broke off"), "{error}");
        http.get(&format!("{}/v1/kv/k?raw", far.consul)).check(200, "before");
    }
    http.send(&format!("PUT {}/v1/snapshot?dc=dc2", near.consul), archive).check(200, "");
    http.get(&format!("{}/v1/kv/k?raw", far.consul)).check(404, "");
}

/// Waits until the latest restore of a server is in this state, and returns its error, if it has one.
fn await_restore(server: &Server, state: &str) -> String {
    let arguments = ["task", "list", "--native", &server.native, "--data-dir", &server.data_dir(), "--json"];
    for _ in 0..2000 {
        let tasks = server.cli.run(&arguments).expect(0, "").json();
        let restores = tasks.as_array().unwrap().iter().filter(|task| task["kind"] == "restore");
        let latest = restores.max_by_key(|task| task["id"].to_string());
        if let Some(task) = latest.filter(|task| task["state"] == state) {
            return task["error"]["message"].to_string();
        }
    }
    panic!("no restore is {state}");
}

#[test]
fn a_server_that_dies_in_a_save_breaks_it_off() {
    let (near, mut far) = two();
    let http = Http::new();
    http.send(&format!("PUT {}/v1/snapshot", far.consul), incompressible(MUCH_MIB)).check(200, "");
    let mut answer = http.begin(&format!("GET {}/v1/snapshot?dc=dc2", near.consul), &[], "").unwrap();
    assert_eq!(answer.status(), 200);
    assert!(http.next(&mut answer).unwrap().is_some());
    far.kill();
    let cut = loop {
        match http.next(&mut answer) {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(cut.is_some(), "it looks complete");
    http.get(&format!("{}/v1/kv/?keys", near.consul)).check(200, "[]");
}

#[test]
fn a_server_that_dies_in_a_restore_stays_as_it_was() {
    let (near, mut far) = two();
    let http = Http::new();
    http.send(&format!("PUT {}/v1/kv/k?dc=dc2", near.consul), "before").check(200, "true");
    let archive = incompressible(MUCH_MIB);
    let (first, rest) = archive.split_at(archive.len() / 2);
    let mut upload = Upload::begin(&near.consul, "/v1/snapshot?dc=dc2");
    upload.send(first).unwrap();
    await_restore(&far, "running");
    far.kill();
    upload.send(rest).unwrap();
    let answer = upload.finish().unwrap();
    let expected = format!("forward to http://{}: ", far.consul);
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(&expected), "{answer}");
    far.restart(DC2);
    http.get(&format!("{}/v1/kv/k?raw&dc=dc2", near.consul)).check(200, "before");
    http.send(&format!("PUT {}/v1/snapshot?dc=dc2", near.consul), archive).check(200, "");
}

#[test]
fn a_refusal_reaches_who_is_still_sending() {
    let far = Server::start(Cli::new(), &format!("{DC2}[limits]\nrestore_max_bytes = 100000\n"));
    let near = near(&far.consul);
    for (server, query) in [(&far, ""), (&near, "?dc=dc2")] {
        // One that listens only once it has said everything, as many do.
        let mut upload = Upload::begin(&server.consul, &format!("/v1/snapshot{query}"));
        (0..MUCH_MIB).for_each(|_| upload.send(&[0; MIB]).unwrap());
        let answer = upload.finish().unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("is larger than 100000 bytes (restore_max_bytes)"), "{answer}");
    }
}

#[test]
fn large_archives_pass_in_little_memory() {
    const GROWTH_KIB_MAX: u64 = 48 << 10;
    let (near, _far) = two();
    let Some(idle) = resident_kib(&near) else {
        eprintln!("skipped: there is no /proc that tells a process's memory");
        return;
    };
    let http = Http::new();
    let archive = incompressible(200);
    let bytes = archive.len();
    assert!(bytes > 200 * MIB);
    http.send(&format!("PUT {}/v1/snapshot?dc=dc2", near.consul), archive).check(200, "");
    let restored = resident_kib(&near).unwrap();
    let mut answer = http.begin(&format!("GET {}/v1/snapshot?dc=dc2", near.consul), &[], "").unwrap();
    let mut received = 0;
    while let Some(chunk) = http.next(&mut answer).unwrap() {
        received += chunk.len();
    }
    assert!(received > 200 * MIB);
    let saved = resident_kib(&near).unwrap();
    println!("KiB at idle {idle}, at most {restored} until restored, {saved} until saved, of {bytes} bytes");
    assert!(saved - idle < GROWTH_KIB_MAX, "{saved} KiB after {idle}");
}

/// The most memory that a server has had, in KiB, where the system tells.
fn resident_kib(server: &Server) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
