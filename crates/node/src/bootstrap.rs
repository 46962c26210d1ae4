//! The first management token of a scope: given out once, and again to an operator who has a hand on the server's
//! disk.
//!
//! Follows `hashicorp/consul:agent/consul/acl_endpoint.go` and `hashicorp/nomad:nomad/acl_endpoint.go`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use records::{Op, Reply, Scope, View, consul, nomad};
use uuid::Uuid;

use crate::error::{self, Error, Kind, Result, blocking};
use crate::node::Node;
use crate::save::Consistency;

/// Whoever lost every management token writes the index at which the cluster was bootstrapped into this file
/// of the data directory: then it can be bootstrapped once more.
const RESET_FILE: &str = "acl-bootstrap-reset";

/// The same for the Nomad scope, whose indexes are others.
const NOMAD_RESET_FILE: &str = "nomad-acl-bootstrap-reset";

/// More than the digits of any index.
const RESET_BYTES_MAX: u64 = 64;

/// What a product knows of its first management token.
struct First<R> {
    scope: Scope,
    reset_file: &'static str,
    bootstrapped_at: fn(&View) -> Result<Option<u64>, records::Error>,
    refusal: fn(&View, Option<u64>) -> Result<Option<R>, records::Error>,
}

impl Node {
    /// Creates the first management token of the Consul scope, with `secret` or a drawn one; refused if that was
    /// done before, unless the operator's file allows it. On the leader.
    pub async fn bootstrap(&self, secret: Option<String>) -> Result<consul::acl::Reply> {
        use consul::acl::{self, Command};
        let first = First {
            scope: Scope::Consul,
            reset_file: RESET_FILE,
            bootstrapped_at: |view| acl::bootstrapped_at(view),
            refusal: |view, reset_index| acl::bootstrap_refusal(view, reset_index),
        };
        let reset_index = match self.may_bootstrap(first).await? {
            Ok(reset_index) => reset_index,
            Err(refusal) => return Ok(refusal),
        };
        let (accessor, secret) = (drawn(), secret.unwrap_or_else(drawn));
        let command = Command::Bootstrap { accessor, secret, reset_index };
        match self.change(Op::Consul(consul::Command::Acl(command))).await? {
            Reply::Consul(consul::Reply::Acl(reply)) => Ok(reply),
            other => Err(unexpected(&other)),
        }
    }

    /// The same for the Nomad scope. The answer is one of access control, or a refusal.
    pub async fn bootstrap_nomad(&self, secret: Option<String>) -> Result<nomad::Reply> {
        use nomad::acl::{self, Command};
        let first = First {
            scope: Scope::Nomad,
            reset_file: NOMAD_RESET_FILE,
            bootstrapped_at: |view| acl::bootstrapped_at(view),
            refusal: |view, reset_index| acl::bootstrap_refusal(view, reset_index),
        };
        let reset_index = match self.may_bootstrap(first).await? {
            Ok(reset_index) => reset_index,
            Err(refusal) => return Ok(nomad::Reply::Refused(refusal)),
        };
        let (accessor, secret) = (drawn(), secret.unwrap_or_else(drawn));
        let command = Command::Bootstrap { accessor, secret, reset_index };
        match self.change(Op::Nomad(nomad::Command::Acl(command))).await? {
            Reply::Nomad(reply) => Ok(reply),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether it may be tried, and with which reset index. The operator's file is removed before it takes
    /// effect: a restore could bring back the state in which its index would hold once more.
    async fn may_bootstrap<R: Send + 'static>(&self, first: First<R>) -> Result<Result<Option<u64>, R>> {
        self.check_disk(0)?;
        let view = self.view(first.scope, Consistency::Linearizable).await?.view;
        let path = self.settings().data_dir.join(first.reset_file);
        let looked = blocking(move || {
            let reset_index = match (first.bootstrapped_at)(&view)? {
                Some(_) => read_reset_index(&path)?,
                None => None,
            };
            if let Some(refusal) = (first.refusal)(&view, reset_index)? {
                return Ok(Err(refusal));
            }
            remove(&path)?;
            Ok(Ok(reset_index))
        });
        looked.await
    }
}

fn drawn() -> String {
    Uuid::new_v4().to_string()
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(Kind::Internal, format!("bootstrap was answered with {reply:?}"))
}

/// The number in the operator's file; `None` without one. What is no number counts as none, and is logged.
fn read_reset_index(path: &Path) -> Result<Option<u64>> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(RESET_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(other) => return Err(error::io("read the bootstrap reset index")(other)),
    }
    let index = text.trim().parse().ok();
    if index.is_none() {
        tracing::error!(path = %path.display(), "the bootstrap reset index is no number");
    }
    Ok(index)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error::io("remove the bootstrap reset index")(error))
        }
        _ => Ok(()),
    }
}
