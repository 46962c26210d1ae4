//! Archives that genuine servers made: read whole, and reproduced where we understand them.

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use archive::consul::inspect::{KeyDetail, Summary};
use archive::consul::{self, DirEntry, IndexEntry, Options, Records, Session, kinds, verify};
use archive::hashicorp::{Compression, Meta, Reader, Writer};
use archive::msgpack::Value;
use support::fixture;

const ARCHIVES: [&str; 3] = ["consul/all.snap", "consul/backup.snap", "consul/backupWithKV.snap"];

#[test]
fn genuine_archives_verify_with_the_counts_they_are_known_to_have() {
    type Counts = &'static [(u8, u64)];
    let expected: [(&str, u64, u64, Counts); 3] = [
        ("consul/all.snap", 62, 109, &[(65, 1), (69, 1), (0, 3), (16, 55), (22, 18), (31, 5), (29, 1)]),
        ("consul/backup.snap", 13, 22, &[(0, 3), (16, 12), (9, 1), (13, 1), (14, 1), (15, 1)]),
        ("consul/backupWithKV.snap", 12426, 50, &[(0, 5), (2, 27), (5, 2), (6, 1), (3, 1), (16, 11)]),
    ];
    for (name, index, records, some_counts) in expected {
        let Some(bytes) = fixture(name) else { return };
        let verdict = verify(bytes.as_slice(), Options::default()).unwrap();
        assert_eq!(verdict.container.meta.index, index, "{name}");
        assert_eq!(verdict.container.meta.size as u64, verdict.container.state_bytes, "{name}");
        assert_eq!(verdict.counts.values().map(|count| count.records).sum::<u64>(), records, "{name}");
        for (kind, count) in some_counts {
            assert_eq!(verdict.counts[kind].records, *count, "{name}: {}", kinds::name(*kind));
        }
        // Consul Enterprise wrote one index twice, where another was meant.
        assert_eq!(verdict.repeated, u64::from(name == "consul/all.snap"), "{name}");
    }
}

#[test]
fn typed_records_encode_to_the_bytes_they_were_decoded_from() {
    let mut encoded = BTreeMap::new();
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        for record in Records::new(Reader::new(bytes.as_slice())).unwrap() {
            let record = record.unwrap();
            if Value::decode(&record.bytes).unwrap().get("Namespace").is_some() {
                continue;
            }
            let again = match record.kind {
                kinds::KVS | kinds::TOMBSTONE => DirEntry::decode(&record.bytes).unwrap().encode(),
                kinds::SESSION => Session::decode(&record.bytes).unwrap().encode(),
                kinds::INDEX => IndexEntry::decode(&record.bytes).unwrap().encode(),
                _ => continue,
            };
            assert_eq!(again, record.bytes, "{name}: {}", kinds::name(record.kind));
            *encoded.entry(record.kind).or_insert(0) += 1;
        }
    }
    assert_eq!(encoded, BTreeMap::from([(2, 27), (3, 1), (5, 2), (16, 78)]));
}

#[test]
fn genuine_descriptions_are_reproduced_to_the_byte() {
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(bytes.as_slice()));
        let mut entry = tar.entries().unwrap().next().unwrap().unwrap();
        let mut json = String::new();
        entry.read_to_string(&mut json).unwrap();
        let meta = Meta::from_json(json.as_bytes()).unwrap();
        assert_eq!(meta.to_json(), json, "{name}");
        assert_eq!(meta.configuration.legacy_peers(), meta.peers, "{name}");
    }
}

/// Go's compressor has other bytes than ours, and genuine servers write the two sums in random order; in
/// these three archives it happens to be ours.
#[test]
fn genuine_tars_are_reproduced_to_the_byte() {
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        let mut genuine = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut genuine).unwrap();
        let mtime_s = tar::Header::from_byte_slice(&genuine[..512]).mtime().unwrap();
        let mut reader = Reader::new(bytes.as_slice());
        let mut state = Vec::new();
        reader.read_to_end(&mut state).unwrap();
        let meta = reader.finish().unwrap().meta;
        let mut writer = Writer::new(Vec::new(), &meta, mtime_s, Compression::None).unwrap();
        writer.write_all(&state).unwrap();
        assert!(writer.finish().unwrap() == genuine, "{name}");
    }
}

#[test]
fn genuine_records_come_in_the_order_of_their_ranks() {
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        let records = Records::new(Reader::new(bytes.as_slice())).unwrap();
        let ranks: Vec<u8> = records.map(|record| kinds::rank(record.unwrap().kind)).collect();
        assert!(ranks.is_sorted(), "{name}: {ranks:?}");
    }
}

#[test]
fn every_genuine_record_has_an_id_without_tenancy() {
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        for record in Records::new(Reader::new(bytes.as_slice())).unwrap() {
            let record = record.unwrap();
            let id = consul::identity(record.kind, &record.bytes).unwrap();
            assert_eq!(id.tenancy, "", "{name}: {}", kinds::name(record.kind));
            let alone = [kinds::AUTOPILOT, kinds::CONNECT_CA_CONFIG, kinds::CHUNKING_STATE];
            assert_eq!(
                id.id.is_empty(),
                alone.contains(&record.kind),
                "{name}: {}",
                kinds::name(record.kind)
            );
        }
    }
}

/// Every genuine byte decoded as a tree and written by our encoder is the same: the codecs agree.
#[test]
fn the_encoder_reproduces_every_genuine_value() {
    for name in ARCHIVES {
        let Some(bytes) = fixture(name) else { return };
        for record in Records::new(Reader::new(bytes.as_slice())).unwrap() {
            let record = record.unwrap();
            let mut encoder = archive::msgpack::Encoder::new();
            support::encode(&Value::decode(&record.bytes).unwrap(), &mut encoder);
            assert_eq!(encoder.into_bytes(), record.bytes, "{name}: {}", kinds::name(record.kind));
        }
    }
}

#[test]
fn the_summary_has_the_figures_of_the_genuine_tool() {
    let Some(bytes) = fixture("consul/backupWithKV.snap") else { return };
    let summary = |detail| {
        let mut reader = Reader::new(bytes.as_slice());
        let meta = reader.read_meta().unwrap().unwrap().clone();
        (meta, Summary::of(Records::new(reader).unwrap(), detail).unwrap())
    };
    let (meta, plain) = summary(None);
    assert_eq!(plain.pretty(&meta), TABLE);
    let (_, detailed) = summary(Some(KeyDetail::default()));
    assert_eq!(detailed.pretty(&meta), format!("{TABLE}\n\n{KEYS}"));
    let filter = KeyDetail { depth: 3, prefix: b"vault/logical".to_vec() };
    let (_, filtered) = summary(Some(filter));
    assert_eq!(filtered.pretty(&meta), format!("{TABLE}\n\n{FILTERED}"));
    let json: serde_json::Value = serde_json::from_str(&filtered.json(&meta)).unwrap();
    assert_eq!(json["TotalSize"], 17228);
    assert_eq!(json["Stats"][0]["Name"], "KVS");
    assert_eq!(json["StatsKV"][1]["Count"], 1);
}

const TABLE: &str = " ID           2-12426-1604593650375
 Size         17228
 Index        12426
 Term         2
 Version      1

 Type                       Count      Size
 ----                       ----       ----
 KVS                        27         12.3KB
 Register                   5          3.4KB
 Index                      11         285B
 Autopilot                  1          199B
 Session                    1          199B
 CoordinateBatchUpdate      1          166B
 Tombstone                  2          146B
 FederationState            1          139B
 ChunkingState              1          12B
 ----                       ----       ----
 Total                                 16.8KB";

const KEYS: &str = " Key Name           Count      Size
 ----               ----       ----
 vault/core         16         5.9KB
 vault/sys          7          4.4KB
 vault/logical      4          2KB
 ----               ----       ----
 Total                         12.3KB";

const FILTERED: &str = " Key Name                                                Count      Size
 ----                                                    ----       ----
 vault/logical/0989e79e-06cd-5374-c8c0-4c6d675bc1c9      3          1.8KB
 vault/logical/5c018b68-3573-41d3-0c33-04bce60cd6b0      1          210B
 ----                                                    ----       ----
 Total                                                              2KB";
