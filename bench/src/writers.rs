//! Clients that write keys: as fast as they can, or at a steady pace to see how long a write takes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::http::Connection;

const VALUE: [u8; 200] = [b'v'; 200];

/// Each client writes so many keys again and again.
const KEYS_PER_CLIENT: u64 = 1000;

/// From one write of a paced client to the next.
const PACE: Duration = Duration::from_millis(10);

/// Durable writes per second of `clients` that each wait for one answer before the next request.
pub(crate) fn throughput(server: SocketAddr, clients: u64, lasts: Duration) -> anyhow::Result<f64> {
    let began = Instant::now();
    let write = |client: u64| -> anyhow::Result<u64> {
        let mut connection = Connection::open(server)?;
        let mut writes = 0;
        while began.elapsed() < lasts {
            connection.put_key(&format!("writers/{client:03}/{:04}", writes % KEYS_PER_CLIENT), &VALUE)?;
            writes += 1;
        }
        Ok(writes)
    };
    let writes = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || write(client))).collect();
        let ended =
            clients.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?);
        ended.sum::<anyhow::Result<u64>>()
    })?;
    Ok(writes as f64 / began.elapsed().as_secs_f64())
}

/// What a paced writer does each time; told the number of the write.
pub(crate) type Write<'a> = dyn FnMut(u32) -> anyhow::Result<()> + 'a;

/// A paced writer of keys.
pub(crate) fn keys(server: SocketAddr) -> anyhow::Result<impl FnMut(u32) -> anyhow::Result<()>> {
    let mut connection = Connection::open(server)?;
    Ok(move |number| connection.put_key(&format!("paced/{number:06}"), &VALUE))
}

/// Latencies of a writer that sends 100 writes a second, whatever the server does.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds those of a time in which the server does nothing else.
    pub(crate) fn add_idle(&mut self, lasts: Duration, write: &mut Write<'_>) -> anyhow::Result<()> {
        let began = Instant::now();
        self.add(write, &|| began.elapsed() < lasts)
    }

    /// Adds those of the time that `operation` takes, done again and again until `lasts` is over.
    pub(crate) fn add_during(
        &mut self,
        lasts: Duration,
        write: &mut Write<'_>,
        operation: impl FnMut() -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let running = &AtomicBool::new(true);
        let mut operation = operation;
        thread::scope(|scope| {
            let operator = scope.spawn(move || {
                let mut ended = Ok(());
                while ended.is_ok() && began.elapsed() < lasts {
                    ended = operation();
                }
                running.store(false, Ordering::Relaxed);
                ended
            });
            let written = self.add(write, &|| running.load(Ordering::Relaxed));
            operator.join().map_err(|_| anyhow!("an operation panicked"))??;
            written
        })
    }

    /// Each latency counts from when the write was due: a server that stalls cannot hide it by stopping the client.
    fn add(&mut self, write: &mut Write<'_>, goes_on: &dyn Fn() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        for number in 0.. {
            let due = began + PACE * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if !goes_on() {
                break;
            }
            write(number)?;
            self.0.push(due.elapsed());
        }
        Ok(())
    }

    /// Adds one that was measured elsewhere.
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// The latency that `share` of the writes did not exceed; milliseconds. NaN if there was no write.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}
