//! What can be done to what, and how a refusal is worded.
//!
//! Follows `hashicorp/consul:acl/{authorizer,errors,policy}.go`.

use std::fmt;

/// The accessor of the token that requests without one are taken to bear.
pub const ANONYMOUS_ACCESSOR: &str = "00000000-0000-0000-0000-000000000002";

/// What a rule says. Of two rules about the same thing the greater one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// See one by name.
    Read,
    /// See which there are, too. Of keys alone.
    List,
    /// Change, too.
    Write,
    /// Nothing at all.
    Deny,
}

impl Access {
    /// The access called `word`, whatever its case.
    pub(super) fn named(word: &str) -> Option<Access> {
        const ALL: [Access; 4] = [Access::Read, Access::List, Access::Write, Access::Deny];
        ALL.into_iter().find(|access| word.eq_ignore_ascii_case(access.name()))
    }

    /// The word for it in rules and errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::List => "list",
            Access::Write => "write",
            Access::Deny => "deny",
        }
    }

    /// Whether a rule that says this lets do what asks for `wanted`.
    pub(super) fn grants(self, wanted: Access) -> bool {
        self != Access::Deny && self >= wanted
    }
}

/// What rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Tokens, policies and roles; snapshots, too.
    Acl,
    /// The agent of a node.
    Agent,
    /// User events.
    Event,
    /// Workload identities.
    Identity,
    /// Who may talk to a service.
    Intention,
    /// Keys of the key/value store.
    Key,
    /// The gossip encryption keys.
    Keyring,
    /// The service mesh.
    Mesh,
    /// Nodes.
    Node,
    /// The cluster.
    Operator,
    /// Peerings with other clusters.
    Peering,
    /// Prepared queries.
    Query,
    /// Services.
    Service,
    /// Sessions, by the node that they are tied to.
    Session,
}

impl Resource {
    /// The word for it in rules and errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Resource::Acl => "acl",
            Resource::Agent => "agent",
            Resource::Event => "event",
            Resource::Identity => "identity",
            Resource::Intention => "intention",
            Resource::Key => "key",
            Resource::Keyring => "keyring",
            Resource::Mesh => "mesh",
            Resource::Node => "node",
            Resource::Operator => "operator",
            Resource::Peering => "peering",
            Resource::Query => "query",
            Resource::Service => "service",
            Resource::Session => "session",
        }
    }
}

/// A right that the token lacks. Displays as the genuine text, which clients are sent with status 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    pub(super) accessor: String,
    pub(super) resource: Resource,
    pub(super) access: Access,
    /// What it was to be done to; empty where the right is about everything.
    pub(super) name: String,
}

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Denied { accessor, resource, access, name } = self;
        let is_anonymous = accessor == ANONYMOUS_ACCESSOR;
        f.write_str("Permission denied: ")?;
        match is_anonymous {
            true => f.write_str("anonymous token")?,
            false => write!(f, "token with AccessorID '{accessor}'")?,
        }
        write!(f, " lacks permission '{}:{}'", resource.name(), access.name())?;
        if !name.is_empty() {
            write!(f, " on \"{name}\"")?;
        }
        if is_anonymous {
            f.write_str(". The anonymous token is used implicitly when a request does not specify a token.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(accessor: &str, name: &str) -> String {
        let (resource, access) = (Resource::Key, Access::Write);
        Denied { accessor: accessor.into(), resource, access, name: name.into() }.to_string()
    }

    #[test]
    fn a_refusal_names_token_right_and_thing() {
        let expected = "Permission denied: token with AccessorID 'a' lacks permission 'key:write' on \"foo\"";
        assert_eq!(denied("a", "foo"), expected);
        assert_eq!(denied("a", ""), expected.strip_suffix(" on \"foo\"").unwrap());
    }

    #[test]
    fn a_refusal_of_the_anonymous_token_explains_it() {
        let expected = "Permission denied: anonymous token lacks permission 'key:write' on \"foo\". The \
                        anonymous token is used implicitly when a request does not specify a token.";
        assert_eq!(denied(ANONYMOUS_ACCESSOR, "foo"), expected);
    }

    #[test]
    fn greater_rights_contain_the_smaller_and_deny_contains_none() {
        use Access::{Deny, List, Read, Write};
        let granted = |rule: Access| [Read, List, Write].map(|wanted| rule.grants(wanted));
        assert_eq!(granted(Read), [true, false, false]);
        assert_eq!(granted(List), [true, true, false]);
        assert_eq!(granted(Write), [true, true, true]);
        assert_eq!(granted(Deny), [false, false, false]);
    }
}
