//! Follows the library's metrics and retells them as our status.

use std::sync::Arc;

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::{RaftMetrics, ServerState};
use tokio::sync::watch;

use super::{Raft, StoredMembership, Types, convert};
use crate::machine::StateMachine;
use crate::members::Members;
use crate::status::{Role, Status};

/// Starts to follow a group that is running. Ends with it.
pub(crate) fn follow<S: StateMachine>(raft: &Raft<S>) -> watch::Receiver<Status> {
    let mut metrics = raft.metrics();
    let mut observer = Observer::default();
    // Always a copy: the library cannot publish while someone holds a borrow.
    let now = metrics.borrow_watched().clone();
    let (status, watcher) = watch::channel(observer.status(&now));
    tokio::spawn(async move {
        while metrics.changed().await.is_ok() {
            let now = metrics.borrow_watched().clone();
            let now = observer.status(&now);
            status.send_if_modified(|before| {
                let modified = *before != now;
                *before = now;
                modified
            });
        }
        // The core is gone. If it did not say why, it panicked.
        status.send_if_modified(|last| {
            let silent = last.running.is_ok();
            if silent {
                last.running = Err("the group ended without a word".into());
            }
            silent
        });
    });
    watcher
}

/// Remembers the membership it translated last: metrics change with every entry, members hardly ever.
#[derive(Default)]
struct Observer {
    translated: Option<(Arc<StoredMembership>, Arc<Members>)>,
}

impl Observer {
    fn status(&mut self, metrics: &RaftMetrics<Types>) -> Status {
        let members = self.members(&metrics.membership_config);
        Status {
            role: match metrics.state {
                ServerState::Leader => Role::Leader,
                ServerState::Follower => Role::Follower,
                ServerState::Candidate => Role::Candidate,
                ServerState::Learner | ServerState::Shutdown => Role::Learner,
            },
            term: metrics.current_term,
            leader: metrics.current_leader.and_then(|leader| members.get(leader).cloned()),
            last_log: metrics.last_log_index,
            committed: metrics.local_committed.as_ref().map(convert::position),
            applied: metrics.last_applied.as_ref().map(convert::position),
            snapshot: metrics.snapshot.as_ref().map(convert::position),
            purged: metrics.purged.as_ref().map(convert::position),
            members,
            running: metrics.running_state.as_ref().map_err(ToString::to_string).copied(),
        }
    }

    fn members(&mut self, stored: &Arc<StoredMembership>) -> Arc<Members> {
        if let Some((known, members)) = &self.translated
            && Arc::ptr_eq(known, stored)
        {
            return members.clone();
        }
        // The library checks memberships by our rules before it accepts them.
        let members = Arc::new(convert::members(stored).unwrap_or_default());
        self.translated = Some((stored.clone(), members.clone()));
        members
    }
}
