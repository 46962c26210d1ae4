//! Archives of Qdrant's as tars: ours are read by others, others' by us, genuine ones are known to the last
//! member, and damaged ones are refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what this is about")]

mod support;

use std::io::{self, Cursor, Read, Write};
use std::ops::Range;

use archive::qdrant::{
    END_BYTES, Entries, Entry, EntryKind, Error, Extents, Limits, Part, Place, Writer, member_bytes,
};
use proptest::prelude::*;

/// A file as it is on disk: data where there is some.
fn content(extents: &Extents) -> Vec<u8> {
    let mut bytes = vec![0; extents.size() as usize];
    for (at, stretch) in extents.data().iter().enumerate() {
        bytes[stretch.start as usize..stretch.end as usize].fill(fill(at));
    }
    bytes
}

/// What the stretch of this number is full of.
fn fill(at: usize) -> u8 {
    at as u8 % 250 + 1
}

fn data(extents: &Extents) -> Vec<u8> {
    let stretches = extents.data().iter().enumerate();
    stretches.flat_map(|(at, s)| vec![fill(at); (s.end - s.start) as usize]).collect()
}

fn write(files: &[(String, Extents)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, extents) in files {
        writer.file(name, extents, &data(extents)[..]).unwrap();
    }
    writer.finish().unwrap()
}

fn read(tar: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    read_all(Entries::new(tar, Limits::default()))
}

fn read_all<R: Read>(mut entries: Entries<R>) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    while let Some(entry) = entries.next()? {
        let mut content = Vec::new();
        entries.content(&entry).read_to_end(&mut content)?;
        found.push((entry, content));
    }
    Ok(found)
}

fn files() -> impl Strategy<Value = Vec<(String, Extents)>> {
    let stretches = prop::collection::vec((0u64..3000, 0u64..2000), 0..40);
    let extents = (0u64..100_000, stretches).prop_map(|(size, stretches)| {
        let mut at = 0;
        let ascending = stretches.into_iter().map(|(gap, length)| -> Range<u64> {
            let start = at + gap;
            at = start + length;
            start..at
        });
        Extents::new(size, ascending.collect::<Vec<_>>())
    });
    prop::collection::vec((1usize..300, extents), 0..6).prop_map(|files| {
        let name = |(at, (length, extents)): (usize, (usize, Extents))| {
            (format!("{at}/{}", "n".repeat(length)), extents)
        };
        files.into_iter().enumerate().map(name).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_by_us_and_by_others(files in files()) {
        let tar = write(&files);
        let expected: u64 = files.iter().map(|(name, extents)| member_bytes(name, extents)).sum();
        prop_assert_eq!(tar.len() as u64, expected + END_BYTES);

        let ours = read(&tar).unwrap();
        prop_assert_eq!(ours.len(), files.len());
        for ((entry, found), (name, extents)) in ours.iter().zip(&files) {
            prop_assert_eq!(&entry.name, name);
            prop_assert_eq!(&entry.extents, extents);
            prop_assert!(*found == content(extents));
        }

        let mut theirs = tar::Archive::new(&tar[..]);
        let mut count = 0;
        for (entry, (name, extents)) in theirs.entries().unwrap().zip(&files) {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            prop_assert_eq!(path.to_str().unwrap(), name);
            let mut found = Vec::new();
            entry.read_to_end(&mut found).unwrap();
            prop_assert!(found == content(extents));
            count += 1;
        }
        prop_assert_eq!(count, files.len());
    }
}

/// Holes come out as holes, at their places, and nothing is written twice.
#[test]
fn files_are_written_with_their_holes() {
    let extents = Extents::new(1 << 20, [512..1024, 700_000..700_100]);
    let tar = write(&[("page_0.dat".to_owned(), extents.clone())]);
    let mut entries = Entries::new(&tar[..], Limits::default());
    let entry = entries.next().unwrap().unwrap();
    let mut written = Recorded::default();
    entries
        .write_to(&entry, &mut written, |file, size| {
            file.size = size;
            Ok(())
        })
        .unwrap();
    assert_eq!(written.size, 1 << 20);
    assert_eq!(written.ranges, extents.data());
    assert!(entries.next().unwrap().is_none());
}

#[derive(Default)]
struct Recorded {
    size: u64,
    at: u64,
    ranges: Vec<Range<u64>>,
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.at + bytes.len() as u64;
        self.ranges.push(self.at..end);
        self.at = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Recorded {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let io::SeekFrom::Start(at) = to else { panic!("only from the start") };
        self.at = at;
        Ok(at)
    }
}

/// Every cut and every flipped bit is refused, or changes nothing that is decoded but a member's name or kind:
/// a tar covers its headers with a sum and its content with nothing.
#[test]
fn damage_is_refused_or_is_content() {
    let files = [
        ("config.json".to_owned(), Extents::dense(700)),
        (
            format!("0/segments/{}", "x".repeat(120)),
            Extents::new(7_000, (0..5).map(|n| n * 1300..n * 1300 + 100)),
        ),
    ];
    let tar = write(&files);
    // Small, lest a flipped bit makes us read a gigabyte of holes.
    let limits = Limits { total_bytes: 100_000, ..Limits::default() };
    let read = |tar: &[u8]| read_all(Entries::new(tar, limits));
    let whole = read(&tar).unwrap();
    // Without a mark at the end, a cut between two members shows only to who knows how many there are.
    let between = |cut| cut as u64 == member_bytes(&files[0].0, &files[0].1);
    for cut in 0..tar.len() {
        assert!(read(&tar[..cut]).is_err(), "cut at {cut}");
        let nested = read_all(Entries::nested(&tar[..cut], limits));
        assert!(
            nested.is_err() || [0, tar.len() - END_BYTES as usize].contains(&cut) || between(cut),
            "{cut}"
        );
    }
    let mut accepted = 0;
    for at in 0..tar.len() {
        for bit in 0..8 {
            let mut damaged = tar.clone();
            damaged[at] ^= 1 << bit;
            let Ok(found) = read(&damaged) else { continue };
            accepted += 1;
            let differ = found.iter().zip(&whole).filter(|(found, was)| found != was).count();
            assert!(found.len() == whole.len() && differ <= 1, "bit {bit} of byte {at}");
        }
    }
    assert!(accepted > 0, "content is covered by no sum");
}

#[test]
fn what_leads_out_or_is_no_file_is_refused() {
    let named = |name: &str| {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Regular);
        header
    };
    let tar_of = |headers: &[tar::Header]| {
        let mut bytes = Vec::new();
        for header in headers {
            let mut header = header.clone();
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
        }
        bytes.extend_from_slice(&[0; END_BYTES as usize]);
        bytes
    };
    for name in ["/etc/passwd", "../x", "a/../../x", "..", ".", "./", "a\\b", "a\nb"] {
        assert!(matches!(read(&tar_of(&[named(name)])), Err(Error::Name(_))), "{name}");
    }
    let inside = read(&tar_of(&[named("./a//b")])).unwrap();
    assert_eq!(inside[0].0.name, "a/b");
    assert!(matches!(read(&tar_of(&[named("a"), named("./a")])), Err(Error::Twice(_))));
    for (kind, called) in [
        (tar::EntryType::Link, "Link"),
        (tar::EntryType::Symlink, "Symlink"),
        (tar::EntryType::Char, "Char"),
        (tar::EntryType::Block, "Block"),
        (tar::EntryType::Fifo, "Fifo"),
    ] {
        let mut header = named("a");
        header.set_entry_type(kind);
        let refused = read(&tar_of(&[header])).unwrap_err();
        assert_eq!(refused.to_string(), format!("Forbidden entry type in tar archive: {called}"));
    }
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let tar = write(&[
        ("a".to_owned(), Extents::new(1 << 50, [0..512])),
        ("b".to_owned(), Extents::new(1 << 30, (0..100).map(|n| n * 4096..n * 4096 + 512))),
    ]);
    let refused = |limits: Limits| {
        let mut entries = Entries::new(&tar[..], limits);
        loop {
            match entries.next() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.to_string()),
            }
        }
    };
    let wide = Limits { file_bytes: u64::MAX, total_bytes: u64::MAX, ..Limits::default() };
    assert_eq!(refused(wide), None);
    let said = |limits| refused(limits).unwrap();
    assert_eq!(said(Limits::default()), "the archive has more than 4398046511104 bytes in one file");
    assert_eq!(
        said(Limits { total_bytes: 1 << 50, ..wide }),
        "the archive has more than 1125899906842624 bytes"
    );
    assert_eq!(said(Limits { members: 1, ..wide }), "the archive has more than 1 members");
    assert_eq!(said(Limits { stretches: 50, ..wide }), "the archive has more than 50 stretches of data");
}

/// Every member of every genuine archive is known, down to the files of its segments.
#[test]
fn genuine_archives_hold_nothing_unknown() {
    for name in ["plain8", "plain8-shard0", "named", "sparse", "two_shards", "indexed8", "full-storage"] {
        let Some(tar) = support::fixture(&format!("qdrant/{name}.snapshot")) else { return };
        let seen = walk(&tar);
        assert!(seen.segments > 0 && seen.files > 10 * seen.segments && seen.sparse > 0, "{name}");
    }
}

#[derive(Default)]
struct Walked {
    segments: usize,
    files: usize,
    sparse: usize,
}

fn walk(tar: &[u8]) -> Walked {
    let mut seen = Walked::default();
    for (entry, content) in read(tar).unwrap() {
        let place = Place::of(&entry.name).unwrap_or_else(|| panic!("{} is unknown", entry.name));
        match place {
            Place::Collection(_) => {
                let inner = walk(&content);
                seen.segments += inner.segments;
                seen.files += inner.files;
                seen.sparse += inner.sparse;
            }
            Place::Shard { part: Some(Part::PackedSegment(_)), .. } => {
                seen.segments += 1;
                for (file, _) in read_all(Entries::nested(&content[..], Limits::default())).unwrap() {
                    assert!(file.name.starts_with("snapshot/files/") || file.kind == EntryKind::Directory);
                    seen.files += 1;
                    seen.sparse += usize::from(!file.extents.is_dense());
                }
            }
            _ => {}
        }
    }
    seen
}

/// One archive is read out of another without the inner one being stored.
#[test]
fn a_tar_in_a_tar_is_read_as_a_stream() {
    let inner = write(&[("a".to_owned(), Extents::new(100_000, [4096..8192]))]);
    let mut writer = Writer::new(Vec::new());
    writer.directory("0").unwrap();
    writer.bytes("0/inner.tar", &inner).unwrap();
    let outer = writer.finish().unwrap();
    let mut entries = Entries::new(Cursor::new(outer), Limits::default());
    assert_eq!(entries.next().unwrap().unwrap().kind, EntryKind::Directory);
    let entry = entries.next().unwrap().unwrap();
    let mut nested = Entries::nested(entries.content(&entry), Limits::default());
    let file = nested.next().unwrap().unwrap();
    assert_eq!(file.extents.data(), [4096..8192]);
    assert!(nested.next().unwrap().is_none());
    assert!(entries.next().unwrap().is_none());
}
