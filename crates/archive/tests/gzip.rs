//! The gzip layer: the same bytes whatever the workers, bounded and unhurried by failure, readable by others.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use archive::gzip::{Error, Level, MEMBER_BYTES, Reader, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that compress neither very well nor not at all.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + (state % 11) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn compress(content: &[u8], workers: usize, write_bytes: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Level::Fast, workers);
    let memory = "memory takes everything";
    content.chunks(write_bytes.max(1)).for_each(|chunk| writer.write_all(chunk).expect(memory));
    writer.finish().expect(memory)
}

fn decompress(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    Reader::new(archive).read_to_end(&mut content).map(|_| content)
}

fn fault(archive: &[u8]) -> Error {
    let error = decompress(archive).expect_err("the stream is damaged");
    error.downcast().expect("memory does not fail")
}

#[test]
fn the_bytes_depend_on_the_content_alone() {
    let content = content(3 * MEMBER_BYTES + 12345);
    let expected = compress(&content, 1, content.len());
    for (workers, write_bytes) in [(0, 70_000), (2, 65_536), (4, 1 << 21), (3, 999)] {
        assert!(compress(&content, workers, write_bytes) == expected, "{workers} workers");
    }
    assert!(decompress(&expected).unwrap() == content);
}

#[test]
fn members_are_as_large_as_they_are_said_to_be() {
    for (length, members) in [(0, 1), (1, 1), (MEMBER_BYTES, 1), (MEMBER_BYTES + 1, 2), (2 * MEMBER_BYTES, 2)]
    {
        let archive = compress(&content(length), 2, 1 << 16);
        assert_eq!(archive[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        let mut rest = archive.as_slice();
        let mut lengths = Vec::new();
        while !rest.is_empty() {
            let mut member = flate2::bufread::GzDecoder::new(rest);
            lengths.push(io::copy(&mut member, &mut io::sink()).unwrap() as usize);
            rest = member.into_inner();
        }
        assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (members, length));
    }
}

#[test]
fn others_can_read_what_is_written() {
    let content = content(MEMBER_BYTES + 5);
    for level in [Level::Fast, Level::Small] {
        let mut writer = Writer::new(Vec::new(), level, 2);
        writer.write_all(&content).unwrap();
        let mut read = Vec::new();
        let archive = writer.finish().unwrap();
        flate2::read::MultiGzDecoder::new(archive.as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == content);
    }
}

/// Takes so many bytes and then fails, counting what it took.
struct Full {
    left: usize,
    writes_after: Arc<AtomicUsize>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.writes_after.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failure_below_surfaces_and_is_not_written_over() {
    for workers in [1, 3] {
        let writes_after = Arc::new(AtomicUsize::new(0));
        let mut writer =
            Writer::new(Full { left: 1000, writes_after: writes_after.clone() }, Level::Fast, workers);
        let content = content(MEMBER_BYTES);
        let error = (0..100).find_map(|_| writer.write_all(&content).err()).expect("the disk is full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(writer.write_all(&content).is_err());
        assert!(writer.flush().is_err());
        assert!(writer.finish().is_err());
        assert_eq!(writes_after.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_writer_can_be_dropped_at_any_time() {
    for members in 0..6 {
        let mut writer = Writer::new(Vec::new(), Level::Fast, 2);
        writer.write_all(&content(members * MEMBER_BYTES + 10)).unwrap();
        drop(writer);
    }
}

#[test]
fn optional_header_fields_are_passed_over() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("state")
        .comment("made by hand")
        .extra(vec![7; 300])
        .mtime(5)
        .write(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"content").unwrap();
    let archive = encoder.finish().unwrap();
    assert_eq!(decompress(&archive).unwrap(), b"content");
    for length in 1..60 {
        assert_eq!(fault(&archive[..length]), Error::ShortHeader, "{length}");
    }
    let mut endless = archive[..10].to_vec();
    endless[3] = 1 << 3;
    endless.extend([b'x'; 600]);
    assert_eq!(fault(&endless), Error::NotGzip);
}

#[test]
fn a_header_checksum_is_checked() {
    let plain = compress(b"content", 1, 100);
    let mut header = plain[..10].to_vec();
    header[3] = 1 << 1;
    let crc = libdeflater::crc32(&header) as u16;
    let with_crc = |crc: u16| [&header, &crc.to_le_bytes()[..], &plain[10..]].concat();
    assert_eq!(decompress(&with_crc(crc)).unwrap(), b"content");
    assert_eq!(fault(&with_crc(crc ^ 1)), Error::NotGzip);
}

#[test]
fn a_failure_is_repeated_and_never_becomes_an_end() {
    let archive = compress(&content(1000), 1, 1000);
    let mut reader = Reader::new(&archive[..archive.len() - 3]);
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    for _ in 0..3 {
        assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

/// Fails once, after so many bytes.
struct Hiccup<'a>(&'a [u8], usize);

impl Read for Hiccup<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.1.checked_sub(1) else {
            self.1 = usize::MAX;
            return Err(io::ErrorKind::ConnectionReset.into());
        };
        self.1 = left;
        self.0.read(&mut out[..1])
    }
}

/// Otherwise bytes lost with the failure could make foreign bytes after the end look like none.
#[test]
fn nothing_is_read_after_the_source_has_failed() {
    let archive = [compress(b"content", 1, 7), vec![0; 9]].concat();
    for at in 0..archive.len() {
        let mut reader = Reader::new(Hiccup(&archive, at));
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let again = reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(again.downcast::<Error>().unwrap(), Error::Poisoned, "{at}");
    }
}

/// Gives one byte at a time, now and then interrupted.
struct Drip<'a>(&'a [u8], bool);

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        match self.1 {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => self.0.read(&mut out[..1]),
        }
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let content = content(5000);
    let archive = [compress(&content, 1, 5000), compress(b"more", 1, 4)].concat();
    let mut read = Vec::new();
    Reader::new(Drip(&archive, false)).read_to_end(&mut read).unwrap();
    assert!(read == [&content[..], b"more"].concat());
}

proptest! {
    #[test]
    fn whatever_is_compressed_comes_back(content in vec(any::<u8>(), 0..5000), splits in vec(1usize..700, 1..4)) {
        let mut members = Vec::new();
        let mut rest = content.as_slice();
        for split in splits {
            let (head, tail) = rest.split_at(split.min(rest.len()));
            members.extend(compress(head, 1, 100));
            rest = tail;
        }
        members.extend(compress(rest, 2, 100));
        prop_assert_eq!(decompress(&members).unwrap(), content);
    }

    #[test]
    fn noise_is_refused_without_panic(noise in vec(any::<u8>(), 0..300)) {
        let archive = [&[0x1f, 0x8b, 8, noise.len() as u8, 0, 0, 0, 0, 0, 0], &noise[..]].concat();
        prop_assert!(decompress(&noise).is_err());
        let _ = decompress(&archive);
    }
}
