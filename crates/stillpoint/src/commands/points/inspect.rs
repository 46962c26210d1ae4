//! `stillpoint inspect` of Qdrant's archives: collections, shards, segments, and how they are set up.

use std::fmt::Write as _;

use archive::qdrant::{CollectionContents, Contents, SegmentContents, ShardContents, Sums};
use serde_json::{Map, Value, json};

use super::kind_name;
use crate::output::table;

/// All that is known of it, for programs.
pub(in crate::commands) fn json(contents: &Contents) -> String {
    let value = json!({
        "kind": kind_name(contents.kind),
        "sums": sums(contents.sums),
        "points": points(contents.collections.iter().flat_map(|collection| &collection.shards)),
        "aliases": contents.aliases,
        "collections": contents.collections.iter().map(collection).collect::<Vec<_>>(),
    });
    format!("{value:#}")
}

/// What matters of it, for people.
pub(in crate::commands) fn pretty(contents: &Contents) -> String {
    let shards = || contents.collections.iter().flat_map(|collection| &collection.shards);
    let stored: u64 = contents.segments().map(|segment| segment.stored_bytes).sum();
    let apparent: u64 = contents.segments().map(|segment| segment.apparent_bytes).sum();
    let mut rows = vec![
        row(["Kind", kind_name(contents.kind)]),
        row(["Points", &shown(points(shards()))]),
        row(["Bytes allocated", &stored.to_string()]),
        row(["Bytes apparent", &apparent.to_string()]),
        row(["Hashes", sums(contents.sums).unwrap_or("none")]),
    ];
    rows.extend(contents.aliases.iter().map(|(alias, of)| row(["Alias", &format!("{alias} -> {of}")])));
    let mut text = table(&rows);
    for collection in &contents.collections {
        text.push('\n');
        write_collection(&mut text, collection).expect("writing to a string does not fail");
    }
    text
}

fn write_collection(text: &mut String, collection: &CollectionContents) -> std::fmt::Result {
    let mut rows =
        vec![row(["Collection", collection.name.as_deref().unwrap_or("(the archive does not tell)")])];
    if let Some(version) = &collection.version {
        rows.push(row(["Version", version]));
    }
    if let Some(config) = &collection.config {
        let of = |pointer: &str| config.value.pointer(pointer).filter(|value| !value.is_null());
        for (name, pointer) in [
            ("Shards", "/params/shard_number"),
            ("Replicas", "/params/replication_factor"),
            ("Payload on disk", "/params/on_disk_payload"),
            ("HNSW", "/hnsw_config"),
            ("Quantization", "/quantization_config"),
            ("Optimizers", "/optimizer_config"),
            ("Strict mode", "/strict_mode_config"),
        ] {
            rows.extend(of(pointer).map(|value| row([name, &brief(value)])));
        }
    }
    text.push_str(&table(&rows));

    let vectors = vectors(collection);
    if !vectors.is_empty() {
        let mut rows = vec![row(["Vector", "Kind", "Size", "Distance", "Settings"])];
        rows.extend(vectors.iter().map(|vector| {
            let field = |name| vector.get(name).map(brief).unwrap_or_default();
            row([&field("name"), &field("kind"), &field("size"), &field("distance"), &field("settings")])
        }));
        write!(text, "\n{}", table(&rows))?;
    }

    let schema = collection.schema.as_ref().and_then(|schema| schema.value.get("schema")?.as_object());
    if let Some(schema) = schema.filter(|schema| !schema.is_empty()) {
        let mut rows = vec![row(["Payload index", "Type"])];
        rows.extend(schema.iter().map(|(field, of)| row([field, &brief(of)])));
        write!(text, "\n{}", table(&rows))?;
    }

    let mut rows =
        vec![row(["Shard", "Segments", "Points", "Bytes allocated", "Bytes apparent", "Next operation"])];
    rows.extend(collection.shards.iter().map(|shard| {
        let bytes = |of: fn(&SegmentContents) -> u64| shard.segments.iter().map(of).sum::<u64>().to_string();
        row([
            &shard.id.map_or_else(|| "-".into(), |id| id.to_string()),
            &shard.segments.len().to_string(),
            &shown(shard.points()),
            &bytes(|segment| segment.stored_bytes),
            &bytes(|segment| segment.apparent_bytes),
            &shard.first_operation().to_string(),
        ])
    }));
    write!(text, "\n{}", table(&rows))?;

    let mut rows = vec![row([
        "Segment",
        "Shard",
        "Version",
        "Points",
        "Files",
        "Bytes allocated",
        "Bytes apparent",
        "Indexes",
    ])];
    for shard in &collection.shards {
        rows.extend(shard.segments.iter().map(|segment| {
            row([
                &segment.uuid,
                &shard.id.map_or_else(|| "-".into(), |id| id.to_string()),
                &segment.version,
                &shown(segment.points),
                &segment.files.to_string(),
                &segment.stored_bytes.to_string(),
                &segment.apparent_bytes.to_string(),
                &indexes(&state(segment)),
            ])
        }));
    }
    write!(text, "\n{}", table(&rows))
}

fn collection(collection: &CollectionContents) -> Value {
    json!({
        "name": collection.name,
        "file": collection.member,
        "version": collection.version,
        "points": points(&collection.shards),
        "config": collection.config.as_ref().map(|config| &config.value),
        "payload_schema": collection.schema.as_ref().map(|schema| schema.value.get("schema")),
        "vectors": vectors(collection),
        "shards": collection.shards.iter().map(shard).collect::<Vec<_>>(),
    })
}

fn shard(shard: &ShardContents) -> Value {
    json!({
        "id": shard.id,
        "points": shard.points(),
        "next_operation": shard.first_operation(),
        "wal": shard.wal.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "segments": shard.segments.iter().map(segment).collect::<Vec<_>>(),
    })
}

fn segment(segment: &SegmentContents) -> Value {
    json!({
        "uuid": segment.uuid,
        "version": segment.version,
        "points": segment.points,
        "files": segment.files,
        "allocated_bytes": segment.stored_bytes,
        "apparent_bytes": segment.apparent_bytes,
        "last_operation": segment.last_operation,
        "config": state(segment).get("config"),
    })
}

/// What vectors there are: of the settings, or, where there are none, of the segments.
fn vectors(collection: &CollectionContents) -> Vec<Value> {
    let Some(config) = &collection.config else {
        let state = collection.segments().next().map(state).unwrap_or_default();
        return [("dense", "/config/vector_data"), ("sparse", "/config/sparse_vector_data")]
            .into_iter()
            .flat_map(|(kind, pointer)| named(kind, state.pointer(pointer)))
            .collect();
    };
    let params = |name| config.value.pointer("/params").and_then(|params| params.get(name));
    let dense = match params("vectors") {
        // One vector without a name.
        Some(only) if only.get("size").is_some_and(Value::is_number) => vec![vector("", "dense", only)],
        several => named("dense", several),
    };
    dense.into_iter().chain(named("sparse", params("sparse_vectors"))).collect()
}

fn named(kind: &str, vectors: Option<&Value>) -> Vec<Value> {
    let vectors = vectors.and_then(Value::as_object);
    vectors.into_iter().flatten().map(|(name, settings)| vector(name, kind, settings)).collect()
}

fn vector(name: &str, kind: &str, settings: &Value) -> Value {
    let mut rest = settings.as_object().cloned().unwrap_or_default();
    let (size, distance) = (rest.remove("size"), rest.remove("distance"));
    rest.retain(|_, value| !value.is_null());
    let kind = if rest.contains_key("multivector_config") { "multivector" } else { kind };
    let mut vector = Map::new();
    vector.insert("name".into(), name.into());
    vector.insert("kind".into(), kind.into());
    vector.extend(size.map(|size| ("size".to_owned(), size)));
    vector.extend(distance.map(|distance| ("distance".to_owned(), distance)));
    vector.insert("settings".into(), rest.into());
    vector.into()
}

/// `segment.json`; null if it is none.
fn state(segment: &SegmentContents) -> Value {
    serde_json::from_slice(&segment.state).unwrap_or_default()
}

/// The indexes of a segment's vectors, each once.
fn indexes(state: &Value) -> String {
    let of = |pointer: &str, name: &str| -> Vec<String> {
        let vectors = state.pointer(pointer).and_then(Value::as_object);
        let indexes = vectors.into_iter().flat_map(|vectors| vectors.values());
        indexes.filter_map(|vector| Some(vector.get("index")?.get(name)?.as_str()?.to_owned())).collect()
    };
    let mut found = of("/config/vector_data", "type");
    found.extend(of("/config/sparse_vector_data", "index_type"));
    found.sort();
    found.dedup();
    found.join(", ")
}

fn points<'a>(shards: impl IntoIterator<Item = &'a ShardContents>) -> Option<u64> {
    shards.into_iter().map(ShardContents::points).sum()
}

fn shown(points: Option<u64>) -> String {
    points.map_or_else(|| "unknown".into(), |points| points.to_string())
}

fn sums(sums: Sums) -> Option<&'static str> {
    match sums {
        Sums::Checked => Some("SHA256SUMS"),
        Sums::Absent => None,
    }
}

/// Text as it is, and members of objects as `name=value`, without what is null.
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(name, value)| match value {
                Value::Object(_) => format!("{name}({})", brief(value)),
                value => format!("{name}={}", brief(value)),
            });
            members.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}
