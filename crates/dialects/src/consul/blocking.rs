//! Reads, and blocking queries: reads that wait until the state has moved beyond an index.
//!
//! Follows `hashicorp/consul:agent/blockingquery/blockingquery.go`.

use std::time::Duration;

use axum::http::HeaderMap;
use node::{Error, Kind, Node, Seen};
use records::consul::Answer;
use records::{Read, Scope, View};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::access::{Caller, Sight};
use super::params::ReadOptions;
use super::reply::{Failure, read_headers};

/// Up to one part in so many of its time is added to a wait, so that clients that came together don't come
/// back together.
const JITTER_FRACTION: u32 = 16;

/// What is to be known of an answer before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// The index it would carry.
    pub(super) index: u64,
    /// Whether what was asked for is there.
    pub(super) found: bool,
}

/// A view that satisfies the options, which may mean to wait for it. When the time is up the view is the
/// latest one, whatever its index.
///
/// A glance fails if what is asked for may not be seen: then there is nothing to wait for.
///
/// Dropping the future ends the wait: nothing is kept for a client that left.
pub(super) async fn view(
    node: &Node,
    options: ReadOptions,
    glance: impl Fn(&View) -> Result<Glance, Failure> + Clone + Send + 'static,
) -> Result<Seen, Failure> {
    if options.index == 0 {
        return Ok(node.view(Scope::Consul, options.consistency).await?);
    }
    let deadline = Instant::now() + options.wait + jitter(options.wait);
    let (mut changes, mut closing) = (node.watch(Scope::Consul), node.closing());
    let mut waiting = Waiting { beyond: options.index, missing_since: None };
    loop {
        // Marked before the look, so that a change during the look ends the wait for the next one.
        changes.mark_unchanged();
        let seen = node.view(Scope::Consul, options.consistency).await?;
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

/// What `find` finds in a view that satisfies the options, which may mean to wait for it, and the headers of
/// an answer with it. Whoever asks does so on the same view: an answer and the right to it are of one instant.
/// `is_found` tells whether what was asked for is there.
pub(super) async fn read<T: Send + 'static>(
    caller: &Caller,
    options: ReadOptions,
    find: impl Fn(&View, &mut Sight) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
    is_found: impl Fn(&T) -> bool + Clone + Send + 'static,
) -> Result<(HeaderMap, T), Failure> {
    let look = {
        let caller = caller.clone();
        move |view: &View| {
            let mut sight = caller.sight(view)?;
            Ok::<_, Failure>((find(view, &mut sight)?, sight.hides))
        }
    };
    let glance = {
        let look = look.clone();
        move |view: &View| {
            let (answer, _) = look(view)?;
            Ok(Glance { index: answer.index, found: is_found(&answer.value) })
        }
    };
    let Seen { view, freshness } = view(caller.node(), options, glance).await?;
    let (answer, hides) = off_thread(move || look(&view)).await?;
    let mut headers = read_headers(answer.index, freshness);
    caller.tell_hidden(hides, &mut headers);
    Ok((headers, answer.value))
}

fn jitter(wait: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let most = u64::try_from((wait / JITTER_FRACTION).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % most.max(1))
}

/// Runs a read of the store off the async threads.
pub(super) async fn off_thread<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    read: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => result.map_err(Into::into),
        Err(panic) => Err(stopped(panic).into()),
    }
}

pub(super) fn stopped(why: impl std::fmt::Display) -> Error {
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
}
