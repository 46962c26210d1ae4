//! What a segment's own files tell of it while they pass: its settings, and how many points it has.
//!
//! Ids are kept as `qdrant/qdrant:lib/segment/src/id_tracker/mutable_id_tracker/change.rs` and
//! `immutable_id_tracker/mappings_storage.rs` write them.

/// Points that a segment's files tell of. Nothing of it is trusted: what makes no sense leaves the number unknown.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// An optimised segment: how many ids there are at all.
    listed: Option<u64>,
    /// And how many of them are deleted.
    deleted: u64,
    /// One that is appended to: a list of changes, which adds up.
    changed: Option<i64>,
    is_unknown: bool,
}

/// A file that counts while it passes.
#[derive(Debug)]
pub(super) enum Probe {
    /// `id_tracker.mappings`: begins with how many there are.
    Listed { number: [u8; 8], filled: usize },
    /// `id_tracker.deleted`: a bit for each.
    Deleted(u64),
    /// `mutable_id_tracker.mappings`: entries of four lengths.
    Changed { balance: i64, skip: usize, is_damaged: bool },
}

impl Probe {
    /// The probe for the file of this path, if it tells of points.
    pub(super) fn of(path: &str) -> Option<Probe> {
        match path {
            "id_tracker.mappings" => Some(Probe::Listed { number: [0; 8], filled: 0 }),
            "id_tracker.deleted" => Some(Probe::Deleted(0)),
            "mutable_id_tracker.mappings" => Some(Probe::Changed { balance: 0, skip: 0, is_damaged: false }),
            _ => None,
        }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        match self {
            Probe::Listed { number, filled } => {
                let taken = bytes.len().min(number.len() - *filled);
                number[*filled..*filled + taken].copy_from_slice(&bytes[..taken]);
                *filled += taken;
            }
            Probe::Deleted(bits) => {
                *bits += bytes.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
            }
            Probe::Changed { balance, skip, is_damaged } => {
                while !*is_damaged {
                    let passed = bytes.len().min(*skip);
                    *skip -= passed;
                    bytes = &bytes[passed..];
                    let Some((kind, rest)) = bytes.split_first() else { return };
                    bytes = rest;
                    // A number or a UUID is linked to a place in the segment, or no more.
                    (*skip, *balance) = match kind {
                        1 => (8 + 4, *balance + 1),
                        2 => (16 + 4, *balance + 1),
                        3 => (8, *balance - 1),
                        4 => (16, *balance - 1),
                        _ => (0, *balance),
                    };
                    *is_damaged = !(1..=4).contains(kind);
                }
            }
        }
    }
}

impl Points {
    /// A file of the segment, and what its probe has seen of it, if there is one.
    pub(super) fn add(&mut self, path: &str, probe: Option<&Probe>) {
        match probe {
            Some(Probe::Listed { number, filled: 8 }) => self.listed = Some(u64::from_le_bytes(*number)),
            Some(Probe::Deleted(bits)) => self.deleted = *bits,
            Some(Probe::Changed { balance, is_damaged: false, .. }) => self.changed = Some(*balance),
            Some(_) => self.is_unknown = true,
            // Ids that are kept in another way.
            None if path.contains('/') || !path.contains("id_tracker") => {}
            None => self.is_unknown |= !path.ends_with("id_tracker.versions"),
        }
    }

    /// How many there are. A segment without any list of ids has none.
    pub(super) fn count(&self) -> Option<u64> {
        match (self.listed, self.changed) {
            _ if self.is_unknown => None,
            (Some(listed), None) => listed.checked_sub(self.deleted),
            (None, Some(changed)) => u64::try_from(changed).ok(),
            (None, None) => Some(0),
            (Some(_), Some(_)) => None,
        }
    }
}
