//! The bare pipelines: what a save, a restore and a write are made of, without server, network or Raft.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use archive::consul::{DirEntry, Records, kinds};
use archive::gzip::{self, Level};
use archive::hashicorp;
use bytes::Bytes;
use records::store::{Disk, DiskOptions, Pair, Store, Table};
use redb::{Database, TableDefinition};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// As many threads as the server compresses with.
pub(crate) const GZIP_WORKERS: usize = 2;

const FEED_BYTES: usize = 256 << 10;

/// A store of its own, on the same engine with the same settings as the server's.
pub(crate) struct Bare {
    disk: Disk,
    table: Table,
    _dir: TempDir,
}

impl Bare {
    /// Restores: read, hash, gunzip, decode, ingest in order, sync. The store is fresh.
    pub(crate) fn restore(archive: &Path, dir: &Path) -> anyhow::Result<(Bare, Duration)> {
        let dir = tempfile::tempdir_in(dir)?;
        let began = Instant::now();
        let disk = Disk::open(dir.path(), DiskOptions::default())?;
        let table = disk.table("bare")?;
        let mut hashed = Hashed { file: File::open(archive)?, hash: Sha256::new() };
        let mut records =
            Records::new(hashicorp::Reader::new(BufReader::with_capacity(FEED_BYTES, &mut hashed)))?;
        let mut failed = None;
        let mut pairs = std::iter::from_fn(|| match next_pair(&mut records) {
            Ok(pair) => pair,
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        disk.load(table, &mut pairs)?;
        failed.map_or(Ok(()), Err)?;
        records.into_inner().finish()?;
        disk.sync()?;
        black_box(hashed.hash.finalize());
        Ok((Bare { disk, table, _dir: dir }, began.elapsed()))
    }

    /// Saves: scan, hash, gzip in the server's members with its number of workers, throw away.
    pub(crate) fn save(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let view = self.disk.view(&[self.table])?;
        let mut hash = Sha256::new();
        let mut gzip = gzip::Writer::new(io::sink(), Level::Fast, GZIP_WORKERS);
        let mut feed = Vec::with_capacity(2 * FEED_BYTES);
        for pair in view.scan(self.table, &[]) {
            let (key, record) = pair?;
            feed.push(key[0]);
            feed.extend_from_slice(&record);
            if feed.len() >= FEED_BYTES {
                hash.update(&feed);
                gzip.write_all(&feed)?;
                feed.clear();
            }
        }
        hash.update(&feed);
        gzip.write_all(&feed)?;
        gzip.finish()?;
        black_box(hash.finalize());
        Ok(began.elapsed())
    }
}

fn next_pair(records: &mut Records<impl Read>) -> anyhow::Result<Option<Pair>> {
    let Some(record) = records.next_record()? else { return Ok(None) };
    let mut key = vec![record.kind];
    if record.kind == kinds::KVS {
        key.extend(DirEntry::decode(&record.bytes)?.key);
    } else {
        // There is one more, and it comes last.
        key[0] = u8::MAX;
    }
    Ok(Some((Bytes::from(key), Bytes::from(record.bytes))))
}

struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let found = self.file.read(buffer)?;
        self.hash.update(&buffer[..found]);
        Ok(found)
    }
}

/// What a log entry of one write takes, roughly.
const ENTRY: [u8; 256] = [0x5a; 256];

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// The page cache that the server gives its log.
const LOG_CACHE_BYTES: usize = 4 << 20;

/// The engine of the server's log, alone.
pub(crate) struct RedbLog {
    database: Database,
    next: u64,
}

impl RedbLog {
    /// An empty log in `dir`.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<RedbLog> {
        let database = Database::builder().set_cache_size(LOG_CACHE_BYTES).create(dir.join("bare.redb"))?;
        Ok(RedbLog { database, next: 0 })
    }

    /// Durable entries per second when `batch` of them are committed at a time.
    pub(crate) fn append(&mut self, batch: u64, lasts: Duration) -> anyhow::Result<f64> {
        let (began, first) = (Instant::now(), self.next);
        while began.elapsed() < lasts {
            self.commit((0..batch).map(|_| ENTRY.as_slice()))?;
        }
        Ok((self.next - first) as f64 / began.elapsed().as_secs_f64())
    }

    /// Makes entries durable, all at once.
    pub(crate) fn commit<'a>(&mut self, batch: impl IntoIterator<Item = &'a [u8]>) -> anyhow::Result<()> {
        let transaction = self.database.begin_write()?;
        let mut entries = transaction.open_table(ENTRIES)?;
        for entry in batch {
            entries.insert(self.next, entry)?;
            self.next += 1;
        }
        drop(entries);
        Ok(transaction.commit()?)
    }
}

/// The least that any log could do: a plain file, appended to and synced.
pub(crate) struct FileLog {
    file: File,
}

impl FileLog {
    /// An empty log in `dir`.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<FileLog> {
        let file = OpenOptions::new().append(true).create(true).open(dir.join("bare.log"))?;
        Ok(FileLog { file })
    }

    /// Durable entries per second, one by one.
    pub(crate) fn append(&mut self, lasts: Duration) -> anyhow::Result<f64> {
        let began = Instant::now();
        let mut entries = 0_u64;
        while began.elapsed() < lasts {
            self.write(&ENTRY)?;
            entries += 1;
        }
        Ok(entries as f64 / began.elapsed().as_secs_f64())
    }

    /// Makes one entry durable.
    pub(crate) fn write(&mut self, entry: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(entry)?;
        Ok(self.file.sync_data()?)
    }
}
