//! What the binary does with archives when no server is involved.

mod support;

use std::io::Write;
use std::process::Stdio;

use archive::testing::Builder;
use support::{Cli, genuine, small};

fn cli_with(name: &str, content: &[u8]) -> Cli {
    let cli = Cli::new();
    cli.write(name, content);
    cli
}

#[test]
fn inspect_prints_the_genuine_table() {
    let cli = cli_with("a.snap", &small());
    let run = cli.run(&["inspect", "a.snap"]).expect(0, "");
    let expected = " ID           2-7-1710350057000
 Size         230
 Index        7
 Term         2
 Version      1

 Type       Count      Size
 ----       ----       ----
 KVS        3          230B
 ----       ----       ----
 Total                 230B
";
    assert_eq!(run.text(), expected);
}

#[test]
fn inspect_breaks_keys_down_by_depth_and_prefix() {
    let cli = cli_with("a.snap", &small());
    let keys = |arguments: &[&str]| {
        let run = cli.run(&[&["inspect", "a.snap", "--json", "--kv-details"], arguments].concat());
        let rows = run.json()["StatsKV"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| format!("{} {}", row["Name"].as_str().unwrap(), row["Count"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&[]), ["a/b 2", "x 1"]);
    assert_eq!(keys(&["--kv-depth", "1"]), ["a 2", "x 1"]);
    assert_eq!(keys(&["--kv-depth", "3", "--kv-filter", "a/"]), ["a/b/c 1", "a/b/d 1"]);
}

#[test]
fn inspect_takes_a_raw_state_with_its_description_beside_it() {
    let builder = Builder::with_every_kind();
    let cli = cli_with("state.bin", &builder.state());
    let missing = cli.run(&["inspect", "state.bin"]).expect(10, "meta.json");
    assert!(missing.stdout.is_empty());
    cli.write("meta.json", br#"{"ID":"2-62-1","Index":62,"Term":2,"Version":1,"Size":1,"CRC":"AAAA"}"#);
    cli.write("a.snap", &builder.archive());
    let stats = |file| {
        cli.run(&["inspect", file, "--format", "json"]).expect(0, "Enterprise").json()["Stats"].clone()
    };
    assert_eq!(stats("state.bin"), stats("a.snap"));
}

#[test]
fn inspect_and_verify_read_stdin() {
    let cli = Cli::new();
    for command in ["inspect", "verify"] {
        let mut child =
            cli.command(&[command, "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&small()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {output:?}");
    }
}

#[test]
fn keys_cannot_drive_the_terminal() {
    let cli = cli_with("a.snap", &Builder::new(1).key("\u{1b}[2J", b"", 1).archive());
    let run = cli.run(&["inspect", "a.snap", "--kv-details"]).expect(0, "");
    assert!(!run.stdout.contains(&0x1b));
}

#[test]
fn verify_says_what_it_found() {
    let cli = cli_with("a.snap", &small());
    let run = cli.run(&["verify", "a.snap"]).expect(0, "");
    assert_eq!(run.text(), "a.snap: whole, index 7, term 2, 3 records, 230 bytes of state\n");
    let json = cli.run(&["verify", "a.snap", "--json"]).json();
    assert_eq!((json["records"].as_u64(), json["types"]["KVS"]["count"].as_u64()), (Some(3), Some(3)));
}

#[test]
fn enterprise_records_are_warned_of() {
    let cli = cli_with("a.snap", &Builder::with_every_kind().archive());
    cli.run(&["verify", "a.snap"]).expect(0, "warning: records of Consul Enterprise (type 65, 69)");
}

#[test]
fn archives_of_nomad_are_told_from_those_of_consul() {
    // Type 64: Consul Enterprise's numbers begin there, and it is a namespace of every Nomad.
    let cli = cli_with("a.snap", &Builder::of_nomad(7).record(64, *b"\x81\xa4Name\xa1a").archive());
    let run = cli.run(&["inspect", "a.snap"]).expect(0, "");
    assert!(run.text().contains(" Namespace      1          10B\n"), "{}", run.text());
    cli.run(&["verify", "a.snap"]).expect(4, "this is a snapshot of Nomad, not of Consul");
}

#[test]
fn unknown_record_types_are_refused_by_number_unless_allowed() {
    let cli = cli_with("a.snap", &Builder::new(1).record(44, [0x80]).archive());
    let run = cli.run(&["verify", "a.snap"]).expect(1, "record type 44");
    assert!(run.stderr.contains("hint: --allow-unknown-records"), "{run}");
    cli.run(&["verify", "a.snap", "--allow-unknown-records"]).expect(0, "");
}

#[test]
fn damaged_archives_end_with_4_and_print_no_result() {
    let whole = small();
    let cut = whole[..whole.len() - 1].to_vec();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let trailing = [whole.as_slice(), b"0"].concat();
    let twice = Builder::new(1).key("a", b"", 1).key("a", b"", 1).archive();
    let table = [
        ("cut", cut),
        ("flipped", flipped),
        ("trailing", trailing),
        ("text", b"no archive".to_vec()),
        ("empty", Vec::new()),
    ];
    for (name, bytes) in table {
        let cli = cli_with(name, &bytes);
        for command in ["verify", "inspect"] {
            let run = cli.run(&[command, name]).expect(4, "error: ");
            assert!(run.stdout.is_empty(), "{name}: {run}");
        }
    }
    cli_with("twice", &twice).run(&["verify", "twice"]).expect(4, "a second KVS record");
}

#[test]
fn an_error_is_one_line_and_with_json_an_object() {
    let cli = cli_with("a.snap", b"no archive");
    let run = cli.run(&["verify", "a.snap"]).expect(4, "error: a.snap: ");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    let json = cli.run(&["verify", "a.snap", "--json"]).expect(4, "error: ").json();
    assert_eq!(json["error"]["exit_code"], 4);
    assert!(json["error"]["message"].as_str().unwrap().starts_with("a.snap: "));
}

#[test]
fn a_missing_file_is_not_found() {
    Cli::new().run(&["verify", "nope.snap"]).expect(10, "nope.snap");
    Cli::new().run(&["inspect", "nope.snap"]).expect(10, "nope.snap");
}

#[test]
fn wrong_usage_ends_with_2() {
    let table: [&[&str]; 7] = [
        &[],
        &["frobnicate"],
        &["verify"],
        &["inspect", "a.snap", "--kv-depth", "0", "--kv-details"],
        &["save", "vault"],
        &["save", "consul://host/ui"],
        &["task", "show", "not-a-uuid"],
    ];
    for arguments in table {
        Cli::new().run(arguments).expect(2, "");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let cli = cli_with("a.snap", &small());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = cli.command(&["inspect", "a.snap"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "fish", "zsh"] {
        let run = Cli::new().run(&["completions", shell]).expect(0, "");
        assert!(run.text().contains("allow-unknown-records"), "{shell}");
    }
}

#[test]
fn genuine_archives_show_the_genuine_figures() {
    let Some(path) = genuine("backupWithKV.snap") else { return };
    let run = Cli::new().run(&["inspect", path.to_str().unwrap(), "--kv-details"]).expect(0, "");
    for line in [
        " ID           2-12426-1604593650375",
        " Size         17228",
        " Type                       Count      Size",
        " KVS                        27         12.3KB",
        " Register                   5          3.4KB",
        " Total                                 16.8KB",
        " Key Name           Count      Size",
        " vault/core         16         5.9KB",
    ] {
        assert!(run.text().lines().any(|found| found == line), "{line:?} is not in {run}");
    }
}

#[test]
fn genuine_archives_verify() {
    for (name, records) in [("all.snap", 109), ("backup.snap", 22), ("backupWithKV.snap", 50)] {
        let Some(path) = genuine(name) else { return };
        let run = Cli::new().run(&["verify", path.to_str().unwrap(), "--json"]).expect(0, "");
        assert_eq!(run.json()["records"], records, "{name}");
    }
}
