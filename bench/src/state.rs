//! The state that everything is measured on, as an archive that a Consul server could have made.
//!
//! Keys of 16 to 64 bytes under eight prefixes, values of 200 bytes that look like JSON and are half random.
//! The same number of keys gives the same bytes, on every machine.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use archive::consul::{self, DirEntry, IndexEntry, kinds};
use archive::gzip::Level;
use archive::hashicorp::{Compression, Configuration, Meta, Server, VOTER, Writer};

use crate::random::Random;

/// Seven bytes each and in order, so that with a slash and eight digits the shortest key has 16 bytes.
const PREFIXES: [&str; 8] =
    ["billing", "catalog", "gateway", "metrics", "network", "session", "storage", "webhook"];

const TAIL_BYTES_MAX: u64 = 48;
const VALUE_BYTES: usize = 200;

/// When the archive claims to be from, in seconds since 1970.
const MTIME_S: u64 = 1_790_000_000;

/// An archive on disk.
pub(crate) struct Archive {
    pub(crate) path: PathBuf,
    pub(crate) keys: u64,
    /// Bytes of `state.bin`: what "MB/s" counts.
    pub(crate) state_bytes: u64,
    pub(crate) archive_bytes: u64,
}

impl Archive {
    /// Makes the archive of a state with this many keys.
    pub(crate) fn make(path: &Path, keys: u64) -> anyhow::Result<Archive> {
        // The size stands before the content, so the content is made twice.
        let mut counter = Counter(0);
        write_state(&mut counter, keys)?;
        let state_bytes = counter.0;
        let file = BufWriter::new(File::create(path).context("create the archive")?);
        let compression = Compression::Gzip { level: Level::Fast, workers: crate::bare::GZIP_WORKERS };
        let mut writer = Writer::new(file, &meta(keys, state_bytes)?, MTIME_S, compression)?;
        write_state(&mut writer, keys)?;
        let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Archive { path: path.to_owned(), keys, state_bytes, archive_bytes: file.metadata()?.len() })
    }

    /// How many keys make a state of about `bytes`.
    pub(crate) fn keys_for(bytes: u64) -> anyhow::Result<u64> {
        const SAMPLE: u64 = 10_000;
        let mut counter = Counter(0);
        write_state(&mut counter, SAMPLE)?;
        Ok(bytes * SAMPLE / counter.0)
    }
}

fn write_state(out: &mut impl Write, keys: u64) -> io::Result<()> {
    let mut random = Random::new(keys);
    consul::write_header(out, keys)?;
    for number in 0..keys {
        let entry = DirEntry {
            key: key(&mut random, number, keys),
            value: Some(value(&mut random, number)),
            create_index: number + 1,
            modify_index: number + 1,
            ..DirEntry::default()
        };
        consul::write_record(out, kinds::KVS, &entry.encode())?;
    }
    let index = IndexEntry { key: "kvs".into(), value: keys };
    consul::write_record(out, kinds::INDEX, &index.encode())
}

/// The `number`th of `keys` keys, in order.
fn key(random: &mut Random, number: u64, keys: u64) -> Vec<u8> {
    let prefix = PREFIXES[(number * PREFIXES.len() as u64 / keys) as usize];
    let mut key = format!("{prefix}/{number:08}").into_bytes();
    let tail_bytes = random.below(TAIL_BYTES_MAX + 1);
    key.extend((0..tail_bytes).map(|_| b'a' + random.below(26) as u8));
    key
}

fn value(random: &mut Random, number: u64) -> Vec<u8> {
    let owner = random.below(100);
    let state = ["running", "pending", "stopped"][random.below(3) as usize];
    let mut value = format!(
        r#"{{"id":{number},"owner":"team-{owner:02}","state":"{state}","updated":"2026-11-{:02}T{:02}:00:00Z","token":""#,
        1 + random.below(28),
        random.below(24),
    )
    .into_bytes();
    let closing = br#""}"#;
    while value.len() + closing.len() < VALUE_BYTES {
        value.push(b"0123456789abcdef"[random.below(16) as usize]);
    }
    value.extend(closing);
    value
}

fn meta(index: u64, state_bytes: u64) -> anyhow::Result<Meta> {
    let server = Server {
        suffrage: VOTER,
        id: "065c1172-84a8-0bd1-269c-d24b2d0fb903".into(),
        address: "127.0.0.1:8300".into(),
    };
    let configuration = Configuration { servers: vec![server] };
    Ok(Meta {
        version: 1,
        id: format!("2-{index}-{MTIME_S}000"),
        index,
        term: 2,
        peers: configuration.legacy_peers(),
        configuration,
        configuration_index: 1,
        size: i64::try_from(state_bytes)?,
    })
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_have_16_to_64_bytes() {
        let mut random = Random::new(1);
        let keys: Vec<_> = (0..1000).map(|number| key(&mut random, number, 1000)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| (16..=64).contains(&key.len())));
    }

    #[test]
    fn every_value_has_200_bytes() {
        let mut random = Random::new(1);
        for number in [0, 999_999, 9_999_999] {
            assert_eq!(value(&mut random, number).len(), VALUE_BYTES);
        }
    }

    #[test]
    fn the_archive_passes_its_own_verification() {
        let dir = tempfile::tempdir().unwrap();
        let made = Archive::make(&dir.path().join("a.snap"), 500).unwrap();
        let file = File::open(&made.path).unwrap();
        let verdict = consul::verify(file, consul::Options::default()).unwrap();
        assert_eq!((verdict.counts[&kinds::KVS].records, verdict.last_index), (500, 500));
        assert_eq!(verdict.container.state_bytes, made.state_bytes);
    }
}
