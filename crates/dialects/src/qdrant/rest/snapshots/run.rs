//! Work that goes on whatever becomes of the request, and that clients need not wait for.

use std::time::Duration;

use axum::http::HeaderValue;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

use super::Call;
use crate::qdrant::rest::answer::{Answer, Outcome, result};
use crate::qdrant::rest::failure::Failure;

/// How often it is looked whether a task is known yet.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Work that the node lists as a task.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) id: Uuid,
    /// Whether the answer waits for its end.
    pub(super) waits: bool,
}

/// Does the work, and answers what comes of it; or, if nobody waits for that, that it is being done, once it can be
/// seen as a task and `received`, if given, has told that nothing more is to come from the client. What fails by then
/// is answered, and what fails later is logged.
pub(super) async fn task<T: Serialize + Send + 'static>(
    call: &Call,
    task: Task,
    received: Option<oneshot::Receiver<()>>,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Outcome {
    let mut running = tokio::spawn(work.in_current_span());
    if task.waits {
        return result(&end_of(&mut running).await?);
    }
    let is_known = async {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        while call.app.node.task(task.id).is_err() {
            looks.tick().await;
        }
        if let Some(received) = received {
            // A sender that is gone sends no more either.
            let _ = received.await;
        }
    };
    tokio::select! {
        biased;
        ended = end_of(&mut running) => drop(ended?),
        () = is_known => {
            let late = async move {
                if let Err(failure) = end_of(&mut running).await {
                    tracing::warn!(task = %task.id, why = failure.text(), "what nobody waited for failed");
                }
            };
            tokio::spawn(late.in_current_span());
        }
    }
    Ok(accepted(call.app.native_url.as_deref().map(|base| (base, task.id))))
}

/// What was asked is done, or will be; with the task that tells how it stands, if there is one to see.
pub(super) fn accepted(task: Option<(&str, Uuid)>) -> Answer {
    let place = task.map(|(base, id)| format!("{}/v1/tasks/{id}", base.trim_end_matches('/')));
    Answer::Accepted(place.and_then(|place| HeaderValue::try_from(place).ok()))
}

async fn end_of<T>(running: &mut JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    running.await.unwrap_or_else(|_| Err(Failure::bug()))
}
