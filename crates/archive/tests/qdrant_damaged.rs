//! Archives of Qdrant's that were damaged, don't fit together or mean harm: each is refused with a reason, or holds
//! what it held before.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what this is about")]

mod support;

use std::thread;

use archive::qdrant::{Contents, Error, Extents, Limits, Packing, Sums, Writer, verify};
use sha2::{Digest, Sha256};
use support::points::Files;

const SEGMENT: &str = "00000000-0000-4000-8000-000000000001";
const LOCAL: &str = r#"{"is_local":true,"this_peer_id":7,"peers":{"7":"Active"}}"#;
const STATE: &str = r#"{"version":4,"config":{}}"#;

/// Members of an archive, which a test changes before they are packed.
#[derive(Clone)]
struct Members(Vec<(String, Vec<u8>)>);

impl Members {
    fn of(members: &[(&str, &[u8])]) -> Members {
        Members(members.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
    }

    /// A collection with one shard and one segment.
    fn collection() -> Members {
        let mut members = Members::shard();
        for (name, _) in &mut members.0 {
            name.insert_str(0, "0/");
        }
        members
            .with("version.info", b"0.4.2")
            .with("config.json", br#"{"params":{"vectors":{},"shard_number":1}}"#)
            .with("shard_key_mapping.json", b"[]")
            .with("payload_index.json", br#"{"schema":{}}"#)
    }

    fn shard() -> Members {
        Members::of(&[
            (&format!("segments/{SEGMENT}.tar"), &Members::segment().pack()),
            ("wal/closed-5", b"wal\0"),
            ("replica_state.json", LOCAL.as_bytes()),
            ("shard_config.json", br#"{"type":"ReplicaSet"}"#),
        ])
    }

    fn segment() -> Members {
        Members::of(&[
            ("snapshot/files/segment.json", STATE.as_bytes()),
            ("snapshot/files/version.info", b"0.6.0"),
        ])
    }

    fn full() -> Members {
        Members::of(&[
            ("a.snapshot", &Members::collection().pack()),
            ("config.json", br#"{"collections_mapping":{"a":"a.snapshot"},"collections_aliases":{"b":"a"}}"#),
        ])
    }

    /// With this member, in the place of one of the same name if there is one.
    fn with(mut self, name: &str, bytes: &[u8]) -> Members {
        match self.0.iter_mut().find(|(found, _)| found == name) {
            Some((_, content)) => *content = bytes.to_vec(),
            None => self.0.push((name.to_owned(), bytes.to_vec())),
        }
        self
    }

    fn without(mut self, name: &str) -> Members {
        let members = self.0.len();
        self.0.retain(|(found, _)| found != name);
        assert_eq!(self.0.len() + 1, members, "{name}");
        self
    }

    /// With another segment of these members.
    fn with_segment(self, segment: &Members) -> Members {
        self.with(&format!("segments/{SEGMENT}.tar"), &segment.pack())
    }

    /// What `SHA256SUMS` says of all of them.
    fn sums(&self) -> String {
        let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let line = |(name, bytes): &(String, Vec<u8>)| {
            let hash: String = hex(bytes);
            format!("{hash}  {name}\n")
        };
        self.0.iter().map(line).collect()
    }

    fn pack(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, bytes) in &self.0 {
            writer.bytes(name, bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(&self) -> Result<Contents, Error> {
        verify(&self.pack()[..], Limits::default())
    }

    fn refusal(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

#[test]
fn what_the_tests_begin_with_is_accepted() {
    for members in [Members::collection(), Members::shard(), Members::full()] {
        assert_eq!(members.read().unwrap().sums, Sums::Absent);
        let with_sums = members.clone().with("SHA256SUMS", members.sums().as_bytes());
        assert_eq!(with_sums.read().unwrap().sums, Sums::Checked);
    }
}

/// All forms that segments ever had are read, and say the same.
#[test]
fn segments_are_read_in_all_forms() {
    let expected = Members::shard().read().unwrap();
    let forms = [("snapshot/files/", true), ("", true), ("files/", false), ("", false)];
    for (prefix, is_packed) in forms {
        let mut members = Members::shard().without(&format!("segments/{SEGMENT}.tar"));
        let mut segment = Members(Vec::new());
        for (name, content) in [("segment.json", STATE), ("version.info", "0.6.0")] {
            match is_packed {
                true => segment = segment.with(&format!("{prefix}{name}"), content.as_bytes()),
                false => {
                    members = members.with(&format!("segments/{SEGMENT}/{prefix}{name}"), content.as_bytes());
                }
            }
        }
        if is_packed {
            members = members.with_segment(&segment);
        }
        assert_eq!(members.read().unwrap(), expected, "{prefix:?} {is_packed}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_in_genuine_words_where_there_are_some() {
    let collection = Members::collection;
    let shard = Members::shard;
    let full = Members::full;
    let manifest = Members::segment().with("snapshot/files/segment_manifest.json", b"{}");
    let rocksdb = Members::segment().with("snapshot/db_backup/CURRENT", b"x");
    let packed = format!("segments/{SEGMENT}.tar");
    let remote = br#"{"is_local":false,"this_peer_id":7,"peers":{"9":"Active"}}"#;
    let two_shards = br#"{"params":{"shard_number":2}}"#;
    for (members, said) in [
        (collection().without("config.json"), "the archive lacks \"config.json\"".to_owned()),
        (collection().without("0/shard_config.json"), "Can't read shard config at 0".into()),
        (
            collection().without("0/replica_state.json"),
            "Can't restore snapshot in local mode with missing data at shard: 0".into(),
        ),
        (
            collection().with("0/replica_state.json", remote),
            "Can't restore snapshot in local mode with missing data at shard: 0".into(),
        ),
        (collection().with("config.json", two_shards), "No shard found: 1 at 1".into()),
        (
            collection().with("1/shard_config.json", b"{}"),
            "the archive has an unknown member \"1\"".into(),
        ),
        (
            collection().with("shard_key_mapping.json", br#"[{"key":"berlin","shard_ids":[0]}]"#),
            "Stillpoint does not shard by keys of clients, and the archive has the shard keys \"berlin\"".into(),
        ),
        (
            collection().with("shard_key_mapping.json", br#"{"berlin":[0]}"#),
            "Stillpoint does not shard by keys of clients, and the archive has the shard keys \"berlin\"".into(),
        ),
        (
            collection().with("config.json", br#"{"params":{"shard_number":-1}}"#),
            "\"config.json\" in the archive is damaged: its shard_number is none".into(),
        ),
        (
            collection().with("config.json", br#"{"params":{"shard_number":4294967295}}"#),
            "No shard found: 1 at 1".into(),
        ),
        (shard().without(&packed).without("wal/closed-5"), "Invalid snapshot".into()),
        (
            shard().with_segment(&manifest),
            format!(
                "invalid shard snapshot: segment {SEGMENT} contains segment manifest; ensure you are not \
                 recovering partial snapshot on shard snapshot endpoint"
            ),
        ),
        (
            shard().with_segment(&rocksdb),
            format!(
                "segment {SEGMENT} holds RocksDB data, which newer servers don't read either: restore the \
                 archive on Qdrant 1.16, which converts it, and save it again there"
            ),
        ),
        (
            shard().with_segment(&Members::segment().without("snapshot/files/segment.json")),
            format!("the archive lacks \"./segments/{SEGMENT}/segment.json\""),
        ),
        (
            shard().with_segment(&Members::segment().without("snapshot/files/version.info")),
            format!("the archive lacks \"./segments/{SEGMENT}/version.info\""),
        ),
        (
            shard().with_segment(&Members::segment().with("snapshot/evil", b"x")),
            "the archive has an unknown member \"snapshot/evil\"".into(),
        ),
        (
            shard().with_segment(&Members::segment().with("segment.json", STATE.as_bytes())),
            "\"segment.json\" in the archive is damaged: the other files of its segment are packed in another way"
                .into(),
        ),
        (
            shard().with(&format!("segments/{SEGMENT}/files/segment.json"), STATE.as_bytes()),
            format!(
                "\"segments/{SEGMENT}/files/segment.json\" in the archive is damaged: the other files of its \
                 segment are packed in another way"
            ),
        ),
        (shard().with("config.json", b"{}"), "the archive has an unknown member \"config.json\"".into()),
        (shard().with("evil", b"x"), "the archive has an unknown member \"evil\"".into()),
        (shard().with("wal", b"x"), "the archive has an unknown member \"wal\"".into()),
        (full().without("config.json"), "the archive lacks \"config.json\"".into()),
        (full().without("a.snapshot"), "the archive lacks \"a.snapshot\"".into()),
        (
            full().with("b.snapshot", &collection().pack()),
            "\"config.json\" in the archive is damaged: it does not mention \"b.snapshot\"".into(),
        ),
        (
            full().with("a.snapshot", &full().pack()),
            "the archive has an unknown member \"a.snapshot\"".into(),
        ),
        (
            full().with("version.info", b"0.4.2"),
            "\"config.json\" in the archive is damaged: it is of a full archive, and the archive is of a \
             collection"
                .into(),
        ),
        (Members(Vec::new()), "the archive lacks \"config.json\"".into()),
    ] {
        assert_eq!(members.refusal(), said);
    }
}

#[test]
fn hashes_that_lie_are_noticed() {
    for members in [Members::collection(), Members::full()] {
        let sums = members.sums();
        let (first, rest) = sums.split_once('\n').unwrap();
        let other = format!("{}{}", if first.starts_with('0') { "1" } else { "0" }, &sums[1..]);
        let more = format!("{sums}{}\n", first.replace("  ", "  x"));
        for (lie, said) in [
            (rest.to_owned(), "SHA256SUMS does not list a member"),
            (other, "SHA256SUMS has another hash for a member"),
            (more, "SHA256SUMS lists a member that is missing"),
            (format!("{sums}{first}\n"), "SHA256SUMS is damaged"),
            (sums.to_uppercase(), "SHA256SUMS is damaged"),
            (sums.trim_end().to_owned(), "SHA256SUMS is damaged"),
            (sums.replace("  ", " *"), "SHA256SUMS is damaged"),
            (String::new(), "SHA256SUMS does not list a member"),
        ] {
            let refused = members.clone().with("SHA256SUMS", lie.as_bytes()).refusal();
            assert!(refused.starts_with(said), "{refused}");
        }
    }
    // What is hashed nowhere cannot be listed.
    let mut writer = Writer::new(Vec::new());
    let members = Members::shard();
    for (name, bytes) in &members.0 {
        writer.bytes(name, bytes).unwrap();
    }
    writer.file("wal/open-1", &Extents::new(4096, [0..512]), &[1; 512][..]).unwrap();
    writer.bytes("SHA256SUMS", members.sums().as_bytes()).unwrap();
    let refused = verify(&writer.finish().unwrap()[..], Limits::default()).unwrap_err();
    assert!(matches!(refused, Error::Sums { name, .. } if name == "wal/open-1"));
}

#[test]
fn what_leads_out_or_is_no_file_is_refused_inside_archives_too() {
    for name in ["../../evil", "/evil", "snapshot/files/../../evil", "snapshot/files/a\\b"] {
        let segment = Members::segment().with(name, b"x");
        let refused = Members::shard().with_segment(&segment).read().unwrap_err();
        assert!(matches!(refused, Error::Name(_)), "{name}: {refused:?}");
    }
    for name in ["a/".repeat(20) + "x", "x".repeat(256)] {
        let segment = Members::segment().with(&format!("snapshot/files/{name}"), b"x");
        let refused = Members::shard().with_segment(&segment).read().unwrap_err();
        assert!(matches!(refused, Error::Name(_)), "{name}: {refused:?}");
    }
    let mut link = tar::Header::new_gnu();
    link.set_path("snapshot/files/evil").unwrap();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_link_name("/etc/passwd").unwrap();
    link.set_size(0);
    link.set_cksum();
    let segment = [&link.as_bytes()[..], &Members::segment().pack()].concat();
    let shard = Members::shard().with(&format!("segments/{SEGMENT}.tar"), &segment);
    assert_eq!(shard.refusal(), "Forbidden entry type in tar archive: Symlink");

    let segment = Members::segment();
    let twice = [segment.0.clone(), segment.0].concat();
    let refused = Members::shard().with_segment(&Members(twice)).read().unwrap_err();
    assert!(matches!(refused, Error::Twice(_)), "{refused:?}");
}

#[test]
fn bombs_are_refused() {
    // An archive of holes, out of which a dense file of any size would be read.
    let mut inner = Writer::new(Vec::new());
    inner.bytes("snapshot/files/segment.json", STATE.as_bytes()).unwrap();
    let mut inner = inner.finish().unwrap();
    inner.truncate(1024);
    let mut bomb = Writer::new(Vec::new());
    let extents = Extents::new(1 << 40, [0..1024]);
    bomb.file(&format!("segments/{SEGMENT}.tar"), &extents, &inner[..]).unwrap();
    let refused = verify(&bomb.finish().unwrap()[..], Limits::default()).unwrap_err();
    assert!(matches!(&refused, Error::Content { fault, .. } if fault.contains("holes")), "{refused:?}");

    // Members, and bytes, count wherever they are.
    let mut segment = Members::segment();
    for file in 0..20 {
        segment = segment.with(&format!("snapshot/files/{file}"), &[1; 1000]);
    }
    let tar = Members::shard().with_segment(&segment).pack();
    let read = |limits| verify(&tar[..], limits).map(drop).map_err(|error| error.to_string());
    let refused = |of: &str| Err(format!("the archive has more than {of}"));
    assert_eq!(read(Limits { members: 27, ..Limits::default() }), Ok(()));
    assert!(read(Limits { members: 20, ..Limits::default() }).is_err());
    let dense = tar.len() as u64;
    assert!(read(Limits { total_bytes: dense, ..Limits::default() }).is_err());
    assert_eq!(read(Limits { total_bytes: 2 * dense, ..Limits::default() }), Ok(()));
    assert_eq!(read(Limits { file_bytes: 100, ..Limits::default() }), refused("100 bytes in one file"));

    // JSON has one budget.
    let large = format!(r#"{{"metadata":"{}"}}"#, "x".repeat(17 << 20));
    let refused = Members::collection().with("payload_index.json", large.as_bytes()).refusal();
    assert_eq!(refused, "\"payload_index.json\" in the archive is damaged: it is too large");
    let deep = "[".repeat(1 << 20);
    assert!(Members::collection().with("payload_index.json", deep.as_bytes()).read().is_err());
}

/// What comes out of an archive, if it is accepted.
fn read(archive: &[u8]) -> Option<(Contents, Files)> {
    // A flipped size must not become memory.
    let limits = Limits { file_bytes: 1 << 20, total_bytes: 1 << 22, ..Limits::default() };
    Files::read(archive, limits).ok()
}

fn small_archive() -> Vec<u8> {
    let files = [("mutable_id_tracker.mappings".to_owned(), Extents::new(2048, [512..1024]))];
    let mut found = Files::default();
    let segment = found.segment((None, None), 1, &files);
    let content =
        archive::qdrant::ShardContent { id: 0, peer_id: 7, first_operation: 9, segments: vec![segment] };
    found.write(&archive::qdrant::Pack::shard(content, Packing::Regular))
}

#[test]
fn no_flipped_bit_of_ours_changes_what_is_read() {
    let archive = &small_archive();
    let whole = &read(archive).unwrap();
    assert_eq!(whole.0.sums, Sums::Checked);
    let threads = 4;
    let check = |thread: usize| {
        let mut accepted = 0;
        for bit in (thread..archive.len() * 8).step_by(threads) {
            let mut flipped = archive.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Some(found) = read(&flipped) {
                assert!(found == *whole, "bit {bit} changes the contents");
                accepted += 1;
            }
        }
        accepted
    };
    let accepted: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || check(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // What nothing covers: what fills up the last block of a member, and how the digits of a sum are filled up.
    assert!(accepted < archive.len() * 8 / 2, "{accepted} of {} flips pass", archive.len() * 8);
}

#[test]
fn no_cut_of_ours_is_accepted() {
    let archive = small_archive();
    for length in 0..archive.len() {
        assert!(read(&archive[..length]).is_none(), "{length} of {} bytes pass", archive.len());
    }
    let streamed = Files::of_shard(Packing::Streamable, &[]).1;
    for length in 0..streamed.len() {
        assert!(read(&streamed[..length]).is_none(), "{length} of {} bytes pass", streamed.len());
    }
}

/// Genuine ones have no hashes: what is flipped in them may pass, but nothing panics and nothing is made up.
#[test]
fn damaged_genuine_archives_are_refused_or_read_in_peace() {
    for name in ["indexed8", "sparse", "full-storage"] {
        let Some(archive) = support::fixture(&format!("qdrant/{name}.snapshot")) else { return };
        for length in (0..archive.len()).step_by(4099) {
            let refused = verify(&archive[..length], Limits::default()).unwrap_err();
            assert!(!matches!(refused, Error::Io(_) | Error::Write(_)), "{refused:?}");
        }
        let mut random = 88_172_645_463_325_252_u64;
        for _ in 0..300 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut flipped = archive.clone();
            let bit = random as usize % (archive.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = verify(&flipped[..], Limits::default());
        }
    }
}
