//! Nomad's access control: tokens, the policies and roles they link to, and what their bearers may do.

mod command;

mod one_time;
mod policies;
mod roles;
mod setup;
mod tokens;

mod flaws;
mod store;

mod query;
mod resolve;

mod authorizer;
mod rules;

mod blocks;
mod decode;
mod print;
mod spelled;

mod capability;
mod glob;
mod grant;

pub(super) mod derived;

pub use authorizer::{ALL_NAMESPACES, ANONYMOUS_POLICY, Authorizer, Denied, Unreadable};
pub use blocks::Block;
pub use capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability, VariableCapability,
};
pub use command::{Command, Reply};
pub use one_time::{OneTimeToken, is_exchangeable};
pub use query::{last_change, policies, policy, policy_names, role, role_by_name, roles, token, tokens};
pub use resolve::{Unresolved, anonymous_token, authenticate, authorizer, disabled_token, resolve};
pub use rules::{Error as RulesError, Rules, UnknownKeys};
pub use setup::{bootstrap_refusal, bootstrapped_at};
pub use spelled::Spelled;

pub use crate::acl::next_expiration_ms;

use super::refusal::Failure;
use crate::Txn;

/// Makes a change. Whoever asked takes it back if it is refused.
pub(super) fn change(txn: &mut Txn<'_>, command: Command) -> Result<Reply, Failure> {
    let token = |token| Reply::Token(Box::new(token));
    let role = |role| Reply::Role(Box::new(role));
    match command {
        Command::Bootstrap { accessor, secret, reset_index } => {
            setup::bootstrap(txn, accessor, secret, reset_index).map(token)
        }
        Command::CreateToken(new) => tokens::create(txn, *new).map(token),
        Command::UpdateToken(new) => tokens::update(txn, *new).map(token),
        Command::DeleteToken { accessor } => tokens::delete(txn, &accessor).map(|()| Reply::Done),
        Command::ReapTokens => Ok(tokens::reap(txn).map(|()| Reply::Done)?),
        Command::UpsertPolicy(new) => policies::upsert(txn, *new).map(|()| Reply::Done),
        Command::DeletePolicy { name } => policies::delete(txn, &name).map(|()| Reply::Done),
        Command::CreateRole(new) => roles::create(txn, *new).map(role),
        Command::UpdateRole(new) => roles::update(txn, *new).map(role),
        Command::DeleteRole { id } => roles::delete(txn, &id).map(|()| Reply::Done),
        Command::CreateOneTime { accessor, secret } => {
            one_time::create(txn, accessor, secret).map(Reply::OneTime)
        }
        Command::ExchangeOneTime { secret } => {
            Ok(one_time::exchange(txn, &secret)?.map_or(Reply::Denied, token))
        }
    }
}
