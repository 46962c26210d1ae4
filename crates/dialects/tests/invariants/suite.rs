//! The suite: climbers change several records at once, one step after the other; movers move money between accounts,
//! whatever others do meanwhile; and somebody saves.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use node::Node;
use records::Scope;
use tokio::time::timeout;

const SAVES: usize = 100;
const LONG: Duration = Duration::from_secs(30);
const WRITERS: usize = 2;
pub(crate) const ACCOUNTS: u64 = 6;
pub(crate) const EACH: u64 = 100;

/// An archive, and the index as of which its answer or its own metadata says it was made.
pub(crate) struct Saved {
    pub(crate) archive: Vec<u8>,
    pub(crate) index: u64,
}

/// What an archive says of the accounts and of the climbers.
pub(crate) struct Standing {
    /// All that is in the accounts.
    pub(crate) money: u64,
    /// How far each climber has come.
    pub(crate) heights: Vec<u64>,
}

/// One product's API, as the suite needs it.
pub(crate) trait Product: Clone + Send + Sync + 'static {
    const SCOPE: Scope;

    fn node(&self) -> &Node;

    /// Sets up [`ACCOUNTS`] accounts with [`EACH`] in each.
    fn open_accounts(&self) -> impl Future<Output = ()> + Send;

    /// Takes a climber's next step, from 1 on, in one change of several records.
    fn climb(&self, climber: usize, step: u64) -> impl Future<Output = ()> + Send;

    /// Moves at most so much in one change; not if somebody else did meanwhile.
    fn transfer(&self, from: u64, to: u64, amount: u64) -> impl Future<Output = bool> + Send;

    fn save(&self, stale: bool) -> impl Future<Output = Saved> + Send;

    /// Reads an archive, and checks that no change is in it by half and none from after its index.
    fn standing(saved: &Saved, climbers: usize) -> Standing;
}

async fn climb(product: impl Product, climber: usize, stop: Arc<AtomicBool>) -> u64 {
    let mut step = 0;
    while !stop.load(Ordering::Relaxed) {
        step += 1;
        product.climb(climber, step).await;
    }
    step
}

async fn transfer(product: impl Product, moved: Arc<AtomicU64>, stop: Arc<AtomicBool>, mut random: u64) {
    while !stop.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (from, to, amount) = ((random >> 33) % ACCOUNTS, (random >> 41) % ACCOUNTS, (random >> 49) % 10);
        if from != to && product.transfer(from, to, amount).await {
            moved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Saves through `saver` while writers go through `writer`; returns the last archive.
pub(crate) async fn check_saves<P: Product>(saver: &P, writer: &P) -> Vec<u8> {
    let check = |saved: &Saved| {
        let standing = P::standing(saved, WRITERS);
        assert_eq!(standing.money, ACCOUNTS * EACH, "money was made or lost");
        standing.heights
    };
    writer.open_accounts().await;
    let (stop, moved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let climbers: Vec<_> =
        (0..WRITERS).map(|climber| tokio::spawn(climb(writer.clone(), climber, Arc::clone(&stop)))).collect();
    let movers: Vec<_> = (1..=2)
        .map(|seed| tokio::spawn(transfer(writer.clone(), Arc::clone(&moved), Arc::clone(&stop), seed)))
        .collect();

    let mut changes = saver.node().watch(P::SCOPE);
    let (mut heights, mut last_index) = (vec![0; WRITERS], 0);
    for save in 0..SAVES {
        // Saves are faster than writes: each is to meet a state that none before it has met.
        timeout(LONG, changes.changed()).await.expect("the writers stand still").unwrap();
        let saved = saver.save(save % 4 == 3).await;
        let now = check(&saved);
        assert!(saved.index >= last_index, "time went back");
        assert!(now.iter().zip(&heights).all(|(now, before)| now >= before), "time went back");
        (heights, last_index) = (now, saved.index);
    }

    stop.store(true, Ordering::Relaxed);
    let mut reached = Vec::new();
    for climber in climbers {
        reached.push(climber.await.unwrap());
    }
    for mover in movers {
        mover.await.unwrap();
    }
    // What was acknowledged is in the last archive.
    let last = saver.save(false).await;
    assert_eq!(check(&last), reached);
    assert!(heights.iter().all(|height| *height > 0), "no writer had begun");
    assert!(moved.load(Ordering::Relaxed) > 0);
    last.archive
}
