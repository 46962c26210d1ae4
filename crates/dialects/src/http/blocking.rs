//! Blocking queries: reads that wait until the state has moved beyond an index.
//!
//! Follows `hashicorp/consul:agent/blockingquery/blockingquery.go`; Nomad's differ in nothing that counts.

use std::time::Duration;

use node::{Consistency, Error, Kind, Node, Seen};
use records::{Read, Scope, View};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::number::{duration, unsigned};
use super::{Failure, Query};

/// How long a blocking query waits if it doesn't say.
const WAIT_DEFAULT: Duration = Duration::from_secs(300);

/// How long a blocking query waits at most, but for the jitter.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// The options of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// How fresh it has to be.
    pub(crate) consistency: Consistency,
    /// Above 0: wait until the answer's index is higher.
    pub(crate) index: u64,
    /// How long to wait at most.
    pub(crate) wait: Duration,
}

impl ReadOptions {
    /// The options of a read that is to be as fresh as `consistency` says.
    pub(crate) fn of(query: &Query, consistency: Consistency) -> Result<ReadOptions, Failure> {
        let wait = match query.filled("wait").map(duration) {
            None => WAIT_DEFAULT,
            Some(None) => return Err(Failure::invalid("Invalid wait time")),
            Some(Some(wait)) if wait.is_zero() => WAIT_DEFAULT,
            Some(Some(wait)) => wait.min(WAIT_MAX),
        };
        let index = match query.filled("index").map(unsigned) {
            None => 0,
            Some(index) => index.map_err(|_| Failure::invalid("Invalid index"))?,
        };
        Ok(ReadOptions { consistency, index, wait })
    }
}

/// Up to one part in so many of its time is added to a wait, so that clients that came together don't come
/// back together.
const JITTER_FRACTION: u32 = 16;

/// What is to be known of an answer before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    /// The index it would carry.
    pub(crate) index: u64,
    /// Whether what was asked for is there.
    pub(crate) found: bool,
}

/// A view that of `scope` that satisfies the options, which may mean to wait for it. When the time is up the view is the
/// latest one, whatever its index.
///
/// A glance fails if what is asked for may not be seen: then there is nothing to wait for.
///
/// Dropping the future ends the wait: nothing is kept for a client that left.
pub(crate) async fn view(
    node: &Node,
    scope: Scope,
    options: ReadOptions,
    glance: impl Fn(&View) -> Result<Glance, Failure> + Clone + Send + 'static,
) -> Result<Seen, Failure> {
    if options.index == 0 {
        return Ok(node.view(scope, options.consistency).await?);
    }
    let deadline = Instant::now() + options.wait + jitter(options.wait);
    let (mut changes, mut closing) = (node.watch(scope), node.closing());
    let mut waiting = Waiting { beyond: options.index, missing_since: None };
    loop {
        // Marked before the look, so that a change during the look ends the wait for the next one.
        changes.mark_unchanged();
        let seen = node.view(scope, options.consistency).await?;
        let glance = glance.clone();
        let (seen, glance) = off_thread(move || glance(&seen.view).map(|glance| (seen, glance))).await?;
        if waiting.is_over(glance, seen.view.floor()) {
            return Ok(seen);
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            () = sleep_until(deadline) => return Ok(seen),
            // A server that is told to stop must not wait for those who wait.
            _ = closing.wait_for(|closing| *closing) => return Ok(seen),
        }
    }
}

/// What a query waits for.
#[derive(Debug)]
struct Waiting {
    /// An index higher than this.
    beyond: u64,
    /// The floor at which nothing was found the last time.
    missing_since: Option<u64>,
}

impl Waiting {
    fn is_over(&mut self, glance: Glance, floor: u64) -> bool {
        if glance.found {
            self.missing_since = None;
        } else if self.missing_since.replace(floor) == Some(floor) {
            // Nothing is still nothing, however far the rest of the state has moved.
            self.beyond = self.beyond.max(glance.index);
        }
        glance.index > self.beyond
    }
}

fn jitter(wait: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let most = u64::try_from((wait / JITTER_FRACTION).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % most.max(1))
}

/// Runs a read of the store off the async threads.
pub(crate) async fn off_thread<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    read: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    let request = tracing::Span::current();
    match tokio::task::spawn_blocking(move || request.in_scope(read)).await {
        Ok(result) => result.map_err(Into::into),
        Err(panic) => Err(stopped(panic).into()),
    }
}

pub(crate) fn stopped(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Internal, format!("a worker stopped: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(beyond: u64) -> Waiting {
        Waiting { beyond, missing_since: None }
    }

    fn found(index: u64) -> Glance {
        Glance { index, found: true }
    }

    fn missing(index: u64) -> Glance {
        Glance { index, found: false }
    }

    #[test]
    fn a_wait_ends_with_a_higher_index() {
        let mut waiting = waiting(7);
        assert!(!waiting.is_over(found(6), 0));
        assert!(!waiting.is_over(found(7), 0));
        assert!(waiting.is_over(found(8), 0));
    }

    #[test]
    fn who_waits_for_a_missing_key_is_not_woken_by_other_keys() {
        let mut waiting = waiting(7);
        assert!(!waiting.is_over(missing(7), 0));
        assert!(!waiting.is_over(missing(9), 0));
        assert!(waiting.is_over(found(10), 0));
    }

    #[test]
    fn a_restore_wakes_who_waits_for_a_missing_key() {
        let mut waiting = waiting(7);
        assert!(!waiting.is_over(missing(7), 0));
        assert!(waiting.is_over(missing(30), 30));
    }

    #[test]
    fn a_key_that_goes_ends_the_wait() {
        let mut waiting = waiting(7);
        assert!(!waiting.is_over(found(7), 0));
        assert!(waiting.is_over(missing(8), 0));
    }

    #[test]
    fn the_jitter_is_a_small_part_of_the_wait() {
        assert!((0..100).all(|_| jitter(Duration::from_secs(16)) < Duration::from_secs(1)));
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_wait_is_bounded_and_never_zero() {
        let wait = |raw| {
            let query = Query::parse(raw).unwrap();
            ReadOptions::of(&query, Consistency::Stale).unwrap().wait.as_secs()
        };
        assert_eq!(wait("index=1"), 300);
        assert_eq!(wait("index=1&wait="), 300);
        assert_eq!(wait("index=1&wait=0s"), 300);
        assert_eq!(wait("index=1&wait=10s"), 10);
        assert_eq!(wait("index=1&wait=24h"), 600);
    }
}
