//! Damaged and odd archives: what is refused, why, and in which words the genuine server would say so.

mod support;

use std::io::Read;

use archive::gzip;
use archive::hashicorp::{Error, HeaderFault, Options, Padding, Phase, Reader, Verified};
use archive::testing::{Builder, meta};
use support::{FILE, fixture, gzip as gzipped, sums, tar};

const STATE: &[u8] = b"\x81\xa9LastIndex\x07\x02\x81\xa3Key\xa1k";

/// The state and what is certain about it.
fn read(archive: &[u8]) -> Result<(Vec<u8>, Verified), Error> {
    let mut reader = Reader::new(archive);
    let mut state = Vec::new();
    reader.read_to_end(&mut state).map_err(Error::from_io)?;
    Ok((state, reader.finish()?))
}

fn refusal(archive: &[u8]) -> Error {
    read(archive).expect_err("the archive is damaged")
}

/// Insists on the variant, and on the text that the genuine server answers with.
macro_rules! check {
    ($archive:expr, $pattern:pat, $text:expr) => {{
        let error = refusal($archive);
        assert!(matches!(error, $pattern), "{error:?}");
        assert_eq!(error.genuine_text(), $text, "{error:?}");
    }};
}

fn json() -> Vec<u8> {
    meta(7, STATE.len()).to_json().into_bytes()
}

/// The entries of a whole archive.
struct Parts {
    json: Vec<u8>,
    sums: Vec<u8>,
}

impl Parts {
    fn new() -> Parts {
        let json = json();
        let sums = sums(&[("meta.json", &json), ("state.bin", STATE)]);
        Parts { json, sums }
    }

    fn tar(&self) -> Vec<u8> {
        tar(
            &[("meta.json", FILE, &self.json), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, &self.sums)],
            true,
        )
    }
}

fn with(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    gzipped(&tar(entries, true))
}

#[test]
fn the_tars_of_the_genuine_test_suite_get_their_known_verdicts() {
    let integrity =
        |text: &str| format!("failed to read snapshot file: failed checking integrity of snapshot: {text}");
    let refused = [
        ("empty", integrity("file missing for \"meta.json\"")),
        ("extra", "failed to read snapshot file: unexpected file \"nope\" in snapshot".into()),
        ("missing-meta", integrity("hash check failed for \"meta.json\"")),
        ("missing-state", integrity("hash check failed for \"state.bin\"")),
        ("missing-sha", integrity("file missing for \"meta.json\"")),
        ("corrupt-meta", integrity("hash check failed for \"meta.json\"")),
        ("corrupt-state", integrity("hash check failed for \"state.bin\"")),
        ("corrupt-sha", integrity("list missing hash for \"nope\"")),
        ("spaces-meta", "1536 unread uncompressed bytes remain".into()),
    ];
    for (name, text) in refused {
        let Some(bytes) = fixture(&format!("nomad/{name}.tar")) else { return };
        assert_eq!(refusal(&gzipped(&bytes)).genuine_text(), text, "{name}");
    }
    let Some(padded) = fixture("nomad/spaces-meta.tar") else { return };
    let options = Options { padding: Padding::Zeros, ..Options::default() };
    let verified = Reader::plain(padded.as_slice(), options).finish().unwrap();
    assert_eq!((verified.meta.index, verified.state_bytes), (10, 4518));
}

#[test]
fn entries_in_any_order_and_in_several_pieces_are_read() {
    let Parts { json, sums } = &Parts::new();
    let (head, tail) = STATE.split_at(5);
    let orders: [&[(&str, u8, &[u8])]; 4] = [
        &[("SHA256SUMS", FILE, sums), ("state.bin", FILE, STATE), ("meta.json", FILE, json)],
        &[("meta.json", FILE, json), ("SHA256SUMS", FILE, sums), ("state.bin", FILE, STATE)],
        &[
            ("state.bin", FILE, head),
            ("meta.json", FILE, json),
            ("SHA256SUMS", FILE, sums),
            ("state.bin", 0, tail),
        ],
        &[
            ("state.bin", FILE, b""),
            ("state.bin", FILE, STATE),
            ("SHA256SUMS", FILE, sums),
            ("meta.json", 0, json),
        ],
    ];
    for entries in orders {
        for ended in [true, false] {
            let (state, verified) = read(&gzipped(&tar(entries, ended))).unwrap();
            assert_eq!(state, STATE);
            assert_eq!(verified.meta, meta(7, STATE.len()));
        }
    }
}

#[test]
fn spaces_after_the_description_count_in_its_hash() {
    let mut json = json();
    json.extend(b"   \n\n");
    let sums = sums(&[("state.bin", STATE), ("meta.json", &json)]);
    let entries: [(&str, u8, &[u8]); 3] =
        [("meta.json", FILE, &json), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, &sums)];
    assert_eq!(read(&with(&entries)).unwrap().0, STATE);
    json.push(b' ');
    let entries: [(&str, u8, &[u8]); 3] =
        [("meta.json", FILE, &json), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, &sums)];
    assert!(matches!(refusal(&with(&entries)), Error::HashMismatch { name: "meta.json" }));
}

#[test]
fn what_is_not_gzip_is_told_apart() {
    check!(b"", Error::Gzip { source: gzip::Error::Empty, .. }, "failed to decompress snapshot: EOF");
    let short = "failed to decompress snapshot: unexpected EOF";
    check!(b"nope", Error::Gzip { source: gzip::Error::ShortHeader, .. }, short);
    let not_gzip = "failed to decompress snapshot: gzip: invalid header";
    check!(b"not a gzip stream", Error::Gzip { source: gzip::Error::NotGzip, .. }, not_gzip);
    check!(&Parts::new().tar(), Error::Gzip { source: gzip::Error::NotGzip, .. }, not_gzip);
}

#[test]
fn files_that_do_not_belong_are_refused() {
    let Parts { json, sums } = &Parts::new();
    for name in
        ["nope", "./meta.json", "state.bin/", "/state.bin", "META.JSON", "pax_global_header", "../state.bin"]
    {
        let archive = with(&[("meta.json", FILE, json), (name, FILE, b"x"), ("SHA256SUMS", FILE, sums)]);
        let text = format!("failed to read snapshot file: unexpected file {name:?} in snapshot");
        check!(&archive, Error::UnexpectedFile { offset: 1024, .. }, text);
    }
    for kind in [b'1', b'2', b'3', b'5', b'6', b'7', b'S', b'g', b'L'] {
        let archive = with(&[("meta.json", FILE, json), ("state.bin", kind, b"")]);
        assert!(matches!(refusal(&archive), Error::NotRegular { .. }), "{}", char::from(kind));
    }
}

#[test]
fn missing_files_are_told_from_altered_ones() {
    let Parts { json, sums } = &Parts::new();
    let integrity =
        |text: &str| format!("failed to read snapshot file: failed checking integrity of snapshot: {text}");
    let archive = with(&[("state.bin", FILE, STATE), ("SHA256SUMS", FILE, sums)]);
    check!(&archive, Error::Absent { name: "meta.json" }, integrity("hash check failed for \"meta.json\""));
    let archive = with(&[("meta.json", FILE, json), ("SHA256SUMS", FILE, sums)]);
    check!(&archive, Error::Absent { name: "state.bin" }, integrity("hash check failed for \"state.bin\""));
    let archive = with(&[("meta.json", FILE, json), ("state.bin", FILE, b"x"), ("SHA256SUMS", FILE, sums)]);
    check!(
        &archive,
        Error::HashMismatch { name: "state.bin" },
        integrity("hash check failed for \"state.bin\"")
    );
    let archive = with(&[("meta.json", FILE, b"{}"), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, sums)]);
    check!(
        &archive,
        Error::HashMismatch { name: "meta.json" },
        integrity("hash check failed for \"meta.json\"")
    );
    let archive = with(&[("meta.json", FILE, json), ("state.bin", FILE, STATE)]);
    check!(&archive, Error::Unlisted { name: "meta.json" }, integrity("file missing for \"meta.json\""));
    check!(&with(&[]), Error::Unlisted { name: "meta.json" }, integrity("file missing for \"meta.json\""));
    check!(&gzipped(b""), Error::Unlisted { name: "meta.json" }, integrity("file missing for \"meta.json\""));
}

/// A genuine server takes these for an empty snapshot.
#[test]
fn honest_sums_of_nothing_do_not_make_an_empty_snapshot() {
    let json = meta(7, 0).to_json().into_bytes();
    let no_state = sums(&[("meta.json", &json), ("state.bin", b"")]);
    let archive = with(&[("meta.json", FILE, &json), ("SHA256SUMS", FILE, &no_state)]);
    assert!(matches!(refusal(&archive), Error::Absent { name: "state.bin" }));
    let nothing = sums(&[("meta.json", b""), ("state.bin", b"")]);
    assert!(matches!(refusal(&with(&[("SHA256SUMS", FILE, &nothing)])), Error::Absent { name: "state.bin" }));
}

#[test]
fn bad_sums_are_refused() {
    let Parts { json, sums } = Parts::new();
    let with_sums = |sums: Vec<u8>| {
        with(&[("meta.json", FILE, &json), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, &sums)])
    };
    let integrity =
        |text: &str| format!("failed to read snapshot file: failed checking integrity of snapshot: {text}");
    let blank = [sums.as_slice(), b"\n"].concat();
    check!(&with_sums(blank), Error::SumsLine { line: 3, .. }, integrity("EOF"));
    let unknown = [sums.as_slice(), b"abcd  nope\n"].concat();
    check!(
        &with_sums(unknown),
        Error::UnknownSum { line: 3, .. },
        integrity("list missing hash for \"nope\"")
    );
    let half = sums[..sums.len() / 2].to_vec();
    check!(
        &with_sums(half),
        Error::Unlisted { name: "state.bin" },
        integrity("file missing for \"state.bin\"")
    );
}

#[test]
fn a_description_that_is_none_is_refused() {
    for json in [&b""[..], b"x", b"[]", b"{\"Size\":\"1\"}", b"{\"Index\":-1}"] {
        let error = refusal(&with(&[("meta.json", FILE, json), ("state.bin", FILE, STATE)]));
        assert!(matches!(error, Error::Meta(_)), "{error:?}");
        let text = error.genuine_text();
        assert!(
            text.starts_with("failed to read snapshot file: failed to decode snapshot metadata: "),
            "{text}"
        );
    }
}

#[test]
fn a_promise_that_is_not_kept_is_refused() {
    let archive = |change: fn(&mut archive::hashicorp::Meta)| {
        let mut meta = meta(7, STATE.len());
        change(&mut meta);
        let json = meta.to_json().into_bytes();
        let sums = sums(&[("meta.json", &json), ("state.bin", STATE)]);
        with(&[("meta.json", FILE, &json), ("state.bin", FILE, STATE), ("SHA256SUMS", FILE, &sums)])
    };
    let raft = |text: &str| format!("Raft error when restoring snapshot: {text}");
    let newer = archive(|meta| meta.version = 2);
    check!(&newer, Error::Version(2), raft("unsupported snapshot version 2"));
    let longer = archive(|meta| meta.size += 1);
    let text = raft("failed to write snapshot, size didn't match (20 != 21)");
    check!(&longer, Error::StateSize { promised: 21, found: 20 }, text);
    assert!(matches!(refusal(&archive(|meta| meta.size = -1)), Error::StateSize { .. }));
    assert!(matches!(refusal(&archive(|meta| meta.version = -1)), Error::Version(-1)));
    assert!(read(&archive(|meta| meta.version = 0)).is_ok());
}

#[test]
fn bytes_after_the_end_are_refused_unless_they_are_zeros_and_allowed() {
    let mut padded = Parts::new().tar();
    padded.resize(10240, 0);
    let text = format!("{} unread uncompressed bytes remain", 10240 - Parts::new().tar().len());
    check!(&gzipped(&padded), Error::Unread { .. }, text);
    let lenient = Options { padding: Padding::Zeros, ..Options::default() };
    assert!(Reader::with_options(gzipped(&padded).as_slice(), lenient).finish().is_ok());
    padded.push(1);
    let error = Reader::with_options(gzipped(&padded).as_slice(), lenient).finish().unwrap_err();
    assert!(matches!(error, Error::Unread { .. }), "{error:?}");
}

#[test]
fn bytes_after_the_gzip_member_are_refused_even_zeros() {
    let whole = gzipped(&Parts::new().tar());
    for (tail, text) in [
        (&[0; 9][..], "unexpected EOF"),
        (&[0; 10], "gzip: invalid header"),
        (&[0; 512], "gzip: invalid header"),
        (b"x", "unexpected EOF"),
        (&[0x1f, 0x8b, 8], "unexpected EOF"),
        (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], "unexpected EOF"),
    ] {
        let error = refusal(&[&whole, tail].concat());
        assert!(matches!(error, Error::Gzip { phase: Phase::End, .. }), "{error:?}");
        assert_eq!(error.genuine_text(), text, "{tail:?}");
    }
}

#[test]
fn a_tar_spread_over_members_is_one() {
    let tar = Parts::new().tar();
    for cut in [0, 1, 511, 512, 700, 1024, 1600, tar.len()] {
        let (head, tail) = tar.split_at(cut);
        let members = [gzipped(head), gzipped(b""), gzipped(tail), gzipped(b"")].concat();
        assert_eq!(read(&members).unwrap().0, STATE, "{cut}");
    }
}

#[test]
fn a_checksum_is_refused_wherever_it_is_noticed() {
    let mut archive = gzipped(&Parts::new().tar());
    let trailer = archive.len() - 8;
    archive[trailer] ^= 1;
    check!(
        &archive,
        Error::Gzip { phase: Phase::End, source: gzip::Error::Checksum { .. } },
        "gzip: invalid checksum"
    );
    // In the first of two members it shows within the file that the second one continues.
    let tar = Parts::new().tar();
    let mut first = gzipped(&tar[..1024 + 512 + 3]);
    let length = first.len() - 1;
    first[length] ^= 1;
    let text = "failed to read snapshot file: failed to read or write snapshot data: gzip: invalid checksum";
    check!(
        &[first, gzipped(&tar[1024 + 512 + 3..])].concat(),
        Error::Gzip { phase: Phase::State, source: gzip::Error::Checksum { .. } },
        text
    );
}

#[test]
fn a_tar_that_is_cut_within_good_gzip_is_told_by_the_place() {
    let tar = Parts::new().tar();
    let cases = [
        (100, Phase::Entries, "failed reading snapshot: unexpected EOF"),
        (520, Phase::Meta, "failed to read snapshot metadata: unexpected EOF"),
        (1030, Phase::Entries, "failed reading snapshot: unexpected EOF"),
        (1024 + 512 + 3, Phase::State, "failed to read or write snapshot data: unexpected EOF"),
        (2048 + 512 + 3, Phase::Sums, "failed to read snapshot hashes: unexpected EOF"),
    ];
    for (length, expected, text) in cases {
        let error = refusal(&gzipped(&tar[..length]));
        match error {
            Error::Cut { phase, offset } => assert_eq!((phase, offset), (expected, length as u64)),
            ref other => panic!("{length}: {other:?}"),
        }
        assert_eq!(error.genuine_text(), format!("failed to read snapshot file: {text}"), "{length}");
    }
}

#[test]
fn bad_headers_are_refused() {
    let text = "failed to read snapshot file: failed reading snapshot: archive/tar: invalid tar header";
    let broken = |at: usize, with: &[u8]| {
        let mut tar = Parts::new().tar();
        tar[at..at + with.len()].copy_from_slice(with);
        let sum = tar[..512].iter().map(|byte| u64::from(*byte)).sum::<u64>()
            - tar[148..156].iter().map(|byte| u64::from(*byte)).sum::<u64>()
            + 8 * u64::from(b' ');
        tar[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        gzipped(&tar)
    };
    check!(&broken(124, b"0000000004x"), Error::Header { fault: HeaderFault::Number("size"), .. }, text);
    check!(&broken(124, &[0xff; 12]), Error::Header { fault: HeaderFault::Number("size"), .. }, text);
    check!(&broken(100, b"rw-"), Error::Header { fault: HeaderFault::Number("mode"), .. }, text);
    let mut tar = Parts::new().tar();
    tar[3] ^= 1;
    check!(&gzipped(&tar), Error::Header { fault: HeaderFault::Checksum, offset: 0 }, text);
    let lone = [&[0; 512][..], &Parts::new().tar()].concat();
    check!(&gzipped(&lone), Error::Header { fault: HeaderFault::LoneZeroBlock, offset: 0 }, text);
    // A size in base 256 is fine if it is the right one.
    let mut size = [0; 12];
    size[0] = 0x80;
    size[10..].copy_from_slice(&(json().len() as u16).to_be_bytes());
    assert!(read(&broken(124, &size)).is_ok());
}

#[test]
fn extended_headers_may_give_size_and_name_and_nothing_else() {
    let Parts { json, sums } = &Parts::new();
    let extended = |records: &[u8], name: &str| {
        with(&[
            ("PaxHeaders.0/x", b'x', records),
            (name, FILE, json),
            ("state.bin", FILE, STATE),
            ("SHA256SUMS", FILE, sums),
        ])
    };
    let size = format!(" size={}\n", json.len());
    let size = format!("{}{size}", size.len() + 2).into_bytes();
    assert!(read(&extended(&size, "meta.json")).is_ok());
    assert!(read(&extended(b"30 mtime=1350244992.023960108\n", "meta.json")).is_ok());
    assert!(read(&extended(b"18 path=meta.json\n", "other")).is_ok());
    assert!(read(&extended(b"9 path=x\n8 path=\n", "meta.json")).is_ok());
    assert!(matches!(refusal(&extended(b"10 path=x\n", "meta.json")), Error::UnexpectedFile { .. }));
    for (records, expected) in [
        (&b"nonsense"[..], HeaderFault::Record),
        (b"99 size=1\n", HeaderFault::Record),
        (b"3 \n", HeaderFault::Record),
        (b"0 size=1\n", HeaderFault::Record),
        (b"5 =1\n", HeaderFault::Record),
        (b"11 size=-1\n", HeaderFault::Number("size")),
        (b"29 size=99999999999999999999\n", HeaderFault::Number("size")),
        (b"22 GNU.sparse.major=1\n", HeaderFault::Sparse),
    ] {
        match refusal(&extended(records, "meta.json")) {
            Error::Header { fault, .. } => assert_eq!(fault, expected, "{}", records.escape_ascii()),
            other => panic!("{}: {other:?}", records.escape_ascii()),
        }
    }
    let huge = vec![b'x'; (1 << 20) + 1];
    assert!(matches!(
        refusal(&extended(&huge, "meta.json")),
        Error::Header { fault: HeaderFault::RecordsTooLarge(_), .. }
    ));
}

#[test]
fn parts_beyond_their_caps_are_refused_before_they_are_read() {
    let large = vec![b' '; (1 << 20) + 1];
    let error = refusal(&with(&[("meta.json", FILE, &large)]));
    assert!(matches!(error, Error::TooLarge { name: "meta.json", bytes_max: 1_048_576, .. }), "{error:?}");
    let half = [b"{}".as_slice(), &vec![b' '; 600_000]].concat();
    let error = refusal(&with(&[("meta.json", FILE, &half), ("meta.json", FILE, &half)]));
    assert!(matches!(error, Error::TooLarge { name: "meta.json", .. }), "{error:?}");
    let error = refusal(&with(&[("SHA256SUMS", FILE, &large[..65537])]));
    assert!(matches!(error, Error::TooLarge { name: "SHA256SUMS", .. }), "{error:?}");
    let options = Options { state_bytes_max: 10, ..Options::default() };
    let archive = with(&[("state.bin", FILE, STATE)]);
    let error = Reader::with_options(archive.as_slice(), options).finish().unwrap_err();
    assert!(matches!(error, Error::TooLarge { name: "state.bin", .. }), "{error:?}");
}

#[test]
fn a_failed_reader_never_comes_to_an_end() {
    let archive = Builder::with_every_kind().archive();
    let mut reader = Reader::new(&archive[..archive.len() - 1]);
    let mut state = Vec::new();
    assert!(reader.read_to_end(&mut state).is_err());
    for _ in 0..3 {
        let error = Error::from_io(reader.read(&mut [0; 16]).unwrap_err());
        assert!(matches!(error, Error::Poisoned), "{error:?}");
    }
    assert!(matches!(reader.finish(), Err(Error::Poisoned)));
}

#[test]
fn every_truncation_is_refused() {
    let archive = Builder::with_every_kind().archive();
    for missing in [200, 16, 8, 4, 2, 1] {
        let error = refusal(&archive[..archive.len() - missing]);
        assert!(error.genuine_text().ends_with("unexpected EOF"), "{missing}: {error:?}");
    }
    for length in 0..archive.len() {
        let error = refusal(&archive[..length]);
        assert!(matches!(error, Error::Gzip { .. }), "{length}: {error:?}");
    }
}

#[test]
fn every_flipped_bit_is_refused_or_changes_nothing() {
    let archive = Builder::with_every_kind().archive();
    let original = read(&archive).unwrap();
    let mut harmless = Vec::new();
    for bit in 0..8 * archive.len() {
        let mut flipped = archive.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(state) = read(&flipped) {
            assert!(state == original, "bit {bit} changed what the archive holds");
            harmless.push(bit / 8);
        }
    }
    // Nothing covers the rest of the gzip header: flags that mean nothing, time, extra flags, system. In
    // the compressed data a bit may choose another way to say the same. All else is covered.
    let covered = |byte: &usize| *byte < 3 || *byte >= archive.len() - 8;
    assert!(!harmless.iter().any(covered), "{harmless:?}");
}
