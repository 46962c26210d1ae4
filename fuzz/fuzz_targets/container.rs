//! Any bytes as an archive, gzipped and plain: no panic, and what is accepted keeps its promises.
#![no_main]

use std::io::Read;

use archive::hashicorp::{Compression, Error, Options, Padding, Reader, Verified, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A mutated archive rarely passes gzip's checksum: mostly the plain tar gets anywhere.
    check(Reader::new(bytes));
    let lenient = Options { padding: Padding::Zeros, state_bytes_max: 1 << 20 };
    check(Reader::plain(bytes, Options::default()));
    check(Reader::plain(bytes, lenient));
});

fn check<R: Read>(mut reader: Reader<R>) {
    let mut state = Vec::new();
    match reader.read_to_end(&mut state).map_err(Error::from_io) {
        Ok(_) => {
            let verified = reader.finish().expect("the end was reached");
            rewrite(&verified, &state);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.genuine_text().is_empty());
            assert!(matches!(reader.finish(), Err(Error::Poisoned)));
        }
    }
}

/// Whatever was accepted can be written, and is then read as the same.
fn rewrite(verified: &Verified, state: &[u8]) {
    assert_eq!(verified.state_bytes, state.len() as u64);
    let mut writer = Writer::new(Vec::new(), &verified.meta, 0, Compression::default()).expect("a valid size");
    std::io::Write::write_all(&mut writer, state).expect("the promised size");
    let archive = writer.finish().expect("the promised size");
    assert_eq!(&Reader::new(archive.as_slice()).finish().expect("our own archive"), verified);
}
