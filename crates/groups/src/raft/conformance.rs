//! The Raft library's own conformance suite, over our log and a real state machine.

use std::io;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tokio::sync::mpsc;

use super::log::LogStore;
use super::machine::{Durable, Host, Machine};
use super::{Runtime, Types};
use crate::log::Log;
use crate::testing::{Disk, Ledger};
use crate::types::{NodeId, Position};

/// The suite purges what no machine has applied.
struct Anything;

impl Durable for Anything {
    fn ensure(&self, _upto: Position) -> io::Result<()> {
        Ok(())
    }
}

struct Fresh;

impl StoreBuilder<Types, LogStore, Machine<Ledger>, mpsc::Receiver<()>> for Fresh {
    async fn build(&self) -> Result<(mpsc::Receiver<()>, LogStore, Machine<Ledger>), StorageError<Types>> {
        let log = Log::with_backend(Disk::new().handle()).and_then(|log| log.claim(NodeId(0), "suite"));
        let store = LogStore::new(log.expect("a fresh disk in memory"), Arc::new(Anything));
        let (alive, released) = mpsc::channel(1);
        let host = Arc::new(Host::new(Ledger::new(), std::env::temp_dir()));
        Ok((released, store, Machine::new(host, alive)))
    }
}

#[tokio::test]
async fn the_log_and_the_machine_are_what_the_library_expects() {
    Runtime::scope(1, Suite::test_all(Fresh)).await.unwrap();
}
