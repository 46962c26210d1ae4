//! A state machine that keeps every command it is given, and answers with how many there are.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::machine::{Snapshot, StateMachine};
use crate::members::Members;
use crate::types::{Applied, Entry, Payload, Position};

/// A longer command in a snapshot is damage.
const COMMAND_BYTES_MAX: u64 = 1 << 30;

/// All commands applied so far, in memory. As durable as the `Arc` that holds it: a test that reopens a group with
/// the same ledger has a durable machine, one that takes a new ledger has a machine that lost everything.
#[derive(Debug, Default)]
pub struct Ledger {
    state: Mutex<Arc<State>>,
    syncs: AtomicU64,
    installs: AtomicU64,
}

#[derive(Clone, Debug, Default)]
struct State {
    applied: Applied,
    commands: Vec<(Position, Vec<u8>)>,
}

impl Ledger {
    /// To apply this command panics.
    pub const PANIC: &'static [u8] = b"panic!";
    /// To apply this command is an error.
    pub const FAIL: &'static [u8] = b"fail!";

    /// An empty ledger.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The commands applied so far.
    pub fn commands(&self) -> Vec<Vec<u8>> {
        self.state().commands.iter().map(|(_, command)| command.clone()).collect()
    }

    /// How far it has come.
    pub fn position(&self) -> Option<Position> {
        self.state().applied.position
    }

    /// The last membership it was told of.
    pub fn members(&self) -> Members {
        self.state().applied.members.clone()
    }

    /// How often it was asked to make its state durable.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// How often its state was replaced by another replica's.
    pub fn installs(&self) -> u64 {
        self.installs.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, Arc<State>> {
        self.state.lock().expect("no holder of the state panics")
    }
}

impl StateMachine for Ledger {
    type Snapshot = LedgerSnapshot;

    fn applied(&self) -> io::Result<Applied> {
        Ok(self.state().applied.clone())
    }

    fn apply(&self, entries: Vec<Entry>) -> io::Result<Vec<Vec<u8>>> {
        if entries.iter().any(|entry| entry.payload == Payload::Command(Self::PANIC.into())) {
            panic!("the ledger was told to panic");
        }
        let mut shared = self.state();
        let state = Arc::make_mut(&mut shared);
        let mut replies = Vec::with_capacity(entries.len());
        for Entry { position, payload } in entries {
            if state.applied.position >= Some(position) {
                return Err(io::Error::other(format!(
                    "entry {position} does not come after the last one applied"
                )));
            }
            state.applied.position = Some(position);
            match payload {
                Payload::Blank => {}
                Payload::Members(members) => state.applied.members = members,
                Payload::Command(command) if command == Self::FAIL => {
                    return Err(io::Error::other("the ledger was told to fail"));
                }
                Payload::Command(command) => state.commands.push((position, command.into())),
            }
            replies.push((state.commands.len() as u64).to_le_bytes().to_vec());
        }
        Ok(replies)
    }

    fn snapshot(&self) -> io::Result<LedgerSnapshot> {
        Ok(LedgerSnapshot(self.state().clone()))
    }

    fn install(&self, applied: Applied, bytes: &mut dyn Read) -> io::Result<()> {
        let state = State { commands: read_commands(bytes)?, applied };
        *self.state() = Arc::new(state);
        self.installs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A pinned ledger.
#[derive(Debug)]
pub struct LedgerSnapshot(Arc<State>);

impl Snapshot for LedgerSnapshot {
    fn applied(&self) -> &Applied {
        &self.0.applied
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(self.0.commands.len() as u64).to_le_bytes())?;
        for (position, command) in &self.0.commands {
            for number in [position.term, position.index, command.len() as u64] {
                out.write_all(&number.to_le_bytes())?;
            }
            out.write_all(command)?;
        }
        Ok(())
    }
}

fn read_commands(bytes: &mut dyn Read) -> io::Result<Vec<(Position, Vec<u8>)>> {
    let mut commands = Vec::new();
    for _ in 0..read_number(bytes)? {
        let position = Position { term: read_number(bytes)?, index: read_number(bytes)? };
        let length = read_number(bytes)?;
        if length > COMMAND_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut command = Vec::new();
        bytes.take(length).read_to_end(&mut command)?;
        if command.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        commands.push((position, command));
    }
    match bytes.read(&mut [0])? {
        0 => Ok(commands),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn read_number(bytes: &mut dyn Read) -> io::Result<u64> {
    let mut number = [0; 8];
    bytes.read_exact(&mut number)?;
    Ok(u64::from_le_bytes(number))
}
