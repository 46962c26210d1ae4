//! Clients that write keys: as fast as they can, or at a steady pace to see how long a write takes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::http::{self, Connection};

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

/// Latencies of a writer that sends 100 writes a second, whatever the server does. There is at least one.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Measures for as long as given, on a server that does nothing else.
    pub(crate) fn idle(server: SocketAddr, lasts: Duration) -> anyhow::Result<Latencies> {
        paced(server, lasts).map(Latencies)
    }

    /// The same while the server is saved, again and again.
    pub(crate) fn while_saving(server: SocketAddr, lasts: Duration) -> anyhow::Result<Latencies> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let saver = scope.spawn(|| -> anyhow::Result<()> {
                while !stop.load(Ordering::Relaxed) {
                    http::save(server)?;
                }
                Ok(())
            });
            let latencies = paced(server, lasts);
            stop.store(true, Ordering::Relaxed);
            saver.join().map_err(|_| anyhow!("the saver panicked"))??;
            latencies.map(Latencies)
        })
    }

    /// The latency that `share` of the writes did not exceed; milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
        sorted[at].as_secs_f64() * 1e3
    }
}

/// Each latency counts from when the write was due: a server that stalls cannot hide it by stopping the client.
fn paced(server: SocketAddr, lasts: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(server)?;
    let began = Instant::now();
    let writes = (lasts.as_millis() / PACE.as_millis()) as u32;
    let mut latencies = Vec::new();
    for number in 0..writes {
        let due = began + PACE * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        connection.put_key(&format!("paced/{number:06}"), &VALUE)?;
        latencies.push(due.elapsed());
    }
    Ok(latencies)
}
