//! The control state as a group's state machine: records underneath, images fetched before they are committed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
#[cfg(feature = "qdrant")]
use std::sync::atomic::{AtomicU64, Ordering};

use records::{Commit, Records, Scope};
use tokio::sync::watch;

#[cfg(feature = "qdrant")]
use crate::collections::Directory;
use crate::error::Result;

/// Stages the image of a commit that was not staged here before it was committed. Blocks until it is done.
pub(crate) trait Images: Send + Sync + 'static {
    /// When this returns `Ok`, the image is ready here.
    fn stage(&self, commit: &Commit) -> Result<()>;
}

/// The control group's state machine.
pub(crate) struct ControlMachine {
    records: Arc<Records>,
    images: Arc<dyn Images>,
    indexes: BTreeMap<Scope, watch::Sender<u64>>,
    #[cfg(feature = "qdrant")]
    directory: watch::Sender<Arc<Directory>>,
    /// [`Records::collection_changes`] as of the directory.
    #[cfg(feature = "qdrant")]
    directory_of: AtomicU64,
}

impl ControlMachine {
    pub(crate) fn new(records: Arc<Records>, images: Arc<dyn Images>) -> Result<ControlMachine> {
        let index = |scope: Scope| (scope, watch::Sender::new(records.state(scope).index));
        let indexes = Scope::ALL.into_iter().map(index).collect();
        Ok(ControlMachine {
            #[cfg(feature = "qdrant")]
            directory: watch::Sender::new(Arc::new(Directory::read(&records, &Directory::default())?)),
            #[cfg(feature = "qdrant")]
            directory_of: AtomicU64::new(records.collection_changes()),
            records,
            images,
            indexes,
        })
    }

    /// Follows collections and aliases: it changes after they did.
    #[cfg(feature = "qdrant")]
    pub(crate) fn directory(&self) -> &watch::Sender<Arc<Directory>> {
        &self.directory
    }

    /// Follows the state index of `scope`: it changes after what raised it can be read.
    pub(crate) fn watch(&self, scope: Scope) -> watch::Receiver<u64> {
        self.indexes[&scope].subscribe()
    }

    fn publish(&self) -> io::Result<()> {
        for (scope, index) in &self.indexes {
            let now = self.records.state(*scope).index;
            index.send_if_modified(|seen| std::mem::replace(seen, now) != now);
        }
        #[cfg(feature = "qdrant")]
        {
            let changes = self.records.collection_changes();
            if self.directory_of.swap(changes, Ordering::Relaxed) != changes {
                let before = Arc::clone(&self.directory.borrow());
                let now = Directory::read(&self.records, &before).map_err(io::Error::other)?;
                self.directory.send_replace(Arc::new(now));
            }
        }
        Ok(())
    }
}

impl groups::StateMachine for ControlMachine {
    type Snapshot = Transfer;

    fn applied(&self) -> io::Result<groups::Applied> {
        to_group(&self.records.applied().map_err(io::Error::other)?)
    }

    fn apply(&self, entries: Vec<groups::Entry>) -> io::Result<Vec<Vec<u8>>> {
        let entries: Vec<_> = entries.into_iter().map(from_group).collect();
        while let Some(commit) = self.records.missing_image(&entries).map_err(io::Error::other)? {
            self.images.stage(&commit).map_err(io::Error::other)?;
        }
        let replies = self.records.apply(&entries).map_err(io::Error::other)?;
        self.publish()?;
        Ok(replies)
    }

    fn snapshot(&self) -> io::Result<Transfer> {
        let transfer = self.records.transfer().map_err(io::Error::other)?;
        Ok(Transfer { applied: to_group(transfer.applied())?, transfer })
    }

    fn install(&self, applied: groups::Applied, bytes: &mut dyn Read) -> io::Result<()> {
        let position = applied.position.map(|p| records::Position { term: p.term, index: p.index });
        let applied = records::Applied { position, members: applied.members.to_bytes(), at_ms: 0 };
        self.records.install(bytes, applied).map_err(io::Error::other)?;
        self.publish()
    }

    fn sync(&self) -> io::Result<()> {
        self.records.sync().map_err(io::Error::other)
    }
}

/// A pinned view of the whole control state.
pub(crate) struct Transfer {
    applied: groups::Applied,
    transfer: records::Transfer,
}

impl groups::Snapshot for Transfer {
    fn applied(&self) -> &groups::Applied {
        &self.applied
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.transfer.write_to(out).map_err(io::Error::other)
    }
}

fn to_group(applied: &records::Applied) -> io::Result<groups::Applied> {
    Ok(groups::Applied {
        position: applied.position.map(|p| groups::Position { term: p.term, index: p.index }),
        members: members(applied)?,
    })
}

/// The membership in force when `applied` was written.
pub(crate) fn members(applied: &records::Applied) -> io::Result<groups::Members> {
    if applied.members.is_empty() {
        return Ok(groups::Members::default());
    }
    groups::Members::from_bytes(&applied.members).map_err(io::Error::other)
}

fn from_group(entry: groups::Entry) -> records::Entry {
    let position = records::Position { term: entry.position.term, index: entry.position.index };
    let (members, command) = match entry.payload {
        groups::Payload::Blank => (None, None),
        groups::Payload::Members(members) => (Some(members.to_bytes()), None),
        groups::Payload::Command(command) => (None, Some(command.to_vec())),
    };
    records::Entry { position, members, command }
}
