//! Nomad's access control: what the rules of policies say, and what their bearers may do.

mod authorizer;
mod rules;

mod blocks;
mod decode;
mod print;

mod capability;
mod glob;
mod grant;

pub use authorizer::{ALL_NAMESPACES, ANONYMOUS_POLICY, Authorizer, Denied, Unreadable};
pub use capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability, VariableCapability,
};
pub use rules::{Error as RulesError, Rules, UnknownKeys};
