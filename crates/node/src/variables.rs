//! Nomad's variables: items are encrypted before anything is proposed, and the leader ends locks that nobody renews.

use archive::nomad::Variable;
use archive::state::Bytes;
use records::nomad::keyring::{self, Items, Unreadable};
use records::nomad::variables::{self, HeldLock};
use records::nomad::{self, Command};
use records::{Op, Scope, View};
use uuid::Uuid;

use crate::error::{Error, Kind, Result, blocking};
use crate::node::Node;
use crate::root_keys::{drawn, drawn_root_key};

/// What came of renewing a lock.
#[derive(Debug)]
pub enum Renewal {
    /// It has its full time again.
    Renewed(Box<Variable>),
    /// There is no such variable.
    NoVariable,
    /// Nobody holds the variable.
    NotLocked,
    /// Somebody else holds it, or it was held for too long without being renewed.
    Lost,
}

impl Node {
    /// The variable with its items, encrypted by the active root key. To be proposed at once.
    pub async fn seal_items(&self, variable: Variable, items: Option<&Items>) -> Result<Variable> {
        self.confirm_leader().await?;
        let view = self.records().view(Scope::Nomad)?;
        let cipher = keyring::active(&view)?
            .ok_or_else(|| Error::new(Kind::Unavailable, "keyring has not been initialized yet"))?;
        let data = Some(Bytes(cipher.seal(drawn()?, items)));
        Ok(Variable { data, key_id: cipher.key_id().to_owned(), ..variable })
    }

    /// Gives the lock of a variable its full time again. On the leader.
    pub async fn renew_lock(&self, namespace: &str, path: &str, lock_id: &str) -> Result<Renewal> {
        self.confirm_leader().await?;
        let view = self.records().view(Scope::Nomad)?;
        let Some(variable) = variables::variable(&view, namespace, path)?.value else {
            return Ok(Renewal::NoVariable);
        };
        let Some(held) = HeldLock::of(&variable) else { return Ok(Renewal::NotLocked) };
        if held.lock_id != lock_id || self.lock_timers().is_over(&held) {
            return Ok(Renewal::Lost);
        }
        let ttl = held.ttl;
        self.lock_timers().renew(held, ttl);
        Ok(Renewal::Renewed(Box::new(variable)))
    }

    /// Ends the locks whose time is over, after their delay. Called on the leader, again and again.
    pub(crate) async fn end_locks(&self) -> Result<()> {
        let view = self.records().view(Scope::Nomad)?;
        let list = |view: &View| {
            let held = variables::held_locks(view)?;
            Ok(held.into_iter().map(|held| (held.clone(), held.ttl)).collect())
        };
        for held in self.lock_timers().over(self, &view, list, |held| held.delay)? {
            tracing::info!(namespace = %held.namespace, path = %held.path, "a lock ends: it was not renewed");
            let HeldLock { namespace, path, lock_id, .. } = held;
            let release = variables::Command::Release { namespace, path, lock_id };
            self.change_on_full_disk(Op::Nomad(Command::Variable(release))).await?;
        }
        Ok(())
    }

    /// The change that adds what a generation of the Nomad scope lacks of what it begins with, if it lacks anything.
    pub(crate) fn keyring_to_add(&self, view: &View) -> Result<Option<Op>> {
        if nomad::is_initialized(view)? {
            return Ok(None);
        }
        let root_key = Box::new(drawn_root_key()?);
        let cluster_id = Uuid::new_v4().to_string();
        Ok(Some(Op::Nomad(Command::Initialize { root_key, cluster_id })))
    }

    /// Fails if there are variables in `image` that nobody could ever read, for want of their keys, and that is not
    /// `allowed`.
    pub(crate) async fn check_keys(&self, image: View, allowed: bool) -> Result<View> {
        if image.scope() != Scope::Nomad || allowed {
            return Ok(image);
        }
        blocking(move || match keyring::unreadable(&image)? {
            Unreadable { count: 0, .. } => Ok(image),
            unreadable => Err(keys_missing(&unreadable)),
        })
        .await
    }
}

fn keys_missing(unreadable: &Unreadable) -> Error {
    let names = unreadable.first.iter().map(|(namespace, path)| format!("{namespace}/{path}"));
    let mut names = names.collect::<Vec<_>>();
    if unreadable.count > names.len() as u64 {
        names.push("…".to_owned());
    }
    let message = format!(
        "the archive lacks the keys of {} variables, which nobody could ever read again: {}",
        unreadable.count,
        names.join(", ")
    );
    Error::new(Kind::Invalid, message)
        .hint("allow_missing_keys restores it all the same; these variables then stay unreadable")
}
