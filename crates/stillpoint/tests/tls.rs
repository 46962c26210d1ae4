//! The server and the commands over TLS: certificates of every sort, reloading, clients who stand still.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use support::server::Server;
use support::{Cli, Fake, Run, answer, small};
use tls::testing::{Authority, Issued};
use tls::{ClientConfig, Trust, client_config};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

const TLS: &str = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n";
/// Said in several ways: sometimes the connection has ended before the server's reason is read.
const CERTIFICATE: &str = "client certificate";
const LOCAL: &[&str] = &["127.0.0.1"];

/// A directory with a server's certificate files in it.
fn with(authority: &Authority, issued: &Issued) -> Cli {
    let cli = Cli::new();
    issued.serve(cli.directory.path(), authority, false);
    cli
}

/// A server with a certificate of this authority.
fn serve(authority: &Authority) -> Server {
    Server::start(with(authority, &authority.issue(LOCAL)), TLS)
}

/// Someone who knows this authority alone, by `ca.pem`.
fn knowing(authority: &Authority) -> Cli {
    let cli = Cli::new();
    cli.write("ca.pem", authority.pem().as_bytes());
    cli
}

fn status(cli: &Cli, server: &Server, arguments: &[&str]) -> Run {
    let url = format!("https://{}", server.native);
    let data_dir = server.data_dir();
    cli.run(
        &[&["status", "--native", &url, "--data-dir", &data_dir, "--ca-file", "ca.pem"], arguments].concat(),
    )
}

/// A connection over which nothing has been sent yet but a handshake.
fn connect(
    address: &str,
    mut config: ClientConfig,
    protocol: &[u8],
) -> StreamOwned<ClientConnection, TcpStream> {
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a good configuration");
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).expect("a handshake");
    }
    StreamOwned::new(connection, stream)
}

#[test]
fn arguments_name_the_authority() {
    let authority = Authority::new("ca");
    let server = serve(&authority);
    let cli = knowing(&authority);
    let url = format!("consul+https://{}", server.consul);
    cli.write("a.snap", &small());
    cli.run(&["restore", "a.snap", &url, "--yes", "--ca-file", "ca.pem"]).expect(0, "Restored");
    cli.run(&["save", &url, "b.snap", "--ca-file", "ca.pem"]).expect(0, "Saved and verified");
    assert_eq!(cli.run(&["verify", "b.snap", "--json"]).expect(0, "").json()["records"], 3);
    let json = status(&cli, &server, &["--json"]).expect(0, "").json();
    assert_eq!(json["role"], "leader");
    fs::create_dir(cli.path("cas")).unwrap();
    fs::rename(cli.path("ca.pem"), cli.path("cas/ca.pem")).unwrap();
    cli.run(&["save", &url, "c.snap", "--ca-path", "cas"]).expect(0, "Saved and verified");
}

#[test]
fn the_environment_names_everything_as_for_the_genuine_tools() {
    let authority = Authority::new("ca");
    let server = serve(&authority);
    let cli = knowing(&authority)
        .variable("CONSUL_HTTP_ADDR", &server.consul)
        .variable("CONSUL_HTTP_SSL", "true")
        .variable("CONSUL_CACERT", "ca.pem")
        .variable("STILLPOINT_ADDR", format!("https://{}", server.native))
        .variable("STILLPOINT_DATA_DIR", server.data_dir())
        .variable("STILLPOINT_CACERT", "ca.pem");
    cli.write("a.snap", &small());
    cli.run(&["restore", "a.snap", "consul://", "--yes"]).expect(0, "Restored");
    cli.run(&["save", "consul://", "b.snap"]).expect(0, "Saved and verified");
    cli.run(&["restore", "a.snap", "consul", "--yes"]).expect(0, "Restored");
    cli.run(&["save", "consul", "c.snap"]).expect(0, "Saved and verified");
    cli.run(&["status"]).expect(0, "");
    // An argument wins over the environment.
    cli.run(&["status", "--ca-file", "nowhere.pem"]).expect(2, "nowhere.pem cannot be read");
}

#[test]
fn servers_of_another_authority_are_refused_unless_nothing_is_verified() {
    let server = serve(&Authority::new("ca"));
    let stranger = knowing(&Authority::new("ca"));
    let run = status(&stranger, &server, &[]).expect(1, "is of no CA that is trusted");
    assert!(run.stderr.contains("hint: --ca-file"), "{run}");
    let url = format!("consul+https://{}", server.consul);
    stranger.run(&["save", &url, "a.snap", "--ca-file", "ca.pem"]).expect(1, "is of no CA that is trusted");
    assert_eq!(stranger.files(), ["ca.pem"]);
    let careless = stranger.variable("CONSUL_HTTP_SSL_VERIFY", "false");
    careless.run(&["save", &url, "a.snap"]).expect(0, "Saved and verified");
}

#[test]
fn a_server_is_asked_by_the_name_that_its_certificate_is_for() {
    let authority = Authority::new("ca");
    let server = Server::start(with(&authority, &authority.issue(&["server.dc1.consul"])), TLS);
    let cli = knowing(&authority);
    status(&cli, &server, &[]).expect(1, "not valid for name");
    status(&cli, &server, &["--tls-server-name", "server.dc1.consul"]).expect(0, "");
    status(&cli, &server, &["--tls-server-name", "server.dc2.consul"]).expect(1, "not valid for name");
    status(&cli, &server, &["--tls-server-name", "10.0.0.1"]).expect(2, "is not the name of a server");
}

#[test]
fn clients_without_a_good_certificate_are_kept_out_if_told_to() {
    let authority = Authority::new("ca");
    let tls = format!("{TLS}verify_incoming = true\n");
    let server = Server::start(with(&authority, &authority.issue(LOCAL)), &tls);
    let cli = knowing(&authority);
    status(&cli, &server, &[]).expect(1, CERTIFICATE);
    authority.issue(&["operator"]).write(cli.directory.path());
    let identity = ["--client-cert", "cert.pem", "--client-key", "key.pem"];
    status(&cli, &server, &identity).expect(0, "");
    status(&cli, &server, &identity[..2]).expect(2, "both client certificate and client key");
    let url = format!("consul+https://{}", server.consul);
    let save = ["save", &url, "a.snap", "--ca-file", "ca.pem"];
    cli.run(&save).expect(1, CERTIFICATE);
    let cli = cli.variable("CONSUL_CLIENT_CERT", "cert.pem").variable("CONSUL_CLIENT_KEY", "key.pem");
    cli.run(&save).expect(0, "Saved and verified");
    Authority::new("ca").issue(&["operator"]).write(cli.directory.path());
    status(&cli, &server, &identity).expect(1, CERTIFICATE);
}

#[test]
fn a_hangup_brings_new_certificates_into_force_while_connections_live_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut server = serve(&old);
    let config = client_config(&Trust::File(server.cli.path("ca.pem")), None).unwrap();
    let mut connection = connect(&server.native, config, b"http/1.1");
    status(&knowing(&old), &server, &[]).expect(0, "");

    new.issue(LOCAL).write(server.cli.directory.path());
    server.signal("-HUP");
    server.hear("the TLS certificates were read again");
    status(&knowing(&new), &server, &[]).expect(0, "");
    status(&knowing(&old), &server, &[]).expect(1, "is of no CA that is trusted");

    connection.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn new_certificates_come_into_force_without_being_told_of() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut server = serve(&old);
    new.issue(LOCAL).write(server.cli.directory.path());
    server.hear("the TLS certificates were read again");
    status(&knowing(&new), &server, &[]).expect(0, "");
}

#[test]
fn files_that_cannot_be_used_leave_the_old_ones_in_force() {
    let authority = Authority::new("ca");
    let mut server = serve(&authority);
    server.cli.write("key.pem", b"torn");
    server.signal("-HUP");
    let line = server.hear("the TLS certificates stay as they were");
    assert!(line.contains("key.pem holds no unencrypted private key"), "{line}");
    status(&knowing(&authority), &server, &[]).expect(0, "");
}

#[test]
fn without_tls_a_hangup_changes_nothing() {
    let mut server = Server::start(Cli::new(), "");
    server.signal("-HUP");
    server.hear("there are no certificates to reload");
    let data_dir = server.data_dir();
    Cli::new().run(&["status", "--native", &server.native, "--data-dir", &data_dir]).expect(0, "");
}

#[test]
fn who_stands_still_keeps_nobody_waiting() {
    let authority = Authority::new("ca");
    let server = serve(&authority);
    let silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&server.native).unwrap()).collect();
    for mut stream in &silent[..32] {
        // The beginning of a handshake of 512 bytes.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    }
    status(&knowing(&authority), &server, &[]).expect(0, "");
}

#[test]
fn http2_is_spoken_with_those_who_can() {
    let authority = Authority::new("ca");
    let server = serve(&authority);
    let config = client_config(&Trust::File(server.cli.path("ca.pem")), None).unwrap();
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let connection = connect(&server.consul, config.clone(), protocol);
        assert_eq!(connection.conn.alpn_protocol(), Some(protocol));
    }
}

#[test]
fn plain_and_tls_are_told_apart_in_words() {
    let server = serve(&Authority::new("ca"));
    let run = Cli::new().run(&["save", &format!("consul://{}", server.consul), "a.snap"]);
    run.expect(1, "Client sent an HTTP request to an HTTPS server.");
    let plain = Fake::start(|_| answer(200, ""));
    let run = Cli::new().variable("CONSUL_HTTP_SSL_VERIFY", "false").run(&[
        "save",
        &format!("consul+https://{}", plain.address),
        "a.snap",
    ]);
    run.expect(1, "the server does not speak TLS there");
}

#[test]
fn a_server_without_usable_certificates_does_not_start() {
    let authority = Authority::new("ca");
    let good = authority.issue(LOCAL);
    let expired = authority.issue_between(LOCAL, 2000, 2001);
    let mixed = Issued { cert: authority.issue(LOCAL).cert, key: good.key };
    let table = [
        (expired, "cert.pem expired at 2001-01-01T00:00:00Z"),
        (mixed, "the private key in key.pem does not belong to the certificate in cert.pem"),
        (Issued { cert: "nothing".into(), key: good.cert }, "cert.pem holds no certificate in PEM form"),
    ];
    for (issued, sentence) in table {
        let cli = with(&authority, &issued);
        let run: Run = Server::command(&cli, TLS).output().unwrap().into();
        let run = run.expect(1, sentence);
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        assert!(!cli.path("stillpoint-data").exists(), "nothing was touched");
    }
}

#[test]
fn strangers_are_served_over_tls_alone() {
    let authority = Authority::new("ca");
    let cli = with(&authority, &authority.issue(LOCAL));
    let run = |configuration: &str| -> Run {
        cli.write("stillpoint.toml", configuration.as_bytes());
        cli.run(&[
            "server",
            "--config",
            "stillpoint.toml",
            "--consul",
            "off",
            "--nomad",
            "off",
            "--qdrant",
            "off",
            "--qdrant-grpc",
            "off",
            "--native",
            "0.0.0.0:0",
        ])
    };
    let refused = run("data_dir = \"/dev/null/data\"").expect(2, "beyond this machine, without TLS");
    assert!(refused.stderr.contains("hint: configure [tls]"), "{refused}");
    // This one may listen, and ends where it would keep its data.
    let listened = run(&format!("data_dir = \"/dev/null/data\"\n{TLS}")).expect(12, "/dev/null/data");
    assert!(!listened.stderr.contains("TLS"), "{listened}");
}

/// A server in `dc1`, and one in `dc2` that it reaches over TLS and that asks for certificates if it is told to.
fn two(authority: &Authority, verify_incoming: &str) -> (Server, Server) {
    let cli = with(authority, &authority.issue(LOCAL));
    let far = Server::start(cli, &format!("datacenter = \"dc2\"\n{TLS}{verify_incoming}"));
    let datacenters = format!("{TLS}[datacenters]\ndc2 = \"https://{}\"\n", far.consul);
    (Server::start(with(authority, &authority.issue(LOCAL)), &datacenters), far)
}

const VERIFY: &str = "verify_incoming = true\n";

#[test]
fn other_datacenters_are_reached_over_tls() {
    let authority = Authority::new("ca");
    let (near, far) = two(&authority, "");
    let cli = knowing(&authority);
    cli.write("a.snap", &small());
    let url = format!("consul+https://{}?dc=dc2", near.consul);
    cli.run(&["restore", "a.snap", &url, "--yes", "--ca-file", "ca.pem"]).expect(0, "Restored");
    let saved = |server: &Server, datacenter: &str, file: &str| {
        let url = format!("consul+https://{}{datacenter}", server.consul);
        cli.run(&["save", &url, file, "--ca-file", "ca.pem"]).expect(0, "");
        fs::read(cli.path(file)).unwrap()
    };
    assert_eq!(saved(&near, "?dc=dc2", "through.snap"), saved(&far, "", "there.snap"));
    assert_eq!(cli.run(&["verify", "there.snap", "--json"]).json()["records"], 3);
}

#[test]
fn a_datacenter_that_asks_for_certificates_is_shown_our_own() {
    let authority = Authority::new("ca");
    let (near, far) = two(&authority, VERIFY);
    let cli = knowing(&authority);
    cli.write("a.snap", &small());
    let url = format!("consul+https://{}?dc=dc2", near.consul);
    cli.run(&["restore", "a.snap", &url, "--yes", "--ca-file", "ca.pem"]).expect(0, "Restored");
    cli.run(&["save", &url, "b.snap", "--ca-file", "ca.pem"]).expect(0, "Saved and verified");
    // Whoever is let in here needs no certificate there; whoever asks there does.
    let there = format!("consul+https://{}", far.consul);
    cli.run(&["save", &there, "c.snap", "--ca-file", "ca.pem"]).expect(1, CERTIFICATE);
}

#[test]
fn a_datacenter_that_does_not_know_our_authority_is_told_of_in_words() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (near, mut far) = two(&ours, VERIFY);
    theirs.issue(LOCAL).serve(far.cli.directory.path(), &theirs, true);
    far.signal("-HUP");
    far.hear("the TLS certificates were read again");
    let cli = knowing(&ours);
    let url = format!("consul+https://{}?dc=dc2", near.consul);
    let run = cli.run(&["save", &url, "a.snap", "--ca-file", "ca.pem"]);
    run.expect(1, &format!("forward to https://{}: the server's certificate is of no CA", far.consul));
    assert_eq!(cli.files(), ["ca.pem"]);
}

#[test]
fn other_datacenters_are_reached_with_new_certificates_once_there_are_any() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (mut near, mut far) = two(&old, VERIFY);
    for server in [&mut near, &mut far] {
        new.issue(LOCAL).serve(server.cli.directory.path(), &new, true);
        server.signal("-HUP");
        server.hear("the TLS certificates were read again");
    }
    let cli = knowing(&new);
    let url = format!("consul+https://{}?dc=dc2", near.consul);
    cli.run(&["save", &url, "a.snap", "--ca-file", "ca.pem"]).expect(0, "Saved and verified");
}
