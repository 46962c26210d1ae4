//! `stillpoint task`: the server's long operations.

use client::native::{Task, TaskState};
use serde_json::json;
use uuid::Uuid;

use crate::args::{Connection, TaskCommand};
use crate::output::{Output, table};
use crate::remote;

pub(super) async fn run(command: TaskCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TaskCommand::List { connection } => list(&connection, output).await,
        TaskCommand::Show { id, connection } => show(id, &connection, output).await,
        TaskCommand::Cancel { id, connection } => cancel(id, &connection, output).await,
    }
}

async fn list(connection: &Connection, output: Output) -> anyhow::Result<()> {
    let tasks = remote::native(connection, output)?.tasks().await?;
    let mut rows = vec![["id", "kind", "scope", "state", "step", "began"].map(str::to_owned).to_vec()];
    rows.extend(tasks.iter().map(|task| {
        let Task { id, kind, scope, state, step, created_at, .. } = task;
        vec![
            id.to_string(),
            kind.clone(),
            scope.clone(),
            word(*state).into(),
            step.clone(),
            created_at.to_string(),
        ]
    }));
    output.result(&tasks, &table(&rows))
}

async fn show(id: Uuid, connection: &Connection, output: Output) -> anyhow::Result<()> {
    let task = remote::native(connection, output)?.task(id).await?;
    output.result(&task, &describe(&task))
}

async fn cancel(id: Uuid, connection: &Connection, output: Output) -> anyhow::Result<()> {
    remote::native(connection, output)?.cancel(id).await?;
    output.talk(&format!("Asked the server to cancel task {id}"));
    output.result(&json!({ "id": id, "cancel_requested": true }), "")
}

fn describe(task: &Task) -> String {
    let progress = match task.progress.total {
        Some(total) => format!("{} of {total} bytes", task.progress.done),
        None => format!("{} bytes", task.progress.done),
    };
    let mut rows = vec![
        ("task", task.id.to_string()),
        ("does", format!("{} {}", task.kind, task.scope)),
        ("state", format!("{}, {}", word(task.state), task.step)),
        ("progress", progress),
        ("began", task.created_at.to_string()),
    ];
    rows.extend(task.ended_at.map(|time| ("ended", time.to_string())));
    if let Some(problem) = &task.error {
        rows.push(("error", problem.message.clone()));
        rows.extend(problem.hint.clone().map(|hint| ("hint", hint)));
    }
    rows.extend(task.result.as_ref().map(|result| ("result", result.to_string())));
    table(&rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect::<Vec<_>>())
}

fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Running => "running",
        TaskState::Succeeded => "succeeded",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}
