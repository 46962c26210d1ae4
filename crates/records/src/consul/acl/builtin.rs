//! What every Consul server with access control has: two policies, the anonymous token, templates for rules.
//!
//! Follows `hashicorp/consul:agent/structs/{acl,acl_ce,acl_templated_policy}.go`.

use archive::consul::{AclPolicy, AclToken, Link};

use super::access::{ANONYMOUS_ACCESSOR, Access, Resource};
use super::rules::Rules;

/// The policy that allows everything. It can be renamed, but neither changed nor deleted.
pub const GLOBAL_MANAGEMENT_ID: &str = "00000000-0000-0000-0000-000000000001";

/// The policy that allows to see everything. It can be renamed, but neither changed nor deleted.
pub const GLOBAL_READ_ONLY_ID: &str = "00000000-0000-0000-0000-000000000002";

/// The secret of the token that requests without one are taken to bear.
pub(super) const ANONYMOUS_SECRET: &str = "anonymous";

/// Ids that begin so are given to built-in things alone.
pub(super) const RESERVED_PREFIX: &str = "00000000-0000-0000-0000-0000000000";

/// Secrets that were once whole policies and resolve to nothing since.
pub(super) const ROOTS: [&str; 3] = ["allow", "deny", "manage"];

/// The rules of both policies, to the byte; `%` stands for the access.
const RULES: &str = r#"
acl = "%"
agent_prefix "" {
	policy = "%"
}
event_prefix "" {
	policy = "%"
}
identity_prefix "" {
	policy = "%"
	intentions = "%"
}
key_prefix "" {
	policy = "%"
}
keyring = "%"
node_prefix "" {
	policy = "%"
}
operator = "%"
mesh = "%"
peering = "%"
query_prefix "" {
	policy = "%"
}
service_prefix "" {
	policy = "%"
	intentions = "%"
}
session_prefix "" {
	policy = "%"
}"#;

/// The built-in policies as they are created; indexes and hashes are the store's affair.
pub(super) fn policies() -> [AclPolicy; 2] {
    let policy = |id: &str, name: &str, description: &str, access: Access| AclPolicy {
        id: id.into(),
        name: name.into(),
        description: description.into(),
        rules: RULES.replace('%', access.name()),
        ..AclPolicy::default()
    };
    [
        policy(
            GLOBAL_MANAGEMENT_ID,
            "global-management",
            "A built-in policy that grants read and write access to all Consul features",
            Access::Write,
        ),
        policy(
            GLOBAL_READ_ONLY_ID,
            "builtin/global-read-only",
            "A built-in policy that grants read-only access to all Consul features",
            Access::Read,
        ),
    ]
}

/// The built-in policy with this id.
pub(super) fn policy(id: &str) -> Option<AclPolicy> {
    policies().into_iter().find(|policy| policy.id == id)
}

/// The anonymous token as it is created.
pub(super) fn anonymous_token() -> AclToken {
    AclToken {
        accessor_id: ANONYMOUS_ACCESSOR.into(),
        secret_id: ANONYMOUS_SECRET.into(),
        description: "Anonymous Token".into(),
        ..AclToken::default()
    }
}

/// A token that may do everything.
pub(super) fn management_token(accessor: String, secret: String, description: &str) -> AclToken {
    AclToken {
        accessor_id: accessor,
        secret_id: secret,
        description: description.into(),
        policies: Some(vec![Link { id: GLOBAL_MANAGEMENT_ID.into(), name: String::new() }]),
        ..AclToken::default()
    }
}

/// Rules that are made for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    Service,
    Node,
    Dns,
    NomadServer,
    NomadClient,
    ApiGateway,
}

impl Template {
    const ALL: [Template; 6] = [
        Template::Service,
        Template::Node,
        Template::Dns,
        Template::NomadServer,
        Template::NomadClient,
        Template::ApiGateway,
    ];

    pub(super) fn named(name: &str) -> Option<Template> {
        Template::ALL.into_iter().find(|template| template.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Template::Service => "builtin/service",
            Template::Node => "builtin/node",
            Template::Dns => "builtin/dns",
            Template::NomadServer => "builtin/nomad-server",
            Template::NomadClient => "builtin/nomad-client",
            Template::ApiGateway => "builtin/api-gateway",
        }
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            Template::Service => "00000000-0000-0000-0000-000000000003",
            Template::Node => "00000000-0000-0000-0000-000000000004",
            Template::Dns => "00000000-0000-0000-0000-000000000005",
            Template::NomadServer => "00000000-0000-0000-0000-000000000006",
            Template::NomadClient => "00000000-0000-0000-0000-000000000009",
            Template::ApiGateway => "00000000-0000-0000-0000-000000000008",
        }
    }

    /// Whether its rules are about a name that must be given.
    pub(super) fn needs_name(self) -> bool {
        matches!(self, Template::Service | Template::Node | Template::ApiGateway)
    }

    /// The rules for `name`. They are made, not written and parsed: a name from an archive is any text.
    pub(super) fn rules(self, name: &str) -> Rules {
        use Access::{Read, Write};
        use Resource::{Acl, Agent, Mesh, Node, Query, Service};
        let mut rules = Rules::default();
        match self {
            Template::Service => {
                rules.add(Service, name, Write);
                rules.add(Service, &format!("{name}-sidecar-proxy"), Write);
            }
            Template::Node => rules.add(Node, name, Write),
            Template::Dns => rules.add_prefix(Query, "", Read),
            Template::NomadServer => rules.set(Acl, Write),
            Template::NomadClient => {}
            Template::ApiGateway => {
                rules.set(Mesh, Read);
                rules.add(Service, name, Write);
            }
        }
        let services = match self {
            Template::NomadServer | Template::NomadClient => {
                rules.add_prefix(Agent, "", Read);
                Write
            }
            _ => Read,
        };
        rules.add_prefix(Service, "", services);
        if self != Template::Node {
            rules.add_prefix(Node, "", Read);
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::Repeats;

    #[test]
    fn built_in_rules_are_rules() {
        for policy in policies() {
            assert!(Rules::parse(&policy.rules, Repeats::Refused).is_ok(), "{}", policy.name);
        }
    }

    #[test]
    fn templates_say_what_the_genuine_texts_say() {
        let read_all = "service_prefix \"\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }";
        let table = [
            (
                Template::Service,
                format!(
                    "service \"x\" {{ policy = \"write\" }} service \"x-sidecar-proxy\" {{ policy = \"write\" }} \
                     {read_all}"
                ),
            ),
            (
                Template::Node,
                "node \"x\" { policy = \"write\" } service_prefix \"\" { policy = \"read\" }".into(),
            ),
            (Template::Dns, format!("query_prefix \"\" {{ policy = \"read\" }} {read_all}")),
            (
                Template::NomadServer,
                "acl = \"write\" agent_prefix \"\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" } \
                 service_prefix \"\" { policy = \"write\" }"
                    .into(),
            ),
            (
                Template::ApiGateway,
                format!("mesh = \"read\" service \"x\" {{ policy = \"write\" }} {read_all}"),
            ),
        ];
        for (template, text) in table {
            assert_eq!(template.rules("x"), Rules::parse(&text, Repeats::Refused).unwrap(), "{template:?}");
        }
    }
}
