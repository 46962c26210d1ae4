//! Points that look like chance and are the same every time, and what an exact search must find among them.

use qdrant_client::Payload;
use qdrant_client::qdrant::{NamedVectors, PointStruct, Vector};
use serde_json::json;

/// Numbers of the dense vector `text`, compared by cosine.
pub(crate) const TEXT: usize = 16;
/// Numbers of the dense vector `image`, compared by product.
pub(crate) const IMAGE: usize = 4;
/// Words that the sparse vector `words` knows.
const WORDS: u64 = 50;

/// Everything a test knows of one point.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) id: u64,
    pub(crate) text: Vec<f32>,
    pub(crate) image: Vec<f32>,
    pub(crate) words: Vec<(u32, f32)>,
    pub(crate) city: &'static str,
    pub(crate) rank: i64,
}

/// SplitMix64, a number of it.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn number(seed: u64) -> f32 {
    (mixed(seed) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}

fn numbers(seed: u64, count: usize) -> Vec<f32> {
    (0..count as u64).map(|place| number(seed * 1_000 + place)).collect()
}

pub(crate) fn sample(id: u64) -> Sample {
    let mut words: Vec<u32> = (0..5).map(|n| (mixed(id * 7 + n) % WORDS) as u32).collect();
    words.sort_unstable();
    words.dedup();
    Sample {
        id,
        text: numbers(id + 1_000_000, TEXT),
        image: numbers(id + 2_000_000, IMAGE),
        words: words.into_iter().map(|word| (word, number(id + u64::from(word)).abs() + 0.1)).collect(),
        city: ["Berlin", "Paris", "Rome", "Oslo"][(mixed(id) % 4) as usize],
        rank: (mixed(id + 9) % 1_000) as i64,
    }
}

impl Sample {
    pub(crate) fn point(&self) -> PointStruct {
        let (indices, values): (Vec<u32>, Vec<f32>) = self.words.iter().copied().unzip();
        let vectors = NamedVectors::default()
            .add_vector("text", self.text.clone())
            .add_vector("image", self.image.clone())
            .add_vector("words", Vector::new_sparse(indices, values));
        let payload =
            json!({ "city": self.city, "rank": self.rank, "nested": { "list": [self.id, 1.5, null] } });
        PointStruct::new(self.id, vectors, Payload::try_from(payload).unwrap())
    }

    fn cosine(&self, to: &[f32]) -> f32 {
        let length = |vector: &[f32]| dot(vector, vector).sqrt();
        dot(&self.text, to) / (length(&self.text) * length(to))
    }

    fn common_words(&self, to: &[(u32, f32)]) -> Option<f32> {
        let weight = |word: u32| self.words.iter().find(|(own, _)| *own == word).map(|(_, weight)| *weight);
        let common: Vec<f32> = to.iter().filter_map(|(word, other)| Some(weight(*word)? * other)).collect();
        (!common.is_empty()).then(|| common.iter().sum())
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The best by what `score` says, highest first; equal scores by id.
fn best(samples: &[Sample], limit: usize, score: impl Fn(&Sample) -> Option<f32>) -> Vec<(u64, f32)> {
    let mut scored: Vec<(u64, f32)> =
        samples.iter().filter_map(|sample| Some((sample.id, score(sample)?))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(limit);
    scored
}

/// Nearest by `text` among those that `keep` keeps.
pub(crate) fn nearest_text(
    samples: &[Sample],
    to: &[f32],
    limit: usize,
    keep: impl Fn(&Sample) -> bool,
) -> Vec<(u64, f32)> {
    best(samples, limit, |sample| keep(sample).then(|| sample.cosine(to)))
}

/// Nearest by `words`.
pub(crate) fn nearest_words(samples: &[Sample], to: &[(u32, f32)], limit: usize) -> Vec<(u64, f32)> {
    best(samples, limit, |sample| sample.common_words(to))
}

/// Reciprocal ranks of both lists, with what servers add to ranks when they are not told.
pub(crate) fn fused(lists: &[Vec<(u64, f32)>], limit: usize) -> Vec<(u64, f32)> {
    let mut scores = std::collections::BTreeMap::<u64, f32>::new();
    for list in lists {
        for (rank, (id, _)) in list.iter().enumerate() {
            *scores.entry(*id).or_default() += 1.0 / (2.0 + rank as f32);
        }
    }
    let mut scores: Vec<_> = scores.into_iter().collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores.truncate(limit);
    scores
}
