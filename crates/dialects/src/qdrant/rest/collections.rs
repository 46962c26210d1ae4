//! Collections: made, changed, described, removed.
//!
//! Follows `qdrant/qdrant:src/actix/api/collections_api.rs` and `lib/collection/src/operations/types.rs`.

use std::collections::BTreeMap;

use node::Kind;
use node::collections::{CollectionInfo, CollectionStatus};
use node::points::config::{
    CollectionConfig, CollectionParams, CreateCollection, OptimizersConfig, StrictModeConfig,
    UpdateCollection, WalConfig,
};
use node::points::engine::{HnswIndexConfig, Payload, PayloadIndexInfo, QuantizationConfig};
use serde::Serialize;
use serde_json::json;

use super::answer::{Outcome, result};
use super::call::Call;
use super::failure::Failure;
use super::names;
use super::table::{Right, Table};

pub(super) fn routes(table: Table) -> Table {
    table
        .get("/collections", Right::Key, list)
        .put("/collections/{name}", Right::Manage, create)
        .get("/collections/{name}", Right::PointsRead, describe)
        .patch("/collections/{name}", Right::Manage, update)
        .delete("/collections/{name}", Right::Manage, delete)
        .get("/collections/{name}/exists", Right::PointsRead, exists)
        .get("/collections/{name}/cluster", Right::CollectionRead, cluster)
        .post("/collections/{name}/cluster", Right::CollectionManage, standalone)
}

#[derive(Serialize)]
struct CollectionsResponse {
    collections: Vec<CollectionDescription>,
}

#[derive(Serialize)]
struct CollectionDescription {
    name: String,
}

#[derive(Serialize)]
struct InfoOutput<'a> {
    status: &'static str,
    optimizer_status: OptimizersStatus<'a>,
    indexed_vectors_count: u64,
    points_count: u64,
    segments_count: u64,
    config: ConfigOutput<'a>,
    payload_schema: &'a BTreeMap<String, PayloadIndexInfo>,
    update_queue: UpdateQueueInfo,
}

/// Changes are made before they are answered: none ever waits.
#[derive(Serialize)]
struct UpdateQueueInfo {
    length: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OptimizersStatus<'a> {
    Ok,
    Error(&'a str),
}

/// The settings without the id that only archives carry.
#[derive(Serialize)]
struct ConfigOutput<'a> {
    params: &'a CollectionParams,
    hnsw_config: &'a HnswIndexConfig,
    optimizer_config: &'a OptimizersConfig,
    wal_config: &'a WalConfig,
    quantization_config: &'a Option<QuantizationConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict_mode_config: &'a Option<StrictModeConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: &'a Option<Payload>,
}

#[derive(Serialize)]
struct ClusterInfo {
    peer_id: u64,
    shard_count: usize,
    local_shards: Vec<LocalShardInfo>,
    remote_shards: [(); 0],
    shard_transfers: [(); 0],
}

#[derive(Serialize)]
struct LocalShardInfo {
    shard_id: u32,
    points_count: u64,
    state: &'static str,
}

async fn list(call: Call) -> Outcome {
    let names = call.app.node.collections().await?;
    let visible = names.into_iter().filter(|name| call.access.sees(name));
    let collections = visible.map(|name| CollectionDescription { name }).collect();
    result(&CollectionsResponse { collections })
}

async fn create(mut call: Call) -> Outcome {
    names::check_new(call.collection_name())?;
    call.params.meta()?;
    let request: CreateCollection = call.unvetted().await?;
    call.app.node.create_collection(call.collection_name(), request).await?;
    result(&true)
}

async fn describe(call: Call) -> Outcome {
    let info = call.collection().await?.info().await?;
    result(&InfoOutput::from(&info))
}

async fn update(mut call: Call) -> Outcome {
    call.params.meta()?;
    let request: UpdateCollection = call.unvetted().await?;
    call.app.node.update_collection(call.collection_name(), request).await?;
    result(&true)
}

async fn delete(call: Call) -> Outcome {
    call.params.meta()?;
    result(&call.app.node.delete_collection(call.collection_name()).await?)
}

async fn exists(call: Call) -> Outcome {
    let exists = match call.app.node.collection(call.collection_name()).await {
        Ok(_) => true,
        Err(error) if error.kind() == Kind::NotFound => false,
        Err(error) => return Err(error.into()),
    };
    result(&json!({"exists": exists}))
}

async fn cluster(call: Call) -> Outcome {
    let shards = call.collection().await?.shards().await?;
    let local = |shard: &node::collections::ShardInfo| LocalShardInfo {
        shard_id: shard.id,
        points_count: shard.points_count,
        state: "Active",
    };
    result(&ClusterInfo {
        peer_id: call.app.node.identity().id,
        shard_count: shards.len(),
        local_shards: shards.iter().map(local).collect(),
        remote_shards: [],
        shard_transfers: [],
    })
}

/// Shards are moved by nobody: every node has all of them.
async fn standalone(call: Call) -> Outcome {
    call.params.meta()?;
    call.collection().await?;
    Err(Failure::standalone())
}

impl<'a> From<&'a CollectionInfo> for InfoOutput<'a> {
    fn from(info: &'a CollectionInfo) -> InfoOutput<'a> {
        InfoOutput {
            status: match info.status {
                CollectionStatus::Green => "green",
                CollectionStatus::Yellow => "yellow",
                CollectionStatus::Grey => "grey",
                CollectionStatus::Red => "red",
            },
            optimizer_status: match &info.optimizer_error {
                None => OptimizersStatus::Ok,
                Some(error) => OptimizersStatus::Error(error),
            },
            indexed_vectors_count: info.indexed_vectors_count,
            points_count: info.points_count,
            segments_count: info.segments_count,
            config: ConfigOutput::from(&info.config),
            payload_schema: &info.payload_schema,
            update_queue: UpdateQueueInfo { length: 0 },
        }
    }
}

impl<'a> From<&'a CollectionConfig> for ConfigOutput<'a> {
    fn from(config: &'a CollectionConfig) -> ConfigOutput<'a> {
        ConfigOutput {
            params: &config.params,
            hnsw_config: &config.hnsw_config,
            optimizer_config: &config.optimizer_config,
            wal_config: &config.wal_config,
            quantization_config: &config.quantization_config,
            strict_mode_config: &config.strict_mode_config,
            metadata: &config.metadata,
        }
    }
}
