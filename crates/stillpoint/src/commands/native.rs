//! A restore through the native API: sent as a task, watched, and looked up if its answer is lost.

use std::convert::Infallible;
use std::time::Duration;

use client::native::{Client, RestoreOptions, Restored, Task, TaskState};
use client::{Error, Kind, Refusal};
use indicatif::ProgressBar;
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::output::Output;
use crate::stage::Source;

/// How often a task is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long a server may be out of reach before we stop asking how a restore ended.
const LOST_MAX: Duration = Duration::from_secs(60);

/// Sends the archive and sees the restore through, even where its answer is lost.
pub(super) async fn restore(
    client: &Client,
    scope: &str,
    source: &Source,
    options: &RestoreOptions,
    output: Output,
) -> anyhow::Result<Restored> {
    let task = Uuid::now_v7();
    output.talk(&format!("Restoring as task {task}"));
    let bar = output.progress("upload", Some(source.length));
    let restoring = client.restore(scope, source.upload(&bar)?, options, task);
    let answer = tokio::select! {
        answer = restoring => answer,
        never = watch(client, task, &bar) => match never {},
    };
    match answer {
        Err(error) if leaves_outcome_open(&error) => {
            bar.finish_and_clear();
            output.warn(&format!("{error}; asking the server how the restore ended"));
            Ok(follow(client, task, error).await?)
        }
        answer => Ok(answer?),
    }
}

/// Shows the task's steps once all is sent, until the caller has an answer and drops this.
async fn watch(client: &Client, task: Uuid, bar: &ProgressBar) -> Infallible {
    let mut ticks = interval(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        if bar.is_hidden() || bar.length() != Some(bar.position()) {
            continue;
        }
        // It is only for show: whatever goes wrong here, the restore's own answer tells.
        if let Ok(task) = client.task(task).await {
            bar.set_message(task.step);
        }
    }
}

/// Whether the restore may have been done, or may still be, in spite of the error.
fn leaves_outcome_open(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => refusal.kind == Kind::Unavailable,
        Error::Unreachable { .. } | Error::Cut { .. } | Error::Stalled { .. } | Error::Foreign { .. } => true,
        Error::Untrusted { .. }
        | Error::Token
        | Error::TokenFile { .. }
        | Error::Address(_)
        | Error::Tls(_)
        | Error::Identity
        | Error::ServerName(_)
        | Error::Digest { .. } => false,
    }
}

/// Asks the task how the restore ended, as long as there is a server that answers.
async fn follow(client: &Client, id: Uuid, lost: Error) -> Result<Restored, Error> {
    let mut ticks = interval(LOOK_INTERVAL);
    let mut heard_at = Instant::now();
    loop {
        ticks.tick().await;
        match client.task(id).await {
            Ok(task) if task.state == TaskState::Running => heard_at = Instant::now(),
            Ok(task) => return outcome(task, lost),
            // The server never began, or was told not to.
            Err(Error::Refused(refusal)) if refusal.kind != Kind::Unavailable => return Err(lost),
            Err(_) if heard_at.elapsed() > LOST_MAX => return Err(lost),
            Err(_) => {}
        }
    }
}

fn outcome(task: Task, lost: Error) -> Result<Restored, Error> {
    match (task.state, task.result, task.error) {
        (TaskState::Succeeded, Some(result), _) => serde_json::from_value(result).map_err(|_| lost),
        (_, _, Some(problem)) => Err(Error::Refused(Refusal {
            status: 0,
            kind: problem.kind(),
            message: problem.message,
            hint: problem.hint,
        })),
        _ => Err(lost),
    }
}
