//! The first management token: given out once, and again to an operator who has a hand on the server's disk.
//!
//! Follows `hashicorp/consul:agent/consul/acl_endpoint.go`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use records::consul::{self, acl};
use records::{Op, Reply, Scope};
use uuid::Uuid;

use crate::error::{self, Error, Kind, Result, blocking};
use crate::node::Node;
use crate::save::Consistency;

/// Whoever lost every management token writes the index at which the cluster was bootstrapped into this file
/// of the data directory: then it can be bootstrapped once more.
const RESET_FILE: &str = "acl-bootstrap-reset";

/// More than the digits of any index.
const RESET_BYTES_MAX: u64 = 64;

impl Node {
    /// Creates the first management token, with `secret` or a drawn one; refused if that was done before,
    /// unless the operator's file allows it. The file is removed before it takes effect: a restore could
    /// bring back the state in which its index would hold once more. On the leader.
    pub async fn bootstrap(&self, secret: Option<String>) -> Result<acl::Reply> {
        self.check_disk(0)?;
        let view = self.view(Scope::Consul, Consistency::Linearizable).await?.view;
        let path = self.settings().data_dir.join(RESET_FILE);
        let looked = blocking(move || {
            let reset_index = match acl::bootstrapped_at(&view)? {
                Some(_) => read_reset_index(&path)?,
                None => None,
            };
            let refusal = acl::bootstrap_refusal(&view, reset_index)?;
            if refusal.is_none() {
                remove(&path)?;
            }
            Ok((reset_index, refusal))
        });
        let (reset_index, refusal) = looked.await?;
        if let Some(refusal) = refusal {
            return Ok(refusal);
        }
        let drawn = || Uuid::new_v4().to_string();
        let command =
            acl::Command::Bootstrap { accessor: drawn(), secret: secret.unwrap_or_else(drawn), reset_index };
        match self.change(Op::Consul(consul::Command::Acl(command))).await? {
            Reply::Consul(consul::Reply::Acl(reply)) => Ok(reply),
            other => Err(Error::new(Kind::Internal, format!("bootstrap was answered with {other:?}"))),
        }
    }
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
