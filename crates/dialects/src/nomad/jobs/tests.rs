//! The translation against what genuine code of Nomad 1.11.3 made of the same jobs (`clients/go-nomad-jobs`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use archive::msgpack;
use serde_json::Value;

use super::read::Tree;
use super::validate::Faults;
use super::{schema, show, validate};

struct Sample {
    name: String,
    asked: Value,
    /// Why it is refused, if it is; else there is a record and an answer.
    error: Option<String>,
    warnings: String,
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
        error: sample["Error"].as_str().map(str::to_owned),
        warnings: sample["Warnings"].as_str().unwrap_or_default().to_owned(),
        record: hex(sample["Record"].as_str().unwrap_or_default()),
        answer: sample["Answer"].clone(),
    };
    samples.iter().map(sample).collect()
}

/// The job as it is translated, before it becomes a record.
fn translated(asked: &Value) -> Result<Tree, String> {
    let mut job = super::read::structure(&schema::JOB, asked.clone(), "Job").unwrap();
    job.entry("Namespace").or_insert("default".into());
    job.insert("Region".into(), "global".into());
    super::register::complete(&mut job).map(|()| job)
}

#[test]
fn what_is_refused_is_refused_in_genuine_words() {
    // Whether there is such a namespace or pool, the state knows.
    let of_the_state = ["bad-namespace", "bad-pool"];
    for sample in samples().iter().filter(|sample| !of_the_state.contains(&sample.name.as_str())) {
        let found = translated(&sample.asked).map(|job| validate::job(&job, Faults::default()));
        let found = found.map(|faults| (!faults.is_empty()).then(|| faults.to_string()));
        let found = found.unwrap_or_else(Some);
        assert_eq!(found, sample.error, "{}", sample.name);
    }
}

#[test]
fn what_is_dubious_is_told_in_genuine_words() {
    for sample in samples().iter().filter(|sample| sample.error.is_none()) {
        let job = translated(&sample.asked).unwrap();
        assert_eq!(validate::merged(&validate::warnings(&job, false)), sample.warnings, "{}", sample.name);
    }
}

#[test]
fn a_job_becomes_the_genuine_record() {
    let mut same_bytes = 0;
    for sample in samples().into_iter().filter(|sample| sample.error.is_none()) {
        let job = translated(&sample.asked).unwrap();
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
    for sample in samples().iter().filter(|sample| sample.error.is_none()) {
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
