//! The worker pool behind [`super::Writer`]: members go in, come out compressed, in the same order.
//!
//! At most [`Pool::capacity`] members are inside at once, which bounds the memory; buffers are reused.

use std::collections::VecDeque;
use std::io;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::member::{Level, Maker, make_way};

struct Job {
    buffers: Buffers,
    done: Sender<Buffers>,
}

/// A member before (`input`) and after (`member`) compression.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) input: Vec<u8>,
    pub(super) member: Vec<u8>,
}

pub(super) struct Pool {
    // `None` only while dropping: closing the channel is what ends the workers.
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
    pending: VecDeque<Receiver<Buffers>>,
    spare: Vec<Buffers>,
    capacity: usize,
}

impl Pool {
    pub(super) fn new(level: Level, worker_count: usize) -> io::Result<Pool> {
        // One more than the workers, so that none of them waits while a finished member is written out.
        let capacity = worker_count + 1;
        let (jobs, queue) = bounded::<Job>(capacity);
        let mut pool = Pool {
            jobs: Some(jobs),
            workers: Vec::with_capacity(worker_count),
            pending: VecDeque::with_capacity(capacity),
            spare: Vec::new(),
            capacity,
        };
        for _ in 0..worker_count {
            let queue = queue.clone();
            let worker = Builder::new().name("gzip".into()).spawn(move || work(&queue, level))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// Whether another member can be submitted without waiting for one to be taken out.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < self.capacity
    }

    /// Hands over `input` and leaves an empty buffer in its place. There must be room.
    pub(super) fn submit(&mut self, input: &mut Vec<u8>) -> io::Result<()> {
        let mut buffers = self.spare.pop().unwrap_or_default();
        std::mem::swap(&mut buffers.input, input);
        input.clear();
        let (done, result) = bounded(1);
        let jobs = self.jobs.as_ref().expect("closed only by drop");
        jobs.send(Job { buffers, done }).map_err(|_| worker_died())?;
        self.pending.push_back(result);
        Ok(())
    }

    /// The oldest member if it is ready; waits for it if `wait`. `None` when there is nothing to take.
    pub(super) fn take(&mut self, wait: bool) -> io::Result<Option<Buffers>> {
        let Some(oldest) = self.pending.front() else { return Ok(None) };
        let received = match wait {
            true => oldest.recv().map_err(|_| worker_died())?,
            false => match oldest.try_recv() {
                Ok(buffers) => buffers,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(worker_died()),
            },
        };
        self.pending.pop_front();
        Ok(Some(received))
    }

    /// Gives the buffers of a written member back for reuse.
    pub(super) fn reuse(&mut self, buffers: Buffers) {
        self.spare.push(buffers);
    }
}

impl Drop for Pool {
    /// Ends the workers. Each finishes at most the members still queued, so this never hangs.
    fn drop(&mut self) {
        self.jobs = None;
        self.pending.clear();
        for worker in self.workers.drain(..) {
            // A worker that panicked has already been reported through its result channel.
            let _ = worker.join();
        }
    }
}

fn work(queue: &Receiver<Job>, level: Level) {
    let mut maker = Maker::new(level);
    for Job { mut buffers, done } in queue {
        maker.make(&buffers.input, &mut buffers.member);
        // Nobody waits any more when the writer was dropped: the queue ends next.
        let _ = done.send(buffers);
        make_way();
    }
}

fn worker_died() -> io::Error {
    io::Error::other("a compression worker died")
}
