//! The server with Qdrant's API: where it listens, with which keys, and what strangers need.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "qdrant")]

mod support;

use std::net::TcpListener;

use support::http::{Answer, Http};
use support::server::Server;
use support::{Cli, Run};
use tls::testing::Authority;

/// Off but for one listener, and nowhere to keep data: a server that may listen ends there.
fn run(cli: &Cli, configuration: &str, arguments: &[&str]) -> Run {
    cli.write("stillpoint.toml", format!("data_dir = \"/dev/null/data\"\n{configuration}").as_bytes());
    let alone =
        ["server", "--config", "stillpoint.toml", "--consul", "off", "--nomad", "off", "--native", "off"];
    cli.run(&[&alone, arguments].concat())
}

#[test]
fn keys_of_a_qdrant_server_hold_here() {
    let cli = Cli::new().variable("QDRANT__SERVICE__READ_ONLY_API_KEY", "reader");
    cli.write("config.yaml", b"service: {api_key: s3cret, read_only_api_key: unheard}\n");
    let server = Server::start_with(cli, "", &["--qdrant-config", "config.yaml"]);
    let http = Http::new();
    let send = |request: &str, headers: &[(&'static str, &str)]| -> (u16, String) {
        let (method, path) = request.split_once(' ').unwrap();
        let Answer { status, body, .. } =
            http.send_with(&format!("{method} {}{path}", server.qdrant), headers, "");
        (status, String::from_utf8(body).unwrap())
    };
    for open in ["/", "/healthz", "/livez", "/readyz"] {
        assert_eq!(send(&format!("GET {open}"), &[]).0, 200, "{open}");
    }
    let none = "Must provide an API key or an Authorization bearer token";
    for closed in ["/collections", "/metrics", "/telemetry", "/cluster", "/collections/c/points/1"] {
        assert_eq!(send(&format!("GET {closed}"), &[]), (401, none.to_owned()), "{closed}");
    }
    let invalid = (401, "Invalid API key or JWT".to_owned());
    assert_eq!(send("GET /collections", &[("api-key", "unheard")]), invalid);
    assert_eq!(send("GET /collections", &[("api-key", "reader")]).0, 200);
    assert_eq!(send("GET /collections", &[("authorization", "Bearer s3cret")]).0, 200);
    let (status, body) = send("DELETE /collections/c", &[("api-key", "reader")]);
    assert!(status == 403 && body.contains("Forbidden: Global manage access is required"), "{body}");
    assert_eq!(send("DELETE /collections/c", &[("api-key", "s3cret")]).0, 200);
}

#[test]
fn strangers_need_tls_and_a_key() {
    let authority = Authority::new("ca");
    let cli = Cli::new().variable("QDRANT__LOG_LEVEL", "DEBUG");
    authority.issue(&["127.0.0.1"]).serve(cli.directory.path(), &authority, false);
    cli.write("keys.yaml", b"service: {api_key: s3cret}\n");
    cli.write("tls.yaml", b"service: {api_key: s3cret, enable_tls: true}\n");
    cli.write("host.yaml", b"service: {host: 0.0.0.0, http_port: 0, grpc_port: null}\n");
    let tls = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    let rest = ["--qdrant", "0.0.0.0:0", "--qdrant-grpc", "off"];
    let grpc = ["--qdrant", "off", "--qdrant-grpc", "0.0.0.0:0"];
    let with = |arguments: &[&'static str], file| [arguments, &["--qdrant-config", file]].concat();
    run(&cli, "", &rest)
        .expect(2, "qdrant would listen on 0.0.0.0:0, beyond this machine, without TLS and an API key");
    run(&cli, "", &["--qdrant-config", "host.yaml"])
        .expect(2, "qdrant would listen on 0.0.0.0:0, beyond this machine");
    run(&cli, tls, &grpc)
        .expect(2, "qdrant-grpc would listen on 0.0.0.0:0, beyond this machine, without an API key");
    let keyless = run(&cli, "", &with(&grpc, "keys.yaml")).expect(2, "beyond this machine, without TLS\n");
    assert!(
        keyless.stderr.contains("hint: configure [tls]") && !keyless.stderr.contains("s3cret"),
        "{keyless}"
    );
    let unmet = run(&cli, "", &with(&grpc, "tls.yaml")).expect(2, "service.enable_tls asks for TLS");
    assert!(!unmet.stderr.contains("s3cret"), "{unmet}");
    // These may listen, and end where they would keep their data.
    let listened = run(&cli, tls, &with(&rest, "tls.yaml")).expect(12, "/dev/null/data");
    assert!(listened.stderr.contains("log_level"), "what is ignored is named: {listened}");
    run(&cli, "", &[&rest[..], &["--insecure"]].concat()).expect(12, "/dev/null/data");
}

#[test]
fn a_taken_address_is_told_with_its_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cli = Cli::new();
    let rest = run(&cli, "", &["--qdrant", &address, "--qdrant-grpc", "off"]);
    rest.expect(1, "(qdrant) is in use: pass --qdrant ADDR or --qdrant off");
    let grpc = run(&cli, "", &["--qdrant", "off", "--qdrant-grpc", &address]);
    grpc.expect(1, "(qdrant-grpc) is in use: pass --qdrant-grpc ADDR or --qdrant-grpc off");
}
