//! Snapshots of collections, of shards and of everything: made, listed, sent, removed, and restored from what clients
//! send or name.
//!
//! Follows `qdrant/qdrant:src/actix/api/snapshot_api.rs`.

mod download;
mod recover;
mod run;
mod series;
mod stored;
mod upload;

use node::Digest;
use node::collections::Priority;
use serde::Deserialize;
use validator::{ValidationError, ValidationErrors};

pub(super) use self::series::{Series, series};
use super::call::Call;
use super::failure::Failure;
use super::params::refuse;
use super::table::{Right, Table};
use super::validation;
use crate::qdrant::snapshots::Place;

pub(super) fn routes(table: Table) -> Table {
    use Right::{CollectionRead, CollectionWrite, GlobalRead, Manage};
    table
        .get("/snapshots", GlobalRead, stored::list)
        .post("/snapshots", Manage, stored::create)
        .get("/snapshots/{snapshot}", GlobalRead, download::stored)
        .delete("/snapshots/{snapshot}", Manage, stored::delete)
        .get("/collections/{name}/snapshots", CollectionRead, stored::list)
        .post("/collections/{name}/snapshots", CollectionWrite, stored::create)
        .get("/collections/{name}/snapshots/{snapshot}", CollectionRead, download::stored)
        .delete("/collections/{name}/snapshots/{snapshot}", CollectionWrite, stored::delete)
        .put("/collections/{name}/snapshots/recover", Manage, recover::collection)
        .post("/collections/{name}/snapshots/upload", Manage, upload::collection)
        .get("/collections/{name}/shards/{shard}/snapshots", CollectionRead, stored::list)
        .post("/collections/{name}/shards/{shard}/snapshots", CollectionWrite, stored::create)
        .get("/collections/{name}/shards/{shard}/snapshots/{snapshot}", CollectionRead, download::stored)
        .delete("/collections/{name}/shards/{shard}/snapshots/{snapshot}", CollectionWrite, stored::delete)
        .put("/collections/{name}/shards/{shard}/snapshots/recover", Manage, recover::shard)
        .post("/collections/{name}/shards/{shard}/snapshots/upload", Manage, upload::shard)
        .get("/collections/{name}/shards/{shard}/snapshot", CollectionWrite, download::streamed)
}

/// Whose snapshots a path names.
fn place(call: &Call) -> Result<Place<'_>, Failure> {
    Ok(match (call.path("name"), call.path("shard")) {
        (None, _) => Place::Storage,
        (Some(name), None) => Place::Collection(name),
        (Some(name), Some(shard)) => {
            let number =
                shard.parse().map_err(|_| Failure::not_found(&format!("shard {shard} not found")))?;
            Place::Shard(name, number)
        }
    })
}

/// Whose points win.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SnapshotPriority {
    NoSync,
    #[default]
    Snapshot,
    Replica,
}

impl From<SnapshotPriority> for Priority {
    fn from(priority: SnapshotPriority) -> Priority {
        match priority {
            SnapshotPriority::NoSync => Priority::NoSync,
            SnapshotPriority::Snapshot => Priority::Snapshot,
            SnapshotPriority::Replica => Priority::Replica,
        }
    }
}

/// The priority in a query.
fn priority(call: &Call) -> Result<Priority, Failure> {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;
    let Some(text) = call.params.text("priority")? else { return Ok(Priority::default()) };
    let parsed = SnapshotPriority::deserialize(IntoDeserializer::<Error>::into_deserializer(text));
    parsed.map(Priority::from).map_err(|error| refuse(&error.to_string()))
}

/// The SHA-256 that an archive must have, if `text` says one; `place` is where it does.
fn checksum(place: &str, text: Option<&str>) -> Result<Option<Digest>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let broken = || {
        let mut error = ValidationError::new("invalid_sha256_hash");
        error.add_param("length".into(), &text.chars().count());
        error.add_param("expected_length".into(), &64);
        let mut errors = ValidationErrors::new();
        errors.add("checksum", error);
        validation::refuse(place, &errors)
    };
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(broken());
    }
    text.parse().map(Some).map_err(|_| broken())
}
