//! Snapshots that a command has a server make for its own use: they go, however the command ends.

use std::sync::Mutex;
use std::time::Duration;

use client::Error;
use client::qdrant::{Client, Snapshot};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::output::Output;

/// How long the end of a command waits for a server to remove what was made for it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What is being removed. A command that was interrupted can no longer wait for it; whoever ends the process can.
static REMOVALS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// A snapshot that a server keeps until this is dropped.
pub(super) struct Temporary {
    /// Dropping it is what the other side waits for.
    _needed: oneshot::Sender<()>,
}

impl Temporary {
    /// Has the server make a snapshot. If this future is dropped before it is made, it is removed as well.
    pub(super) async fn create(client: &Client, output: Output) -> Result<(Temporary, Snapshot), Error> {
        let (needed, ended) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let client = client.clone();
        let address = client.address().to_string();
        let removal = tokio::spawn(async move {
            let made = client.create().await;
            let name = made.as_ref().ok().map(|snapshot| snapshot.name.clone());
            // Whoever wanted to know may be gone.
            let _ = tell.send(made);
            let Some(name) = name else { return };
            let _ = ended.await;
            if let Err(error) = client.delete(&name).await {
                output.warn(&format!("{name} stays on the server: {error}"));
            }
        });
        if let Ok(mut removals) = REMOVALS.lock() {
            removals.push(removal);
        }
        // It only says nothing if the runtime is going down.
        let gone = |_| Error::Unreachable { address, cause: "interrupted".into() };
        let snapshot = told.await.map_err(gone)??;
        Ok((Temporary { _needed: needed }, snapshot))
    }
}

/// Waits until what commands left on servers is removed.
pub(super) async fn removed(output: Output) {
    let removals = REMOVALS.lock().map(|mut removals| std::mem::take(&mut *removals)).unwrap_or_default();
    let all = async {
        for removal in removals {
            // One that panicked has said so.
            let _ = removal.await;
        }
    };
    if tokio::time::timeout(WAIT_MAX, all).await.is_err() {
        warn(output);
    }
}

/// Tells that nobody waits for it any more.
pub(super) fn warn(output: Output) {
    output.warn("the server may keep a snapshot that was made for this command");
}
