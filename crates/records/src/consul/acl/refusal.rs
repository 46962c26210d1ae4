//! Why a change to tokens, policies or roles is refused, in the words that clients of genuine servers match on.
//!
//! Texts as in `hashicorp/consul:agent/consul/acl_endpoint.go`, `hashicorp/consul:agent/consul/auth/token_writer.go`
//! and `hashicorp/consul:agent/consul/state/acl.go`.

use super::Reply;
use super::builtin::RESERVED_PREFIX;
use super::rules;
use crate::Error;
use crate::duration::GoDuration;
use crate::quote::Quoted;

/// A rule stands against the change.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// What is to be changed is not there.
    #[error("ACL not found")]
    NotFound,
    #[error("Permission denied: ACL bootstrap no longer allowed (reset index: {0})")]
    Bootstrapped(u64),
    #[error("Permission denied: Cannot modify root ACL")]
    Root,
    #[error("Invalid bootstrap reset index (specified {specified}, reset index: {expected})")]
    ResetIndex { specified: u64, expected: u64 },
    #[error("Provided token cannot be used because a token with that secret already exists.")]
    BootstrapSecretInUse,
    #[error("uuid string is wrong length")]
    SecretNotUuid,
    #[error("Invalid Token: {0} - UUIDs with the prefix \"{RESERVED_PREFIX}\" are reserved")]
    ReservedId(&'static str),
    #[error("Invalid Token: {0} - not a valid UUID")]
    InvalidId(&'static str),
    #[error("Invalid Token: {0} is already in use")]
    IdInUse(&'static str),
    #[error("Token Expiration TTL '{0}' should be > 0")]
    NegativeTtl(GoDuration),
    #[error("Token Expiration TTL and Expiration Time cannot both be set")]
    TtlAndTime,
    #[error("ExpirationTime cannot be before CreateTime")]
    ExpiresInPast,
    #[error("ExpirationTime cannot be more than {max} in the future (was {found})")]
    ExpiresLate { max: GoDuration, found: GoDuration },
    #[error("ExpirationTime cannot be less than {min} in the future (was {found})")]
    ExpiresSoon { min: GoDuration, found: GoDuration },
    #[error("AuthMethod field is disallowed outside of login")]
    AuthMethodGiven,
    #[error("AccessorID is not a valid UUID")]
    AccessorNotUuid,
    #[error("Cannot find token {0}")]
    NoToken(Quoted),
    #[error("Changing a token's SecretID is not permitted")]
    OtherSecret,
    #[error("Cannot toggle local mode of {0}")]
    OtherLocality(String),
    #[error("Cannot change AuthMethod of {0}")]
    OtherAuthMethod(String),
    #[error("Cannot change expiration time of {0}")]
    OtherExpiration(String),
    #[error("Cannot clone a token created from an auth method")]
    CloneOfLogin,
    #[error("Accessor ID is missing or an invalid UUID")]
    DeleteWithoutUuid,
    #[error("Delete operation not permitted on the anonymous token")]
    DeleteAnonymous,
    #[error("Deletion of the request's authorization token is not permitted")]
    DeleteSelf,
    #[error("No such ACL {what} with name {name}")]
    NoSuchName { what: &'static str, name: Quoted },
    #[error("No such ACL {what} with ID {id}")]
    NoSuchId { what: &'static str, id: Quoted },
    #[error("Failed to apply role upsert request: No such policy with ID: {0}")]
    NoSuchPolicyOfRole(String),
    #[error("Service identity is missing the service name field on this {0}")]
    NoServiceName(&'static str),
    #[error("Service identity {0} cannot specify a list of datacenters on a local token")]
    DatacentersOfLocal(Quoted),
    #[error(
        "Service identity {0} has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed"
    )]
    ServiceName(Quoted),
    #[error("Node identity is missing the node name field on this {0}")]
    NoNodeName(&'static str),
    #[error("Node identity is missing the datacenter field on this {0}")]
    NoNodeDatacenter(&'static str),
    #[error(
        "Node identity has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed"
    )]
    NodeName,
    #[error("templated policy is missing the template name field on this {0}")]
    NoTemplateName(&'static str),
    #[error("no such ACL templated policy with Name {0}")]
    NoTemplate(Quoted),
    #[error("validation error for templated policy {0}: name is required")]
    NoTemplateVariable(Quoted),
    #[error(
        "validation error for templated policy {template}: invalid name {name}. Only lowercase alphanumeric \
         characters, '-' and '_' are allowed"
    )]
    TemplateVariable { template: Quoted, name: Quoted },
    #[error("Invalid {0}: no Name is set")]
    NoName(&'static str),
    #[error(
        "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed"
    )]
    PolicyName,
    #[error("Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed")]
    RoleName,
    #[error("{0} ID invalid UUID")]
    IdNotUuid(&'static str),
    #[error("cannot find {what} {id}")]
    CannotFind { what: &'static str, id: String },
    #[error("Invalid {what}: A {what} with Name {name} already exists")]
    NameInUse { what: &'static str, name: Quoted },
    #[error("Changing the {part} the builtin {policy} policy is not permitted")]
    ChangeBuiltin { part: &'static str, policy: String },
    #[error("Delete operation not permitted on the builtin {0} policy")]
    DeleteBuiltin(String),
    #[error(transparent)]
    Rules(rules::Error),
    /// Ours: genuine servers draw ids again until one is free, here the proposer does.
    #[error("{0} ID is already in use")]
    IdTaken(&'static str),
    /// Ours: the engine's keys are bounded.
    #[error("the initial management token is no possible secret")]
    ManagementSecret,
}

impl Refusal {
    /// How a client is told.
    pub(super) fn reply(self) -> Reply {
        match self {
            Refusal::NotFound => Reply::NotFound,
            Refusal::Bootstrapped(_) | Refusal::Root => Reply::Denied(self.to_string()),
            _ => Reply::Failed(self.to_string()),
        }
    }
}

/// What ends a change early.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule: the caller's affair.
    Refused(Refusal),
    /// The store, or damage in it: ours.
    Broken(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Broken(error)
    }
}
