//! Any bytes as a state of Consul's or Nomad's: no panic, and the readers of records agree with one another.
#![no_main]

use archive::consul::{DirEntry, IndexEntry, Session, kinds};
use archive::msgpack::{Cursor, Value};
use archive::nomad;
use archive::state::inspect::{KeyDetail, Summary};
use archive::state::{Checker, Product, Records};
use archive::testing::meta;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut records) = Records::new(bytes) else { return };
    let product = records.whose();
    let mut checker = Checker::new(product, true);
    let mut summary = Summary::new(product, Some(KeyDetail::default()));
    let mut offset = records.offset();
    while let Ok(Some(record)) = records.next_record() {
        // What was copied as one value is one value for every other reader.
        let mut cursor = Cursor::new(&record.bytes);
        assert_eq!(cursor.skip(), Ok(record.bytes.as_slice()));
        Value::decode(&record.bytes).expect("copied as a value");
        let id = product.identity(record.kind, &record.bytes);
        assert_eq!(id, product.identity(record.kind, &record.bytes));
        match product {
            Product::Consul => again(record.kind, &record.bytes),
            Product::Nomad => again_of_nomad(record.kind, &record.bytes),
        }
        let _ = checker.check(&record, offset);
        let _ = summary.add(&record);
        assert_eq!(records.offset(), offset + 1 + record.bytes.len() as u64);
        offset = records.offset();
    }
    let meta = meta(7, bytes.len());
    assert!(!summary.pretty(&meta).is_empty() && !summary.json(&meta).is_empty());
});

/// Encoding what was decoded loses nothing that decoding sees, Enterprise's two fields aside.
fn again(kind: u8, bytes: &[u8]) {
    match kind {
        kinds::KVS | kinds::TOMBSTONE => {
            let Ok(entry) = DirEntry::decode(bytes) else { return };
            let community = DirEntry { namespace: String::new(), partition: String::new(), ..entry };
            assert_eq!(DirEntry::decode(&community.encode()), Ok(community));
        }
        kinds::SESSION => {
            let Ok(session) = Session::decode(bytes) else { return };
            let community = Session { namespace: String::new(), partition: String::new(), ..session };
            assert_eq!(Session::decode(&community.encode()), Ok(community));
        }
        kinds::INDEX => {
            let Ok(entry) = IndexEntry::decode(bytes) else { return };
            assert_eq!(IndexEntry::decode(&entry.encode()), Ok(entry));
        }
        _ => {}
    }
}

/// The same of Nomad's, and over what was there before.
fn again_of_nomad(kind: u8, bytes: &[u8]) {
    macro_rules! again {
        ($structure:ty) => {
            if let Ok(value) = <$structure>::decode(bytes) {
                assert_eq!(<$structure>::decode(&value.encode()), Ok(value.clone()));
                assert_eq!(<$structure>::decode(&value.encode_over(bytes)), Ok(value));
            }
        };
    }
    match kind {
        nomad::kinds::JOB | nomad::kinds::JOB_VERSION => again!(nomad::Job),
        nomad::kinds::JOB_SUMMARY => again!(nomad::JobSummary),
        nomad::kinds::ACL_TOKEN => again!(nomad::AclToken),
        nomad::kinds::NAMESPACE => again!(nomad::Namespace),
        nomad::kinds::NODE_POOL => again!(nomad::NodePool),
        nomad::kinds::VARIABLE => again!(nomad::Variable),
        nomad::kinds::ROOT_KEY => again!(nomad::RootKey),
        _ => {}
    }
}
