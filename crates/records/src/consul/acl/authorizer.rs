//! What a token may do: one question per right.
//!
//! Follows `hashicorp/consul:acl/{authorizer,chained_authorizer,static_authorizer,policy_authorizer}.go`.

use super::access::{Access, Denied, Resource};
use super::rules::Rules;
use super::tree::{Decision, Reading, Rule, Tree};

/// What holds where rules say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultPolicy {
    /// Everything is allowed but what needs `acl`, snapshots included.
    #[default]
    Allow,
    /// Nothing is.
    Deny,
    /// Everything is: access control is switched off.
    Manage,
}

/// Answers for one token. Each question is answered `Ok`, or with the text to refuse the request with.
#[derive(Clone, Debug)]
pub struct Authorizer {
    accessor: String,
    rules: Rules,
    default: DefaultPolicy,
    key_list_policy: bool,
    expires_ms: Option<u64>,
}

/// The answer to one question.
pub(super) type Answer = Result<(), Denied>;

impl Authorizer {
    /// Answers for the token called `accessor`, which has these rules. With `key_list_policy`, listing keys is
    /// a right of its own.
    pub fn new(accessor: String, rules: Rules, default: DefaultPolicy, key_list_policy: bool) -> Authorizer {
        Authorizer { accessor, rules, default, key_list_policy, expires_ms: None }
    }

    /// Allows everything: for servers without access control.
    pub fn unrestricted() -> Authorizer {
        Authorizer::new(String::new(), Rules::default(), DefaultPolicy::Manage, false)
    }

    /// Whether the token has not expired at this time, in milliseconds since the Unix epoch.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|at_ms| at_ms >= now_ms)
    }

    pub(super) fn expiring(self, expires_ms: Option<u64>) -> Authorizer {
        Authorizer { expires_ms, ..self }
    }

    /// By which the token is known.
    pub fn accessor(&self) -> &str {
        &self.accessor
    }

    /// May see tokens, policies and roles, but no secrets.
    pub fn acl_read(&self) -> Answer {
        self.single(Resource::Acl, Access::Read)
    }

    /// May change tokens, policies and roles.
    pub fn acl_write(&self) -> Answer {
        self.single(Resource::Acl, Access::Write)
    }

    /// May save and restore everything.
    pub fn snapshot(&self) -> Answer {
        self.acl_write()
    }

    /// May see what the agent of `node` tells.
    pub fn agent_read(&self, node: &str) -> Answer {
        self.named(Resource::Agent, Access::Read, node)
    }

    /// May have the agent of `node` do something.
    pub fn agent_write(&self, node: &str) -> Answer {
        self.named(Resource::Agent, Access::Write, node)
    }

    /// May see events called `name`.
    pub fn event_read(&self, name: &str) -> Answer {
        self.named(Resource::Event, Access::Read, name)
    }

    /// May fire events called `name`.
    pub fn event_write(&self, name: &str) -> Answer {
        self.named(Resource::Event, Access::Write, name)
    }

    /// May see who may talk to `service`; `*` asks about any.
    pub fn intention_read(&self, service: &str) -> Answer {
        self.intentions(Access::Read, service, Tree::decide_any)
    }

    /// May change who may talk to `service`; `*` asks about all.
    pub fn intention_write(&self, service: &str) -> Answer {
        self.intentions(Access::Write, service, Tree::decide_all)
    }

    /// May see what is under `key`.
    pub fn key_read(&self, key: &[u8]) -> Answer {
        self.key(Access::Read, key)
    }

    /// Whether there is no key that it may not see.
    pub fn reads_all_keys(&self) -> bool {
        let decision = self.whole(Resource::Key, Access::Read, Tree::decide_all);
        self.answer(decision, Resource::Key, Access::Read, "").is_ok()
    }

    /// May list the keys under `prefix`. Unless listing is a right of its own everyone may, and sees the keys
    /// that [`Authorizer::key_read`] allows.
    pub fn key_list(&self, prefix: &[u8]) -> Answer {
        if self.key_list_policy { self.key(Access::List, prefix) } else { Ok(()) }
    }

    /// May change what is under `key`.
    pub fn key_write(&self, key: &[u8]) -> Answer {
        self.key(Access::Write, key)
    }

    /// May change whatever is under `prefix`, as removing all of it does.
    pub fn key_write_prefix(&self, prefix: &[u8]) -> Answer {
        let tree = self.rules.named(Resource::Key);
        let decision = tree.map_or(Decision::Default, |tree| tree.decide_under(prefix));
        self.answer(decision, Resource::Key, Access::Write, &String::from_utf8_lossy(prefix))
    }

    /// May see the gossip keys.
    pub fn keyring_read(&self) -> Answer {
        self.single(Resource::Keyring, Access::Read)
    }

    /// May change the gossip keys.
    pub fn keyring_write(&self) -> Answer {
        self.single(Resource::Keyring, Access::Write)
    }

    /// May see the settings of the mesh.
    pub fn mesh_read(&self) -> Answer {
        self.or_operator(Resource::Mesh, Access::Read)
    }

    /// May change the settings of the mesh.
    pub fn mesh_write(&self) -> Answer {
        self.or_operator(Resource::Mesh, Access::Write)
    }

    /// May see the node called `name`.
    pub fn node_read(&self, name: &str) -> Answer {
        self.named(Resource::Node, Access::Read, name)
    }

    /// May see every node.
    pub fn node_read_all(&self) -> Answer {
        let decision = self.whole(Resource::Node, Access::Read, Tree::decide_all);
        self.answer(decision, Resource::Node, Access::Read, "all nodes")
    }

    /// May register and deregister the node called `name`.
    pub fn node_write(&self, name: &str) -> Answer {
        self.named(Resource::Node, Access::Write, name)
    }

    /// May see how the cluster is.
    pub fn operator_read(&self) -> Answer {
        self.single(Resource::Operator, Access::Read)
    }

    /// May change the cluster.
    pub fn operator_write(&self) -> Answer {
        self.single(Resource::Operator, Access::Write)
    }

    /// May see peerings.
    pub fn peering_read(&self) -> Answer {
        self.or_operator(Resource::Peering, Access::Read)
    }

    /// May change peerings.
    pub fn peering_write(&self) -> Answer {
        self.or_operator(Resource::Peering, Access::Write)
    }

    /// May see the prepared query called `name`.
    pub fn query_read(&self, name: &str) -> Answer {
        self.named(Resource::Query, Access::Read, name)
    }

    /// May change the prepared query called `name`.
    pub fn query_write(&self, name: &str) -> Answer {
        self.named(Resource::Query, Access::Write, name)
    }

    /// May see the service called `name`.
    pub fn service_read(&self, name: &str) -> Answer {
        self.named(Resource::Service, Access::Read, name)
    }

    /// May see every service.
    pub fn service_read_all(&self) -> Answer {
        let decision = self.whole(Resource::Service, Access::Read, Tree::decide_all);
        self.answer(decision, Resource::Service, Access::Read, "all services")
    }

    /// May register and deregister the service called `name`.
    pub fn service_write(&self, name: &str) -> Answer {
        self.named(Resource::Service, Access::Write, name)
    }

    /// May register some service, whichever.
    pub fn service_write_any(&self) -> Answer {
        let decision = self.whole(Resource::Service, Access::Write, Tree::decide_any);
        self.answer(decision, Resource::Service, Access::Write, "any service")
    }

    /// May see the sessions of `node`.
    pub fn session_read(&self, node: &str) -> Answer {
        self.named(Resource::Session, Access::Read, node)
    }

    /// May create and destroy sessions of `node`.
    pub fn session_write(&self, node: &str) -> Answer {
        self.named(Resource::Session, Access::Write, node)
    }

    fn single(&self, resource: Resource, wanted: Access) -> Answer {
        self.answer(self.decide_single(resource, wanted), resource, wanted, "")
    }

    /// What the mesh and peerings have no rule for is decided by that for the cluster.
    fn or_operator(&self, resource: Resource, wanted: Access) -> Answer {
        let decision = match self.decide_single(resource, wanted) {
            Decision::Default => self.decide_single(Resource::Operator, wanted),
            decision => decision,
        };
        self.answer(decision, resource, wanted, "")
    }

    fn named(&self, resource: Resource, wanted: Access, name: &str) -> Answer {
        let decision = self.decide(resource, wanted, name.as_bytes(), Rule::access);
        self.answer(decision, resource, wanted, name)
    }

    fn key(&self, wanted: Access, key: &[u8]) -> Answer {
        let decision = self.decide(Resource::Key, wanted, key, Rule::access);
        self.answer(decision, Resource::Key, wanted, &String::from_utf8_lossy(key))
    }

    fn intentions(
        &self,
        wanted: Access,
        service: &str,
        of_all: fn(&Tree, Access, Reading) -> Decision,
    ) -> Answer {
        let decision = match (service, self.rules.named(Resource::Service)) {
            ("*", Some(tree)) => of_all(tree, wanted, Rule::intentions),
            _ => self.decide(Resource::Service, wanted, service.as_bytes(), Rule::intentions),
        };
        self.answer(decision, Resource::Intention, wanted, service)
    }

    fn decide_single(&self, resource: Resource, wanted: Access) -> Decision {
        self.rules.single(resource).map_or(Decision::Default, |rule| Decision::of(rule, wanted))
    }

    fn decide(&self, resource: Resource, wanted: Access, name: &[u8], reading: Reading) -> Decision {
        let tree = self.rules.named(resource);
        tree.map_or(Decision::Default, |tree| tree.decide(name, wanted, reading))
    }

    fn whole(
        &self,
        resource: Resource,
        wanted: Access,
        decide: fn(&Tree, Access, Reading) -> Decision,
    ) -> Decision {
        let tree = self.rules.named(resource);
        tree.map_or(Decision::Default, |tree| decide(tree, wanted, Rule::access))
    }

    fn answer(&self, decision: Decision, resource: Resource, access: Access, name: &str) -> Answer {
        let is_allowed = match (decision, self.default) {
            (Decision::Allow, _) | (Decision::Default, DefaultPolicy::Manage) => true,
            (Decision::Default, DefaultPolicy::Allow) => resource != Resource::Acl,
            (Decision::Deny, _) | (Decision::Default, DefaultPolicy::Deny) => false,
        };
        if is_allowed {
            return Ok(());
        }
        Err(Denied { accessor: self.accessor.clone(), resource, access, name: name.to_owned() })
    }
}
