//! Consul's access control: tokens, the policies and roles they link to, and what their bearers may do.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

mod command;

mod policies;
mod roles;
mod setup;
mod tokens;

mod links;
mod refusal;
mod store;

mod query;
mod resolve;
mod vet;

mod authorizer;
mod builtin;
mod rules;

mod access;
mod tree;

pub(super) mod derived;
mod duration;

pub use access::{ANONYMOUS_ACCESSOR, Access, Denied, Resource};
pub use authorizer::{Authorizer, DefaultPolicy};
pub use builtin::{GLOBAL_MANAGEMENT_ID, GLOBAL_READ_ONLY_ID};
pub use command::{Command, ManagementToken, Reply};
pub use query::{
    REDACTED, TokenFilter, last_change, next_expiration_ms, policies, policy, policy_by_name, redact, role,
    role_by_name, roles, token, token_by_secret, tokens,
};
pub use resolve::{Settings, Unresolved, resolve};
pub use rules::{Error as RulesError, Rules};
pub use setup::{bootstrap_refusal, bootstrapped_at, is_initialized};
pub use vet::{Veto, keep_visible, vet_deregister, vet_kv, vet_register, vet_txn};

pub use crate::hcl::{RULES_BYTES_MAX, Repeats};

use crate::{Error, Txn};
use refusal::Failure;

/// Applies a command. What breaks a rule changes nothing and is told in the reply.
pub(super) fn apply(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Error> {
    let mark = txn.mark();
    match change(txn, command) {
        Ok(reply) => Ok(reply),
        Err(Failure::Refused(refusal)) => {
            txn.roll_back(mark);
            Ok(refusal.reply())
        }
        Err(Failure::Broken(error)) => Err(error),
    }
}

fn change(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    let token = |token| Reply::Token(Box::new(token));
    let policy = |policy| Reply::Policy(Box::new(policy));
    let role = |role| Reply::Role(Box::new(role));
    match command {
        Command::Initialize { management } => setup::initialize(txn, management).map(|()| Reply::Done),
        Command::Bootstrap { accessor, secret, reset_index } => {
            setup::bootstrap(txn, accessor, secret, reset_index).map(token)
        }
        Command::CreateToken(new) => tokens::create(txn, *new).map(token),
        Command::UpdateToken(new) => tokens::update(txn, *new).map(token),
        Command::CloneToken { source, accessor, secret, description } => {
            tokens::clone(txn, &source, (accessor, secret), description).map(token)
        }
        Command::DeleteToken { accessor, by } => tokens::delete(txn, &accessor, &by).map(|()| Reply::Deleted),
        Command::ReapTokens => Ok(Reply::Reaped(tokens::reap(txn)?)),
        Command::CreatePolicy(new) => policies::create(txn, *new).map(policy),
        Command::UpdatePolicy(new) => policies::update(txn, *new).map(policy),
        Command::DeletePolicy { id } => policies::delete(txn, &id).map(|()| Reply::Deleted),
        Command::CreateRole(new) => roles::create(txn, *new).map(role),
        Command::UpdateRole(new) => roles::update(txn, *new).map(role),
        Command::DeleteRole { id } => roles::delete(txn, &id).map(|()| Reply::Deleted),
    }
}

/// Whether a text has the form of a UUID: hex digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    let is_well_formed = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_well_formed)
}

/// Whether a text is made of what names of policies and roles are made of.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
