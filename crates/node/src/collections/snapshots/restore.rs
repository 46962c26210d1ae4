//! Restoring points: receive, verify and unpack in one pass, open in the engine, commit by one entry.
//!
//! On a cluster of one the archive is unpacked as it comes in. With several voters it is received first, for they
//! fetch it from here; a quorum must have staged it before the commit.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use ::archive::qdrant::Contents;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use groups::NodeId;
use records::qdrant::Command;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::directory::Directory;
use super::staging::{PointsImage, StagedShards, Unpacked, unpack};
use super::target::{Making, Target, parts, propose, targets};
use super::{OtherDigest, PointsRestore, Priority};
use crate::blobs::{Blob, Digest};
use crate::error::{Error, Kind, Result, blocking, to_the_end};
use crate::node::Node;
use crate::restore::{Body, Origin, Restored};
use crate::scope::{PointsScope, Scope};
use crate::stager::Counted;
use crate::tasks::{Running, Step, TaskKind};

/// Chunks of a body that may wait to be unpacked.
const CHUNKS_WAITING: usize = 8;

/// An archive on this node, staged.
pub(super) struct Received {
    pub(super) contents: Contents,
    pub(super) staged: StagedShards,
    pub(super) sha256: Digest,
    pub(super) bytes: u64,
    /// The archive itself, where it was kept.
    blob: Option<Blob>,
}

impl Node {
    /// Replaces points by those of an archive, all or nothing. When this returns `Ok`, the new ones are live and
    /// durable; on an error the old ones are, unless the error says that the outcome is unknown.
    ///
    /// A collection that is there keeps its settings, indexes and aliases; `Invalid` if its vectors or its number
    /// of shards are others than the archive's. Restores of the same state take turns. Once it has begun, it goes on
    /// even if this future is dropped.
    pub async fn restore_points(&self, request: PointsRestore, origin: Origin) -> Result<Restored> {
        self.confirm_leader().await?;
        self.check_restore(&request)?;
        let node = self.clone();
        to_the_end(async move {
            let scope = Scope::from(request.scope.clone());
            let step = match origin {
                Origin::Body(_) => Step::Receive,
                Origin::Stored(_) => Step::Verify,
            };
            let id = request.task.unwrap_or_else(Uuid::now_v7);
            let (here, of) = (node.clone(), scope.clone());
            let run = |running| async move {
                let _turn = here.restore_in_turn(&of).await?;
                here.clone().run_points_restore(request, origin, running).await
            };
            node.run_task(id, TaskKind::Restore, &scope, step, run).await
        })
        .await
    }

    /// What can be refused before a byte of the archive is read.
    pub(super) fn check_restore(&self, request: &PointsRestore) -> Result<()> {
        if let Some(lack) = points::check_cpu() {
            return Err(Error::new(Kind::Unsupported, lack));
        }
        if request.priority == Priority::NoSync && !self.is_alone() {
            let message = "replicas that hold other points than this node are not served: \
                           priority no_sync only has a meaning on a cluster of one";
            return Err(Error::new(Kind::Unsupported, message));
        }
        let directory = self.directory();
        if let Some(name) = request.scope.collection()
            && directory.aliases.contains_key(name)
        {
            let refusal = records::qdrant::Refusal::IsAlias(name.to_owned());
            return Err(Error::new(Kind::Invalid, refusal.to_string()));
        }
        match &request.scope {
            PointsScope::Shard(..) => directory.keys_of(&request.scope).map(drop),
            PointsScope::Collection(name) if !directory.collections.contains_key(name) => {
                Ok(points::config::check_name(name)?)
            }
            _ => Ok(()),
        }
    }

    async fn run_points_restore(
        self,
        request: PointsRestore,
        origin: Origin,
        running: Arc<Running>,
    ) -> Result<Restored> {
        let term = self.group().status().term;
        let image = running.id();
        let mut received = self.receive_points(&request, origin, image, &running).await?;
        let points = received.staged.points();
        let mut restored = Restored {
            task: image,
            scope: request.scope.clone().into(),
            index: 0,
            records: points,
            bytes: received.bytes,
            warnings: Vec::new(),
            sha256: received.sha256.to_string(),
            log_index: 0,
        };
        if request.priority == Priority::Replica && !self.is_alone() && self.has_replicas(&request.scope) {
            let sentence =
                "the archive was verified and not used: there are replicas, and they were preferred";
            tracing::info!(task = %image, scope = %request.scope, "{sentence}");
            restored.warnings.push(sentence.to_owned());
            return Ok(restored);
        }
        let uuids: BTreeMap<String, Uuid> = {
            let found = targets(&request, &received.contents, &self.directory())?;
            found.iter().map(|target| (target.name.clone(), Uuid::new_v4())).collect()
        };
        let nodes: Vec<u64> = self.status().members.voters().map(|voter| voter.id.0).collect();
        let mut blob = received.blob.map(|blob| blob.digest);
        let PointsRestore { keep_others, adopt, .. } = request;
        if let Some(digest) = blob {
            let nodes = nodes.clone();
            let making = Making { image, blob, nodes, uuids: &uuids, keep_others, adopt };
            if self.stage_points_everywhere(&request, &received, digest, &making).await? {
                blob = None;
            }
        }
        let making = Making { image, blob, nodes, uuids: &uuids, keep_others, adopt };
        // Once it is proposed, only what becomes of the entry tells whether the files are needed.
        received.staged.keep();
        let (contents, staged) = (&received.contents, &received.staged);
        let exchanged = self.exchange_points(
            |directory| {
                let targets = targets(&request, contents, directory)?;
                let proposal = propose(&request.scope, &targets, contents, staged, directory, &making)?;
                let (content, expected) = (proposal.content.clone(), proposal.expected.clone());
                Ok((proposal, Command::Exchange { image, term, content, expected }))
            },
            || running.step(Step::Commit, None),
        );
        let (position, content) = exchanged.await?;
        (restored.index, restored.log_index) = (position.index, position.index);
        restored.warnings.extend(self.settle(&content).await);
        fail::fail_point!("points::settled");
        Ok(restored)
    }

    /// Receives, verifies, unpacks, and opens in the engine. Dropping what is returned removes it again.
    pub(super) async fn receive_points(
        &self,
        request: &PointsRestore,
        origin: Origin,
        image: Uuid,
        running: &Arc<Running>,
    ) -> Result<Received> {
        let (unpacked, blob) = match origin {
            Origin::Body(body) if self.is_alone() => {
                running.step(Step::Receive, None)?;
                let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
                let source = Chunks { receiver, chunk: Bytes::new() };
                let unpacking = self.unpack_points(request, source, image, request.sha256);
                let (unpacked, fed) = join(unpacking, self.feed(body, sender, running)).await;
                // Why it was cut is known to whoever fed it.
                fed?;
                (unpacked?, None)
            }
            origin => {
                let blob = match origin {
                    Origin::Body(body) => self.receive(body, running).await?,
                    Origin::Stored(blob) => blob,
                };
                OtherDigest::check(request.sha256, blob.digest)?;
                self.check_disk(blob.bytes)?;
                running.step(Step::Verify, Some(blob.bytes))?;
                let (file, _) = self.blobs().open_blob(blob.digest)?;
                let progress = Arc::clone(running);
                let source = Counted { file, progress: Some(progress) };
                let unpacked = self.unpack_points(request, source, image, Some(blob.digest)).await?;
                (unpacked, (!self.is_alone()).then_some(blob))
            }
        };
        fail::fail_point!("points::unpacked");
        running.step(Step::Stage, Some(unpacked.bytes))?;
        let (sha256, bytes, contents) = (unpacked.sha256, unpacked.bytes, unpacked.contents.clone());
        let (directory, request) = (self.directory(), request.clone());
        let staged = blocking(move || stage(unpacked, &request, &directory)).await?;
        Ok(Received { contents, staged, sha256, bytes, blob })
    }

    async fn unpack_points(
        &self,
        request: &PointsRestore,
        source: impl Read + Send + 'static,
        image: Uuid,
        expected: Option<Digest>,
    ) -> Result<Unpacked> {
        let of_shard = match request.scope {
            PointsScope::Shard(_, id) => id,
            _ => 0,
        };
        let (points, dirs) = (self.shards().dir().to_owned(), self.shards().staging().clone());
        blocking(move || unpack(source, &points, image, of_shard, expected, &dirs, |_| true)).await
    }

    /// Hands a body to whoever unpacks it. Ends early, without an error, if nobody does any more.
    async fn feed(
        &self,
        mut body: Body,
        sender: mpsc::Sender<io::Result<Bytes>>,
        running: &Running,
    ) -> Result<()> {
        let max_bytes = self.settings().restore_max_bytes;
        let mut received = 0;
        while let Some(chunk) = body.next().await {
            let checked = chunk
                .map_err(|cut| {
                    let message = format!("the upload broke off after {received} bytes: {cut}");
                    Error::new(Kind::Invalid, message)
                })
                .and_then(|chunk| {
                    received += chunk.len() as u64;
                    if received > max_bytes {
                        let message =
                            format!("the archive is larger than {max_bytes} bytes (restore_max_bytes)");
                        return Err(Error::new(Kind::TooLarge, message));
                    }
                    self.check_disk(chunk.len() as u64)?;
                    running.advance(chunk.len() as u64)?;
                    Ok(chunk)
                });
            match checked {
                Ok(chunk) => {
                    fail::fail_point!("points::receiving");
                    if sender.send(Ok(chunk)).await.is_err() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    drop(sender.send(Err(io::Error::other("the body was cut"))).await);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether this node is the only voter.
    pub(super) fn is_alone(&self) -> bool {
        self.status().members.voters().count() <= 1
    }

    fn has_replicas(&self, scope: &PointsScope) -> bool {
        let directory = self.directory();
        match scope.collection() {
            Some(name) => directory.collections.contains_key(name),
            None => !directory.collections.is_empty(),
        }
    }

    /// Has the other voters stage what this node has staged. Fails unless a quorum has; whether all have.
    async fn stage_points_everywhere(
        &self,
        request: &PointsRestore,
        received: &Received,
        blob: Digest,
        making: &Making<'_>,
    ) -> Result<bool> {
        let directory = self.directory();
        let (contents, staged) = (&received.contents, &received.staged);
        let targets = targets(request, contents, &directory)?;
        let proposal = propose(&request.scope, &targets, contents, staged, &directory, making)?;
        let image = PointsImage { image: making.image, blob, parts: parts(&proposal.content, &targets) };
        let members = self.status().members;
        let others: Vec<_> = members.voters().filter(|member| member.id != self.id()).cloned().collect();
        let asked = others.iter().map(|member| {
            let image = image.clone();
            async move { (member.id, self.peers().stage_points(member, image).await) }
        });
        let digest = staged.digest();
        let (mut count, mut everywhere) = (1, true);
        for (member, outcome) in join_all(asked).await {
            match outcome {
                Ok(theirs) if theirs == digest => count += 1,
                Ok(_) => {
                    let message =
                        format!("node {member} unpacks the archive to something else than this node");
                    return Err(Error::new(Kind::Internal, message).hint("run the same release on all nodes"));
                }
                Err(error) => {
                    everywhere = false;
                    tracing::warn!(node = %member, %error, "a voter could not stage the points");
                }
            }
        }
        let voters = members.voters().count();
        if count * 2 <= voters {
            let message = format!("only {count} of {voters} voters could stage the archive");
            return Err(Error::new(Kind::Unavailable, message));
        }
        let all: Vec<NodeId> = members.voters().map(|voter| voter.id).collect();
        let of_shards = proposal.content.shards().flat_map(|shard| &shard.nodes);
        Ok(everywhere && of_shards.into_iter().all(|node| all.contains(&NodeId(*node))))
    }

    /// Stages the shards of another node's restore, and returns the digest of what they hold. When this returns,
    /// they are ready and durable here.
    pub async fn stage_points_for(&self, image: PointsImage) -> Result<Vec<u8>> {
        let stager = self.stager();
        let (points, dirs) = (self.shards().dir().to_owned(), self.shards().staging().clone());
        blocking(move || stager.stage_parts(&points, &dirs, &image)).await
    }
}

/// Opens what was unpacked in the engine, if it fits what is there.
fn stage(unpacked: Unpacked, request: &PointsRestore, directory: &Directory) -> Result<StagedShards> {
    let targets: Vec<Target> = targets(request, &unpacked.contents, directory)?;
    let staged = unpacked.finish(|(member, _)| {
        let target = targets.iter().find(|target| target.member == *member);
        let target = target.ok_or_else(|| Error::new(Kind::Corrupt, "a shard of no collection"))?;
        Ok(target.config.to_edge_config())
    })?;
    let places = targets.iter().flat_map(|target| target.places(&request.scope));
    match places.into_iter().find(|place| !staged.shards.contains_key(place)) {
        Some((_, id)) => {
            Err(Error::new(Kind::Corrupt, format!("the archive lacks the points of shard {id}")))
        }
        None => Ok(staged),
    }
}

/// Reads chunks as they come in. Blocks.
struct Chunks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
