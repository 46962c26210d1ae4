//! What can be asked of access control.

use archive::nomad::{AclPolicy, AclRole, AclToken};
use serde::{Deserialize, Serialize};

use super::OneTimeToken;
use crate::wire;

/// A change to tokens, policies or roles. Ids and secrets come with it: nothing is drawn while applying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Creates the first management token, once in a cluster's life. Answered with [`Reply::Token`].
    Bootstrap {
        /// Its accessor.
        accessor: String,
        /// Its secret, drawn or chosen by the caller.
        secret: String,
        /// From the operator, on the server's own disk: allows to do it again if it is the index at which it
        /// was done before.
        reset_index: Option<u64>,
    },
    /// Creates a token with the accessor and the secret of the given one. Indexes, hash and creation time of it
    /// are not looked at. Answered with [`Reply::Token`].
    CreateToken(#[serde(with = "wire")] Box<AclToken>),
    /// Sets what can be changed of the token with the given one's accessor. Answered with [`Reply::Token`].
    UpdateToken(#[serde(with = "wire")] Box<AclToken>),
    /// Deletes a token. Answered with [`Reply::Done`].
    DeleteToken {
        /// Its accessor.
        accessor: String,
    },
    /// Deletes tokens that have expired, some thousands at most. Answered with [`Reply::Done`].
    ReapTokens,
    /// Creates a policy, or sets everything of it. Answered with [`Reply::Done`].
    UpsertPolicy(#[serde(with = "wire")] Box<AclPolicy>),
    /// Deletes a policy, whether it is there or not. Answered with [`Reply::Done`].
    DeletePolicy {
        /// Its name.
        name: String,
    },
    /// Creates a role with the given one's id. Answered with [`Reply::Role`].
    CreateRole(#[serde(with = "wire")] Box<AclRole>),
    /// Sets everything of the role with the given one's id. Answered with [`Reply::Role`].
    UpdateRole(#[serde(with = "wire")] Box<AclRole>),
    /// Makes a one-time token, in place of the one that there was for the same token. Answered with
    /// [`Reply::OneTime`].
    CreateOneTime {
        /// The accessor of the token that it stands in for.
        accessor: String,
        /// Its secret, drawn.
        secret: String,
    },
    /// Exchanges a one-time token for the one that it stands in for. Answered with [`Reply::Token`] or
    /// [`Reply::Denied`].
    ExchangeOneTime {
        /// Its secret.
        secret: String,
    },
    /// Deletes a role. Tokens that link to it lose its rights. Answered with [`Reply::Done`].
    DeleteRole {
        /// Its id.
        id: String,
    },
}

/// The answer to a command that is not refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing to tell.
    Done,
    /// The token as it now stands, its links by their present names.
    Token(#[serde(with = "wire")] Box<AclToken>),
    /// The role as it now stands.
    Role(#[serde(with = "wire")] Box<AclRole>),
    /// The one-time token.
    OneTime(OneTimeToken),
    /// What the change was asked for with has no right to it.
    Denied,
}
