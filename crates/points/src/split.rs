//! Which shard holds a point, and a change of a collection as changes of its shards.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use qdrant_edge::PointId;
use siphasher::sip::SipHasher24;

use crate::update::{Selector, Update};

/// Places of a shard on the ring.
const SCALE: u32 = 100;

/// Finds the shard of a point as genuine servers do, so that the points of restored shards are found: every shard
/// has a hundred places on a ring of hashes, and a point belongs to the next one
/// (`qdrant/qdrant:lib/collection/src/hash_ring.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Places in ascending order, and whose they are.
    places: Vec<(u64, u32)>,
}

impl Ring {
    /// The ring of these shards; there must be one.
    pub fn new(shards: impl IntoIterator<Item = u32>) -> Ring {
        let places = shards.into_iter().flat_map(|shard| (0..SCALE).map(move |place| (shard, place)));
        let hash = |(shard, place): (u32, u32)| hash(&[&shard.to_le_bytes(), &place.to_le_bytes()]);
        let mut places: Vec<_> = places.map(|place| (hash(place), place.0)).collect();
        places.sort_by_key(|place| place.0);
        assert!(!places.is_empty(), "a collection has a shard");
        Ring { places }
    }

    /// The shard that holds `id`.
    pub fn shard(&self, id: PointId) -> u32 {
        let hash = hash_of(id);
        let next = self.places.partition_point(|place| place.0 < hash);
        self.places[next % self.places.len()].1
    }

    /// The parts of `update` that concern each shard. What selects by a filter concerns all.
    pub fn split(&self, update: Update) -> BTreeMap<u32, Update> {
        match update {
            Update::Upsert { points, filter, mode } => {
                let part = |points| Update::Upsert { points, filter: filter.clone(), mode };
                self.parts(points, |point| point.id, part)
            }
            Update::UpdateVectors { points, filter } => {
                let part = |points| Update::UpdateVectors { points, filter: filter.clone() };
                self.parts(points, |point| point.id, part)
            }
            Update::Delete(of) => self.select(of, Update::Delete),
            Update::DeleteVectors { of, names } => {
                self.select(of, |of| Update::DeleteVectors { of, names: names.clone() })
            }
            Update::SetPayload { of, payload, key } => {
                self.select(of, |of| Update::SetPayload { of, payload: payload.clone(), key: key.clone() })
            }
            Update::OverwritePayload { of, payload } => {
                self.select(of, |of| Update::OverwritePayload { of, payload: payload.clone() })
            }
            Update::DeletePayload { of, keys } => {
                self.select(of, |of| Update::DeletePayload { of, keys: keys.clone() })
            }
            Update::ClearPayload(of) => self.select(of, Update::ClearPayload),
        }
    }

    fn select(&self, of: Selector, part: impl Fn(Selector) -> Update) -> BTreeMap<u32, Update> {
        match of {
            Selector::Ids(ids) => self.parts(ids, |id| *id, |ids| part(Selector::Ids(ids))),
            Selector::Filter(filter) => {
                let shards = self.places.iter().map(|place| place.1);
                shards.map(|shard| (shard, part(Selector::Filter(filter.clone())))).collect()
            }
        }
    }

    fn parts<T>(
        &self,
        all: Vec<T>,
        id: impl Fn(&T) -> PointId,
        part: impl Fn(Vec<T>) -> Update,
    ) -> BTreeMap<u32, Update> {
        let mut parts: BTreeMap<u32, Vec<T>> = BTreeMap::new();
        for one in all {
            parts.entry(self.shard(id(&one))).or_default().push(one);
        }
        parts.into_iter().map(|(shard, of)| (shard, part(of))).collect()
    }
}

/// What genuine servers get by hashing an id as Rust derives it: the variant, and the number, or the length and the
/// bytes of the UUID. Spelled out, because the crate `uuid` has changed how it hashes itself.
fn hash_of(id: PointId) -> u64 {
    match id {
        PointId::NumId(number) => hash(&[&0_u64.to_le_bytes(), &number.to_le_bytes()]),
        PointId::Uuid(uuid) => hash(&[&1_u64.to_le_bytes(), &16_u64.to_le_bytes(), uuid.as_bytes()]),
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher24::new();
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish()
}
