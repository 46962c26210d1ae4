//! What the scope begins with: a key for variables, the cluster's id, the default namespace.
//!
//! Follows `hashicorp/nomad:nomad/leader.go`, `initializeKeyring` and `ClusterID`, and `nomad/state/state_store.go`.

use archive::nomad::{ClusterMetadata, Namespace, RootKey, kinds};

use super::namespaces::{self, DEFAULT_NAMESPACE};
use super::{keyring, root_keys, time_ns};
use crate::{Error, Read, Txn};

/// Whether there is nothing for [`super::Command::Initialize`] to do. Not so on a fresh server, and after a
/// restore of an archive that lacks any of it.
pub fn is_initialized(read: &dyn Read) -> Result<bool, Error> {
    Ok(has_cluster_id(read)? && has_default_namespace(read)? && keyring::active(read)?.is_some())
}

/// Adds what is missing. A root key of which nobody here has the material stays, but is no longer the active one.
pub(super) fn initialize(txn: &mut Txn<'_>, root_key: RootKey, cluster_id: String) -> Result<(), Error> {
    if keyring::active(txn)?.is_none() {
        root_keys::add(txn, root_key, false)?;
    }
    if !has_cluster_id(txn)? {
        let metadata = ClusterMetadata { cluster_id, create_time_ns: time_ns(txn.at_ms()) };
        txn.put(kinds::CLUSTER_METADATA, b"", metadata.encode().into())?;
    }
    if !has_default_namespace(txn)? {
        let (name, description) = (DEFAULT_NAMESPACE.into(), "Default shared namespace".into());
        namespaces::put(txn, Namespace { name, description, ..Namespace::default() })?;
        namespaces::touch(txn)?;
    }
    Ok(())
}

fn has_cluster_id(read: &dyn Read) -> Result<bool, Error> {
    Ok(read.get(kinds::CLUSTER_METADATA, b"")?.is_some())
}

fn has_default_namespace(read: &dyn Read) -> Result<bool, Error> {
    Ok(read.get(kinds::NAMESPACE, DEFAULT_NAMESPACE.as_bytes())?.is_some())
}
