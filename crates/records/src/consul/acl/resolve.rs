//! From a token's secret to what it may do.
//!
//! Follows `hashicorp/consul:agent/consul/acl.go`.

use std::collections::BTreeSet;

use archive::consul::{AclToken, NodeIdentity, ServiceIdentity, TemplatedPolicy};

use super::access::ANONYMOUS_ACCESSOR;
use super::authorizer::{Authorizer, DefaultPolicy};
use super::builtin::{ANONYMOUS_SECRET, ROOTS, Template};
use super::query::is_expired;
use super::rules::{self, Rules};
use super::{derived, store};
use crate::hcl::Repeats;
use crate::quote::Quoted;
use crate::{Error, Read};

/// How this server reads tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What holds where rules say nothing.
    pub default: DefaultPolicy,
    /// Whose rules hold here: policies can be bound to datacenters.
    pub datacenter: String,
    /// Whether listing keys is a right of its own.
    pub key_list_policy: bool,
}

/// Why there is nothing to ask about a token's rights. Texts are the genuine ones.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// No token has this secret, or it has expired.
    #[error("ACL not found")]
    NotFound,
    /// The secret is one of the words that were policies once.
    #[error("Cannot resolve root ACL")]
    Root,
    /// A policy of the token can't be read.
    #[error("failed to parse the ACL policies: failed to parse {name}: {source}", name = Quoted(policy.clone().into()))]
    Rules {
        /// Its name.
        policy: String,
        /// What is wrong with it.
        source: rules::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What the bearer of `secret` may do. The empty secret is that of the anonymous token, which may do what the
/// default allows even where there is no such token.
pub fn resolve(
    read: &dyn Read,
    secret: &str,
    now_ms: u64,
    settings: &Settings,
) -> Result<Authorizer, Unresolved> {
    let secret = or_anonymous(secret);
    if ROOTS.contains(&secret) {
        return Err(Unresolved::Root);
    }
    let token = match store::token_by_secret(read, secret)? {
        Some(token) if !is_expired(&token, now_ms) => token,
        None if secret == ANONYMOUS_SECRET => {
            AclToken { accessor_id: ANONYMOUS_ACCESSOR.into(), ..AclToken::default() }
        }
        _ => return Err(Unresolved::NotFound),
    };
    let rules = Gathering { read, datacenter: &settings.datacenter, rules: Rules::default() }.of(&token)?;
    let expires_ms = derived::expires_ms(&token);
    let authorizer = Authorizer::new(token.accessor_id, rules, settings.default, settings.key_list_policy);
    Ok(authorizer.expiring(expires_ms))
}

/// The secret that a request bears, given or not.
pub(super) fn or_anonymous(secret: &str) -> &str {
    if secret.is_empty() { ANONYMOUS_SECRET } else { secret }
}

/// Collects the rules of one token.
struct Gathering<'a> {
    read: &'a dyn Read,
    datacenter: &'a str,
    rules: Rules,
}

impl Gathering<'_> {
    fn of(mut self, token: &AclToken) -> Result<Rules, Unresolved> {
        let mut policies: BTreeSet<String> = ids(&token.policies).collect();
        self.identities(&token.service_identities, &token.node_identities, &token.templated_policies);
        for id in ids(&token.roles).collect::<BTreeSet<String>>() {
            // What a link leads to can have been deleted: then the link gives nothing.
            let Some(role) = store::role(self.read, &id)? else { continue };
            policies.extend(ids(&role.policies));
            self.identities(&role.service_identities, &role.node_identities, &role.templated_policies);
        }
        for id in policies {
            self.policy(&id)?;
        }
        Ok(self.rules)
    }

    fn policy(&mut self, id: &str) -> Result<(), Unresolved> {
        match store::policy(self.read, id)? {
            Some(policy) if self.is_here(&policy.datacenters) => {
                let rules = Rules::parse(&policy.rules, Repeats::LastHolds);
                let rules = rules.map_err(|source| Unresolved::Rules { policy: policy.name, source })?;
                self.rules.merge(&rules);
            }
            _ => {}
        }
        Ok(())
    }

    fn identities(
        &mut self,
        services: &Option<Vec<ServiceIdentity>>,
        nodes: &Option<Vec<NodeIdentity>>,
        templated: &Option<Vec<TemplatedPolicy>>,
    ) {
        for service in services.iter().flatten() {
            if self.is_here(&service.datacenters) {
                self.rules.merge(&Template::Service.rules(&service.service_name));
            }
        }
        for node in nodes.iter().flatten() {
            if node.datacenter == self.datacenter {
                self.rules.merge(&Template::Node.rules(&node.node_name));
            }
        }
        for policy in templated.iter().flatten() {
            // A template of a later release gives nothing here.
            let template = Template::named(&policy.template_name);
            let name = policy.variables.as_ref().map_or("", |variables| &variables.name);
            if let Some(template) = template.filter(|_| self.is_here(&policy.datacenters)) {
                self.rules.merge(&template.rules(name));
            }
        }
    }

    fn is_here(&self, datacenters: &Option<Vec<String>>) -> bool {
        let datacenters = datacenters.as_deref().unwrap_or_default();
        datacenters.is_empty() || datacenters.iter().any(|datacenter| datacenter == self.datacenter)
    }
}

fn ids(links: &Option<Vec<archive::consul::Link>>) -> impl Iterator<Item = String> {
    links.iter().flatten().map(|link| link.id.clone())
}
