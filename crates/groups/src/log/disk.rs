//! The log file: two redb tables, one transaction per batch, every entry checked at open.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::Error;
use super::codec::{Owner, decode_entry, decode_fact, encode_entry, encode_fact};
use crate::types::{Ballot, Entry, NodeId, Position};

/// The format that this release writes. Raise it with any change to keys or values.
const FORMAT: u32 = 1;

const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

const KEY_FORMAT: &str = "format";
const KEY_OWNER: &str = "owner";
const KEY_BALLOT: &str = "ballot";
const KEY_COMMITTED: &str = "committed";
const KEY_PURGED: &str = "purged";

/// Page cache per log. Recent entries are in the tail anyway; the rest is read when a follower lags.
const CACHE_BYTES: usize = 4 << 20;

/// A file beyond this size is compacted at open if less than a quarter of it is in use.
const COMPACT_FROM_BYTES: u64 = 64 << 20;

/// The open file.
#[derive(Debug)]
pub(super) struct Disk {
    database: Database,
}

/// What was found in it.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) ballot: Option<Ballot>,
    pub(super) committed: Option<Position>,
    pub(super) purged: Option<Position>,
    pub(super) last: Option<Position>,
    entry_bytes: u64,
}

/// One change to the file.
#[derive(Debug)]
pub(super) enum Change {
    /// Adds entries behind the last.
    Append(Vec<Entry>),
    /// Removes the entries from this index on.
    Truncate(u64),
    /// Removes the entries up to and including this one, and remembers it.
    Purge(Position),
    /// Replaces the vote.
    Ballot(Ballot),
    /// Remembers how far the log is known to be committed.
    Committed(Position),
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<(Self, Recovered), Error> {
        if !path.try_exists()? {
            return Self::create(path);
        }
        let mut disk = Self { database: open_file(path, path)? };
        let recovered = disk.recover()?;
        if is_sparse(fs::metadata(path)?.len(), recovered.entry_bytes) {
            disk.database.compact().map_err(redb::Error::from)?;
        }
        Ok((disk, recovered))
    }

    /// A new file gets its name when it is complete: a crash must not leave one that cannot be opened.
    fn create(path: &Path) -> Result<(Self, Recovered), Error> {
        let mut unnamed = path.as_os_str().to_owned();
        unnamed.push(".new");
        let unnamed = Path::new(&unnamed);
        let database = match open_file(unnamed, path) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                // Left behind by a crash, and never used.
                fs::remove_file(unnamed)?;
                open_file(unnamed, path)?
            }
            opened => opened?,
        };
        let disk = Self { database };
        let recovered = disk.recover()?;
        fs::rename(unnamed, path)?;
        sync_directory_of(path)?;
        Ok((disk, recovered))
    }

    pub(super) fn with_backend(backend: impl redb::StorageBackend) -> Result<(Self, Recovered), Error> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(redb::Error::from)?;
        let disk = Self { database };
        let recovered = disk.recover()?;
        Ok((disk, recovered))
    }

    /// Stores the owner of a new log, or checks that of an old one.
    pub(super) fn claim(&self, node: NodeId, group: &str) -> Result<(), Error> {
        let wanted = Owner { node, group: group.to_owned() };
        match self.fact::<Owner>(KEY_OWNER)? {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(Error::Foreign { found: found.to_string(), wanted: wanted.to_string() }),
            None => self.write(|facts, _| put_fact(facts, KEY_OWNER, &wanted)),
        }
    }

    /// Makes all the changes, in order, in one transaction. Durable on return; on error, none of them happened,
    /// or all did: the file must be opened again to know.
    pub(super) fn commit<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) -> Result<(), Error> {
        self.write(|facts, entries| {
            for change in changes {
                match change {
                    Change::Append(added) => {
                        for entry in added {
                            let value = encode_entry(entry);
                            entries.insert(entry.position.index, value.as_slice())?;
                        }
                    }
                    Change::Truncate(from) => entries.retain_in(*from.., |_, _| false)?,
                    Change::Purge(upto) => {
                        entries.retain_in(..=upto.index, |_, _| false)?;
                        put_fact(facts, KEY_PURGED, upto)?;
                    }
                    Change::Ballot(ballot) => put_fact(facts, KEY_BALLOT, ballot)?,
                    Change::Committed(position) => put_fact(facts, KEY_COMMITTED, position)?,
                }
            }
            Ok(())
        })
    }

    /// Entries from the start of the range on, until its end or, after the first, `bytes_max`.
    pub(super) fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, Error> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(ENTRIES).map_err(redb::Error::from)?;
        let mut entries = Vec::new();
        let mut bytes = 0;
        for item in table.range(range).map_err(redb::Error::from)? {
            let (index, value) = item.map_err(redb::Error::from)?;
            bytes += value.value().len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(decode_entry(index.value(), value.value())?);
        }
        Ok(entries)
    }

    /// Reads and checks everything. A new file gets its format here.
    fn recover(&self) -> Result<Recovered, Error> {
        self.write(|_, _| Ok(()))?;
        match self.fact::<u32>(KEY_FORMAT)? {
            Some(found) if found > FORMAT => return Err(Error::Newer { found, known: FORMAT }),
            Some(_) => {}
            None => self.write(|facts, _| put_fact(facts, KEY_FORMAT, &FORMAT))?,
        }
        let mut recovered = Recovered {
            ballot: self.fact(KEY_BALLOT)?,
            committed: self.fact(KEY_COMMITTED)?,
            purged: self.fact(KEY_PURGED)?,
            ..Recovered::default()
        };
        self.check_entries(&mut recovered)?;
        // It was saved with a batch that also held the entries, unless a snapshot took their place.
        recovered.committed = recovered.committed.min(recovered.last);
        Ok(recovered)
    }

    /// No gap, no bad checksum, no term that goes back: from the purge point to the last entry.
    fn check_entries(&self, recovered: &mut Recovered) -> Result<(), Error> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(ENTRIES).map_err(redb::Error::from)?;
        recovered.last = recovered.purged;
        for item in table.iter().map_err(redb::Error::from)? {
            let (index, value) = item.map_err(redb::Error::from)?;
            let entry = decode_entry(index.value(), value.value())?;
            let expected = recovered.last.map_or(0, |last| last.index + 1);
            if entry.position.index != expected {
                return Err(Error::Damaged(format!("entry {expected} is missing")));
            }
            if recovered.last.is_some_and(|last| last.term > entry.position.term) {
                return Err(Error::Damaged(format!(
                    "entry {expected} is of an earlier term than the one before"
                )));
            }
            recovered.last = Some(entry.position);
            recovered.entry_bytes += value.value().len() as u64;
        }
        Ok(())
    }

    fn fact<T: for<'de> serde::Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, Error> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(FACTS).map_err(redb::Error::from)?;
        let Some(value) = table.get(key).map_err(redb::Error::from)? else {
            return Ok(None);
        };
        decode_fact(key, value.value()).map(Some)
    }

    /// One synced transaction over both tables.
    fn write(
        &self,
        change: impl FnOnce(&mut Facts<'_>, &mut Entries<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), Error> {
        let transaction = self.database.begin_write().map_err(redb::Error::from)?;
        {
            let mut facts = transaction.open_table(FACTS).map_err(redb::Error::from)?;
            let mut entries = transaction.open_table(ENTRIES).map_err(redb::Error::from)?;
            change(&mut facts, &mut entries)?;
        }
        transaction.commit().map_err(redb::Error::from)?;
        Ok(())
    }
}

type Facts<'a> = redb::Table<'a, &'static str, &'static [u8]>;
type Entries<'a> = redb::Table<'a, u64, &'static [u8]>;

/// Opens or creates a file, on behalf of whoever knows it as `path`.
fn open_file(file: &Path, path: &Path) -> Result<Database, Error> {
    Database::builder().set_cache_size(CACHE_BYTES).create(file).map_err(|error| match error {
        redb::DatabaseError::DatabaseAlreadyOpen => Error::InUse(path.to_owned()),
        redb::DatabaseError::UpgradeRequired(found) => Error::Damaged(format!("redb file format {found}")),
        error => redb::Error::from(error).into(),
    })
}

fn put_fact<T: serde::Serialize>(facts: &mut Facts<'_>, key: &str, fact: &T) -> Result<(), redb::Error> {
    facts.insert(key, encode_fact(key, fact).as_slice())?;
    Ok(())
}

fn is_sparse(file_bytes: u64, entry_bytes: u64) -> bool {
    file_bytes > COMPACT_FROM_BYTES && entry_bytes < file_bytes / 4
}

/// Makes the name of a new file durable.
fn sync_directory_of(path: &Path) -> Result<(), Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(parent)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;
    use crate::testing::Disk as SimulatedDisk;
    use crate::types::Payload;

    fn entry(term: u64, index: u64) -> Entry {
        Entry { position: Position { term, index }, payload: Payload::Command(vec![7; 100].into()) }
    }

    fn disk(entries: impl IntoIterator<Item = Entry>) -> SimulatedDisk {
        let simulated = SimulatedDisk::new();
        let (disk, _) = Disk::with_backend(simulated.handle()).unwrap();
        disk.commit(&[Change::Append(entries.into_iter().collect())]).unwrap();
        simulated
    }

    /// Changes what only a fault could change, and opens the log again.
    fn reopen_after(
        simulated: &SimulatedDisk,
        fault: impl FnOnce(&mut Facts<'_>, &mut Entries<'_>),
    ) -> Error {
        let database = Database::builder().create_with_backend(simulated.handle()).unwrap();
        let disk = Disk { database };
        disk.write(|facts, entries| {
            fault(facts, entries);
            Ok(())
        })
        .unwrap();
        drop(disk);
        Log::with_backend(simulated.handle()).unwrap_err()
    }

    #[test]
    fn a_missing_entry_is_damage() {
        let simulated = disk((0..10).map(|index| entry(1, index)));
        let error = reopen_after(&simulated, |_, entries| drop(entries.remove(4).unwrap()));
        assert_eq!(error.to_string(), "the log is damaged: entry 4 is missing");
    }

    #[test]
    fn a_missing_beginning_is_damage() {
        let simulated = disk((0..10).map(|index| entry(1, index)));
        let error = reopen_after(&simulated, |_, entries| drop(entries.remove(0).unwrap()));
        assert_eq!(error.to_string(), "the log is damaged: entry 0 is missing");
    }

    #[test]
    fn a_garbled_entry_is_damage() {
        let simulated = disk((0..10).map(|index| entry(1, index)));
        let error = reopen_after(&simulated, |_, entries| {
            let mut value = entries.get(5).unwrap().unwrap().value().to_vec();
            value[20] ^= 1;
            entries.insert(5, value.as_slice()).unwrap();
        });
        assert_eq!(error.to_string(), "the log is damaged: entry 5: wrong checksum");
    }

    #[test]
    fn a_term_that_goes_back_is_damage() {
        let simulated = disk([entry(2, 0), entry(1, 1)]);
        let error = Log::with_backend(simulated.handle()).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_by_number() {
        let simulated = disk([]);
        let error = reopen_after(&simulated, |facts, _| put_fact(facts, KEY_FORMAT, &(FORMAT + 1)).unwrap());
        assert_eq!(error.to_string(), "log format 2 is newer than the 1 that this release knows");
    }

    #[test]
    fn a_purge_and_its_point_are_found_together() {
        let simulated = disk((0..10).map(|index| entry(1, index)));
        {
            let (disk, _) = Disk::with_backend(simulated.handle()).unwrap();
            let ballot = Ballot { term: 3, node: NodeId(2), granted: true };
            let purge = Change::Purge(Position { term: 1, index: 6 });
            let committed = Change::Committed(Position { term: 1, index: 8 });
            disk.commit(&[purge, Change::Truncate(9), Change::Ballot(ballot), committed]).unwrap();
        }
        let (disk, recovered) = Disk::with_backend(simulated.handle()).unwrap();
        assert_eq!(recovered.purged, Some(Position { term: 1, index: 6 }));
        assert_eq!(recovered.last, Some(Position { term: 1, index: 8 }));
        assert_eq!(recovered.committed, Some(Position { term: 1, index: 8 }));
        assert_eq!(recovered.ballot.unwrap().term, 3);
        assert_eq!(disk.read(0..100, usize::MAX).unwrap(), [entry(1, 7), entry(1, 8)]);
    }

    #[test]
    fn a_file_whose_creation_was_cut_short_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(directory.path().join("log.new"), [0; 4096]).unwrap();
        Log::open(&path).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_mostly_empty_shrinks_when_it_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let large = |index| Entry {
            position: Position { term: 1, index },
            payload: Payload::Command(vec![1; 4 << 20].into()),
        };
        {
            let (disk, _) = Disk::open(&path).unwrap();
            for index in 0..20 {
                disk.commit(&[Change::Append(vec![large(index)])]).unwrap();
            }
            disk.commit(&[Change::Purge(Position { term: 1, index: 18 })]).unwrap();
        }
        let before = fs::metadata(&path).unwrap().len();
        let (_disk, recovered) = Disk::open(&path).unwrap();
        let after = fs::metadata(&path).unwrap().len();
        assert!(after < before / 2, "{before} bytes became {after}");
        assert_eq!(recovered.last, Some(Position { term: 1, index: 19 }));
    }
}
