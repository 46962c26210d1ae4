//! Several lists of results become one, as `qdrant/qdrant:lib/segment/src/common/reciprocal_rank_fusion.rs` and
//! `score_fusion.rs` beside it do; but equal scores keep the order in which the points were first met.

use std::collections::HashMap;

use qdrant_edge::ScoredPoint;

use super::request::Fusion;

/// The points of all `lists`, each once, best first.
pub(super) fn fuse(lists: Vec<Vec<ScoredPoint>>, fusion: &Fusion) -> Vec<ScoredPoint> {
    let mut lists = lists;
    for (number, list) in lists.iter_mut().enumerate() {
        match fusion {
            Fusion::Rrf { k, weights } => {
                let weight = weights.as_ref().map_or(1.0, |weights| weights[number]);
                for (rank, point) in list.iter_mut().enumerate() {
                    point.score = reciprocal(rank, *k, weight);
                }
            }
            Fusion::Dbsf => normalise(list),
        }
    }
    let mut fused: Vec<ScoredPoint> = Vec::new();
    let mut places = HashMap::new();
    for point in lists.into_iter().flatten() {
        match places.get(&point.id) {
            Some(&place) => {
                let known: &mut ScoredPoint = &mut fused[place];
                known.score += point.score;
            }
            None => {
                places.insert(point.id, fused.len());
                // The score is all that counts from here on.
                fused.push(ScoredPoint { order_value: None, ..point });
            }
        }
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score));
    fused
}

/// What a rank, counted from 0, is worth. A weight of 3 makes the third of a list worth as much as the first of another.
fn reciprocal(rank: usize, k: usize, weight: f32) -> f32 {
    if weight <= 0.0 {
        return 0.0;
    }
    1.0 / ((rank + 1) as f32 / weight + k as f32 - 1.0)
}

/// Scales scores so that three standard deviations around their mean become 0 to 1.
fn normalise(list: &mut [ScoredPoint]) {
    let mut mean = 0.0_f32;
    let mut squares = 0.0_f32;
    for (count, point) in (1_usize..).zip(list.iter()) {
        let before = point.score - mean;
        mean += before / count as f32;
        squares += before * (point.score - mean);
    }
    let deviation = (squares / (list.len() as f32 - 1.0)).sqrt();
    let (low, high) = (mean - 3.0 * deviation, mean + 3.0 * deviation);
    for point in list.iter_mut() {
        // A single score, or equal ones, have no distribution.
        point.score = if deviation > 0.0 && low != high { (point.score - low) / (high - low) } else { 0.5 };
    }
}
