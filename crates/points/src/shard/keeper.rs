//! The keeper of a process's shards: flushes what is due, optimises within a budget, removes what was replaced.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use qdrant_edge::{EdgeShard, ResourceBudget};

use super::generation::Generation;
use super::machine::{Shard, lock};

/// At most so many shards are optimised at once, each on its own thread.
const OPTIMISING_MAX: usize = 4;

/// The keeper looks around at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// And never more often than this.
const PAUSE: Duration = Duration::from_millis(10);

/// Flushes and optimises the shards of a process in the background. Cheap to clone; ends with its last clone.
#[derive(Clone)]
pub struct Keeper(Arc<Handle>);

struct Handle(Arc<Keeping>);

struct Keeping {
    state: Mutex<State>,
    woken: Condvar,
    budget: ResourceBudget,
    optimising_max: usize,
}

#[derive(Default)]
struct State {
    shards: Vec<Weak<Shard>>,
    retired: Vec<(Arc<EdgeShard>, Generation)>,
    optimising: usize,
    awake: bool,
    ended: bool,
}

impl Keeper {
    /// A keeper whose optimising uses up to `cpus` processors; 0 chooses half of what there are.
    pub fn new(cpus: usize) -> Keeper {
        let cpus = match cpus {
            0 => (thread::available_parallelism().map_or(1, usize::from) / 2).max(1),
            cpus => cpus,
        };
        let keeping = Arc::new(Keeping {
            state: Mutex::default(),
            woken: Condvar::new(),
            budget: ResourceBudget::new(cpus, cpus),
            optimising_max: cpus.min(OPTIMISING_MAX),
        });
        let thread = keeping.clone();
        thread::Builder::new()
            .name("points-keeper".into())
            .spawn(move || keep(&thread))
            .expect("a process that cannot start a thread cannot run");
        Keeper(Arc::new(Handle(keeping)))
    }

    pub(super) fn add(&self, shard: &Arc<Shard>) {
        lock(&self.0.0.state).shards.push(Arc::downgrade(shard));
        self.wake();
    }

    pub(super) fn remove(&self, shard: &Shard) {
        lock(&self.0.0.state).shards.retain(|other| !std::ptr::eq(other.as_ptr(), shard));
    }

    /// Lets the keeper look around now.
    pub(super) fn wake(&self) {
        let mut state = lock(&self.0.0.state);
        if !std::mem::replace(&mut state.awake, true) {
            self.0.0.woken.notify_one();
        }
    }

    /// Takes an engine that was replaced, to drop it and its directory once nobody reads it any more.
    pub(super) fn retire(&self, engine: Arc<EdgeShard>, generation: Generation) {
        lock(&self.0.0.state).retired.push((engine, generation));
        self.wake();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        lock(&self.0.state).ended = true;
        self.0.woken.notify_one();
    }
}

fn keep(keeping: &Arc<Keeping>) {
    loop {
        let mut state = lock(&keeping.state);
        if state.ended {
            return;
        }
        state.awake = false;
        state.shards.retain(|shard| shard.strong_count() > 0);
        let shards: Vec<_> = state.shards.iter().filter_map(Weak::upgrade).collect();
        let (unread, read): (Vec<_>, Vec<_>) = std::mem::take(&mut state.retired)
            .into_iter()
            .partition(|(engine, _)| Arc::strong_count(engine) == 1);
        state.retired = read;
        drop(state);

        for (engine, generation) in unread {
            // Dropping flushes, into files that no other generation has.
            drop(engine);
            generation.remove();
        }
        let mut next = Instant::now() + LOOK_EVERY;
        for shard in shards {
            flush(&shard, &mut next);
            optimise(keeping, shard);
        }

        // Whoever writes wakes the keeper at every turn: it takes its time.
        let state = lock(&keeping.state);
        let (state, _) = keeping
            .woken
            .wait_timeout_while(state, PAUSE, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.awake && !state.ended {
            let wait = next.saturating_duration_since(Instant::now());
            drop(keeping.woken.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

fn flush(shard: &Shard, next: &mut Instant) {
    match shard.flush_at() {
        Some(at) if at <= Instant::now() => {
            // The shard has stopped and said why.
            let _stopped = shard.sync();
        }
        Some(at) => *next = at.min(*next),
        None => {}
    }
}

/// Begins to optimise `shard` on a thread of its own, if it wants that and there is a place.
fn optimise(keeping: &Arc<Keeping>, shard: Arc<Shard>) {
    let full = lock(&keeping.state).optimising >= keeping.optimising_max;
    if full || !shard.wants_optimising() {
        return;
    }
    lock(&keeping.state).optimising += 1;
    lock(&shard.health).optimising = true;
    let place = keeping.clone();
    let failed = shard.clone();
    let started = thread::Builder::new().name("points-optimise".into()).spawn(move || {
        shard.optimise(place.budget.clone());
        drop(shard);
        let mut state = lock(&place.state);
        state.optimising -= 1;
        state.awake = true;
        place.woken.notify_one();
    });
    if let Err(error) = started {
        tracing::warn!("start a thread to optimise: {error}");
        lock(&keeping.state).optimising -= 1;
        lock(&failed.health).optimising = false;
    }
}
