//! The translation against what genuine code of Nomad 1.11.3 made of the same jobs (`clients/go-nomad-jobs`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use archive::msgpack;
use serde_json::Value;

use super::{schema, show};

struct Sample {
    name: String,
    asked: Value,
    record: Vec<u8>,
    answer: Value,
}

fn samples() -> Vec<Sample> {
    let text = include_str!("../../../tests/fixtures/nomad-jobs.json");
    let samples: Vec<Value> = serde_json::from_str(text).unwrap();
    let hex = |text: &str| {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let sample = |sample: &Value| Sample {
        name: sample["Name"].as_str().unwrap().to_owned(),
        asked: sample["Job"].clone(),
        record: hex(sample["Record"].as_str().unwrap()),
        answer: sample["Answer"].clone(),
    };
    samples.iter().map(sample).collect()
}

#[test]
fn a_job_becomes_the_genuine_record() {
    let mut same_bytes = 0;
    for sample in samples() {
        let mut job = super::read::structure(&schema::JOB, sample.asked, "Job").unwrap();
        job.insert("Namespace".into(), "default".into());
        job.insert("Region".into(), "global".into());
        super::defaults::complete(&mut job);
        super::constraints::imply(&mut job);
        let record = super::write::record(&schema::JOB, &job);
        let shown = serde_json::to_string(&show::Job(&msgpack::Value::decode(&record).unwrap())).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        differ(&sample.name, &shown, &sample.answer);
        // The entries of Go's maps come in random order.
        assert_eq!(record.len(), sample.record.len(), "{}: other codes", sample.name);
        same_bytes += usize::from(record == sample.record);
    }
    assert!(same_bytes >= 9, "{same_bytes} are the same to the byte");
}

#[test]
fn a_record_is_shown_as_genuine_servers_do() {
    for sample in samples() {
        let record = msgpack::Value::decode(&sample.record).unwrap();
        let shown: Value =
            serde_json::from_str(&serde_json::to_string(&show::Job(&record)).unwrap()).unwrap();
        differ(&sample.name, &shown, &sample.answer);
    }
}

/// Fails with the place at which two values differ.
fn differ(path: &str, ours: &Value, genuine: &Value) {
    match (ours, genuine) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let of =
                    |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or("absent".into());
                differ(&format!("{path}.{name}"), &of(one), &of(other));
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter()
                .zip(other)
                .enumerate()
                .for_each(|(at, (one, other))| differ(&format!("{path}[{at}]"), one, other));
        }
        _ => assert_eq!(ours, genuine, "{path}"),
    }
}
