//! The first management token.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go` and `nomad/state/state_store.go`.

use archive::nomad::AclToken;

use super::resolve::MANAGEMENT;
use super::{store, tokens};
use crate::acl::{self, is_uuid};
use crate::nomad::indexes;
use crate::nomad::refusal::{Failure, Refusal};
use crate::{Error, Read, Txn};

/// The table index that tells that a cluster was bootstrapped, and when.
const BOOTSTRAP_TABLE: &str = "acl_token_bootstrap";

/// The index at which the cluster was bootstrapped, if it was: the reset index that allows to do it again.
pub fn bootstrapped_at(read: &dyn Read) -> Result<Option<u64>, Error> {
    indexes::of(read, BOOTSTRAP_TABLE)
}

/// Why [`super::Command::Bootstrap`] would be refused for want of the right reset index; `None` if it may be
/// tried. Who may not do it can ask for it again and again: so it is looked up, which costs no log entry.
pub fn bootstrap_refusal(read: &dyn Read, reset_index: Option<u64>) -> Result<Option<Refusal>, Error> {
    let Some(at) = bootstrapped_at(read)? else { return Ok(None) };
    Ok(match reset_index.filter(|index| *index != 0) {
        None => Some(Refusal::Invalid(format!("ACL bootstrap already done (reset index: {at})"))),
        Some(index) if index != at => {
            let text = format!("Invalid bootstrap reset index (specified {index}, reset index: {at})");
            Some(Refusal::Invalid(text))
        }
        Some(_) => None,
    })
}

pub(super) fn bootstrap(
    txn: &mut Txn<'_>,
    accessor: String,
    secret: String,
    reset_index: Option<u64>,
) -> Result<AclToken, Failure> {
    if let Some(refusal) = bootstrap_refusal(txn, reset_index)? {
        return Err(refusal.into());
    }
    if !is_uuid(&secret) || !is_uuid(&accessor) {
        return Err(Refusal::Invalid("invalid acl token".into()).into());
    }
    if tokens::is_in_use(txn, &secret)? || tokens::is_in_use(txn, &accessor)? {
        return Err(Refusal::Invalid("a token with that secret already exists".into()).into());
    }
    let token = AclToken {
        accessor_id: accessor,
        secret_id: secret,
        name: "Bootstrap Token".into(),
        kind: MANAGEMENT.into(),
        global: true,
        create_time: acl::time(txn.at_ms()),
        ..AclToken::default()
    };
    let token = store::put_token(txn, token)?;
    indexes::touch(txn, BOOTSTRAP_TABLE)?;
    Ok(token)
}
