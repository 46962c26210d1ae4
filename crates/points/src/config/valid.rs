//! Bounds of settings, and the sentences in which genuine servers say that one is broken
//! (`qdrant/qdrant:lib/collection/src/operations/validation.rs`).

use std::fmt::Display;
use std::path::Path;

use qdrant_edge::QuantizationConfig;

use super::{HnswConfigDiff, OptimizersConfigDiff, VectorsConfig, WalConfigDiff};
use crate::{Error, Kind, Result};

/// No dense vector is longer.
const SIZE_MAX: u64 = 65_536;

const NAME_CHARS_MAX: usize = 255;

const VECTOR_NAME_BYTES_MAX: usize = 200;

/// What no name of a collection or a vector may hold: the engine makes directories of them.
const NAME_FORBIDDEN: [char; 11] = ['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'];

/// Checks the name of a new collection or alias. `Unprocessable` if it cannot be one.
pub fn check_name(name: &str) -> Result<()> {
    let mut flaws = Flaws::default();
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX {
        let shown = serde_json::Value::from(name);
        let bounds = format!("must be from 1 to {NAME_CHARS_MAX} characters");
        flaws.add("name", format!("value {shown} invalid, {bounds}"));
    } else {
        flaws.name("name", name, "collection name");
    }
    flaws.end()
}

/// The broken bounds of one request, by the path of the member.
#[derive(Default)]
pub(crate) struct Flaws(Vec<String>);

impl Flaws {
    pub(crate) fn add(&mut self, path: impl Display, sentence: impl Display) {
        self.0.push(format!("{path}: {sentence}"));
    }

    /// `Unprocessable`, with all of them in brackets; a dialect says before it where they were.
    pub(crate) fn end(self) -> Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            flaws => Err(Error::new(Kind::Unprocessable, format!("[{}]", flaws.join("; ")))),
        }
    }

    pub(super) fn at_least<T: PartialOrd + Display>(
        &mut self,
        path: impl Display,
        value: Option<T>,
        least: T,
    ) {
        if let Some(value) = value
            && value < least
        {
            self.add(path, format!("value {value} invalid, must be {least} or larger"));
        }
    }

    pub(super) fn vectors(&mut self, path: &str, vectors: &VectorsConfig) {
        let inner = match vectors {
            VectorsConfig::Single(_) => path.to_owned(),
            VectorsConfig::Multi(_) => format!("{path}.?"),
        };
        for (name, params) in vectors.iter() {
            self.vector_name(path, name);
            if params.size.get() > SIZE_MAX {
                let size = params.size;
                self.add(
                    format!("{inner}.size"),
                    format!("value {size} invalid, must be from 1 to {SIZE_MAX}"),
                );
            }
            self.hnsw(&format!("{inner}.hnsw_config"), params.hnsw_config.as_ref());
            self.quantization(&format!("{inner}.quantization_config"), params.quantization_config.as_ref());
        }
    }

    /// The engine makes a directory of the name.
    pub(super) fn vector_name(&mut self, path: &str, name: &str) {
        if name.len() > VECTOR_NAME_BYTES_MAX {
            self.add(path, format!("vector name must be at most {VECTOR_NAME_BYTES_MAX} bytes long"));
        } else if !name.is_empty() {
            self.name(path, name, "vector name");
        }
    }

    fn name(&mut self, path: &str, name: &str, what: &str) {
        if let Some(found) = name.chars().find(|char| NAME_FORBIDDEN.contains(char)) {
            self.add(path, format!("{what} cannot contain \"{found}\" char"));
        } else if Path::new(name).file_name() != Some(name.as_ref()) {
            self.add(path, format!("{what} cannot be {name:?}, it is used as a directory name on disk"));
        }
    }

    pub(super) fn hnsw(&mut self, path: &str, config: Option<&HnswConfigDiff>) {
        let Some(config) = config else { return };
        self.at_least(format!("{path}.ef_construct"), config.ef_construct, 4);
        self.at_least(format!("{path}.full_scan_threshold"), config.full_scan_threshold, 10);
    }

    pub(super) fn optimizers(&mut self, path: &str, config: Option<&OptimizersConfigDiff>) {
        let Some(config) = config else { return };
        if let Some(fraction) = config.deleted_threshold
            && !(0.0..=1.0).contains(&fraction)
        {
            self.add(
                format!("{path}.deleted_threshold"),
                format!("value {fraction:?} invalid, must be from 0.0 to 1.0"),
            );
        }
        self.at_least(format!("{path}.vacuum_min_vector_number"), config.vacuum_min_vector_number, 100);
        self.at_least(format!("{path}.max_segment_size"), config.max_segment_size, 1);
    }

    pub(super) fn wal(&mut self, path: &str, config: Option<&WalConfigDiff>) {
        let Some(config) = config else { return };
        self.at_least(format!("{path}.wal_capacity_mb"), config.wal_capacity_mb, 1);
        self.at_least(format!("{path}.wal_retain_closed"), config.wal_retain_closed, 1);
    }

    pub(super) fn quantization(&mut self, path: &str, config: Option<&QuantizationConfig>) {
        if let Some(QuantizationConfig::Scalar(scalar)) = config
            && let Some(quantile) = scalar.scalar.quantile
            && !(0.5..=1.0).contains(&quantile)
        {
            self.add(
                format!("{path}.scalar.quantile"),
                format!("value {quantile:?} invalid, must be from 0.5 to 1.0"),
            );
        }
    }
}
