//! Restoring: receive, verify while staging on a quorum, commit by one log entry. And undoing, which is a commit too.
//!
//! Before the commit is applied the old state is live everywhere, after it the new one is; whatever stops in
//! between, there is no third outcome. `tests/crash.rs` kills the process at every step.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;

use archive::state::Product;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use records::{Commit, Op, Reply, Staged, Totals, View};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::blobs::{Blob, Digest};
use crate::error::{self, Error, Kind, Result, blocking, to_the_end};
use crate::node::Node;
use crate::save::enterprise_records;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::stager::StagedImage;
use crate::tasks::{Running, Step, TaskKind};

/// The bytes of an archive as they come in.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// Bytes of a file read at a time.
const FILE_CHUNK_BYTES: usize = 256 << 10;

/// What to restore, and how.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The scope to replace.
    pub scope: records::Scope,
    /// The task's name, if the caller wants to choose it.
    pub task: Option<Uuid>,
    /// Whether record types that this release does not know are carried instead of refused.
    pub unknown_records: bool,
    /// Whether variables may come that nobody could ever read, for want of the keys they are encrypted with.
    pub missing_keys: bool,
    /// The secret of the scope's own token that asks, if one does: warnings tell what becomes of it.
    pub caller: Option<Secret>,
}

impl RestoreRequest {
    /// Replaces `scope` under a task's name of our choice, on nobody's behalf, known records only, with
    /// all keys.
    pub fn of(scope: records::Scope) -> RestoreRequest {
        RestoreRequest { scope, task: None, unknown_records: false, missing_keys: false, caller: None }
    }
}

/// Where the archive comes from.
pub enum Origin {
    /// From a client.
    Body(Body),
    /// From the catalog.
    Stored(Blob),
}

/// A restore that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Its task, and the name of the image that is now live.
    pub task: Uuid,
    /// The scope it replaced.
    pub scope: Scope,
    /// The state index now, above every index answered before.
    pub index: u64,
    /// Records restored.
    pub records: u64,
    /// Bytes of `state.bin`.
    pub bytes: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// SHA-256 of the archive.
    pub sha256: String,
    /// The log entry that committed it.
    pub log_index: u64,
}

/// What a restore would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scope.
    pub scope: records::Scope,
    /// The state index it stands at.
    pub current_index: u64,
    /// What is there now.
    pub current: Totals,
    /// What the archive holds.
    pub archive: Verified,
}

/// A completely verified archive.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its metadata.
    pub meta: archive::hashicorp::Meta,
    /// What it holds.
    pub totals: Totals,
    /// The state index that it stands for.
    pub index: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// An undo that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The scope.
    pub scope: Scope,
    /// Its state index now.
    pub index: u64,
    /// The image that is live again.
    pub image: Uuid,
}

impl Node {
    /// Replaces a scope by an archive. When this returns `Ok`, the new state is live and durable; on an error
    /// the old one is, unless the error says that the outcome is unknown.
    ///
    /// Once the archive has arrived, the restore goes on even if this future is dropped.
    pub async fn restore(&self, request: RestoreRequest, origin: Origin) -> Result<Restored> {
        self.confirm_leader().await?;
        let node = self.clone();
        let id = request.task.unwrap_or_else(Uuid::now_v7);
        // What has begun to change data finishes.
        to_the_end(async move {
            let scope = Scope::from(request.scope);
            let _only = node.only_restore(&scope)?;
            let step = match origin {
                Origin::Body(_) => Step::Receive,
                Origin::Stored(_) => Step::Verify,
            };
            let run = |running| node.clone().run_restore(request, origin, running);
            node.run_task(id, TaskKind::Restore, &scope, step, run).await
        })
        .await
    }

    async fn run_restore(
        self,
        request: RestoreRequest,
        origin: Origin,
        running: Arc<Running>,
    ) -> Result<Restored> {
        let term = self.group().status().term;
        let blob = match origin {
            Origin::Body(body) => self.receive(body, &running).await?,
            Origin::Stored(blob) => blob,
        };
        fail::fail_point!("restore::received");
        let commit = Commit {
            scope: request.scope,
            image: running.id(),
            digest: Vec::new(),
            index: 0,
            blob: blob.digest.0.to_vec(),
            term,
            unknown_records: request.unknown_records,
        };
        let (commit, archive, image) = self.stage_everywhere(commit, blob, &running).await?;
        let image = self.check_keys(image, request.missing_keys).await?;
        let mut warnings = archive.warnings;
        warnings.extend(self.access_warnings(&image, request.caller.as_ref())?);
        let then = self.to_add(&image)?;
        drop(image);
        fail::fail_point!("restore::staged");
        running.step(Step::Commit, None)?;
        let (position, reply) = self.propose_with(Op::Commit(commit), then).await?;
        let Reply::Exchanged { index } = reply else { return Err(refused(reply)) };
        fail::fail_point!("restore::committed");
        Ok(Restored {
            task: running.id(),
            scope: request.scope.into(),
            index,
            records: archive.totals.count(),
            bytes: u64::try_from(archive.meta.size).unwrap_or_default(),
            warnings,
            sha256: blob.digest.to_string(),
            log_index: position.index,
        })
    }

    /// Verifies an archive and says what restoring it would do. Changes nothing.
    pub async fn plan_restore(&self, request: RestoreRequest, origin: Origin) -> Result<Plan> {
        let seen = self.view(request.scope, Default::default()).await?;
        let running = Running::unregistered(request.task.unwrap_or_else(Uuid::now_v7));
        let blob = match origin {
            Origin::Body(body) => self.receive(body, &running).await?,
            Origin::Stored(blob) => blob,
        };
        let (mut archive, staged) =
            self.unpack(request.scope, blob, request.unknown_records, &running).await?;
        let image = self.check_keys(staged.view()?, request.missing_keys).await?;
        archive.warnings.extend(self.access_warnings(&image, request.caller.as_ref())?);
        let current_index = seen.view.state().index;
        Ok(Plan { scope: request.scope, current_index, current: seen.view.totals()?, archive })
    }

    /// Makes the previous generation of `scope` live again. With `image`, only if that is its name.
    pub async fn undo(&self, scope: impl Into<Scope>, image: Option<Uuid>) -> Result<Undone> {
        match scope.into() {
            Scope::Records(scope) => self.undo_records(scope, image).await,
            #[cfg(feature = "qdrant")]
            Scope::Points(scope) => self.undo_points(scope, image).await,
        }
    }

    async fn undo_records(&self, scope: records::Scope, image: Option<Uuid>) -> Result<Undone> {
        self.confirm_leader().await?;
        let node = self.clone();
        to_the_end(async move {
            let _only = node.only_restore(&scope.into())?;
            let previous = node.records().state(scope).previous.map(|previous| previous.generation.image);
            let nothing = || Error::new(Kind::Conflict, format!("there is nothing to undo in scope {scope}"));
            let previous = previous.ok_or_else(nothing)?;
            if image.is_some_and(|image| image != previous) {
                let message = format!("the previous generation of {scope} is {previous}, not the one named");
                return Err(Error::new(Kind::Conflict, message));
            }
            let id = Uuid::now_v7();
            let run = |_| {
                let node = node.clone();
                async move {
                    fail::fail_point!("undo::begun");
                    let then = match node.records().previous_view(scope)? {
                        Some(view) => node.to_add(&view)?,
                        None => None,
                    };
                    let (_, reply) = node.propose_with(Op::Undo { scope, image: previous }, then).await?;
                    match reply {
                        Reply::Exchanged { index } => {
                            Ok(Undone { scope: scope.into(), index, image: previous })
                        }
                        other => Err(refused(other)),
                    }
                }
            };
            node.run_task(id, TaskKind::Undo, &scope.into(), Step::Commit, run).await
        })
        .await
    }

    /// Stages the image of another node's restore, and returns the digest of its records. When this returns,
    /// the image is ready and durable here.
    pub async fn stage_for(&self, commit: Commit) -> Result<Vec<u8>> {
        let stager = self.stager();
        Ok(blocking(move || stager.stage(&commit, None)).await?.digest)
    }

    /// Opens a blob that this node has.
    pub fn open_blob(&self, digest: Digest) -> Result<std::fs::File> {
        Ok(self.blobs().open_blob(digest)?.0)
    }

    /// Takes a body into a blob. When this returns, the blob is durable.
    pub(crate) async fn receive(&self, mut body: Body, running: &Arc<Running>) -> Result<Blob> {
        running.step(Step::Receive, None)?;
        let max_bytes = self.settings().restore_max_bytes;
        let mut received = 0;
        let mut incoming = self.blobs().receive()?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|cut| {
                Error::new(Kind::Invalid, format!("the upload broke off after {received} bytes: {cut}"))
            })?;
            received += chunk.len() as u64;
            if received > max_bytes {
                let message = format!("the archive is larger than {max_bytes} bytes (restore_max_bytes)");
                return Err(Error::new(Kind::TooLarge, message));
            }
            self.check_disk(chunk.len() as u64)?;
            running.advance(chunk.len() as u64)?;
            fail::fail_point!("restore::receiving");
            incoming = blocking(move || {
                incoming.write_all(&chunk).map_err(error::io("write the received archive"))?;
                Ok(incoming)
            })
            .await?;
        }
        blocking(move || incoming.finish()).await
    }

    /// Reads an archive to its end and checks all of it, by unpacking it for nobody: memory stays bounded.
    pub(crate) async fn verify(
        &self,
        scope: records::Scope,
        blob: Blob,
        unknown_records: bool,
        running: &Arc<Running>,
    ) -> Result<Verified> {
        Ok(self.unpack(scope, blob, unknown_records, running).await?.0)
    }

    async fn unpack(
        &self,
        scope: records::Scope,
        blob: Blob,
        unknown_records: bool,
        running: &Arc<Running>,
    ) -> Result<(Verified, Staged)> {
        running.step(Step::Verify, Some(blob.bytes))?;
        let (stager, running) = (self.stager(), Arc::clone(running));
        blocking(move || stager.unpack(scope, blob.digest, unknown_records, Some(&running))).await
    }

    /// Stages on this node and on all reachable voters; succeeds if a quorum did, and all agree.
    async fn stage_everywhere(
        &self,
        mut commit: Commit,
        blob: Blob,
        running: &Arc<Running>,
    ) -> Result<(Commit, Verified, View)> {
        running.step(Step::Stage, Some(blob.bytes))?;
        let others = self.stage_on_peers(&commit);
        let here = self.stage_here(&commit, running);
        let (here, others) = futures_util::future::join(here, others).await;
        let StagedImage { digest, index, fresh } = here?;
        let (archive, view) =
            fresh.ok_or_else(|| Error::new(Kind::Conflict, format!("{} is staged", commit.image)))?;
        let voters = self.group().status().members.voters().count();
        let mut staged = 1;
        for (member, outcome) in others {
            match outcome {
                Ok(theirs) if theirs == digest => staged += 1,
                Ok(_) => {
                    let message =
                        format!("node {member} decodes the archive to something else than this node");
                    return Err(Error::new(Kind::Internal, message).hint("run the same release on all nodes"));
                }
                Err(error) => tracing::warn!(node = member, %error, "a voter could not stage the image"),
            }
        }
        if staged * 2 <= voters {
            let message = format!("only {staged} of {voters} voters could stage the archive");
            return Err(Error::new(Kind::Unavailable, message));
        }
        commit.digest = digest;
        commit.index = index;
        Ok((commit, archive, view))
    }

    async fn stage_here(&self, commit: &Commit, running: &Arc<Running>) -> Result<StagedImage> {
        let (stager, commit, running) = (self.stager(), commit.clone(), Arc::clone(running));
        blocking(move || stager.stage(&commit, Some(&running))).await
    }

    async fn stage_on_peers(&self, commit: &Commit) -> Vec<(u64, Result<Vec<u8>>)> {
        let members = self.group().status().members;
        let others = members.voters().filter(|member| member.id != self.id());
        let asked =
            others.map(|member| async { (member.id.0, self.peers().stage(member, commit.clone()).await) });
        futures_util::future::join_all(asked).await
    }
}

impl Verified {
    pub(crate) fn new(
        product: Product,
        meta: archive::hashicorp::Meta,
        last_index: u64,
        totals: &Totals,
    ) -> Result<Verified> {
        let index = meta.index.max(last_index);
        if index > records::INDEX_MAX {
            return Err(Error::new(Kind::Corrupt, format!("the archive's index {index} is out of range")));
        }
        let warnings = match enterprise_records(product, totals) {
            0 => Vec::new(),
            n => vec![format!("{n} {product} Enterprise records are kept and written back, but not served")],
        };
        Ok(Verified { meta, totals: totals.clone(), index, warnings })
    }
}

fn refused(reply: Reply) -> Error {
    match reply {
        Reply::Refused(refusal) => Error::new(Kind::Conflict, refusal.to_string()),
        _ => Error::new(Kind::Internal, "an unexpected reply of the state machine"),
    }
}

/// The reading side of [`Body`] for bytes that are already there.
pub fn body_of(bytes: impl Into<Bytes>) -> Body {
    let bytes: Bytes = bytes.into();
    Box::pin(futures_util::stream::iter([Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bytes)]))
}

/// The rest of a file, as a body.
pub fn body_of_file(file: std::fs::File) -> Body {
    let read = |mut file: tokio::fs::File| async move {
        let mut chunk = BytesMut::with_capacity(FILE_CHUNK_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        Ok((read > 0).then(|| (chunk.freeze(), file)))
    };
    Box::pin(futures_util::stream::try_unfold(tokio::fs::File::from_std(file), read))
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}
