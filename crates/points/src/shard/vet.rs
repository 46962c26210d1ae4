//! Looks at files that came from elsewhere where the engine believes what they say of themselves: how much memory
//! to ask for. A process that is refused it ends, and an archive would have ended the server.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::files::failed;
use crate::error::{Error, Kind, Result};

/// Of an index of payload values: a header of two numbers, where the ranges begin and how many there are; then a
/// range per point, of two numbers: where its values begin and how many there are. All have eight bytes, little-endian
/// (`qdrant/qdrant:lib/segment/src/index/field_index/mmap_point_to_values.rs`).
const POINT_TO_VALUES: &str = "point_to_values.bin";

const PAYLOAD_INDEX: &str = "payload_index";

/// `Corrupt` if a file of the segment in `dir` promises more than it holds.
pub(super) fn vet_segment(dir: &Path) -> Result<()> {
    let indexes = dir.join(PAYLOAD_INDEX);
    let entries = match fs::read_dir(&indexes) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("list", &indexes))?,
    };
    for entry in entries {
        let file = entry.map_err(failed("list", &indexes))?.path().join(POINT_TO_VALUES);
        match vet_point_to_values(&file) {
            Err(missing) if is_missing(&missing) => {}
            Err(cut) if cut.kind() == io::ErrorKind::UnexpectedEof => return Err(lies()),
            Err(other) => return Err(failed("read", &file)(other)),
            Ok(false) => return Err(lies()),
            Ok(true) => {}
        }
    }
    Ok(())
}

/// Whether every range lies in the file. A value has at least one byte.
fn vet_point_to_values(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut file = BufReader::with_capacity(64 << 10, file);
    let [ranges_start, points] = numbers(&mut file)?;
    let ranges_end = points.checked_mul(16).and_then(|bytes| bytes.checked_add(ranges_start));
    if ranges_end.is_none_or(|end| end > length) {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(ranges_start))?;
    for _ in 0..points {
        let [start, count] = numbers(&mut file)?;
        if start.checked_add(count).is_none_or(|end| end > length) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn numbers(file: &mut impl Read) -> io::Result<[u64; 2]> {
    let mut bytes = [0; 16];
    file.read_exact(&mut bytes)?;
    let (numbers, _) = bytes.as_chunks();
    Ok([u64::from_le_bytes(numbers[0]), u64::from_le_bytes(numbers[1])])
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn lies() -> Error {
    Error::new(Kind::Corrupt, "an index of payload values says that it holds more than it does")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn verdict(numbers: &[u64], length: usize) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let index = dir.path().join(PAYLOAD_INDEX).join("city-map");
        fs::create_dir_all(&index).unwrap();
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.resize(length, 0);
        fs::write(index.join(POINT_TO_VALUES), bytes).unwrap();
        vet_segment(dir.path()).is_ok()
    }

    #[test]
    fn what_a_file_says_of_itself_must_fit_into_it() {
        assert!(verdict(&[16, 2, 48, 3, 51, 5], 56));
        assert!(verdict(&[16, 0], 16));
        for (numbers, length) in [
            (&[16_u64, 3, 48, 3, 51, 5][..], 56),
            (&[16, 2, 48, 3, 51, 6], 56),
            (&[16, 2, u64::MAX, 3, 51, 5], 56),
            (&[16, u64::MAX / 16 + 2, 48, 3], 56),
            (&[u64::MAX - 8, 1], 56),
            (&[16], 8),
        ] {
            assert!(!verdict(numbers, length), "{numbers:?}");
        }
        vet_segment(Path::new("/nowhere")).unwrap();
    }
}
