//! Counts and byte sums per record type, kept beside the records so that an archive's size is known up front.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Error, error};

/// The records of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many there are.
    pub count: u64,
    /// Their bytes, without type bytes.
    pub bytes: u64,
}

/// Totals by type number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<u8, Total>);

impl Totals {
    pub(crate) fn add(&mut self, kind: u8, bytes: usize) {
        let total = self.0.entry(kind).or_default();
        total.count += 1;
        total.bytes += bytes as u64;
    }

    pub(crate) fn remove(&mut self, kind: u8, bytes: usize) {
        let total = self.0.entry(kind).or_default();
        total.count -= 1;
        total.bytes -= bytes as u64;
        if total.count == 0 {
            self.0.remove(&kind);
        }
    }

    /// Records of all types.
    pub fn count(&self) -> u64 {
        self.0.values().map(|total| total.count).sum()
    }

    /// Bytes of all types, without type bytes.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|total| total.bytes).sum()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.0.len() * 17);
        for (kind, total) in &self.0 {
            bytes.push(*kind);
            bytes.extend(total.count.to_be_bytes());
            bytes.extend(total.bytes.to_be_bytes());
        }
        bytes.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Totals, Error> {
        let (entries, rest) = bytes.as_chunks::<17>();
        if !rest.is_empty() {
            return Err(error::stored("totals", "their length is odd"));
        }
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        let entry = |e: &[u8; 17]| (e[0], Total { count: number(&e[1..9]), bytes: number(&e[9..17]) });
        Ok(Totals(entries.iter().map(entry).collect()))
    }
}
