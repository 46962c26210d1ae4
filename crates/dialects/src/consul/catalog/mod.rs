//! Nodes and services: `/v1/catalog/…`.
//!
//! Follows `hashicorp/consul:agent/catalog_endpoint.go`.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use archive::consul::{Check, Node, Service};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use node::Kind;
use records::consul::acl::{Authorizer, vet_deregister, vet_register};
use records::consul::{
    self, Answer, Command, Deregister, InstanceFilter, NodeMeta, NodeServices, Register,
    node_services as find_node, nodes as find_nodes, service_instances, services as find_services,
};
use records::{Op, View};
use serde::Serialize;
use serde_json::Value;

use super::App;
use super::access::{Caller, Sight, sees_part, sees_service};
use super::blocking;
use super::kv::{VALUE_HELP, read_body};
use super::params::{Query, ReadOptions, below, refuse_tenancy};
use super::reply::{Failure, Reply, json};
use crate::http::filter::{Filter, kept};
use crate::http::shape::{Members, Shown};
use shapes::ServiceNode;

pub(super) async fn register(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    caller: Caller,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let value = decode_body(&app, body).await?;
    let register = asked_register(value, &app.node.settings().datacenter)?;
    let vet = move |view: &View, may: &Arc<Authorizer>| {
        vet_register(view, may, &register)?;
        Ok(register)
    };
    let register = caller.vet(vet).await?;
    let reply = app.node.change(Op::Consul(Command::Register(register))).await?;
    Ok(json(&query, &done(reply)?))
}

pub(super) async fn deregister(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    caller: Caller,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let value = decode_body(&app, body).await?;
    let deregister = asked_deregister(value, &app.node.settings().datacenter)?;
    let vet = move |view: &View, may: &Arc<Authorizer>| {
        vet_deregister(view, may, &deregister)?;
        Ok(deregister)
    };
    let deregister = caller.vet(vet).await?;
    // What it removes frees space.
    let reply = app.node.change_on_full_disk(Op::Consul(Command::Deregister(deregister))).await?;
    Ok(json(&query, &done(reply)?))
}

/// The JSON in a body.
pub(super) async fn decode_body(app: &App, body: Body) -> Result<Value, Failure> {
    let body = read_body(app, body, VALUE_HELP).await?;
    serde_json::from_slice(&body).map_err(|error| undecodable(&error))
}

pub(super) fn undecodable(why: &dyn std::fmt::Display) -> Failure {
    Failure::invalid(format!("Request decode failed: {why}"))
}

/// A registration as it is asked for (`hashicorp/consul:agent/structs/structs.go`, `RegisterRequest`).
fn asked_register(value: Value, datacenter: &str) -> Result<Register, Failure> {
    let read = |members: &mut Members| {
        let node = Node {
            id: members.take("ID")?,
            node: members.take("Node")?,
            address: members.take("Address")?,
            datacenter: members.take("Datacenter")?,
            tagged_addresses: members.take("TaggedAddresses")?,
            meta: members.take("NodeMeta")?,
            peer_name: members.take("PeerName")?,
            ..Node::default()
        };
        let check: Option<Check> = members.take("Check")?;
        let checks: Option<Vec<Check>> = members.take("Checks")?;
        let register = Register {
            node,
            skip_node_update: members.take("SkipNodeUpdate")?,
            service: members.take::<Option<Service>>("Service")?.map(Box::new),
            checks: checks.unwrap_or_default().into_iter().chain(check).collect(),
        };
        // Known to the genuine server, and of no account here.
        for name in ["CreateIndex", "Locality", "ModifyIndex", "Token"] {
            members.take_raw(name);
        }
        Ok(register)
    };
    let mut register = whole(value, read)?;
    settle_datacenter(&mut register.node.datacenter, datacenter)?;
    Ok(register)
}

fn asked_deregister(value: Value, datacenter: &str) -> Result<Deregister, Failure> {
    let read = |members: &mut Members| {
        let deregister = Deregister {
            node: members.take("Node")?,
            service_id: members.take("ServiceID")?,
            check_id: members.take("CheckID")?,
        };
        // Obsolete, and still sent.
        for name in ["Address", "Token"] {
            members.take_raw(name);
        }
        let peer: String = members.take("PeerName")?;
        if !peer.is_empty() {
            return Err("what comes from a peer can't be deregistered".to_owned());
        }
        Ok((members.take("Datacenter")?, deregister))
    };
    let (mut asked, deregister): (String, _) = whole(value, read)?;
    settle_datacenter(&mut asked, datacenter)?;
    Ok(deregister)
}

/// Reads a whole object: members that nobody takes are refused.
fn whole<T>(value: Value, read: impl Fn(&mut Members) -> Result<T, String>) -> Result<T, Failure> {
    let read = || {
        let mut members = Members::of(value)?;
        let read = read(&mut members)?;
        members.finish().map(|()| read)
    };
    read().map_err(|why| undecodable(&why))
}

/// A request for another datacenter has to say so in its query: by that alone it is passed on.
fn settle_datacenter(asked: &mut String, own: &str) -> Result<(), Failure> {
    if asked.is_empty() {
        own.clone_into(asked);
    }
    if asked == own { Ok(()) } else { Err(Failure::genuine(Kind::NotFound, "No path to datacenter")) }
}

fn done(reply: records::Reply) -> Result<bool, Failure> {
    match reply {
        records::Reply::Consul(consul::Reply::Done) => Ok(true),
        records::Reply::Consul(consul::Reply::Failed(text)) => Err(Failure::genuine(Kind::Invalid, text)),
        other => Err(Failure::unexpected(&other)),
    }
}

/// What every read of the catalog asks for.
pub(super) struct Asked {
    pub(super) options: ReadOptions,
    /// Pairs that the meta data of a node must hold.
    pub(super) node_meta: NodeMeta,
}

impl Asked {
    /// Refuses what would make the answer another one and isn't understood here. `near` only sorts.
    pub(super) fn parse(query: &Query, headers: &HeaderMap) -> Result<Asked, Failure> {
        let options = ReadOptions::parse(query)?;
        refuse_tenancy(query, headers)?;
        let filled = ["peer"].into_iter().find(|name| query.filled(name).is_some());
        let present = ["merge-central-config"].into_iter().find(|name| query.has(name));
        if let Some(name) = filled.or(present) {
            return Err(Failure::invalid(format!("Stillpoint does not serve the parameter {name}")));
        }
        let pairs = query.all("node-meta").map(|pair| pair.split_once(':').unwrap_or((pair, "")));
        let node_meta = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Asked { options, node_meta })
    }

    /// The instances that are meant: with these tags and this meta data.
    pub(super) fn instances(self, query: &Query, in_mesh: bool) -> InstanceFilter {
        InstanceFilter {
            tags: query.all("tag").map(str::to_owned).collect(),
            node_meta: self.node_meta,
            in_mesh,
        }
    }
}

/// The name at the end of a path.
pub(super) fn name(uri: &Uri, prefix: &str, missing: &'static str) -> Result<String, Failure> {
    Some(below(uri, prefix)?).filter(|name| !name.is_empty()).ok_or_else(|| Failure::invalid(missing))
}

/// Answers with what a read finds, made into JSON by `show`. It counts as found even if it is empty, as for
/// the genuine server.
pub(super) async fn answer<T: Send + 'static>(
    caller: &Caller,
    query: &Query,
    options: ReadOptions,
    find: impl Fn(&View, &mut Sight) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
    show: impl Fn(&Query, &T) -> Reply,
) -> Reply {
    let (headers, found) = blocking::read(caller, options, find, |_| true).await?;
    Ok((headers, show(query, &found)?).into_response())
}

/// What `?filter` lets through of a list as it is shown. Whoever asks has left out what may not be seen.
pub(super) fn filtered<T: Serialize>(
    filter: Option<&Filter>,
    shown: impl Iterator<Item = T>,
) -> Result<Vec<T>, Failure> {
    kept(filter, shown.collect(), |filter, shown| filter.passes_shown(shown))
}

/// A list that was read as its iterator is, at once, without what may not be seen.
pub(super) fn collected<T>(
    answer: Answer<impl Iterator<Item = Result<T, records::Error>>>,
    sight: &mut Sight,
    sees: impl Fn(&Authorizer, &T) -> bool,
) -> Result<Answer<Vec<T>>, Failure> {
    let mut value = answer.value.collect::<Result<_, _>>()?;
    sight.keep(&mut value, sees);
    Ok(Answer { index: answer.index, value })
}

/// Makes a list that is null an empty one.
pub(super) fn no_nulls(list: &mut Option<Vec<String>>) {
    list.get_or_insert_default();
}

pub(super) async fn nodes(Extension(query): Extension<Query>, headers: HeaderMap, caller: Caller) -> Reply {
    let Asked { options, node_meta } = Asked::parse(&query, &headers)?;
    let find = move |view: &View, sight: &mut Sight| {
        collected(find_nodes(view, &node_meta)?, sight, |may, node| may.node_read(&node.node).is_ok())
    };
    let filter = Filter::consul(&query, "Node")?;
    let show = |query: &Query, nodes: &Vec<Node>| {
        Ok(json(query, &filtered(filter.as_ref(), nodes.iter().map(Shown))?))
    };
    answer(&caller, &query, options, find, show).await
}

pub(super) async fn services(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    caller: Caller,
) -> Reply {
    let Asked { options, node_meta } = Asked::parse(&query, &headers)?;
    let filter = Filter::consul(&query, "ServiceNode")?.map(Arc::new);
    let find = move |view: &View, sight: &mut Sight| {
        let mut answer = find_services(view, &node_meta)?;
        let before = answer.value.len();
        answer.value.retain(|name, _| sees_service(&sight.may, name));
        sight.hides = answer.value.len() != before;
        if let Some(filter) = &filter {
            answer.value = tags_of_filtered(view, sight, filter, &node_meta, answer.value.into_keys())?;
        }
        Ok(answer)
    };
    answer(&caller, &query, options, find, |query, found| Ok(json(query, found))).await
}

/// The services, by name, with the tags of those of their instances that a filter lets through.
fn tags_of_filtered(
    view: &View,
    sight: &mut Sight,
    filter: &Filter,
    node_meta: &NodeMeta,
    names: impl Iterator<Item = String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let all = InstanceFilter { tags: Vec::new(), node_meta: node_meta.clone(), in_mesh: false };
    for name in names {
        let instances = collected(service_instances(view, &name, &all)?, sight, |may, found| {
            sees_part(may, &found.node.node, &found.service.service)
        })?;
        for found in instances.value {
            if filter.passes_shown(&ServiceNode::new(&found.node, &found.service))? {
                tags.entry(name.clone()).or_default().extend(found.service.tags.into_iter().flatten());
            }
        }
    }
    Ok(tags)
}

/// A node and its services by their ids; null if there is no such node.
pub(super) async fn node(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ById<'a> {
        node: Shown<'a, Node>,
        services: BTreeMap<&'a str, Shown<'a, Service>>,
    }
    let options = Asked::parse(&query, &headers)?.options;
    let name = name(&uri, "/v1/catalog/node/", "Missing node name")?;
    let filter = Filter::consul(&query, "NodeService")?;
    answer(&caller, &query, options, with_tags(name), |query, found| {
        let by_id = |NodeServices { node, services }: &NodeServices| {
            let shown = filtered(filter.as_ref(), services.iter().map(Shown))?;
            let services = shown.into_iter().map(|service| (service.0.id.as_str(), service)).collect();
            Ok::<_, Failure>(json(query, &ById { node: Shown(node), services }))
        };
        found.as_ref().map_or_else(|| Ok(json(query, &Value::Null)), by_id)
    })
    .await
}

/// A node and the list of its services; nulls if there is no such node, or if it has none.
pub(super) async fn node_services(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    #[derive(Default, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed<'a> {
        node: Option<Shown<'a, Node>>,
        services: Option<Vec<Shown<'a, Service>>>,
    }
    let options = Asked::parse(&query, &headers)?.options;
    let name = name(&uri, "/v1/catalog/node-services/", "Missing node name")?;
    let filter = Filter::consul(&query, "NodeService")?;
    answer(&caller, &query, options, with_tags(name), |query, found| {
        let Some(NodeServices { node, services }) = found else { return Ok(json(query, &Listed::default())) };
        let shown = filtered(filter.as_ref(), services.iter().map(Shown))?;
        let services = Some(shown).filter(|_| !services.is_empty());
        Ok(json(query, &Listed { node: Some(Shown(node)), services }))
    })
    .await
}

/// Finds a node and its services, whose tags are shown as lists even where there are none. Each service is
/// judged by its name, where genuine servers take its id for one.
fn with_tags(
    name: String,
) -> impl Fn(&View, &mut Sight) -> Result<Answer<Option<NodeServices>>, Failure> + Clone + Send + 'static {
    move |view, sight| {
        let mut answer = find_node(view, &name)?;
        if let Some(found) = &mut answer.value {
            sight.keep(&mut found.services, |may, service| sees_service(may, &service.service));
        }
        if answer.value.as_ref().is_some_and(|found| sight.may.node_read(&found.node.node).is_err()) {
            (answer.value, sight.hides) = (None, true);
        }
        let services = answer.value.iter_mut().flat_map(|found| &mut found.services);
        services.for_each(|service| no_nulls(&mut service.tags));
        Ok(answer)
    }
}

pub(super) async fn service(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    instances(&caller, &query, &headers, name(&uri, "/v1/catalog/service/", "Missing service name"), false)
        .await
}

/// Instances that make a service part of the mesh. They are shown to those who may see the service, too.
pub(super) async fn connect(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    instances(&caller, &query, &headers, name(&uri, "/v1/catalog/connect/", "Missing service name"), true)
        .await
}

async fn instances(
    caller: &Caller,
    query: &Query,
    headers: &HeaderMap,
    name: Result<String, Failure>,
    in_mesh: bool,
) -> Reply {
    let asked = Asked::parse(query, headers)?;
    let (options, name) = (asked.options, name?);
    let wanted = asked.instances(query, in_mesh);
    let find = move |view: &View, sight: &mut Sight| {
        collected(service_instances(view, &name, &wanted)?, sight, |may, found| {
            sees_part(may, &found.node.node, &found.service.service)
                && (!in_mesh || may.service_read(&name).is_ok())
        })
    };
    let filter = Filter::consul(query, "ServiceNode")?;
    answer(caller, query, options, find, |query, found| {
        let shown = found.iter().map(|found| ServiceNode::new(&found.node, &found.service));
        Ok(json(query, &filtered(filter.as_ref(), shown)?))
    })
    .await
}
