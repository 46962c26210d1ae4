//! Any bytes as a whole archive of Qdrant's: no panic, nothing is written outside of a file, and what is accepted
//! is within the limits.
#![no_main]

use std::io::{self, Seek, SeekFrom, Write};

use archive::qdrant::{Limits, ShardAt, Sink, Wal, unpack};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { members: 64, stretches: 64, file_bytes: 1 << 18, total_bytes: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let Ok(contents) = unpack(bytes, LIMITS, &mut Checked) else { return };
    assert!(contents.segments().map(|segment| segment.files).sum::<u64>() <= LIMITS.members);
    assert!(contents.segments().all(|segment| segment.stored_bytes <= segment.apparent_bytes));
    let _ = contents
        .collections
        .iter()
        .flat_map(|found| &found.shards)
        .map(|shard| shard.first_operation())
        .max();
});

/// Takes files that stay within what was announced of them.
struct Checked;

struct File {
    at: u64,
    bytes: u64,
}

impl Sink for Checked {
    type File = File;

    fn segment_file(&mut self, _: ShardAt<'_>, segment: &str, path: &str, bytes: u64) -> io::Result<File> {
        assert!(!segment.contains(['/', '.']));
        assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
        Ok(File { at: 0, bytes })
    }

    fn wal_file(&mut self, _: ShardAt<'_>, wal: Wal, bytes: u64) -> io::Result<File> {
        assert!(!wal.to_string().contains(['/', '.']));
        Ok(File { at: 0, bytes })
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        assert!(self.at <= self.bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}
