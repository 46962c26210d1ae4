//! For tests, here and in other crates: a network in one process, a disk that forgets, a small state machine.

mod disk;
mod ledger;
mod switchboard;

pub use self::disk::{Disk, DiskHandle};
pub use self::ledger::{Ledger, LedgerSnapshot};
pub use self::switchboard::Switchboard;
