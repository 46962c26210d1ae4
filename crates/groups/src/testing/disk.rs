//! A disk in memory that keeps apart what was synced from what was only written.
//!
//! It remembers every operation, so that the power can be cut after any of them, also in hindsight. What was
//! written after the last sync before the cut is then lost, or survives in part, sector by sector.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A simulated disk, holding one file. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    platter: Arc<Mutex<Platter>>,
}

#[derive(Debug, Default)]
struct Platter {
    /// What the disk held before its first operation.
    base: Vec<u8>,
    content: Vec<u8>,
    history: Vec<Operation>,
    syncs_fail: bool,
    is_full: bool,
}

#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Vec<u8>),
    SetLength(u64),
    Sync,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk as the log wants it. As with a real one, opening it twice at a time is the caller's mistake.
    pub fn handle(&self) -> DiskHandle {
        DiskHandle(self.clone())
    }

    /// How many operations the disk has seen.
    pub fn operations(&self) -> usize {
        self.platter().history.len()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> usize {
        self.platter().history.iter().filter(|operation| matches!(operation, Operation::Sync)).count()
    }

    /// From now on every sync fails, and nothing that it should have kept is kept.
    pub fn fail_syncs(&self) {
        self.platter().syncs_fail = true;
    }

    /// From now on nothing can be written.
    pub fn fill_up(&self) {
        self.platter().is_full = true;
    }

    /// What the disk would hold if the power had failed after so many operations.
    ///
    /// All that was synced by then is there. Of the rest nothing is, or, given a seed, some of its sectors are, in
    /// no particular order of age.
    pub fn after_power_cut(&self, operations: usize, survivors: Option<u64>) -> Self {
        let platter = self.platter();
        let history = &platter.history[..operations];
        let synced =
            history.iter().rposition(|operation| matches!(operation, Operation::Sync)).map_or(0, |at| at + 1);
        let mut content = platter.base.clone();
        for operation in &history[..synced] {
            operation.carry_out(&mut content);
        }
        if let Some(seed) = survivors {
            let mut chance = Chance(seed | 1);
            for operation in &history[synced..] {
                operation.carry_out_in_part(&mut content, &mut chance);
            }
        }
        Self {
            platter: Arc::new(Mutex::new(Platter { base: content.clone(), content, ..Platter::default() })),
        }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().expect("no holder of the platter panics")
    }
}

impl Operation {
    fn carry_out(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => write_at(content, *offset as usize, bytes),
            Self::SetLength(length) => content.resize(*length as usize, 0),
            Self::Sync => {}
        }
    }

    fn carry_out_in_part(&self, content: &mut Vec<u8>, chance: &mut Chance) {
        match self {
            Self::Write(offset, bytes) => {
                let mut at = *offset as usize;
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (sector, after) = rest.split_at(rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
                    if chance.heads() && at + sector.len() <= content.len() {
                        write_at(content, at, sector);
                    }
                    at += sector.len();
                    rest = after;
                }
            }
            Self::SetLength(_) if chance.heads() => self.carry_out(content),
            Self::SetLength(_) | Self::Sync => {}
        }
    }
}

fn write_at(content: &mut [u8], offset: usize, bytes: &[u8]) {
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// A coin, tossed by xorshift.
struct Chance(u64);

impl Chance {
    fn heads(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & 1 == 0
    }
}

/// A [`Disk`] as storage of a log.
#[derive(Debug)]
pub struct DiskHandle(Disk);

impl DiskHandle {
    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut platter = self.0.platter();
        if platter.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        operation.carry_out(&mut platter.content);
        platter.history.push(operation);
        Ok(())
    }
}

impl redb::StorageBackend for DiskHandle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.platter().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.platter();
        let from = offset as usize;
        let read = platter.content.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(read);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLength(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.platter();
        if platter.syncs_fail {
            return Err(io::Error::other("the disk failed to sync"));
        }
        platter.history.push(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset as usize + data.len();
        if end > self.0.platter().content.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.change(Operation::Write(offset, data.to_vec()))
    }
}
