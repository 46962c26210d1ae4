//! Tasks as the cluster remembers them: written at their start and end, listed, cancelled, and resolved when
//! the node that ran one is gone.

use std::sync::Arc;

use records::{Document, Op};
use serde::Serialize;
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::scope::Scope;
use crate::tasks::{self, Cancelled, Failure, Running, Step, Task, TaskKind, TaskState};

/// Ended tasks are listed for so long.
const KEEP_MS: u64 = 7 * 24 * 3600 * 1000;

/// At most so many ended tasks are listed.
const KEEP_COUNT: usize = 1000;

impl Node {
    /// All tasks, the newest first.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        let documents = self.records().documents(tasks::PREFIX)?;
        let mut tasks = documents.iter().map(|(_, bytes)| decode(bytes)).collect::<Result<Vec<_>>>()?;
        for task in &mut tasks {
            self.overlay(task);
        }
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.created_at_ms), task.id));
        Ok(tasks)
    }

    /// One task.
    pub fn task(&self, id: Uuid) -> Result<Task> {
        let documents = self.records().documents(&tasks::key(id))?;
        let Some((_, bytes)) = documents.first() else {
            return Err(Error::new(Kind::NotFound, format!("there is no task {id}")));
        };
        let mut task = decode(bytes)?;
        self.overlay(&mut task);
        Ok(task)
    }

    /// Asks a task that runs on this node to stop. It ends as cancelled and changes nothing; a task that is
    /// committing or over is a conflict.
    pub fn cancel_task(&self, id: Uuid) -> Result<()> {
        let task = self.task(id)?;
        if task.state != TaskState::Running {
            return Err(Error::new(Kind::Conflict, format!("task {id} is over")));
        }
        self.registry().cancel(id)
    }

    fn overlay(&self, task: &mut Task) {
        if task.state == TaskState::Running
            && let Some(running) = self.registry().get(task.id)
        {
            running.overlay(task);
        }
    }

    pub(crate) async fn record_task<T: Serialize, F: Future<Output = Result<T>>>(
        self,
        id: Uuid,
        kind: TaskKind,
        scope: &Scope,
        running: Arc<Running>,
        work: impl FnOnce(Arc<Running>) -> F,
    ) -> Result<T> {
        if self.task(id).is_ok() {
            return Err(Error::new(Kind::Conflict, format!("task {id} exists")));
        }
        let now = self.now_ms();
        let mut task = Task {
            id,
            kind,
            scope: scope.to_string(),
            state: TaskState::Running,
            step: Step::Receive,
            done: 0,
            total: None,
            runner: self.id().0,
            created_at_ms: now,
            updated_at_ms: now,
            ended_at_ms: None,
            failure: None,
            outcome: None,
        };
        running.overlay(&mut task);
        self.write_tasks(vec![task.clone()]).await?;
        tracing::info!(task = %id, kind = kind.name(), %scope, "task begun");
        let measured = self.metrics().task(kind, scope);
        let ended = work(Arc::clone(&running)).await;
        running.overlay(&mut task);
        let unknown = match &ended {
            Ok(outcome) => {
                succeed(&mut task, serde_json::to_value(outcome).ok(), self.now_ms());
                tracing::info!(task = %id, kind = kind.name(), %scope, "task done");
                false
            }
            Err(error) => {
                tracing::warn!(task = %id, kind = kind.name(), %scope, %error, "task failed");
                fail(&mut task, error, self.now_ms());
                error.cause::<groups::Error>().is_some_and(groups::Error::outcome_unknown)
            }
        };
        measured.end(outcome_name(&ended, &task), task.done);
        // With an unknown outcome the task stays running: the log will tell, and upkeep records it.
        if !unknown && let Err(error) = self.write_tasks(vec![task]).await {
            tracing::warn!(task = %id, %error, "record the end of a task; upkeep will");
        }
        ended
    }

    /// Ends tasks that say they run but whose runner is gone, by what the state says came of them.
    pub(crate) async fn resolve_tasks(&self) -> Result<()> {
        let mut resolved = Vec::new();
        for mut task in self.tasks()? {
            if task.state != TaskState::Running || self.registry().get(task.id).is_some() {
                continue;
            }
            match self.is_in_force(&task) {
                true => succeed(&mut task, None, self.now_ms()),
                false => {
                    let stopped = "the node that ran it stopped before the commit; nothing was changed";
                    fail(&mut task, &Error::new(Kind::Unavailable, stopped), self.now_ms());
                }
            }
            resolved.push(task);
        }
        if resolved.is_empty() { Ok(()) } else { self.write_tasks(resolved).await }
    }

    /// Drops the images here that were staged for tasks that are over. If one of them is committed after all,
    /// as by an entry still on its way, it is staged again.
    pub(crate) fn drop_leftover_images(&self) -> Result<()> {
        for (scope, image) in self.records().staged_images()? {
            let over = self.task(image).is_ok_and(|task| task.state != TaskState::Running);
            if over && self.registry().get(image).is_none() {
                tracing::info!(%scope, %image, "a staged image is dropped: its restore is over");
                self.records().drop_staged(image)?;
            }
        }
        Ok(())
    }

    /// Whether the image of a restore became live: every image is called after its task.
    fn is_in_force(&self, task: &Task) -> bool {
        let scope = match task.scope.parse() {
            Ok(Scope::Records(scope)) => scope,
            #[cfg(feature = "qdrant")]
            Ok(Scope::Points(_)) => return self.directory().has_image(task.id),
            Err(_) => return false,
        };
        let state = self.records().state(scope);
        let previous = state.previous.map(|previous| previous.generation.image);
        state.live.image == task.id || previous == Some(task.id)
    }

    /// Forgets tasks that ended long ago.
    pub(crate) async fn forget_tasks(&self) -> Result<()> {
        let oldest = self.now_ms().saturating_sub(KEEP_MS);
        let ended = self.tasks()?.into_iter().filter(|task| task.state != TaskState::Running);
        let old = ended.enumerate().filter(|(i, task)| *i >= KEEP_COUNT || task.updated_at_ms < oldest);
        let documents: Vec<_> =
            old.map(|(_, task)| Document { key: tasks::key(task.id), value: None }).collect();
        if !documents.is_empty() {
            self.propose(Op::Documents(documents)).await?;
        }
        Ok(())
    }

    async fn write_tasks(&self, tasks: Vec<Task>) -> Result<()> {
        let document = |task: &Task| Document { key: tasks::key(task.id), value: Some(encode(task)) };
        self.propose(Op::Documents(tasks.iter().map(document).collect())).await?;
        Ok(())
    }
}

fn succeed(task: &mut Task, outcome: Option<serde_json::Value>, now: u64) {
    (task.state, task.step, task.outcome) = (TaskState::Succeeded, Step::Done, outcome);
    (task.updated_at_ms, task.ended_at_ms) = (now, Some(now));
}

fn fail(task: &mut Task, error: &Error, now: u64) {
    task.state = match error.cause::<Cancelled>() {
        Some(_) => TaskState::Cancelled,
        None => TaskState::Failed,
    };
    task.failure =
        Some(Failure { kind: error.kind().name().to_owned(), message: error.message().to_owned() });
    (task.updated_at_ms, task.ended_at_ms) = (now, Some(now));
}

/// How a task ended, as metrics call it.
fn outcome_name<T>(ended: &Result<T>, task: &Task) -> &'static str {
    match ended {
        Ok(_) => "ok",
        Err(_) if task.state == TaskState::Cancelled => "cancelled",
        Err(error) => error.kind().name(),
    }
}

fn encode(task: &Task) -> Vec<u8> {
    serde_json::to_vec(task).expect("plain data")
}

fn decode(bytes: &[u8]) -> Result<Task> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::new(Kind::Internal, format!("a task does not decode: {e}")))
}
