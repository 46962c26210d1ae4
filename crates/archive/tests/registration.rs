//! Registrations of genuine archives: read field by field, and written back as they were.

mod support;

use std::collections::BTreeMap;

use archive::consul::{Records, Registration, kinds};
use archive::hashicorp::Reader;
use archive::msgpack::Value;
use support::fixture;

/// Fields that a community server of today writes otherwise than the server that made the fixtures.
const ENTERPRISE: [&str; 2] = ["Namespace", "Partition"];

#[test]
fn no_field_of_a_genuine_registration_is_lost_when_it_is_written_again() {
    for name in ["consul/all.snap", "consul/backup.snap", "consul/backupWithKV.snap"] {
        let Some(bytes) = fixture(name) else { return };
        for record in registrations(&bytes) {
            let again = Registration::decode(&record).expect("a registration").encode_over(&record);
            let again = fields(&again);
            for (field, genuine) in fields(&record) {
                assert_eq!(again.get(&field), Some(&genuine), "{name}: {field}");
            }
        }
    }
}

/// The newest fixture differs from what we write only in what is Enterprise's, or younger than it.
#[test]
fn registrations_are_encoded_as_a_genuine_server_does() {
    let Some(bytes) = fixture("consul/all.snap") else { return };
    for record in registrations(&bytes) {
        let mut ours = fields(&Registration::decode(&record).expect("a registration").encode());
        let mut genuine = fields(&record);
        ours.retain(|field, _| !field.ends_with("/SessionName"));
        genuine.retain(|field, _| !ENTERPRISE.iter().any(|name| field.ends_with(name)));
        assert_eq!(ours, genuine);
    }
}

fn registrations(archive: &[u8]) -> Vec<Vec<u8>> {
    let records = Records::new(Reader::new(archive)).expect("a header");
    let records = records.map(|record| record.expect("a record"));
    records.filter(|record| record.kind == kinds::REGISTER).map(|record| record.bytes).collect()
}

/// Every value by its path.
fn fields(record: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(&Value::decode(record).expect("a value"), String::new(), &mut found);
    found
}

fn walk(value: &Value<'_>, path: String, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Map(entries) => {
            found.insert(path.clone(), "a map".into());
            for (name, value) in entries {
                let name = name.as_str().expect("names are text");
                walk(value, format!("{path}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            found.insert(path.clone(), format!("{} elements", elements.len()));
            for (place, value) in elements.iter().enumerate() {
                walk(value, format!("{path}/{place}"), found);
            }
        }
        scalar => {
            found.insert(path, format!("{scalar:?}"));
        }
    }
}
