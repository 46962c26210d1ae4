//! What ends unless it is renewed: sessions of Consul's, locks of Nomad's variables.
//!
//! Renewals are no log entries, and the times are the leader's alone: a new leader, or a restore, gives everything
//! its full time again (`hashicorp/consul:agent/consul/session_ttl.go`, `hashicorp/nomad:nomad/locks.go`).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use records::{Read, View};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Result;
use crate::node::Node;

/// What is renewed lives for its time to live at least, and for twice as long at most.
const GRACE_FACTOR: u32 = 2;

/// When what ends.
pub(crate) struct Timers<T>(Mutex<State<T>>);

struct State<T> {
    /// Whose these are: of which leader's term, and of which image.
    of: Option<(u64, Uuid)>,
    /// The state index at which they were listed last.
    listed_at: u64,
    ends: HashMap<T, Instant>,
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers(Mutex::new(State::new(None)))
    }
}

impl<T: Clone + Eq + Hash> Timers<T> {
    /// Gives one its full time again.
    pub(crate) fn renew(&self, one: T, ttl: Duration) {
        self.lock().ends.insert(one, Instant::now() + ttl * GRACE_FACTOR);
    }

    /// Whether the time of one is over, and so nothing renews it any more.
    pub(crate) fn is_over(&self, one: &T) -> bool {
        self.lock().ends.get(one).is_some_and(|end| *end <= Instant::now())
    }

    /// Those whose time was over at least `delay` ago, each by its own. `list` says what there is in `view`, with
    /// times to live; it is asked if the state has changed.
    pub(crate) fn over(
        &self,
        node: &Node,
        view: &View,
        list: impl FnOnce(&View) -> Result<Vec<(T, Duration)>>,
        delay: impl Fn(&T) -> Duration,
    ) -> Result<Vec<T>> {
        let of = (node.status().term, view.state().live.image);
        let mut state = self.lock();
        if state.of != Some(of) {
            *state = State::new(Some(of));
        }
        let now = Instant::now();
        if state.listed_at != view.index() {
            state.list(list(view)?, now);
            state.listed_at = view.index();
        }
        Ok(state.over(now, delay))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("no panic while held")
    }
}

impl<T> State<T> {
    fn new(of: Option<(u64, Uuid)>) -> State<T> {
        State { of, listed_at: 0, ends: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> State<T> {
    /// Takes in what there is now; what is already known keeps its time.
    fn list(&mut self, listed: Vec<(T, Duration)>, now: Instant) {
        let mut ends = HashMap::with_capacity(listed.len());
        for (one, ttl) in listed {
            let end = self.ends.remove(&one).unwrap_or(now + ttl * GRACE_FACTOR);
            ends.insert(one, end);
        }
        self.ends = ends;
    }

    fn over(&self, now: Instant, delay: impl Fn(&T) -> Duration) -> Vec<T> {
        let is_over = |(one, end): &(&T, &Instant)| **end + delay(one) <= now;
        self.ends.iter().filter(is_over).map(|(one, _)| one.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn what_is_known_keeps_its_time_and_what_is_new_gets_all_of_it() {
        let mut timers = State::new(None);
        let over = |timers: &State<&'static str>, at| timers.over(at, |_| Duration::ZERO);
        let begin = Instant::now();
        timers.list(vec![("a", TTL)], begin);
        timers.list(vec![("a", TTL), ("b", TTL)], begin + TTL);
        assert!(over(&timers, begin + TTL * 2 - Duration::from_millis(1)).is_empty());
        assert_eq!(over(&timers, begin + TTL * 2), ["a"]);
        assert!(timers.over(begin + TTL * 2, |_| TTL).is_empty());
        timers.list(vec![("b", TTL)], begin + TTL * 2);
        assert_eq!(over(&timers, begin + TTL * 3), ["b"]);
    }
}
