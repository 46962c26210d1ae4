//! Points that look like chance and are the same in every run. Uniform vectors are the hardest to index.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use points::engine::{PointInsertOperations, PointOperations, PointStructPersisted, UpdateOperation};
use qdrant_client::Payload;
use qdrant_client::qdrant::{PointStruct, Value};
use serde_json::json;

use crate::random::Random;

/// Points in one request.
pub(crate) const BATCH: u64 = 100;

/// The fields of the payload that are indexed, and how.
pub(crate) const INDEXES: [(&str, &str); 2] = [("city", "keyword"), ("rank", "integer")];

const CITIES: [&str; 8] = ["Berlin", "Paris", "Rome", "Oslo", "Lisbon", "Vienna", "Prague", "Athens"];

/// How large a collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) points: u64,
    /// Numbers in a vector.
    pub(crate) dims: usize,
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Size> {
        const FORM: &str = "points and numbers of a vector, such as 100000x128";
        let (points, dims) = text.split_once('x').context(FORM)?;
        let (points, dims) = (points.parse().context(FORM)?, dims.parse().context(FORM)?);
        anyhow::ensure!((1..=10_000_000).contains(&points) && (1..=65_536).contains(&dims), FORM);
        Ok(Size { points, dims })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { points, dims } = self;
        match points % 1000 {
            0 => write!(f, "{}k × {dims}", points / 1000),
            _ => write!(f, "{points} × {dims}"),
        }
    }
}

/// A collection's settings, as a client sends them. Without an index nothing is optimised beside what is measured.
pub(crate) fn settings(size: Size, indexed: bool) -> serde_json::Value {
    let mut settings = json!({"vectors": {"size": size.dims, "distance": "Cosine"}});
    if !indexed {
        settings["optimizers_config"] = json!({"indexing_threshold": 0});
    }
    settings
}

/// The ids of each batch, one after the other.
pub(crate) fn batches(size: Size) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..size.points).step_by(BATCH as usize).map(move |first| first..(first + BATCH).min(size.points))
}

/// The vector of a point; of a query, beyond the last point.
pub(crate) fn vector(id: u64, dims: usize) -> Vec<f32> {
    let mut random = Random::new(id << 20);
    (0..dims).map(|_| random.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
}

fn city(id: u64) -> &'static str {
    CITIES[Random::new(id).below(CITIES.len() as u64) as usize]
}

fn rank(id: u64) -> i64 {
    Random::new(!id).below(10_000) as i64
}

/// A point as REST takes it.
pub(crate) fn json(id: u64, dims: usize) -> serde_json::Value {
    let payload =
        json!({"city": city(id), "rank": rank(id), "name": format!("point {id}"), "half": id as f64 / 2.0});
    json!({"id": id, "vector": vector(id, dims), "payload": payload})
}

/// The same as gRPC takes it.
pub(crate) fn message(id: u64, dims: usize) -> PointStruct {
    let payload: HashMap<String, Value> = HashMap::from([
        ("city".to_owned(), city(id).into()),
        ("rank".to_owned(), rank(id).into()),
        ("name".to_owned(), format!("point {id}").into()),
        ("half".to_owned(), (id as f64 / 2.0).into()),
    ]);
    PointStruct::new(id, vector(id, dims), Payload::from(payload))
}

/// The same as the engine takes them.
pub(crate) fn operation(ids: std::ops::Range<u64>, dims: usize) -> anyhow::Result<UpdateOperation> {
    let point = |id| Ok(serde_json::from_value::<PointStructPersisted>(json(id, dims))?);
    let points = ids.map(point).collect::<anyhow::Result<_>>()?;
    let points = PointInsertOperations::PointsList(points);
    Ok(UpdateOperation::PointOperation(PointOperations::UpsertPoints(points)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_as_it_is_written() {
        assert_eq!("100000x128".parse::<Size>().unwrap(), Size { points: 100_000, dims: 128 });
        assert_eq!(Size { points: 100_000, dims: 128 }.to_string(), "100k × 128");
        for text in ["", "x", "0x1", "1x0", "100k", "1x2x3", "-1x4"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn batches_leave_none_out() {
        let ids: Vec<u64> = batches(Size { points: 250, dims: 1 }).flatten().collect();
        assert_eq!(ids, (0..250).collect::<Vec<_>>());
    }
}
