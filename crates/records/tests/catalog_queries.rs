//! What queries tell of nodes, services and their health, and with which index.

mod catalog_support;
mod kv_support;

use std::collections::{BTreeMap, BTreeSet};

use archive::consul::{Node, Proxy, Service};
use records::consul::{
    CheckState, Health, InstanceFilter, NodeMeta, checks_in_state, node_checks, node_services, nodes,
    service_checks, service_health, service_instances, services,
};

use catalog_support::{
    check, check_of, deregister, meta, node, register_check, register_node, register_service, service,
};
use kv_support::Machine;

/// Nodes `a` (Linux) and `b`, each with an instance of `web`; on `a` it is tagged and its check warns, on `b`
/// a check of the node is critical.
fn furnished() -> Machine {
    let mut machine = Machine::new();
    machine.done(register_node(Node { meta: Some(meta(&[("os", "linux"), ("rack", "1")])), ..node("a") }));
    let tagged = Service { tags: Some(vec!["Fast".into(), "v1".into()]), ..service("web-1", "web") };
    let records::consul::Command::Register(mut register) = register_service("a", tagged) else { panic!() };
    register.skip_node_update = true;
    machine.done(records::consul::Command::Register(register));
    machine.done(register_service("b", service("web-2", "web")));
    let records::consul::Command::Register(mut register) =
        register_check("a", check_of("web-1", "web-alive", "warning"))
    else {
        panic!()
    };
    register.skip_node_update = true;
    machine.done(records::consul::Command::Register(register));
    machine.done(register_check("b", check("alive", "critical")));
    machine
}

fn linux() -> NodeMeta {
    meta(&[("os", "linux")])
}

fn names(machine: &Machine, meta: &NodeMeta) -> Vec<String> {
    nodes(&machine.view(), meta)
        .expect("as the test set it up")
        .value
        .map(|node| node.expect("as the test set it up").node)
        .collect()
}

fn instances(machine: &Machine, filter: &InstanceFilter) -> Vec<String> {
    let view = machine.view();
    let found = service_instances(&view, "WEB", filter).expect("as the test set it up").value;
    found
        .map(|found| found.expect("as the test set it up"))
        .map(|found| format!("{}/{}", found.node.node, found.service.id))
        .collect()
}

fn healthy(machine: &Machine, health: Health) -> Vec<String> {
    let view = machine.view();
    let filter = InstanceFilter::default();
    let found = service_health(&view, "web", &filter, health).expect("as the test set it up").value;
    found.map(|found| found.expect("as the test set it up").service.id).collect()
}

#[test]
fn an_empty_catalog_answers_index_1() {
    let machine = Machine::new();
    let (view, any, filter) = (machine.view(), NodeMeta::new(), InstanceFilter::default());
    assert_eq!(nodes(&view, &any).unwrap().index, 1);
    assert_eq!(services(&view, &any).unwrap().index, 1);
    assert_eq!(node_services(&view, "n").unwrap().index, 1);
    assert_eq!(service_instances(&view, "web", &filter).unwrap().index, 1);
    assert_eq!(service_health(&view, "web", &filter, Health::Any).unwrap().index, 1);
    assert_eq!(node_checks(&view, "n").unwrap().index, 1);
    assert_eq!(checks_in_state(&view, &CheckState::Any, &any).unwrap().index, 1);
}

#[test]
fn nodes_are_told_by_name_and_by_meta_data() {
    let machine = furnished();
    assert_eq!(names(&machine, &NodeMeta::new()), ["a", "b"]);
    assert_eq!(names(&machine, &linux()), ["a"]);
    assert_eq!(names(&machine, &meta(&[("os", "linux"), ("rack", "2")])), [""; 0]);
}

#[test]
fn services_are_told_with_the_tags_of_all_instances() {
    let machine = furnished();
    let tags = BTreeSet::from(["Fast".to_owned(), "v1".to_owned()]);
    let expected = BTreeMap::from([("web".to_owned(), tags)]);
    assert_eq!(services(&machine.view(), &NodeMeta::new()).unwrap().value, expected);
    let elsewhere = services(&machine.view(), &meta(&[("os", "plan9")])).unwrap();
    assert_eq!(elsewhere.value, BTreeMap::new());
}

#[test]
fn instances_are_chosen_by_tags_and_by_their_node_s_meta_data() {
    let machine = furnished();
    assert_eq!(instances(&machine, &InstanceFilter::default()), ["a/web-1", "b/web-2"]);
    let tagged = |tags: &[&str]| InstanceFilter {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..InstanceFilter::default()
    };
    assert_eq!(instances(&machine, &tagged(&["fast", "V1"])), ["a/web-1"]);
    assert_eq!(instances(&machine, &tagged(&["fast", "v2"])), [""; 0]);
    let on_linux = InstanceFilter { node_meta: linux(), ..InstanceFilter::default() };
    assert_eq!(instances(&machine, &on_linux), ["a/web-1"]);
}

#[test]
fn health_is_told_by_the_node_s_checks_and_the_service_s_own() {
    let mut machine = furnished();
    machine.done(register_service("b", service("db", "db")));
    machine.done(register_check("b", check_of("db", "db-alive", "critical")));
    assert_eq!(healthy(&machine, Health::Any), ["web-1", "web-2"]);
    assert_eq!(healthy(&machine, Health::NotCritical), ["web-1"]);
    assert_eq!(healthy(&machine, Health::Passing), [""; 0]);
    machine.done(register_check("b", check("alive", "passing")));
    assert_eq!(healthy(&machine, Health::Passing), ["web-2"]);
    let view = machine.view();
    let filter = InstanceFilter::default();
    let found = service_health(&view, "web", &filter, Health::Any).unwrap().value;
    let checks: Vec<Vec<String>> =
        found.map(|found| found.unwrap().checks.into_iter().map(|check| check.check_id).collect()).collect();
    assert_eq!(checks, [["web-alive"], ["alive"]]);
}

#[test]
fn checks_are_told_by_node_service_and_state() {
    let machine = furnished();
    let view = machine.view();
    let any = NodeMeta::new();
    let of_node: Vec<String> =
        node_checks(&view, "B").unwrap().value.into_iter().map(|check| check.check_id).collect();
    assert_eq!(of_node, ["alive"]);
    let of_service = |meta: &NodeMeta| -> Vec<String> {
        let found = service_checks(&view, "Web", meta).unwrap().value;
        found.map(|check| check.unwrap().check_id).collect()
    };
    assert_eq!(of_service(&any), ["web-alive"]);
    assert_eq!(of_service(&meta(&[("os", "plan9")])), [""; 0]);
    let in_state = |state: CheckState, meta: &NodeMeta| -> Vec<String> {
        let found = checks_in_state(&view, &state, meta).unwrap().value;
        found.map(|check| check.unwrap().check_id).collect()
    };
    assert_eq!(in_state(CheckState::Any, &any), ["web-alive", "alive"]);
    assert_eq!(in_state(CheckState::Any, &linux()), ["web-alive"]);
    assert_eq!(in_state(CheckState::Is("Critical".into()), &any), ["alive"]);
    assert_eq!(in_state(CheckState::Is("passing".into()), &any), [""; 0]);
}

#[test]
fn instances_in_the_mesh_are_found_by_what_they_stand_for() {
    let mut machine = furnished();
    let proxy = Proxy { destination_service_name: "web".into(), ..Proxy::default() };
    machine.done(register_service("b", Service { kind: "connect-proxy".into(), proxy, ..service("p", "p") }));
    let in_mesh = InstanceFilter { in_mesh: true, ..InstanceFilter::default() };
    assert_eq!(instances(&machine, &in_mesh), ["b/p"]);
    assert_eq!(instances(&machine, &InstanceFilter::default()), ["a/web-1", "b/web-2"]);
}

#[test]
fn an_answer_s_index_moves_with_what_it_tells_and_not_with_the_rest() {
    let mut machine = furnished();
    let web = |machine: &Machine| {
        let (view, filter) = (machine.view(), InstanceFilter::default());
        service_health(&view, "web", &filter, Health::Passing).unwrap().index
    };
    let before = web(&machine);
    machine.done(register_node(node("c")));
    assert_eq!(web(&machine), before, "another node is of no concern");
    machine.done(register_check("b", check("alive", "passing")));
    assert_eq!(web(&machine), machine.view().state().index, "a check of its node is");
    machine.done(register_node(Node { address: "10.0.0.9".into(), ..node("b") }));
    assert_eq!(web(&machine), machine.view().state().index, "its node's address is");
    let of_node = |machine: &Machine, name: &str| node_services(&machine.view(), name).unwrap().index;
    let (a, b) = (of_node(&machine, "a"), of_node(&machine, "b"));
    machine.done(register_service("b", service("db", "db")).keeping_node());
    assert_eq!(of_node(&machine, "a"), a);
    assert!(of_node(&machine, "b") > b);
}

trait KeepingNode {
    fn keeping_node(self) -> Self;
}

impl KeepingNode for records::consul::Command {
    fn keeping_node(self) -> Self {
        let records::consul::Command::Register(register) = self else { panic!("not a registration") };
        records::consul::Command::Register(records::consul::Register { skip_node_update: true, ..register })
    }
}

#[test]
fn an_index_never_falls_when_the_last_instance_goes() {
    let mut machine = furnished();
    let index = |machine: &Machine| {
        let (view, filter) = (machine.view(), InstanceFilter::default());
        service_instances(&view, "web", &filter).unwrap().index
    };
    let before = index(&machine);
    machine.done(deregister("a", "web-1", ""));
    machine.done(deregister("b", "web-2", ""));
    let after = index(&machine);
    assert!(after > before);
    machine.done(deregister("b", "", ""));
    assert_eq!(index(&machine), after);
    assert_eq!(node_services(&machine.view(), "b").unwrap().index, machine.view().state().index);
}
