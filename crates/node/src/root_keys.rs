//! Root keys of Nomad's scope: drawn here, and what older ones encrypted is encrypted anew if somebody asked for it.
//!
//! Follows `hashicorp/nomad:nomad/core_sched.go`, `rootKeyRotate` and `variablesRekey`.

use archive::nomad::{RootKey, Variable};
use archive::state::Bytes;
use aws_lc_rs::rand;
use records::nomad::keyring::{self, Cipher, Drawn};
use records::nomad::root_keys::{self, Command};
use records::nomad::{self, variables};
use records::{Op, Read, Reply, Scope, View};
use uuid::Uuid;

use crate::error::{Error, Kind, Result, blocking};
use crate::node::Node;

/// How many variables are encrypted anew at one look around, which comes every second: as many as on genuine
/// servers.
const REKEYED_MAX: usize = 100;

/// What the leader remembers between two looks at root keys.
#[derive(Debug, Default)]
pub(crate) struct RekeyMemory {
    /// The state index at which nothing more could be encrypted anew.
    stuck_at: Option<u64>,
}

/// What is left to do for one key that is being replaced.
#[derive(Default)]
struct Rest {
    /// Variables, encrypted anew.
    renewed: Vec<Variable>,
    /// How many variables can't be.
    unmovable: u64,
}

impl Node {
    /// Adds a root key: the active one from now on, or from `publish_time_ns` on if that is not 0. With `full`,
    /// the leader goes on to encrypt anew what older keys encrypted. Answered with
    /// [`nomad::Reply::RootKey`] or a refusal.
    pub async fn rotate_root_key(&self, publish_time_ns: i64, full: bool) -> Result<nomad::Reply> {
        let root_key = Box::new(RootKey { publish_time_ns, ..drawn_root_key()? });
        match self.change(op(Command::Rotate { root_key, full })).await? {
            Reply::Nomad(reply) => Ok(reply),
            other => Err(Error::new(Kind::Internal, format!("a rotation was answered with {other:?}"))),
        }
    }

    /// Makes prepublished keys active whose time has come, and goes on with what [`Self::rotate_root_key`] left
    /// to do. Called on the leader, again and again.
    pub(crate) async fn keep_root_keys(&self, memory: &mut RekeyMemory) -> Result<()> {
        let view = self.records().view(Scope::Nomad)?;
        for key_id in root_keys::due(&view, self.now_ms())? {
            tracing::info!(key_id, "a prepublished root key becomes active");
            self.change(op(Command::Publish { key_id })).await?;
        }
        let index = view.index();
        if memory.stuck_at == Some(index) {
            return Ok(());
        }
        for key_id in root_keys::rekeying(&view)? {
            let (seen, old) = (view.clone(), key_id.clone());
            let Rest { renewed, unmovable } = blocking(move || rest(&seen, &old)).await?;
            if renewed.is_empty() && unmovable == 0 {
                tracing::info!(key_id, "everything is encrypted anew; the root key is inactive");
                self.change(op(Command::Settle { key_id })).await?;
                continue;
            }
            if renewed.is_empty() {
                tracing::warn!(
                    key_id,
                    unmovable,
                    "variables can't be encrypted anew and keep their root key"
                );
            }
            for variable in renewed {
                // Whoever changed it meanwhile did so with the new key.
                let (cas, variable) = (Some(variable.modify_index), Box::new(variable));
                let set = variables::Command::Set { variable, cas };
                self.change(Op::Nomad(nomad::Command::Variable(set))).await?;
            }
        }
        let is_unchanged = self.records().state(Scope::Nomad).index == index;
        memory.stuck_at = is_unchanged.then_some(index);
        Ok(())
    }
}

/// The first of the variables that `key_id` encrypted, encrypted by the active key.
fn rest(view: &View, key_id: &str) -> Result<Rest> {
    let (old, active) = (keyring::cipher(view, key_id)?, keyring::active(view)?);
    let mut rest = Rest::default();
    for variable in variables::encrypted_by(view, key_id) {
        if rest.renewed.len() == REKEYED_MAX {
            break;
        }
        match renewed(variable?, old.as_ref(), active.as_ref())? {
            Some(variable) => rest.renewed.push(variable),
            None => rest.unmovable += 1,
        }
    }
    Ok(rest)
}

/// `None` if it can't be decrypted, or could not be written by anybody today.
fn renewed(variable: Variable, old: Option<&Cipher>, active: Option<&Cipher>) -> Result<Option<Variable>> {
    let (Some(old), Some(active)) = (old, active) else { return Ok(None) };
    let is_writable = variables::check_namespace(&variable.namespace).is_ok()
        && variables::check_path(&variable.path).is_ok();
    let data = variable.data.as_ref().map_or(&[][..], |data| &data.0);
    let handed_over = old.hand_over(data, active, drawn()?).ok().filter(|_| is_writable);
    Ok(handed_over.map(|data| Variable {
        data: Some(Bytes(data)),
        key_id: active.key_id().to_owned(),
        ..variable
    }))
}

fn op(command: Command) -> Op {
    Op::Nomad(nomad::Command::RootKeys(command))
}

/// A root key that nobody has yet.
pub(crate) fn drawn_root_key() -> Result<RootKey> {
    let drawn = Drawn {
        key_id: Uuid::new_v4().to_string(),
        key: drawn()?,
        key_encryption_key: drawn()?,
        nonce: drawn()?,
    };
    Ok(drawn.root_key())
}

/// Random bytes.
pub(crate) fn drawn<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::new(Kind::Internal, "the system has no random bytes"))?;
    Ok(bytes)
}
