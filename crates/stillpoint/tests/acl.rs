//! The server with access control on: what it starts with, what a restart and a restore leave of it, and who may
//! be a stranger.

mod support;

use std::fs;

use archive::testing::Builder;
use support::server::Server;
use support::{Cli, Run, genuine, small};
use tls::testing::Authority;

const ROOT: &str = "5ec2e700-0000-4000-8000-000000000001";
const OTHER: &str = "5ec2e700-0000-4000-8000-000000000002";
const DENY: &str = "[acl]\nenabled = true\ndefault_policy = \"deny\"\n";
const NOT_FOUND: &str = "error: ACL not found";
const DENIED: &str = "error: Permission denied: anonymous token lacks permission 'acl:write'";

/// `[acl]` with the operator's own token.
fn with_root() -> String {
    format!("{DENY}initial_management = \"{ROOT}\"\n")
}

/// Someone who has this token, or none.
fn bearer(token: &str) -> Cli {
    Cli::new().variable("CONSUL_HTTP_TOKEN", token)
}

fn save(cli: &Cli, server: &Server) -> Run {
    cli.run(&["save", &format!("consul://{}", server.consul), "a.snap", "--force"])
}

fn restore(cli: &Cli, server: &Server, file: &str, arguments: &[&str]) -> Run {
    cli.run(&[&["restore", file, &format!("consul://{}", server.consul)], arguments].concat())
}

/// With the operator's token of the native API.
fn restore_natively(server: &Server, archive: &[u8], arguments: &[&str]) -> Run {
    server.cli.write("native.snap", archive);
    let data_dir = server.data_dir();
    let all = ["restore", "native.snap", "consul", "--native", &server.native, "--data-dir", &data_dir];
    server.cli.run(&[&all, arguments].concat())
}

fn again(server: Server, configuration: &str) -> Server {
    Server::start(server.stop(), configuration)
}

#[test]
fn the_initial_management_token_works_from_the_first_request_and_after_a_restart() {
    let mut server = Server::start(Cli::new(), &with_root());
    save(&bearer(ROOT), &server).expect(0, "Saved and verified");
    save(&bearer(OTHER), &server).expect(12, NOT_FOUND);
    save(&Cli::new(), &server).expect(12, DENIED);
    server = again(server, &with_root());
    save(&bearer(ROOT), &server).expect(0, "Saved and verified");
    // Without its configuration the token stays: it is part of the state.
    server = again(server, DENY);
    save(&bearer(ROOT), &server).expect(0, "Saved and verified");
    server = again(server, "");
    save(&bearer(OTHER), &server).expect(0, "Saved and verified");
}

#[test]
fn the_token_may_stand_in_a_file_or_in_the_environment() {
    let cli = Cli::new();
    cli.write("root", format!("{ROOT}\n").as_bytes());
    let server = Server::start(cli, &format!("{DENY}initial_management_file = \"root\"\n"));
    let bearer = Cli::new();
    bearer.write("mine", ROOT.as_bytes());
    let url = format!("consul://{}", server.consul);
    bearer.run(&["save", &url, "a.snap", "--token-file", "mine"]).expect(0, "Saved and verified");
    drop(server);
    let server = Server::start(Cli::new().variable("STILLPOINT_INITIAL_MANAGEMENT", OTHER), &with_root());
    save(&self::bearer(OTHER), &server).expect(0, "Saved and verified");
    save(&self::bearer(ROOT), &server).expect(12, NOT_FOUND);
}

#[test]
fn the_banner_says_how_access_control_begins() {
    let heard = |configuration: &str| Server::start(Cli::new(), configuration).acl.clone();
    assert_eq!(heard(""), "  acl         off");
    assert_eq!(heard(&with_root()), "  acl         on, default deny");
    let fresh = heard("[acl]\nenabled = true\n");
    assert!(fresh.starts_with("  acl         on, default allow; PUT http://127.0.0.1:"), "{fresh}");
    assert!(fresh.ends_with("/v1/acl/bootstrap makes the first management token"), "{fresh}");
}

#[test]
fn a_restore_without_acl_leaves_the_operators_token_alone_in_charge() {
    let server = Server::start(Cli::new(), &with_root());
    let cli = bearer(ROOT);
    cli.write("bare.snap", &small());
    restore(&cli, &server, "bare.snap", &["--yes"]).expect(0, "Restored");
    // No waiting: who is answered finds all in place.
    save(&cli, &server).expect(0, "Saved and verified");
    save(&Cli::new(), &server).expect(12, DENIED);
    let json = cli.run(&["verify", "a.snap", "--json"]).expect(0, "").json();
    assert_eq!(json["types"]["ACLToken"]["count"], 2, "{json}");
    assert_eq!(json["types"]["ACLPolicy"]["count"], 2, "{json}");
    // And what was saved with it is restored as it was.
    restore(&cli, &server, "a.snap", &["--yes"]).expect(0, "Restored");
    let before = fs::read(cli.path("a.snap")).unwrap();
    save(&cli, &server).expect(0, "Saved and verified");
    assert_eq!(records_of(&fs::read(cli.path("a.snap")).unwrap()), records_of(&before));
}

#[test]
fn whose_token_a_restore_ends_is_told() {
    let server = Server::start(Cli::new(), &with_root());
    let cli = bearer(ROOT);
    save(&cli, &server).expect(0, "");
    // Another server, whose token the first one's archive does not hold.
    let other = Server::start(Cli::new(), &with_root().replace(ROOT, OTHER));
    let stranger = bearer(OTHER);
    fs::copy(cli.path("a.snap"), stranger.path("a.snap")).unwrap();
    let lost = "the token in use is not in the archive: once restored, it is no longer valid";
    let unless = format!("{lost}, unless the server's configuration names it");
    restore(&stranger, &other, "a.snap", &["--dry-run"]).expect(0, &unless);
    let run = restore(&stranger, &other, "a.snap", &["--yes"]).expect(0, &unless);
    // The server knows: it does.
    assert_eq!(run.stderr.matches(lost).count(), 1, "{run}");
    // The configured token was added to the archive's: both are good.
    save(&stranger, &other).expect(0, "Saved and verified");
    save(&cli, &other).expect(0, "Saved and verified");
    // The first one's token is good here too, until a restore that ends it.
    cli.write("bare.snap", &small());
    let run = restore(&cli, &other, "bare.snap", &["--yes"]).expect(0, &unless);
    assert!(run.stderr.contains(&format!("warning: {lost}\n")), "the server says it for certain: {run}");
    save(&cli, &other).expect(12, NOT_FOUND);
}

#[test]
fn the_native_plan_tells_of_an_open_bootstrap() {
    let server = Server::start(Cli::new(), DENY);
    let warning = "whoever comes first to /v1/acl/bootstrap gets a management token";
    // The native API has a token of its own, which no restore touches.
    let json = restore_natively(&server, &small(), &["--dry-run", "--json"]).expect(0, warning).json();
    assert!(json["warnings"][0].as_str().unwrap().contains(warning), "{json}");
    restore_natively(&server, &small(), &["--yes"]).expect(0, warning);
    let marked = archive::consul::IndexEntry { key: "acl-token-bootstrap".into(), value: 4 };
    let marked = Builder::new(5).record(archive::consul::kinds::INDEX, marked.encode()).archive();
    let run = restore_natively(&server, &marked, &["--yes"]).expect(0, "Restored");
    assert!(!run.stderr.contains(warning), "{run}");
    let closed = again(server, DENY);
    assert_eq!(closed.acl, "  acl         on, default deny");
}

#[test]
fn a_genuine_archive_brings_its_tokens() {
    let Some(path) = genuine("all.snap") else { return };
    let server = Server::start(Cli::new(), &with_root());
    let archive = fs::read(path).unwrap();
    let secrets: Vec<String> = archive::consul::Records::new(archive::hashicorp::Reader::new(&archive[..]))
        .unwrap()
        .map(Result::unwrap)
        .filter(|record| record.kind == archive::consul::kinds::ACL_TOKEN)
        .map(|record| archive::consul::AclToken::decode(&record.bytes).unwrap().secret_id)
        .filter(|secret| secret != "anonymous")
        .collect();
    assert!(!secrets.is_empty());
    save(&bearer(&secrets[0]), &server).expect(12, NOT_FOUND);
    restore_natively(&server, &archive, &["--yes"]).expect(0, "Restored");
    for secret in &secrets {
        let run = save(&bearer(secret), &server);
        assert!(!run.stderr.contains("ACL not found"), "{run}");
    }
    save(&bearer(ROOT), &server).expect(0, "Saved and verified");
}

#[test]
fn strangers_need_tls_and_an_acl_that_denies() {
    let authority = Authority::new("ca");
    let cli = Cli::new();
    authority.issue(&["127.0.0.1"]).serve(cli.directory.path(), &authority, false);
    let tls = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    let run = |configuration: &str, arguments: &[&str]| -> Run {
        let off = "data_dir = \"/dev/null/data\"\nlisten = {qdrant = \"off\", qdrant_grpc = \"off\"}\n";
        cli.write("stillpoint.toml", format!("{off}{configuration}").as_bytes());
        cli.run(&[&["server", "--config", "stillpoint.toml"], arguments].concat())
    };
    let consul = ["--consul", "0.0.0.0:0", "--native", "off", "--nomad", "off"];
    let native = ["--consul", "off", "--native", "0.0.0.0:0", "--nomad", "off"];
    let table = [
        ("", "without TLS and an ACL that denies by default"),
        (DENY, "without TLS\n"),
        (tls, "without an ACL that denies by default"),
        (&format!("{tls}[acl]\nenabled = true\n"), "without an ACL that denies by default"),
        (&format!("{tls}[acl]\ndefault_policy = \"deny\"\n"), "without an ACL that denies by default"),
    ];
    for (configuration, lack) in table {
        let run = run(configuration, &consul).expect(2, lack);
        assert!(run.stderr.contains("hint: configure [") && run.stderr.contains("--insecure"), "{run}");
    }
    let nomad = ["--consul", "off", "--native", "off", "--nomad", "0.0.0.0:0"];
    let run_nomad =
        run(tls, &nomad).expect(2, "nomad would listen on 0.0.0.0:0, beyond this machine, without an ACL");
    assert!(run_nomad.stderr.contains("[nomad.acl] with enabled = true"), "{run_nomad}");
    run(&format!("{tls}[nomad.acl]\nenabled = true\n"), &nomad).expect(12, "/dev/null/data");
    run("", &native).expect(2, "native would listen on 0.0.0.0:0, beyond this machine, without TLS\n");
    // These may listen, and end where they would keep their data.
    run(&format!("{tls}{DENY}"), &consul).expect(12, "/dev/null/data");
    run(tls, &native).expect(12, "/dev/null/data");
    run("", &[&consul[..], &["--insecure"]].concat()).expect(12, "/dev/null/data");
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_without_showing_a_secret() {
    let table = [
        (format!("[acl]\ninitial_management = \"{ROOT}x\""), "acl.initial_management: the token is no UUID"),
        (format!("[acl]\ninitial_management = {ROOT}"), "line 2: "),
        (format!("[acl]\ninitial_managment = \"{ROOT}\""), "line 2: unknown field `initial_managment`"),
        ("[acl]\ndefault_policy = \"manage\"".to_owned(), "line 2: unknown variant `manage`"),
        ("[acl]\ninitial_management_file = \"none\"".to_owned(), "No such file"),
    ];
    for (configuration, reason) in table {
        let run: Run = Server::command(&Cli::new(), &configuration).output().unwrap().into();
        let run = run.expect(2, reason);
        assert!(!run.stderr.contains(ROOT), "{run}");
    }
}

/// Every record of an archive, in a comparable order.
fn records_of(archive: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let records =
        archive::consul::Records::new(archive::hashicorp::Reader::new(archive)).expect("an archive");
    let mut records: Vec<_> = records
        .map(|record| record.expect("whole"))
        .map(|record| (record.kind, record.bytes.to_vec()))
        .collect();
    records.sort();
    records
}
