//! Choosing results that are near the query and far from one another: maximal marginal relevance, as
//! `qdrant/qdrant:lib/shard/src/query/mmr/mod.rs` does.

use qdrant_edge::{Distance, ScoredPoint, SparseVector, VectorInternal};

/// Up to `limit` of `candidates`, in the order in which they are chosen. Each has its score still: that it was
/// chosen early says more than a number could. `relevance` is from 0, only the distance between results counts, to 1,
/// only the nearness to `query` does.
pub(super) fn choose(
    candidates: Vec<(ScoredPoint, VectorInternal)>,
    query: &VectorInternal,
    distance: Distance,
    relevance: f32,
    limit: usize,
) -> Vec<ScoredPoint> {
    let mut left: Vec<_> = candidates
        .into_iter()
        .map(|(point, vector)| Candidate {
            nearness: similarity(distance, query, &vector),
            // The first is chosen by its nearness alone.
            redundancy: None,
            point,
            vector,
        })
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < limit {
        let worth = |candidate: &Candidate| match candidate.redundancy {
            None => candidate.nearness,
            Some(redundancy) => relevance * candidate.nearness - (1.0 - relevance) * redundancy,
        };
        let best = left.iter().map(worth).enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let Some((best, _)) = best else { break };
        let best = left.swap_remove(best);
        for candidate in &mut left {
            let alike = similarity(distance, &candidate.vector, &best.vector);
            candidate.redundancy = Some(candidate.redundancy.map_or(alike, |known| known.max(alike)));
        }
        chosen.push(best.point);
    }
    chosen
}

struct Candidate {
    point: ScoredPoint,
    vector: VectorInternal,
    nearness: f32,
    /// The similarity to the most similar of those chosen.
    redundancy: Option<f32>,
}

/// The higher, the more alike.
fn similarity(distance: Distance, a: &VectorInternal, b: &VectorInternal) -> f32 {
    match (a, b) {
        (VectorInternal::Sparse(a), VectorInternal::Sparse(b)) => sparse_product(a, b),
        (a, b) => {
            let (a, b) = (rows(a), rows(b));
            let best = |row: &&[f32]| b.iter().map(|other| pair(distance, row, other)).max_by(f32::total_cmp);
            a.iter().filter_map(best).sum()
        }
    }
}

fn pair(distance: Distance, a: &[f32], b: &[f32]) -> f32 {
    let pairs = || a.iter().zip(b);
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    match distance {
        Distance::Dot => product(a, b),
        Distance::Cosine => {
            let lengths = (product(a, a) * product(b, b)).sqrt();
            if lengths > 0.0 { product(a, b) / lengths } else { 0.0 }
        }
        Distance::Euclid => -pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f32>(),
        Distance::Manhattan => -pairs().map(|(a, b)| (a - b).abs()).sum::<f32>(),
    }
}

fn rows(vector: &VectorInternal) -> Vec<&[f32]> {
    match vector {
        VectorInternal::Dense(row) => vec![row],
        VectorInternal::MultiDense(rows) => rows.multi_vectors().collect(),
        VectorInternal::Sparse(_) => Vec::new(),
    }
}

/// Both have their dimensions in order.
fn sparse_product(a: &SparseVector, b: &SparseVector) -> f32 {
    let shared = a.indices.iter().zip(&a.values).filter_map(|(index, value)| {
        let at = b.indices.binary_search(index).ok()?;
        Some(value * b.values.get(at)?)
    });
    shared.sum()
}
