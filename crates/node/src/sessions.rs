//! Sessions with a time to live: the leader ends those that nobody renews.
//!
//! Renewals are no log entries, and the times are the leader's alone: a new leader, or a restore, gives every
//! session its full time again (`hashicorp/consul:agent/consul/session_ttl.go`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use archive::consul::Session;
use records::{Op, Scope, consul};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Result;
use crate::node::Node;

/// A session lives for its time to live at least, and for twice as long at most.
const GRACE_FACTOR: u32 = 2;

/// When which session ends.
#[derive(Default)]
pub(crate) struct SessionTimers {
    timers: Mutex<Timers>,
}

#[derive(Default)]
struct Timers {
    /// Whose sessions these are: of which leader's term, and of which image.
    of: Option<(u64, Uuid)>,
    /// The state index at which the sessions were listed last.
    listed_at: u64,
    ends: HashMap<String, Instant>,
}

impl SessionTimers {
    fn lock(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().expect("no panic while held")
    }
}

impl Timers {
    /// Takes in the sessions that there are now; those already known keep their time.
    fn list(&mut self, sessions: Vec<(String, Duration)>, now: Instant) {
        let mut ends = HashMap::with_capacity(sessions.len());
        for (id, ttl) in sessions {
            let end = self.ends.remove(&id).unwrap_or(now + ttl * GRACE_FACTOR);
            ends.insert(id, end);
        }
        self.ends = ends;
    }

    fn ended(&self, now: Instant) -> Vec<String> {
        self.ends.iter().filter(|(_, end)| **end <= now).map(|(id, _)| id.clone()).collect()
    }
}

impl Node {
    /// Gives a session its full time again and returns it; `None` if there is no such session. On the leader.
    pub async fn renew_session(&self, id: &str) -> Result<Option<Session>> {
        self.confirm_leader().await?;
        let view = self.records().view(Scope::Consul)?;
        let session = consul::session_get(&view, id)?.value;
        if let Some(session) = &session
            && let Some(ttl) = consul::session_ttl(session)
        {
            // Under its own id: the one asked for may differ in case.
            let end = Instant::now() + ttl * GRACE_FACTOR;
            self.session_timers().lock().ends.insert(session.id.clone(), end);
        }
        Ok(session)
    }

    /// Ends the sessions whose time is over. Called on the leader, again and again.
    pub(crate) async fn end_sessions(&self) -> Result<()> {
        let view = self.records().view(Scope::Consul)?;
        let of = (self.status().term, view.state().live.image);
        let now = Instant::now();
        let ended = {
            let mut timers = self.session_timers().lock();
            if timers.of != Some(of) {
                *timers = Timers { of: Some(of), ..Timers::default() };
            }
            if timers.listed_at != view.state().index {
                timers.list(consul::sessions_with_ttl(&view)?, now);
                timers.listed_at = view.state().index;
            }
            timers.ended(now)
        };
        for id in ended {
            tracing::info!(session = %id, "a session ends: it was not renewed");
            let destroy = consul::Command::SessionDestroy { id };
            self.change_on_full_disk(Op::Consul(destroy)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_known_keeps_its_time_and_a_new_one_gets_all_of_it() {
        let mut timers = Timers::default();
        let begin = Instant::now();
        timers.list(vec![("a".into(), TTL)], begin);
        timers.list(vec![("a".into(), TTL), ("b".into(), TTL)], begin + TTL);
        assert_eq!(timers.ended(begin + TTL * 2 - Duration::from_millis(1)), Vec::<String>::new());
        assert_eq!(timers.ended(begin + TTL * 2), ["a"]);
        timers.list(vec![("b".into(), TTL)], begin + TTL * 2);
        assert_eq!(timers.ended(begin + TTL * 3), ["b"]);
    }
}
