//! Strict mode: limits on what requests may ask of a collection. Kept and shown; switching it on is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $of:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$of>,
            )*
        }

        impl $name {
            /// Takes over what `change` names.
            pub fn change(&mut self, change: &$name) {
                $(if change.$field.is_some() {
                    self.$field.clone_from(&change.$field);
                })*
            }
        }
    };
}

limits! {
    /// Limits of a collection (`qdrant/qdrant:lib/segment/src/types.rs`).
    pub struct StrictModeConfig {
        /// Whether the limits hold.
        pub enabled: bool,
        /// The highest `limit`.
        pub max_query_limit: usize,
        /// The longest `timeout`, in seconds.
        pub max_timeout: usize,
        /// Whether searches may filter by fields without index.
        pub unindexed_filtering_retrieve: bool,
        /// Whether changes may filter by fields without index.
        pub unindexed_filtering_update: bool,
        /// The highest `hnsw_ef`.
        pub search_max_hnsw_ef: usize,
        /// Whether `exact` is allowed.
        pub search_allow_exact: bool,
        /// The highest `oversampling`.
        pub search_max_oversampling: f64,
        /// Points in one upsert.
        pub upsert_max_batchsize: usize,
        /// Searches in one request.
        pub search_max_batchsize: usize,
        /// Bytes of all vectors.
        pub max_collection_vector_size_bytes: usize,
        /// Reads per minute.
        pub read_rate_limit: usize,
        /// Writes per minute.
        pub write_rate_limit: usize,
        /// Bytes of all payloads.
        pub max_collection_payload_size_bytes: usize,
        /// Points.
        pub max_points_count: usize,
        /// Conditions of a filter.
        pub filter_max_conditions: usize,
        /// Values of a condition.
        pub condition_max_size: usize,
        /// By multivector.
        pub multivector_config: BTreeMap<String, StrictModeMultivector>,
        /// By sparse vector.
        pub sparse_config: BTreeMap<String, StrictModeSparse>,
        /// Indexes of payload fields.
        pub max_payload_index_count: usize,
        /// Percent of the memory that the server may use before it refuses changes.
        pub max_resident_memory_percent: usize,
    }
}

limits! {
    /// Limits of a multivector.
    pub struct StrictModeMultivector {
        /// Vectors in it.
        pub max_vectors: usize,
    }
}

limits! {
    /// Limits of a sparse vector.
    pub struct StrictModeSparse {
        /// Values in it.
        pub max_length: usize,
    }
}
