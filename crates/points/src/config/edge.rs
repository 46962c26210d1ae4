//! The settings of a collection as the engine of one shard wants them.

use qdrant_edge::{
    EdgeConfig, EdgeOptimizersConfig, EdgeSparseVectorParams, EdgeVectorParams, HnswIndexConfig,
};

use super::{CollectionConfig, OptimizersConfig, SparseVectorParams, VectorParams};

impl CollectionConfig {
    /// The engine's settings for a shard. Its own log is off: the shard's group has one.
    #[expect(deprecated, reason = "clients still send on_disk and on_disk_payload")]
    pub fn to_edge_config(&self) -> EdgeConfig {
        let vectors = self.params.vectors.iter();
        let sparse_vectors = self.params.sparse_vectors.iter().flatten();
        EdgeConfig {
            on_disk_payload: Some(self.params.on_disk_payload),
            payload_memory: self.params.payload.and_then(|payload| payload.memory),
            id_tracker_memory: self.params.id_tracker.and_then(|tracker| tracker.memory),
            vectors: vectors.map(|(name, params)| (name.into(), params.to_edge(&self.hnsw_config))).collect(),
            sparse_vectors: sparse_vectors
                .map(|(name, params)| (name.as_str().into(), params.to_edge()))
                .collect(),
            hnsw_config: Some(self.hnsw_config),
            quantization_config: self.quantization_config.clone(),
            optimizers: Some(self.optimizer_config.to_edge()),
            wal_options: None,
            wal_enabled: Some(false),
            max_search_threads: None,
            search_pool_core: None,
        }
    }
}

impl VectorParams {
    #[expect(deprecated, reason = "clients still send on_disk")]
    fn to_edge(&self, hnsw_config: &HnswIndexConfig) -> EdgeVectorParams {
        EdgeVectorParams {
            size: usize::try_from(self.size.get()).unwrap_or(usize::MAX),
            distance: self.distance,
            on_disk: self.on_disk,
            memory: self.memory,
            multivector_config: self.multivector_config,
            datatype: self.datatype,
            quantization_config: self.quantization_config.clone(),
            hnsw_config: self.hnsw_config.map(|diff| diff.over(hnsw_config)),
        }
    }
}

impl SparseVectorParams {
    #[expect(deprecated, reason = "clients still send on_disk")]
    fn to_edge(&self) -> EdgeSparseVectorParams {
        let index = self.index.unwrap_or_default();
        EdgeSparseVectorParams {
            full_scan_threshold: index.full_scan_threshold,
            on_disk: index.on_disk,
            memory: index.memory,
            modifier: self.modifier,
            datatype: index.datatype,
        }
    }
}

impl OptimizersConfig {
    fn to_edge(&self) -> EdgeOptimizersConfig {
        EdgeOptimizersConfig {
            deleted_threshold: Some(self.deleted_threshold),
            vacuum_min_vector_number: Some(self.vacuum_min_vector_number),
            default_segment_number: Some(self.default_segment_number),
            max_segment_size: self.max_segment_size,
            indexing_threshold: self.indexing_threshold,
            // Points of a restored collection that was so configured would be hidden until the next rebuild.
            prevent_unoptimized: None,
        }
    }
}
