//! What can be asked of access control, and what it answers.

use archive::consul::{AclPolicy, AclRole, AclToken};
use serde::{Deserialize, Serialize};

use crate::wire;

/// A change to tokens, policies or roles. Ids, secrets and times come with it: nothing is drawn while applying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Creates what every server with access control has and mends what a restore brought in an older form;
    /// see [`super::is_initialized`]. Answered with [`Reply::Done`].
    Initialize {
        /// A management token from the operator's configuration.
        management: Option<ManagementToken>,
    },
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
    /// Creates a token. Indexes, hash and times of the given one are not looked at, but for the expiration.
    /// Answered with [`Reply::Token`].
    CreateToken(#[serde(with = "wire")] Box<AclToken>),
    /// Sets what can be changed of the token with the given one's accessor. An empty secret stands for the one
    /// it has. Answered with [`Reply::Token`].
    UpdateToken(#[serde(with = "wire")] Box<AclToken>),
    /// Creates a token with the rights of another one. Answered with [`Reply::Token`].
    CloneToken {
        /// The accessor of the token to copy.
        source: String,
        /// The new one's accessor.
        accessor: String,
        /// The new one's secret.
        secret: String,
        /// What people say about it; empty takes over what they say of the source.
        description: String,
    },
    /// Deletes a token. Answered with [`Reply::Deleted`].
    DeleteToken {
        /// Its accessor.
        accessor: String,
        /// The accessor of the token that asks, which can't delete itself.
        by: String,
    },
    /// Deletes tokens that have expired, some thousands at most. Answered with [`Reply::Reaped`].
    ReapTokens,
    /// Creates a policy. Answered with [`Reply::Policy`].
    CreatePolicy(#[serde(with = "wire")] Box<AclPolicy>),
    /// Sets everything of the policy with the given one's id. Answered with [`Reply::Policy`].
    UpdatePolicy(#[serde(with = "wire")] Box<AclPolicy>),
    /// Deletes a policy. Tokens and roles that link to it lose its rights. Answered with [`Reply::Deleted`].
    DeletePolicy {
        /// Its id.
        id: String,
    },
    /// Creates a role. Answered with [`Reply::Role`].
    CreateRole(#[serde(with = "wire")] Box<AclRole>),
    /// Sets everything of the role with the given one's id. Answered with [`Reply::Role`].
    UpdateRole(#[serde(with = "wire")] Box<AclRole>),
    /// Deletes a role. Tokens that link to it lose its rights. Answered with [`Reply::Deleted`].
    DeleteRole {
        /// Its id.
        id: String,
    },
}

/// A token that may do everything, wanted by the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementToken {
    /// Its accessor, unless there is a token with this secret.
    pub accessor: String,
    /// Its secret.
    pub secret: String,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing to tell.
    Done,
    /// The token as it now stands, its links by their present names.
    Token(#[serde(with = "wire")] Box<AclToken>),
    /// The policy as it now stands.
    Policy(#[serde(with = "wire")] Box<AclPolicy>),
    /// The role as it now stands, its links by their present names.
    Role(#[serde(with = "wire")] Box<AclRole>),
    /// It was there and is no more.
    Deleted,
    /// How many tokens had expired and are no more. There may be others.
    Reaped(u64),
    /// There is no such token, policy or role.
    NotFound,
    /// Refused for want of a right; the text is the genuine one.
    Denied(String),
    /// The command breaks a rule and changed nothing; the text is the genuine one.
    Failed(String),
}
