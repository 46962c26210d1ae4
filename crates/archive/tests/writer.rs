//! The archive writer: equal input gives equal bytes, promises are kept, others can read the result.

mod support;

use std::io::{self, Read, Write};

use archive::gzip::Level;
use archive::hashicorp::{Compression, Error, Reader, Writer};
use archive::testing::{Builder, MTIME_S, archive, meta};

fn gzipped(workers: usize) -> Compression {
    Compression::Gzip { level: Level::Fast, workers }
}

/// Four members and a bit.
fn large_state() -> Vec<u8> {
    (0..600_000u64).flat_map(|number| (number * number).to_be_bytes()).collect()
}

#[test]
fn equal_input_gives_equal_bytes_whatever_the_workers() {
    let state = large_state();
    let meta = meta(7, state.len());
    let expected = archive(&meta, &state, gzipped(1));
    for workers in [0, 2, 4] {
        assert!(archive(&meta, &state, gzipped(workers)) == expected, "{workers}");
    }
    let mut dripping = Writer::new(Vec::new(), &meta, MTIME_S, gzipped(2)).unwrap();
    state.chunks(777).for_each(|chunk| dripping.write_all(chunk).unwrap());
    assert!(dripping.finish().unwrap() == expected);
}

#[test]
fn what_is_written_is_read_back() {
    for state in [vec![], b"x".to_vec(), vec![7; 511], vec![7; 512], vec![7; 513], large_state()] {
        let meta = meta(7, state.len());
        let bytes = archive(&meta, &state, Compression::default());
        let mut reader = Reader::new(bytes.as_slice());
        assert_eq!(reader.read_meta().unwrap(), Some(&meta));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == state);
        let verified = reader.finish().unwrap();
        assert_eq!((verified.meta, verified.state_bytes), (meta, state.len() as u64));
    }
}

#[test]
fn other_readers_find_three_plain_files() {
    let builder = Builder::with_every_kind();
    let bytes = builder.archive();
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(bytes.as_slice()));
    let files: Vec<(String, Vec<u8>)> = tar
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (0o600, MTIME_S));
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert!(header.entry_type().is_file());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        })
        .collect();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["meta.json", "state.bin", "SHA256SUMS"]);
    assert_eq!(files[1].1, builder.state());
    let sums = support::sums(&[("meta.json", &files[0].1), ("state.bin", &files[1].1)]);
    assert_eq!(files[2].1, sums);
}

#[test]
fn a_plain_tar_ends_with_two_zero_blocks_and_nothing_more() {
    let state = b"\x80".to_vec();
    let plain = archive(&meta(7, 1), &state, Compression::None);
    assert_eq!(plain.len(), 512 * (2 + 2 + 2 + 2));
    assert!(Reader::plain(plain.as_slice(), Default::default()).finish().is_ok());
}

fn refusal(error: io::Error) -> Error {
    Error::from_io(error)
}

#[test]
fn another_size_than_promised_is_refused() {
    let new = || Writer::new(Vec::new(), &meta(7, 4), MTIME_S, gzipped(1)).unwrap();
    let mut short = new();
    short.write_all(b"abc").unwrap();
    assert!(matches!(refusal(short.finish().unwrap_err()), Error::StateSize { promised: 4, found: 3 }));
    let mut long = new();
    long.write_all(b"abcd").unwrap();
    let error = refusal(long.write_all(b"e").unwrap_err());
    assert!(matches!(error, Error::StateSize { promised: 4, found: 5 }));
}

#[test]
fn what_no_header_can_hold_is_refused() {
    let mut negative = meta(7, 0);
    negative.size = -1;
    let refused =
        |meta, mtime_s| Writer::new(Vec::new(), meta, mtime_s, Compression::None).err().unwrap().kind();
    assert_eq!(refused(&negative, MTIME_S), io::ErrorKind::InvalidInput);
    assert_eq!(refused(&meta(7, 0), 1 << 33), io::ErrorKind::InvalidInput);
}

/// The header of a file this large carries its size in an extended record, and it is understood.
#[test]
fn sizes_from_8_gib_on_are_announced_and_understood() {
    let mut huge = meta(7, 0);
    huge.size = (1 << 33) + 5;
    let mut plain = Writer::new(Vec::new(), &huge, MTIME_S, Compression::None).unwrap();
    plain.write_all(&[7; 100]).unwrap();
    let mut tar = tar::Archive::new(plain_so_far(plain));
    let sizes: Vec<u64> = tar.entries().unwrap().take(2).map(|entry| entry.unwrap().size()).collect();
    assert_eq!(sizes[1], huge.size as u64);
    let mut reader = Writer::new(Vec::new(), &huge, MTIME_S, Compression::None).map(plain_so_far).unwrap();
    let mut reader = Reader::plain(&mut reader, Default::default());
    assert_eq!(reader.read_meta().unwrap(), Some(&huge));
    let error = refusal(reader.read(&mut [0; 8]).unwrap_err());
    assert!(matches!(error, Error::Cut { .. }), "{error:?}");
}

/// What an unfinished writer has written.
fn plain_so_far(writer: Writer<Vec<u8>>) -> io::Cursor<Vec<u8>> {
    io::Cursor::new(writer.get_ref().clone())
}
