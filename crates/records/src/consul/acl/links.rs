//! What tokens and roles may link to: checked, each once, by id.
//!
//! Follows `hashicorp/consul:agent/consul/auth/token_writer.go` and `hashicorp/consul:acl/validation.go`.

use std::collections::{BTreeMap, BTreeSet};

use archive::consul::{Link, NodeIdentity, ServiceIdentity, TemplatedPolicy};

use super::builtin::Template;
use super::refusal::{Failure, Refusal};
use super::store;
use crate::Read;
use crate::quote::Quoted;

const IDENTITY_BYTES_MAX: usize = 256;

/// The links to policies, by id and present name. Links may come with an id or a name.
pub(super) fn policies(read: &dyn Read, links: Option<Vec<Link>>) -> Result<Option<Vec<Link>>, Failure> {
    resolve(links, |link| {
        let found = match link.id.is_empty() {
            true => store::policy_by_name(read, &link.name)?,
            false => store::policy(read, &link.id)?,
        };
        found.map(|policy| Link { id: policy.id, name: policy.name }).ok_or_else(|| missing("policy", link))
    })
}

/// The links to roles, by id and present name.
pub(super) fn roles(read: &dyn Read, links: Option<Vec<Link>>) -> Result<Option<Vec<Link>>, Failure> {
    resolve(links, |link| {
        let found = match link.id.is_empty() {
            true => store::role_by_name(read, &link.name)?,
            false => store::role(read, &link.id)?,
        };
        found.map(|role| Link { id: role.id, name: role.name }).ok_or_else(|| missing("role", link))
    })
}

/// The service identities of a token or role, one for each service.
pub(super) fn services(
    identities: Option<Vec<ServiceIdentity>>,
    of: &'static str,
    is_local: bool,
) -> Result<Option<Vec<ServiceIdentity>>, Refusal> {
    let mut found: Vec<ServiceIdentity> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for mut identity in identities.into_iter().flatten() {
        let quoted = || Quoted(identity.service_name.clone().into());
        let has_datacenters = identity.datacenters.as_ref().is_some_and(|list| !list.is_empty());
        match () {
            () if identity.service_name.is_empty() => return Err(Refusal::NoServiceName(of)),
            () if is_local && has_datacenters => return Err(Refusal::DatacentersOfLocal(quoted())),
            () if !is_identity_name(&identity.service_name) => return Err(Refusal::ServiceName(quoted())),
            () => {}
        }
        if let Some(datacenters) = &mut identity.datacenters {
            datacenters.sort();
        }
        match places.get(&identity.service_name) {
            Some(place) => merge(&mut found[*place].datacenters, identity.datacenters),
            None => {
                places.insert(identity.service_name.clone(), found.len());
                found.push(identity);
            }
        }
    }
    // Genuine servers write an empty list here where the others are nil.
    Ok(Some(found))
}

/// The node identities of a token or role, each once.
pub(super) fn nodes(
    identities: Option<Vec<NodeIdentity>>,
    of: &'static str,
) -> Result<Option<Vec<NodeIdentity>>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for identity in identities.into_iter().flatten() {
        match () {
            () if identity.node_name.is_empty() => return Err(Refusal::NoNodeName(of)),
            () if identity.datacenter.is_empty() => return Err(Refusal::NoNodeDatacenter(of)),
            () if !is_identity_name(&identity.node_name) => return Err(Refusal::NodeName),
            () => {}
        }
        if seen.insert((identity.node_name.clone(), identity.datacenter.clone())) {
            found.push(identity);
        }
    }
    Ok(some(found))
}

/// The templated policies of a token or role, each once for each name.
pub(super) fn templated(
    policies: Option<Vec<TemplatedPolicy>>,
    of: &'static str,
) -> Result<Option<Vec<TemplatedPolicy>>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for mut policy in policies.into_iter().flatten() {
        let quoted = || Quoted(policy.template_name.clone().into());
        if policy.template_name.is_empty() {
            return Err(Refusal::NoTemplateName(of));
        }
        let template = Template::named(&policy.template_name).ok_or_else(|| Refusal::NoTemplate(quoted()))?;
        let name = policy.variables.as_ref().map_or("", |variables| &variables.name);
        if template.needs_name() {
            match name {
                "" => return Err(Refusal::NoTemplateVariable(quoted())),
                name if !is_identity_name(name) => {
                    let name = Quoted(name.to_owned().into());
                    return Err(Refusal::TemplateVariable { template: quoted(), name });
                }
                _ => {}
            }
        }
        let name = if template.needs_name() { name.to_owned() } else { String::new() };
        if seen.insert((policy.template_name.clone(), name)) {
            policy.template_id = template.id().into();
            found.push(policy);
        }
    }
    Ok(some(found))
}

fn resolve(
    links: Option<Vec<Link>>,
    find: impl Fn(&Link) -> Result<Link, Failure>,
) -> Result<Option<Vec<Link>>, Failure> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for link in links.into_iter().flatten() {
        let link = find(&link)?;
        if seen.insert(link.id.clone()) {
            found.push(link);
        }
    }
    Ok(some(found))
}

fn missing(what: &'static str, link: &Link) -> Failure {
    let quoted = |text: &str| Quoted(text.to_owned().into());
    let refusal = match link.id.is_empty() {
        true => Refusal::NoSuchName { what, name: quoted(&link.name) },
        false => Refusal::NoSuchId { what, id: quoted(&link.id) },
    };
    refusal.into()
}

/// No datacenters means all of them, yet genuine servers add up what is said.
fn merge(datacenters: &mut Option<Vec<String>>, more: Option<Vec<String>>) {
    let mut all: BTreeSet<String> = more.into_iter().flatten().collect();
    all.extend(datacenters.take().into_iter().flatten());
    *datacenters = some(all.into_iter().collect());
}

/// Genuine servers hold no links as nil.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Lower-case letters and digits, with `-` and `_` between them.
fn is_identity_name(name: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=IDENTITY_BYTES_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| is_edge(byte) || matches!(byte, b'-' | b'_'))
        && bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
}
