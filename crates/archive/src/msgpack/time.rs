//! Go's binary form of a time (`golang/go:src/time/time.go`, `MarshalBinary`), which archives hold as
//! strings of 15 bytes.

use super::Error;

/// Seconds from 0001-01-01T00:00:00Z, where Go counts from, to 1970-01-01T00:00:00Z.
const UNIX_EPOCH_S: i64 = 62_135_596_800;
/// The offset that stands for UTC.
const UTC: i16 = -1;

/// A moment, and the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_s: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
    /// Minutes east of UTC; `None` is UTC itself, which is not the same bytes as an offset of 0.
    pub offset_minutes: Option<i16>,
}

impl Default for Time {
    fn default() -> Time {
        Time::ZERO
    }
}

impl Time {
    /// Go's zero time, which stands for "not set".
    pub const ZERO: Time = Time { unix_s: -UNIX_EPOCH_S, nanos: 0, offset_minutes: None };

    /// A moment in UTC.
    pub fn from_unix(unix_s: i64, nanos: u32) -> Time {
        Time { unix_s, nanos, offset_minutes: None }
    }

    /// Parses version 1 (15 bytes) and 2 (16 bytes; the offset's seconds are dropped).
    pub fn from_bytes(bytes: &[u8]) -> Result<Time, Error> {
        let (version, rest) = bytes.split_first().ok_or(Error::Time)?;
        let rest: &[u8; 14] = match (version, rest.len()) {
            (1, 14) => rest.try_into().map_err(|_| Error::Time)?,
            (2, 15) => rest[..14].try_into().map_err(|_| Error::Time)?,
            _ => return Err(Error::Time),
        };
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3, z0, z1] = *rest;
        let seconds = i64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let nanos = u32::from_be_bytes([n0, n1, n2, n3]);
        let offset = i16::from_be_bytes([z0, z1]);
        if nanos >= 1_000_000_000 {
            return Err(Error::Time);
        }
        Ok(Time {
            unix_s: seconds.checked_sub(UNIX_EPOCH_S).ok_or(Error::Time)?,
            nanos,
            offset_minutes: (offset != UTC).then_some(offset),
        })
    }

    /// Version 1 of the form.
    pub fn to_bytes(self) -> [u8; 15] {
        let mut bytes = [1; 15];
        bytes[1..9].copy_from_slice(&self.unix_s.wrapping_add(UNIX_EPOCH_S).to_be_bytes());
        bytes[9..13].copy_from_slice(&self.nanos.to_be_bytes());
        bytes[13..].copy_from_slice(&self.offset_minutes.unwrap_or(UTC).to_be_bytes());
        bytes
    }
}
