//! `save` and `restore` against servers that speak Nomad's API, as far as it differs from Consul's.

mod support;

use archive::nomad::kinds;
use archive::testing::{Builder, map, raw};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256, Sha512};
use support::{Cli, Fake, answer, answer_archive, small};

fn nomad() -> Vec<u8> {
    Builder::of_nomad(7).record(kinds::NAMESPACE, map(&[("Name", raw(b"default"))])).archive()
}

/// The archive as a Nomad server sends it.
fn sent_with(archive: &[u8], digest: &str) -> Response {
    let mut response = answer_archive(archive);
    response.headers_mut().remove("x-consul-index");
    if !digest.is_empty() {
        response.headers_mut().insert("digest", digest.parse().expect("a valid header"));
    }
    response
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha-256={}", BASE64_STANDARD.encode(Sha256::digest(bytes)))
}

fn sha512(bytes: &[u8]) -> String {
    format!("sha-512={}", BASE64_STANDARD.encode(Sha512::digest(bytes)))
}

#[test]
fn save_asks_as_the_genuine_client_does() {
    let fake = Fake::start(|_| sent_with(&nomad(), &sha256(&nomad())));
    let cli = Cli::new().variable("NOMAD_TOKEN", "s3cret").variable("CONSUL_HTTP_TOKEN", "other");
    let url = format!("{}?region=eu", fake.nomad());
    let run = cli.run(&["save", &url, "a.snap", "--stale", "--json"]).expect(0, "to index 7");
    assert_eq!((run.json()["records"].as_u64(), run.json()["index"].as_u64()), (Some(1), Some(7)));
    assert_eq!(fake.lines(), ["GET /v1/operator/snapshot?region=eu&stale"]);
    let seen = &fake.seen()[0];
    assert_eq!((seen.header("x-nomad-token"), seen.header("x-consul-token")), ("s3cret", ""));
    assert_eq!(std::fs::read(cli.path("a.snap")).unwrap(), nomad());
}

#[test]
fn the_environment_names_server_and_region() {
    let fake = Fake::start(|_| sent_with(&nomad(), &sha512(&nomad())));
    let address = format!("http://{}", fake.address);
    let cli = Cli::new().variable("NOMAD_ADDR", address).variable("NOMAD_REGION", "asia");
    let run = cli.run(&["save", "nomad://"]).expect(0, "");
    assert!(run.text().starts_with("nomad-") && run.text().ends_with(".snap\n"), "{run}");
    assert_eq!(fake.lines(), ["GET /v1/operator/snapshot?region=asia"]);
}

#[test]
fn an_archive_without_a_good_digest_is_no_file() {
    let other = sha256(b"another archive");
    let table = [
        (String::new(), 1, "no Digest header"),
        ("md5=AAAA".to_owned(), 1, "neither sha-256"),
        ("sha-256=AAAA".to_owned(), 1, "neither sha-256"),
        (other, 4, "the server promised"),
        (sha512(b"another archive"), 4, "SHA-512"),
    ];
    for (digest, code, talk) in table {
        let fake = Fake::start(move |_| sent_with(&nomad(), &digest));
        let cli = Cli::new();
        cli.run(&["save", &fake.nomad(), "a.snap"]).expect(code, talk);
        assert_eq!(cli.files(), [""; 0], "{talk}");
    }
}

#[test]
fn a_restore_sends_the_archive_and_what_is_to_be_allowed() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    cli.write("a.snap", &nomad());
    cli.run(&["restore", "a.snap", &fake.nomad(), "--yes"]).expect(0, "1 records");
    cli.run(&["restore", "a.snap", &format!("{}?region=eu", fake.nomad()), "--yes", "--allow-missing-keys"])
        .expect(0, "");
    let lines = ["PUT /v1/operator/snapshot", "PUT /v1/operator/snapshot?region=eu&allow-missing-keys"];
    assert_eq!(fake.lines(), lines);
    assert_eq!(fake.seen()[0].body, nomad());
}

#[test]
fn an_archive_of_the_other_product_is_refused_before_anything_is_sent() {
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new();
    cli.write("consul.snap", &small());
    cli.write("nomad.snap", &nomad());
    let native = ["--native", &fake.address];
    for target in [&fake.nomad(), "nomad"] {
        cli.run(&[&["restore", "consul.snap", target, "--yes"], &native[..]].concat())
            .expect(1, "this is a snapshot of Consul, not of Nomad");
    }
    for target in [&fake.consul(), "consul"] {
        cli.run(&[&["restore", "nomad.snap", target, "--yes"], &native[..]].concat())
            .expect(1, "this is a snapshot of Nomad, not of Consul");
    }
    cli.run(&["upload", "nomad", "a", "consul.snap", "--native", &fake.address]).expect(1, "of Consul");
    cli.run(&["restore", "consul.snap", &fake.consul(), "--yes", "--allow-missing-keys"])
        .expect(2, "archives of Consul hold no keys");
    assert!(fake.seen().is_empty());
}

#[test]
fn a_saved_archive_of_the_other_product_is_no_file() {
    let fake = Fake::start(|_| sent_with(&small(), &sha256(&small())));
    let cli = Cli::new();
    cli.run(&["save", &fake.nomad(), "a.snap"]).expect(1, "this is a snapshot of Consul, not of Nomad");
    assert_eq!(cli.files(), [""; 0]);
}

#[test]
fn a_token_that_the_restore_would_lose_is_warned_of() {
    let token = map(&[("AccessorID", raw(b"1")), ("SecretID", raw(b"s3cret"))]);
    let holding = Builder::of_nomad(1).record(kinds::ACL_TOKEN, token).archive();
    let fake = Fake::start(|_| answer(200, ""));
    let cli = Cli::new().variable("NOMAD_TOKEN", "s3cret");
    cli.write("with.snap", &holding);
    cli.write("without.snap", &nomad());
    let warning = "the token in use is not in the archive";
    cli.run(&["restore", "without.snap", &fake.nomad(), "--dry-run"]).expect(0, warning);
    let run = cli.run(&["restore", "with.snap", &fake.nomad(), "--dry-run"]).expect(0, "");
    assert!(!run.stderr.contains(warning), "{run}");
}

#[test]
fn what_only_the_native_api_does_is_refused_in_words() {
    let url = "nomad://127.0.0.1:4646";
    let table: [&[&str]; 5] =
        [&["undo", url], &["list", url], &["create", url], &["download", url, "a"], &["delete", url, "a"]];
    for arguments in table {
        Cli::new().run(arguments).expect(2, "Nomad's API cannot");
    }
    Cli::new()
        .run(&["save", url, "a.snap", "--level", "6"])
        .expect(2, "Nomad's API has no compression level");
}

#[test]
fn unverified_certificates_are_warned_of() {
    for (variable, value, url) in [
        ("NOMAD_SKIP_VERIFY", "true", "nomad+https://127.0.0.1:1"),
        ("CONSUL_HTTP_SSL_VERIFY", "false", "consul+https://127.0.0.1:1"),
    ] {
        let cli = Cli::new().variable(variable, value);
        cli.run(&["save", url, "a.snap"]).expect(1, "warning: the environment says to take any certificate");
    }
    Cli::new().variable("NOMAD_SKIP_VERIFY", "maybe").run(&["save", "nomad://", "a.snap"]).expect(2, "maybe");
}

#[test]
fn the_scope_goes_through_the_native_api() {
    let fake = Fake::start(|request| match request.uri.path() {
        "/v1/scopes/nomad/archive" => sent_with(&nomad(), ""),
        _ => answer(404, ""),
    });
    let cli = Cli::new();
    cli.run(&["save", "nomad", "a.snap", "--native", &fake.address]).expect(0, "to index 7");
    cli.run(&["list", "nomad", "--native", &fake.address]).expect(10, "");
    cli.run(&["restore", "a.snap", "nomad", "--dry-run", "--allow-missing-keys", "--native", &fake.address])
        .expect(1, "");
    let archive = "/v1/scopes/nomad/archive";
    let lines = [
        format!("GET {archive}"),
        "GET /v1/scopes/nomad/snapshots".to_owned(),
        format!("PUT {archive}?allow_missing_keys=true&dry_run=true"),
    ];
    assert_eq!(fake.lines(), lines);
}
