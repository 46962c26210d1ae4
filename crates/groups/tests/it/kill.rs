//! Guards against: anything acknowledged that only the process knew. A child proposes until it is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use groups::testing::{Ledger, Switchboard};
use groups::{Group, Log, NodeId, Setup, Timing};

use super::common::{GROUP, commands, leader_of, member, wait};

/// Tells the test binary to be the child, and where its log is.
const LOG_VARIABLE: &str = "GROUPS_KILL_TEST_LOG";
const KILLS: usize = 10;

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        acknowledged = run_child_until(&log, acknowledged, 20 + 7 * kill as u64);
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let (group, ledger) = open(&log).await;
        group.confirm().await.unwrap();
        group.shutdown().await;
        commands(&ledger)
    });
    assert!(found.len() as u64 >= acknowledged);
    assert_eq!(found, (0..found.len()).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// Starts the child, checks that it found what was acknowledged before, and kills it after some more.
fn run_child_until(log: &Path, acknowledged_before: u64, more: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_child_that_is_killed", "--nocapture"])
        .env(LOG_VARIABLE, log)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = acknowledged_before;
    for line in lines {
        let line = line.unwrap();
        if let Some(found) = line.strip_prefix("found ") {
            let found: u64 = found.parse().unwrap();
            assert!(
                found >= acknowledged_before,
                "{found} commands found, {acknowledged_before} acknowledged"
            );
        }
        if let Some(done) = line.strip_prefix("acknowledged ") {
            acknowledged = done.parse().unwrap();
        }
        if acknowledged >= acknowledged_before + more {
            break;
        }
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the child ended before it was killed");
    acknowledged
}

/// Does nothing unless it is started by the test above.
#[tokio::test]
async fn the_child_that_is_killed() {
    let Some(log) = std::env::var_os(LOG_VARIABLE) else {
        return;
    };
    let (group, ledger) = open(Path::new(&log)).await;
    group.confirm().await.unwrap();
    let mut next = ledger.commands().len();
    say(&format!("\nfound {next}"));
    loop {
        group.propose(next.to_string()).await.unwrap();
        next += 1;
        say(&format!("acknowledged {next}"));
    }
}

async fn open(log: &Path) -> (Group<Ledger>, Arc<Ledger>) {
    let node = NodeId(1);
    let ledger = Ledger::new();
    let timing = Timing::default();
    let setup = Setup { node, name: GROUP.into(), timing, spool: std::env::temp_dir(), seed: 1 };
    let line = Switchboard::new().line(node);
    let group = Group::open(setup, Log::open(log).unwrap(), ledger.clone(), line).await.unwrap();
    group.initialize(vec![member(node)]).await.unwrap();
    wait(&group, |status| leader_of(status).is_some()).await;
    (group, ledger)
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}
