//! Restoring from an archive that the request names: by a URL, or a shard's by the name of a stored one.
//!
//! Follows `qdrant/qdrant:lib/storage/src/content_manager/snapshots/{download,recover}.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderName, HeaderValue};
use futures_util::{TryStreamExt, stream};
use node::collections::{OtherDigest, PointsRestore, Priority};
use node::{Digest, Kind, Origin, PointsScope};
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::run::{self, Task};
use super::{Call, SnapshotPriority, checksum, place};
use crate::http::Fetcher;
use crate::http::fetch::{Ask, Failed, Fetched};
use crate::qdrant::AGENT;
use crate::qdrant::rest::answer::Outcome;
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::names;
use crate::qdrant::snapshots;

#[derive(Deserialize)]
struct SnapshotRecover {
    location: String,
    #[serde(default)]
    priority: Option<SnapshotPriority>,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(default)]
    api_key: Option<String>,
}

/// How the archive comes in.
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) broken: Broken,
}

/// Why what came in broke off, in the words of whoever read it.
#[derive(Clone, Default)]
pub(super) struct Broken(Arc<Mutex<Option<Failure>>>);

impl Broken {
    pub(super) fn tell(&self, failure: Failure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(super) async fn collection(mut call: Call) -> Outcome {
    let task = Task { id: Uuid::now_v7(), waits: call.params.wait()? };
    let (request, sha256) = read(&mut call).await?;
    let url = Url::parse(&request.location).map_err(|error| {
        Failure::bare(format!("Format error in JSON body: {error}: {:?}", request.location))
    })?;
    let source = match url.scheme() {
        "file" => file(&call, &url).await?,
        "http" | "https" => fetched(&call, url, request.api_key.as_deref())?,
        scheme => {
            return Err(Failure::bad_request(&format!("URL {url} with scheme {scheme} is not supported")));
        }
    };
    let scope = target(&call).await?;
    restore(&call, task, restoring(scope, task, sha256, request.priority), source, None, by_location).await
}

pub(super) async fn shard(mut call: Call) -> Outcome {
    let task = Task { id: Uuid::now_v7(), waits: call.params.wait()? };
    let (request, sha256) = read(&mut call).await?;
    let scope = snapshots::scope(&call.app.node, place(&call)?).await?;
    let source = match Url::parse(&request.location) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => {
            fetched(&call, url, request.api_key.as_deref())?
        }
        Ok(url) => {
            let scheme = url.scheme();
            let text = format!("Invalid snapshot URL {url}: URLs with {scheme} scheme are not supported");
            return Err(Failure::bad_input(&text));
        }
        Err(_) => {
            let stored = snapshots::find_in(&call.app.node, scope.clone(), &request.location)?;
            Source { origin: Origin::Stored(stored.blob()?), broken: Broken::default() }
        }
    };
    restore(&call, task, restoring(scope, task, sha256, request.priority), source, None, by_location).await
}

async fn read(call: &mut Call) -> Result<(SnapshotRecover, Option<Digest>), Failure> {
    let request: SnapshotRecover = call.unvetted().await?;
    let sha256 = checksum("JSON body", request.checksum.as_deref())?;
    Ok((request, sha256))
}

fn restoring(
    scope: PointsScope,
    task: Task,
    sha256: Option<Digest>,
    priority: Option<SnapshotPriority>,
) -> PointsRestore {
    let priority = Priority::from(priority.unwrap_or_default());
    PointsRestore { task: Some(task.id), sha256, priority, ..PointsRestore::of(scope) }
}

/// The collection that a path names, which may not exist yet.
pub(super) async fn target(call: &Call) -> Result<PointsScope, Failure> {
    match snapshots::scope(&call.app.node, place(call)?).await {
        Ok(scope) => Ok(scope),
        Err(error) if error.kind() == Kind::NotFound => {
            names::check_new(call.collection_name())?;
            Ok(PointsScope::Collection(call.collection_name().to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Restores, from what has come in completely once `received` says so; `refuse` has the words for another archive than was expected.
pub(super) async fn restore(
    call: &Call,
    task: Task,
    request: PointsRestore,
    source: Source,
    received: Option<oneshot::Receiver<()>>,
    refuse: fn(&OtherDigest) -> Failure,
) -> Outcome {
    let node = call.app.node.clone();
    let work = async move {
        match node.restore_points(request, source.origin).await {
            Ok(_) => Ok(true),
            Err(error) => Err(source
                .broken
                .take()
                .unwrap_or_else(|| error.cause().map(refuse).unwrap_or_else(|| error.into()))),
        }
    };
    run::task(call, task, received, work).await
}

fn by_location(other: &OtherDigest) -> Failure {
    Failure::bad_input(&other.to_string())
}

/// A file below the directory of snapshots.
async fn file(call: &Call, url: &Url) -> Result<Source, Failure> {
    let path = url.to_file_path().map_err(|()| {
        Failure::bad_request("Invalid snapshot URI, file path must be absolute or on localhost")
    })?;
    let origin = call.app.node.snapshot_file(&path).await.map_err(|error| match error.kind() {
        Kind::Invalid => Failure::bad_request(error.message()),
        _ => error.into(),
    })?;
    Ok(Source { origin, broken: Broken::default() })
}

/// What a URL names, asked for when it is wanted.
fn fetched(call: &Call, url: Url, api_key: Option<&str>) -> Result<Source, Failure> {
    let Some(fetcher) = call.app.fetcher.clone() else {
        return Err(Failure::forbidden(
            "Snapshot recovery from remote URLs is disabled in the configuration",
        ));
    };
    let credentials = match api_key {
        None => None,
        Some(key) => {
            let key =
                HeaderValue::from_str(key).map_err(|_| Failure::bad_request("api_key cannot be sent"))?;
            Some((HeaderName::from_static("api-key"), key))
        }
    };
    let broken = Broken::default();
    let told = broken.clone();
    let chunks = stream::try_unfold(Coming::Asked(fetcher, Ask { url, agent: AGENT, credentials }), next);
    let body = chunks.map_err(move |failed| {
        told.tell(describe(&failed));
        failed.into()
    });
    Ok(Source { origin: Origin::Body(Box::pin(body)), broken })
}

/// An archive that was asked for, or that is coming in.
enum Coming {
    Asked(Fetcher, Ask),
    Begun(Fetched),
}

async fn next(coming: Coming) -> Result<Option<(bytes::Bytes, Coming)>, Failed> {
    let mut fetched = match coming {
        Coming::Asked(fetcher, ask) => fetcher.get(ask).await?,
        Coming::Begun(fetched) => fetched,
    };
    Ok(fetched.chunk().await?.map(|chunk| (chunk, Coming::Begun(fetched))))
}

fn describe(failed: &Failed) -> Failure {
    match failed {
        Failed::Status(status) => {
            Failure::bad_input(&format!("Failed to download tar from URL: status - {status}"))
        }
        Failed::Forbidden(_) => {
            Failure::forbidden(&format!("{failed}; the server's configuration can allow it"))
        }
        Failed::Scheme | Failed::Redirects | Failed::TooLarge(_) => Failure::bad_input(&failed.to_string()),
        Failed::Broken(why) => Failure::service(&format!("Http request error: {why}")),
    }
}
