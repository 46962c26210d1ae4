//! Long operations: what is known of each, replicated, and what is going on in those that run here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Kind, Result};

/// Documents of tasks begin so.
pub(crate) const PREFIX: &str = "task/";

pub(crate) fn key(id: Uuid) -> String {
    format!("{PREFIX}{id}")
}

/// A long operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name; a restore's is also the name of its image.
    pub id: Uuid,
    /// What it does.
    pub kind: TaskKind,
    /// To which scope.
    pub scope: String,
    /// How it stands.
    pub state: TaskState,
    /// What it is doing, or was doing when it ended.
    pub step: Step,
    /// Bytes of the archive done in this step.
    pub done: u64,
    /// Bytes of the archive in all, where they are known.
    pub total: Option<u64>,
    /// The node that runs it.
    pub runner: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// When this was written.
    pub updated_at_ms: u64,
    /// When it ended.
    pub ended_at_ms: Option<u64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What came of it.
    pub outcome: Option<serde_json::Value>,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name of the error's kind.
    pub kind: String,
    /// What happened.
    pub message: String,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Saves into the catalog.
    Save,
    /// Replaces a scope by an archive.
    Restore,
    /// Brings back the previous generation.
    Undo,
    /// Puts an archive into the catalog.
    Upload,
}

impl TaskKind {
    /// The kind's name in the native API and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Save => "save",
            TaskKind::Restore => "restore",
            TaskKind::Undo => "undo",
            TaskKind::Upload => "upload",
        }
    }
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It goes on.
    Running,
    /// It is done.
    Succeeded,
    /// It failed and changed nothing.
    Failed,
    /// It was cancelled and changed nothing.
    Cancelled,
}

/// The steps of long operations, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The archive comes in.
    Receive,
    /// Every byte of it is checked.
    Verify,
    /// It is unpacked beside the live state, on a quorum of voters.
    Stage,
    /// An archive is written.
    Write,
    /// It becomes live; too late to cancel.
    Commit,
    /// Over.
    Done,
}

/// A task that runs on this node.
pub(crate) struct Running {
    id: Uuid,
    step: Mutex<Step>,
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

/// `total` while it is unknown.
const UNKNOWN: u64 = u64::MAX;

impl Running {
    /// The task's name.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Something that runs but is no task: nobody can list or cancel it.
    pub(crate) fn unregistered(id: Uuid) -> Arc<Running> {
        Arc::new(Running {
            id,
            step: Mutex::new(Step::Receive),
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            cancelled: AtomicBool::new(false),
        })
    }

    /// Begins a step of `total` bytes; fails if the task was cancelled in the meantime.
    pub(crate) fn step(&self, step: Step, total: Option<u64>) -> Result<()> {
        let mut current = self.step.lock().expect("no panic while held");
        self.check()?;
        *current = step;
        // Committing moves no bytes: what came before is still true.
        if step < Step::Commit {
            self.done.store(0, Ordering::Relaxed);
            self.total.store(total.unwrap_or(UNKNOWN), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Counts bytes; fails if the task was cancelled.
    pub(crate) fn advance(&self, bytes: u64) -> Result<()> {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) { Err(cancelled()) } else { Ok(()) }
    }

    /// Asks the task to stop: at its next step or byte, unless it is committing.
    fn cancel(&self) -> Result<()> {
        let step = self.step.lock().expect("no panic while held");
        if *step >= Step::Commit {
            return Err(Error::new(Kind::Conflict, format!("task {} is committing", self.id)));
        }
        self.cancelled.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Fills in what the replicated document need not be told at every byte.
    pub(crate) fn overlay(&self, task: &mut Task) {
        task.step = *self.step.lock().expect("no panic while held");
        task.done = self.done.load(Ordering::Relaxed);
        task.total = Some(self.total.load(Ordering::Relaxed)).filter(|total| *total != UNKNOWN);
    }
}

/// The failure of a cancelled task.
fn cancelled() -> Error {
    Error::new(Kind::Conflict, "the task was cancelled; nothing was changed").because(Cancelled)
}

/// Marks an error as the effect of a cancel.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub(crate) struct Cancelled;

/// The tasks that run on this node.
#[derive(Default)]
pub(crate) struct Registry {
    running: Mutex<HashMap<Uuid, Arc<Running>>>,
}

impl Registry {
    pub(crate) fn start(&self, id: Uuid, first: Step) -> Result<Arc<Running>> {
        let mut running = self.running.lock().expect("no panic while held");
        if running.contains_key(&id) {
            return Err(Error::new(Kind::Conflict, format!("task {id} exists")));
        }
        let task = Running::unregistered(id);
        task.step(first, None)?;
        running.insert(id, Arc::clone(&task));
        Ok(task)
    }

    pub(crate) fn end(&self, id: Uuid) {
        self.running.lock().expect("no panic while held").remove(&id);
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Running>> {
        self.running.lock().expect("no panic while held").get(&id).cloned()
    }

    pub(crate) fn cancel(&self, id: Uuid) -> Result<()> {
        match self.get(id) {
            Some(running) => running.cancel(),
            None => Err(Error::new(Kind::Conflict, format!("task {id} does not run on this node"))),
        }
    }
}
