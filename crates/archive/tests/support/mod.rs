//! What several test files need: genuine archives where there are any, and tars made by hand.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

pub(crate) mod points;

use std::io::Write;
use std::path::{Path, PathBuf};

use archive::msgpack::{Encoder, Value};
use archive::testing::MTIME_S;
use sha2::{Digest, Sha256};

/// The bytes of a genuine archive, if there are genuine archives on this machine.
pub(crate) fn fixture(name: &str) -> Option<Vec<u8>> {
    let directory = std::env::var_os("STILLPOINT_FIXTURES").map(PathBuf::from).or_else(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Some(workspace.join("../shared/fixtures")).filter(|directory| directory.exists())
    });
    match directory {
        Some(directory) => {
            Some(std::fs::read(directory.join(name)).expect("a directory of fixtures has them all"))
        }
        None => {
            eprintln!("skipped: no genuine fixtures");
            None
        }
    }
}

/// The bytes of an archive that genuine Nomad code made; these are part of the tree.
pub(crate) fn nomad(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nomad");
    std::fs::read(directory.join(name)).expect("a fixture of ours")
}

/// Writes a tree with our encoder.
pub(crate) fn encode<'a>(value: &Value, out: &'a mut Encoder) -> &'a mut Encoder {
    match value {
        Value::Nil => out.nil(),
        Value::Bool(value) => out.bool(*value),
        Value::UInt(value) => out.uint(*value),
        Value::Int(value) => out.int(*value),
        Value::Float(value) => out.float(*value),
        Value::Raw(bytes) => out.raw(bytes),
        Value::Ext(..) => panic!("no genuine record has an extension"),
        Value::Array(elements) => {
            out.array(elements.len());
            elements.iter().fold(out, |out, element| encode(element, out))
        }
        Value::Map(entries) => {
            out.map(entries.len());
            entries.iter().fold(out, |out, (key, value)| encode(value, encode(key, out)))
        }
    }
}

/// A regular file.
pub(crate) const FILE: u8 = b'0';

/// A tar with these entries and, if `ended`, the two zero blocks after them.
pub(crate) fn tar(entries: &[(&str, u8, &[u8])], ended: bool) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o600);
        header.set_mtime(MTIME_S);
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    if ended {
        tar.resize(tar.len() + 1024, 0);
    }
    tar
}

/// `SHA256SUMS` for these files.
pub(crate) fn sums(files: &[(&str, &[u8])]) -> Vec<u8> {
    let line = |(name, content): &(&str, &[u8])| {
        let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}  {name}\n")
    };
    files.iter().map(line).collect::<String>().into_bytes()
}

/// One gzip member, as a genuine server writes it.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
