//! What access control has in common in all products: UUIDs, moments at which tokens expire, and derived keys.

use archive::msgpack::Time;
use bytes::{BufMut, Bytes, BytesMut};

use crate::{Error, Read};

/// How long a token that expires can live, and how short, as genuine servers have it by default.
pub(crate) const LIFE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
pub(crate) const LIFE_MS_MIN: u64 = 60 * 1_000;

/// How many tokens one command reaps at most.
pub(crate) const REAPED_MAX: usize = 4_096;

/// Tags of derived keys; see the layouts.
pub(crate) const SECRET: u8 = 10;
pub(crate) const POLICY_NAME: u8 = 11;
pub(crate) const ROLE_NAME: u8 = 12;
const EXPIRATION: u8 = 13;

/// Ids, secrets and names are short, and must fit into a key together.
const TEXT_BYTES_MAX: usize = 4_096;

/// Whether a text has the form of a UUID: hex digits in groups of 8, 4, 4, 4 and 12.
pub(crate) fn is_uuid(text: &str) -> bool {
    let is_well_formed = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_well_formed)
}

/// A moment in UTC.
pub(crate) fn time(at_ms: u64) -> Time {
    let seconds = i64::try_from(at_ms / 1_000).unwrap_or(i64::MAX);
    Time::from_unix(seconds, (at_ms % 1_000) as u32 * 1_000_000)
}

/// The moment `ns` after, or before, another.
pub(crate) fn later(time: Time, ns: i64) -> Time {
    const NS_PER_S: i64 = 1_000_000_000;
    let nanos = i64::from(time.nanos) + ns.rem_euclid(NS_PER_S);
    let seconds = time.unix_s.saturating_add(ns.div_euclid(NS_PER_S)).saturating_add(nanos / NS_PER_S);
    // At most 999,999,999: the remainder of a positive number.
    Time::from_unix(seconds, (nanos % NS_PER_S) as u32)
}

/// A moment in milliseconds since the Unix epoch; `None` for Go's zero time, which stands for none.
pub(crate) fn at_ms(time: Option<Time>) -> Option<u64> {
    let time = time.filter(|time| *time != Time::ZERO)?;
    let seconds = u64::try_from(time.unix_s).unwrap_or(0);
    Some(seconds.saturating_mul(1_000).saturating_add(u64::from(time.nanos / 1_000_000)))
}

/// Whether what expires at this moment has expired.
pub(crate) fn is_expired(expiration: Option<Time>, now_ms: u64) -> bool {
    at_ms(expiration).is_some_and(|at_ms| at_ms < now_ms)
}

/// When the next token expires, in milliseconds since the Unix epoch: from then on there is something to reap.
pub fn next_expiration_ms(read: &dyn Read) -> Result<Option<u64>, Error> {
    let suffixes = read.derived(&[EXPIRATION])?;
    Ok(suffixes.first().and_then(|suffix| split_expiration(suffix)).map(|(at_ms, _)| at_ms))
}

/// The ids of tokens that have expired, those that expired first before the others; some thousands at most.
pub(crate) fn expired(read: &dyn Read, now_ms: u64) -> Result<Vec<Bytes>, Error> {
    let suffixes = read.derived(&[EXPIRATION])?;
    let expirations = suffixes.iter().filter_map(|suffix| split_expiration(suffix));
    let expired = expirations.take_while(|(at_ms, _)| *at_ms < now_ms).take(REAPED_MAX);
    Ok(expired.map(|(_, id)| Bytes::copy_from_slice(id)).collect())
}

/// What a token is found by.
pub(crate) fn token_keys(id: &[u8], secret: &str, expiration: Option<Time>) -> Result<Vec<Bytes>, String> {
    check(id, secret)?;
    let mut keys = vec![joined(SECRET, secret, id)];
    if let Some(at_ms) = at_ms(expiration) {
        let mut key = BytesMut::with_capacity(9 + id.len());
        key.put_u8(EXPIRATION);
        key.put_u64(at_ms);
        key.put_slice(id);
        keys.push(key.freeze());
    }
    Ok(keys)
}

/// What something is found by that has a name.
pub(crate) fn name_key(tag: u8, name: &str, id: &[u8]) -> Result<Bytes, String> {
    check(id, name)?;
    Ok(joined(tag, name, id))
}

/// Leads to the ids of what has this secret or name.
pub(crate) fn by(tag: u8, text: &str) -> Bytes {
    joined(tag, text, &[])
}

/// Whether a secret or name can be part of a derived key.
pub(crate) fn is_possible(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.contains('\0')
}

/// Splits what follows the tag of an expiration into its moment and the token's id.
fn split_expiration(suffix: &[u8]) -> Option<(u64, &[u8])> {
    let (at_ms, id) = suffix.split_first_chunk()?;
    Some((u64::from_be_bytes(*at_ms), id))
}

fn joined(tag: u8, text: &str, id: &[u8]) -> Bytes {
    let mut key = BytesMut::with_capacity(2 + text.len() + id.len());
    key.put_u8(tag);
    key.put_slice(text.as_bytes());
    key.put_u8(0);
    key.put_slice(id);
    key.freeze()
}

/// Refuses what could not be part of a derived key. Only from archives can it come.
fn check(id: &[u8], text: &str) -> Result<(), String> {
    let is_possible_id = id.len() <= TEXT_BYTES_MAX && !id.contains(&0);
    match is_possible_id && (text.is_empty() || is_possible(text)) {
        true => Ok(()),
        false => Err("nothing can have such an id, secret or name".into()),
    }
}
