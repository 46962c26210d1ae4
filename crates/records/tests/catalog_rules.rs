//! Consul's rules for nodes, services and checks, one by one.

mod catalog_support;
mod kv_support;

use archive::consul::{
    Check, Definition, Node, Opaque, Proxy, Registration, Service, Upstream, Weights, kinds,
};
use archive::msgpack::Encoder;
use records::consul::{
    CheckOp, Command, NodeOp, Register, Reply, ServiceOp, TxnOp, TxnResult, Verb, node_services, txn_read,
};
use records::{Read, Record};

use catalog_support::{
    check, check_of, deregister, meta, node, register_check, register_node, register_service, service,
};
use kv_support::Machine;

const ID: &str = "065c1172-84a8-0bd1-269c-d24b2d0fb903";
const OTHER_ID: &str = "c0ffee00-84a8-0bd1-269c-d24b2d0fb903";

fn with_id(name: &str, id: &str) -> Node {
    Node { id: id.into(), ..node(name) }
}

/// The node of that name as queries show it.
fn found(machine: &Machine, name: &str) -> Option<Node> {
    node_services(&machine.view(), name).expect("query").value.map(|found| found.node)
}

fn found_service(machine: &Machine, on: &str, id: &str) -> Option<Service> {
    let found = node_services(&machine.view(), on).expect("query").value?;
    found.services.into_iter().find(|service| service.id == id)
}

fn found_check(machine: &Machine, on: &str, id: &str) -> Option<Check> {
    let checks = records::consul::node_checks(&machine.view(), on).expect("query").value;
    checks.into_iter().find(|check| check.check_id == id)
}

/// A node `n` with services `web` and `db`, and a check of the node and of each.
fn furnished() -> Machine {
    let mut machine = Machine::new();
    machine.done(register_service("n", service("web", "web")));
    machine.done(register_service("n", service("db", "db")));
    machine.done(register_check("n", check("alive", "passing")));
    machine.done(register_check("n", check_of("web", "web-alive", "passing")));
    machine.done(register_check("n", check_of("db", "db-alive", "passing")));
    machine
}

#[test]
fn a_node_is_stored_as_genuine_servers_do() {
    let mut machine = Machine::new();
    let asked = Node { meta: Some(meta(&[("os", "linux")])), ..with_id("Foo", ID) };
    machine.done(register_node(asked.clone()));
    let expected = Node { create_index: 2, modify_index: 2, ..asked };
    assert_eq!(machine.stored(b"\0foo"), Registration::of_node(expected.clone()).encode());
    assert_eq!(machine.touched(), ["nodes", "peer.~:node.Foo", "peer.~:nodes"]);
    assert_eq!(found(&machine, "FOO"), Some(expected));
}

#[test]
fn a_service_and_its_checks_come_with_their_node() {
    let mut machine = Machine::new();
    let of_web = Check { name: "web is alive".into(), ..check_of("web", "", "passing") };
    let checks = vec![check("alive", ""), of_web];
    let asked = Service { tags: Some(vec!["a".into()]), ..service("", "web") };
    let register =
        Register { node: node("n"), skip_node_update: false, service: Some(Box::new(asked)), checks };
    machine.done(Command::Register(register));
    let expected = Service {
        id: "web".into(),
        tags: Some(vec!["a".into()]),
        weights: Some(Weights { passing: 1, warning: 1 }),
        create_index: 2,
        modify_index: 2,
        ..service("web", "web")
    };
    let on = Node { create_index: 2, modify_index: 2, ..node("n") };
    let bytes = Registration::of_service(on.clone(), expected).encode();
    assert_eq!(machine.stored(b"\0n\0S\0web"), bytes);
    let expected = Check {
        node: "n".into(),
        check_id: "web is alive".into(),
        name: "web is alive".into(),
        service_name: "web".into(),
        service_tags: Some(vec!["a".into()]),
        create_index: 2,
        modify_index: 2,
        ..check_of("web", "", "passing")
    };
    assert_eq!(machine.stored(b"\0n\0c\0web is alive"), Registration::of_check(on, expected).encode());
    assert_eq!(found_check(&machine, "n", "alive").unwrap().status, "critical");
    let expected = [
        "checks",
        "kind_service_names.typical",
        "nodes",
        "peer.~:checks",
        "peer.~:node.n",
        "peer.~:nodes",
        "peer.~:service.web",
        "peer.~:service_kind.typical",
        "peer.~:services",
        "service_kind.typical",
        "services",
    ];
    assert_eq!(machine.touched(), expected);
}

#[test]
fn a_registration_that_says_nothing_new_changes_nothing() {
    let mut machine = furnished();
    let before = machine.contents();
    machine.done(register_node(node("n")));
    machine.done(register_service("N", service("web", "web")));
    machine.done(register_check("n", check_of("web", "web-alive", "passing")));
    machine.done(register_service("n", Service { socket_path: "/s".into(), ..service("web", "web") }));
    assert!(machine.contents() == before, "genuine servers don't look at the socket either");
}

#[test]
fn only_what_changed_moves_its_indexes() {
    let mut machine = furnished();
    machine.done(register_check("n", check_of("web", "web-alive", "critical")));
    let of_web = ["peer.~:service.web", "peer.~:service_kind.typical", "service_kind.typical"];
    let mut expected: Vec<&str> = vec!["checks", "peer.~:checks"];
    expected.extend(of_web);
    expected.sort_unstable();
    assert_eq!(machine.touched(), expected);

    machine.done(register_check("n", check("alive", "warning")));
    expected.insert(2, "peer.~:service.db");
    assert_eq!(machine.touched(), expected, "a check of the node is shown with all its services");
}

#[test]
fn a_check_s_change_touches_its_record_alone_and_loses_nothing_of_it() {
    let mut proxy = Proxy { destination_service_name: "web".into(), ..Proxy::default() };
    let mut config = Encoder::new();
    config.map(2).raw("b").uint(2).raw("a").float(1.0);
    proxy.config = Opaque::new(config.into_bytes()).unwrap();
    let sidecar = Service { kind: "connect-proxy".into(), proxy, ..service("web-proxy", "web-proxy") };
    let definition = Definition { http: "http://localhost".into(), interval_ns: 10, ..Definition::default() };
    let on = Node { create_index: 1, modify_index: 1, ..node("n") };
    let of_check = Check { node: "n".into(), definition, ..check_of("web-proxy", "alive", "passing") };
    let mut image = [
        Registration::of_node(on.clone()).encode(),
        Registration::of_service(on.clone(), sidecar).encode(),
        Registration::of_check(on, of_check.clone()).encode(),
    ];
    // A field of a later release, in the record and in the check.
    image[2] = with_field(&image[2], "Zone", &with_field(b"\x80", "Name", b"\xa1z"));
    let mut machine = Machine::new();
    machine.restore(image.iter().map(|bytes| record(bytes)).collect());

    let before = machine.contents();
    machine.done(register_check("n", Check { status: "critical".into(), ..of_check }));
    let after = machine.contents();
    let changed: Vec<_> = after.iter().filter(|record| !before.contains(record)).collect();
    let registrations: Vec<_> = changed.iter().filter(|(kind, _)| *kind == kinds::REGISTER).collect();
    assert_eq!(registrations.len(), 1);
    let (_, bytes) = registrations[0];
    let stored = Registration::decode(bytes).unwrap().check.unwrap();
    assert_eq!((stored.status.as_str(), stored.definition.http.as_str()), ("critical", "http://localhost"));
    let value = archive::msgpack::Value::decode(bytes).unwrap();
    assert_eq!(value.get("Zone").and_then(|zone| zone.get("Name")?.as_str()), Some("z"));
    assert!(changed.iter().all(|(kind, _)| [kinds::REGISTER, kinds::INDEX].contains(kind)));
}

fn record(bytes: &[u8]) -> Record {
    Record { kind: kinds::REGISTER, bytes: bytes.to_vec().into() }
}

/// A map with one more field.
fn with_field(map: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let entries = archive::msgpack::Value::decode(map)
        .expect("as the test set it up")
        .as_map()
        .expect("as the test set it up")
        .len();
    let mut head = Encoder::new();
    head.map(entries);
    let mut out = Encoder::new();
    out.map(entries + 1).encoded(&map[head.into_bytes().len()..]).raw(name).encoded(value);
    out.into_bytes()
}

#[test]
fn a_node_s_change_is_told_by_each_of_its_records_and_no_other() {
    let mut machine = furnished();
    machine.done(register_service("other", service("web", "web")));
    let before = machine.contents();
    machine.done(register_node(Node { address: "10.0.0.2".into(), ..node("n") }));
    let after = machine.contents();
    let registrations = |records: &[(u8, bytes::Bytes)]| -> Vec<Registration> {
        let all = records.iter().filter(|(kind, _)| *kind == kinds::REGISTER);
        all.map(|(_, bytes)| Registration::decode(bytes).unwrap()).collect()
    };
    for (old, new) in registrations(&before).into_iter().zip(registrations(&after)) {
        assert_eq!((&new.service, &new.check), (&old.service, &old.check));
        let is_it = new.node.node == "n";
        assert_eq!(new.node.address, if is_it { "10.0.0.2" } else { "10.0.0.1" });
        assert_eq!(new.node != old.node, is_it);
    }
    let expected = [
        "nodes",
        "peer.~:node.n",
        "peer.~:nodes",
        "peer.~:service.db",
        "peer.~:service.web",
        "peer.~:service_kind.typical",
        "service_kind.typical",
    ];
    assert_eq!(machine.touched(), expected);
}

#[test]
fn a_node_that_is_to_be_left_alone_is_made_but_not_changed() {
    let mut machine = Machine::new();
    let skip =
        |node: Node| Command::Register(Register { node, skip_node_update: true, ..Register::default() });
    let bare = Node { node: "n".into(), ..Node::default() };
    machine.done(skip(bare.clone()));
    assert_eq!(found(&machine, "n").unwrap().address, "");
    machine.done(skip(Node { address: "10.9.9.9".into(), ..bare.clone() }));
    assert_eq!(found(&machine, "n").unwrap().address, "");
    assert_eq!(machine.refused(register_node(bare)), "Must provide address if SkipNodeUpdate is not set");
}

#[test]
fn a_node_with_the_uuid_of_another_is_that_one_renamed() {
    let mut machine = Machine::new();
    machine.done(register_node(with_id("old", ID)));
    machine.done(register_service("old", service("web", "web")).with_node(with_id("old", ID)));
    machine.done(register_node(with_id("new", ID)));
    assert_eq!(found(&machine, "old"), None);
    let renamed = found(&machine, "new").unwrap();
    assert_eq!((renamed.create_index, renamed.modify_index), (2, machine.view().index()));
    assert_eq!(found_service(&machine, "new", "web"), None, "what it had is gone");
    assert_eq!(machine.table("peer.~:node.old"), None);
    assert_eq!(machine.table("peer.~:service.web"), None);
}

trait WithNode {
    fn with_node(self, node: Node) -> Command;
}

impl WithNode for Command {
    fn with_node(self, node: Node) -> Command {
        let Command::Register(register) = self else { panic!("not a registration") };
        Command::Register(Register { node, ..register })
    }
}

#[test]
fn the_name_of_a_living_node_is_reserved() {
    let mut machine = Machine::new();
    machine.done(register_node(with_id("n", ID)));
    machine.done(register_node(with_id("m", OTHER_ID)));
    let serf =
        |status: &str| register_check("m", check("serfHealth", status)).with_node(with_id("m", OTHER_ID));
    machine.done(serf("passing"));
    let reserved = format!("Node name m is reserved by node {OTHER_ID} with name m (10.0.0.1)");
    let expected =
        format!("failed inserting node: Error while renaming Node ID: \"{ID}\" (10.0.0.1): {reserved}");
    assert_eq!(machine.refused(register_node(with_id("m", ID))), expected);
    let third = "11111111-84a8-0bd1-269c-d24b2d0fb903";
    let expected = format!("failed inserting node: Error while renaming Node ID: \"{third}\": {reserved}");
    assert_eq!(machine.refused(register_node(with_id("m", third))), expected);

    machine.done(serf("critical"));
    machine.done(register_node(with_id("m", ID)));
    assert_eq!(found(&machine, "n"), None, "a dead node's name can be taken");
    assert_eq!(found(&machine, "m").unwrap().id, ID);
}

#[test]
fn a_node_without_a_uuid_may_be_given_one() {
    let mut machine = Machine::new();
    machine.done(register_check("n", check("serfHealth", "passing")));
    machine.done(register_node(with_id("n", ID)));
    assert_eq!(found(&machine, "n").unwrap().id, ID);
    assert_eq!(found(&machine, "065c").unwrap().node, "n");
}

#[test]
fn nodes_are_found_by_the_beginning_of_their_uuid_if_it_is_the_only_one() {
    let mut machine = Machine::new();
    machine.done(register_node(with_id("a", ID)));
    machine.done(register_node(with_id("b", "065cffff-84a8-0bd1-269c-d24b2d0fb903")));
    assert_eq!(found(&machine, "065c1"), None, "half a byte is cut off");
    assert_eq!(found(&machine, "065C11").unwrap().node, "a");
    assert_eq!(found(&machine, "065c1172-84a8-0b").unwrap().node, "a");
    assert_eq!(found(&machine, "zz"), None);
}

#[test]
fn registrations_that_no_state_could_make_right_are_refused() {
    let mut machine = Machine::new();
    assert_eq!(machine.refused(register_node(node(""))), "Must provide node");
    let bad = |id: &str| register_node(with_id("n", id));
    assert_eq!(machine.refused(bad("abc")), "Bad node ID: uuid string is wrong length");
    assert_eq!(machine.refused(bad(&ID.replace('-', "0"))), "Bad node ID: uuid is improperly formatted");
    let expected = "Bad node ID: encoding/hex: invalid byte: U+0078 'x'";
    assert_eq!(machine.refused(bad(&ID.replace('0', "x"))), expected);
    let expected = "Must provide service name (Service.Service) when service ID is provided";
    assert_eq!(machine.refused(register_service("n", service("web", ""))), expected);
    let any = Service { address: "0.0.0.0".into(), ..service("web", "web") };
    assert_eq!(machine.refused(register_service("n", any)), "Invalid service address");
    let proxy = Service { kind: "connect-proxy".into(), ..service("p", "p") };
    let expected = "1 error occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\n";
    assert_eq!(machine.refused(register_service("n", proxy)), expected);
    let owned = Service { meta: Some(meta(&[("consul-x", "y")])), ..service("web", "web") };
    let expected = "failed inserting service: Invalid Service Meta for node n and serviceID web: Couldn't load \
                    metadata pair ('consul-x', 'y'): Key prefix 'consul-' is reserved for internal use";
    assert_eq!(machine.refused(register_service("n", owned)), expected);
    let peer = Node { peer_name: "p".into(), ..node("n") };
    assert_eq!(machine.refused(register_node(peer)), "cannot register requests with PeerName in them");
    assert_eq!(machine.refused(deregister("", "", "")), "Must provide node");
}

#[test]
fn checks_need_their_node_and_service() {
    let mut machine = furnished();
    let expected = r#"failed inserting check on node "n": Missing service registration"#;
    assert_eq!(machine.refused(register_check("n", check_of("nope", "c", "passing"))), expected);
    let elsewhere = Check { node: "m".into(), ..check("c", "passing") };
    let expected = r#"check node "m" does not match node "n""#;
    assert_eq!(machine.refused(register_check("n", elsewhere)), expected);
}

#[test]
fn names_that_cannot_be_stored_are_refused() {
    let mut machine = Machine::new();
    let zero = machine.refused(register_node(node("a\0b")));
    assert!(zero.ends_with("a zero byte in the record's id"), "{zero}");
    let long = machine.refused(register_service("n", service(&"x".repeat(70_000), "web")));
    assert!(long.contains("at most 65000 can be stored"), "{long}");
    let long = machine.refused(register_service("n", service("web", &"x".repeat(70_000))));
    assert!(long.contains("can be stored"), "{long}");
    assert!(machine.contents().is_empty());
}

#[test]
fn parts_of_tables_with_names_too_long_to_be_stored_have_no_index_of_their_own() {
    let mut machine = Machine::new();
    let name = "x".repeat(64_990);
    let long = Service { kind: "k".repeat(70_000), ..service("i", &name) };
    machine.done(register_service("n", long));
    assert_eq!(machine.table(&format!("peer.~:service.{name}")), None);
    assert_eq!(machine.table("peer.~:services"), Some(2));
    machine.done(deregister("n", "i", ""));
}

#[test]
fn a_registration_that_no_archive_could_be_read_with_is_refused() {
    let mut machine = Machine::new();
    // Within bounds by itself, but not where it would stand in the record.
    let mut nested = vec![0x91; 127];
    nested.push(0x90);
    let proxy = Proxy { config: Opaque::new(nested).unwrap(), ..Proxy::default() };
    let reason = machine.refused(register_service("n", Service { proxy, ..service("web", "web") }));
    assert!(reason.ends_with("the value nests deeper than 128 levels"), "{reason}");
}

#[test]
fn ids_are_found_in_any_case() {
    let mut machine = Machine::new();
    machine.done(register_service("n", service("Web", "Web")));
    machine.done(register_service("n", Service { port: 81, ..service("WEB", "Web") }));
    assert_eq!(found_service(&machine, "n", "Web"), None);
    assert_eq!(found_service(&machine, "n", "WEB").unwrap().port, 81);
    assert_eq!(machine.table("peer.~:service.Web"), Some(machine.view().index()));
    machine.done(register_service("n", service("Other", "web")));
    assert_eq!(machine.table("peer.~:service.Web"), None, "one name, in the case of its last change");
    assert_eq!(machine.table("peer.~:service.web"), Some(machine.view().index()));
    machine.done(deregister("N", "web", ""));
    assert_eq!(found_service(&machine, "n", "WEB"), None);
}

#[test]
fn a_service_goes_with_its_checks() {
    let mut machine = furnished();
    machine.done(register_service("other", service("web", "web")));
    machine.done(deregister("n", "web", ""));
    assert_eq!(found_service(&machine, "n", "web"), None);
    assert_eq!(found_check(&machine, "n", "web-alive"), None);
    assert!(found_check(&machine, "n", "db-alive").is_some());
    let index = Some(machine.view().index());
    assert_eq!(machine.table("peer.~:service.web"), index, "there is another instance");
    assert_eq!(machine.table("peer.~:service_last_extinction"), None);

    machine.done(deregister("other", "web", ""));
    let index = Some(machine.view().index());
    assert_eq!(machine.table("peer.~:service.web"), None);
    assert_eq!(machine.table("peer.~:service_last_extinction"), index);
    assert_eq!(machine.table("kind_service_names.typical"), index);
    machine.done(deregister("other", "web", ""));
    assert!(machine.touched().is_empty(), "to remove what is not there changes nothing");
}

#[test]
fn a_check_goes_alone() {
    let mut machine = furnished();
    machine.done(deregister("n", "", "alive"));
    assert_eq!(found_check(&machine, "n", "alive"), None);
    assert!(found_service(&machine, "n", "web").is_some());
    assert_eq!(machine.table("peer.~:services"), Some(machine.view().index()));
    machine.done(deregister("n", "", "web-alive"));
    assert!(!machine.touched().contains(&"peer.~:services".to_owned()));
}

#[test]
fn a_node_goes_with_all_it_has() {
    let mut machine = furnished();
    let mut image: Vec<Record> =
        machine.contents().into_iter().map(|(kind, bytes)| Record { kind, bytes }).collect();
    let mut coordinate = Encoder::new();
    coordinate.array(1).map(2).raw("Node").raw("N").raw("Segment").raw("");
    image.push(Record { kind: kinds::COORDINATE, bytes: coordinate.into_bytes().into() });
    machine.restore(image);
    machine.done(deregister("N", "", ""));
    let kinds_left: Vec<u8> = machine.contents().iter().map(|(kind, _)| *kind).collect();
    assert!(kinds_left.iter().all(|kind| *kind == kinds::INDEX));
    let index = Some(machine.view().index());
    assert_eq!(machine.table("coordinates"), index);
    assert_eq!(machine.table("peer.~:node.n"), None);
    assert_eq!(machine.table("peer.~:node_last_extinction"), index);
    assert_eq!(machine.table("peer.~:service_last_extinction"), index);
    for tag in 1..=9 {
        let left = machine.view().derived(&[tag]).unwrap();
        assert!(left.is_empty(), "tag {tag}: {left:?}");
    }
}

#[test]
fn kinds_and_the_mesh_have_indexes_of_their_own() {
    let mut machine = Machine::new();
    let upstream = Upstream { destination_name: "db".into(), ..Upstream::default() };
    let proxy =
        Proxy { destination_service_name: "web".into(), upstreams: Some(vec![upstream]), ..Proxy::default() };
    let sidecar = Service { kind: "connect-proxy".into(), proxy, ..service("p", "web-proxy") };
    machine.done(register_service("n", sidecar.clone()));
    let of_kind = |machine: &Machine| -> Vec<String> {
        let touched = machine.touched().into_iter();
        touched.filter(|name| name.contains("kind") || name.contains("mesh")).collect()
    };
    let expected = [
        "kind_service_names.connect-enabled",
        "kind_service_names.connect-proxy",
        "mesh-topology",
        "peer.~:service_kind.connect-proxy",
        "service_kind.connect-proxy",
    ];
    assert_eq!(of_kind(&machine), expected);
    machine.done(register_service("m", sidecar));
    assert_eq!(of_kind(&machine), expected[2..], "its name is known by now");
    machine.done(deregister("n", "p", ""));
    assert_eq!(of_kind(&machine), expected[2..]);
    machine.done(deregister("m", "p", ""));
    assert_eq!(of_kind(&machine), expected);
}

#[test]
fn services_in_the_mesh_have_virtual_addresses_once_the_cluster_has_them() {
    let mut machine = Machine::new();
    let proxy = Proxy { destination_service_name: "web".into(), ..Proxy::default() };
    let sidecar = Service { kind: "connect-proxy".into(), proxy, ..service("p", "web-proxy") };
    machine.done(register_service("n", sidecar.clone()));
    assert_eq!(found_service(&machine, "n", "p").unwrap().tagged_addresses, None);

    let mut supported = Encoder::new();
    supported.map(2).raw("Key").raw("virtual-ips").raw("Value").raw("true");
    let bytes = supported.into_bytes().into();
    machine.restore(vec![Record { kind: kinds::SYSTEM_METADATA, bytes }]);
    machine.done(register_service("n", sidecar.clone()));
    let address = |machine: &Machine, id: &str| {
        let tagged = found_service(machine, "n", id).unwrap().tagged_addresses.unwrap();
        tagged["consul-virtual"].address.clone()
    };
    assert_eq!(address(&machine, "p"), "240.0.0.1");
    let index = machine.view().index();
    assert_eq!(machine.table("service-virtual-ips"), Some(index));
    machine.done(register_service("n", sidecar.clone()));
    assert!(machine.touched().is_empty(), "it has its address by now");

    let native = |name: &str| {
        let mut service = service(name, name);
        service.connect.native = true;
        service
    };
    machine.done(register_service("n", native("db")));
    assert_eq!(address(&machine, "db"), "240.0.0.2");
    machine.done(deregister("n", "db", ""));
    machine.done(register_service("n", native("cache")));
    assert_eq!(address(&machine, "cache"), "240.0.0.2", "it is free again");
    machine.done(register_service("n", native("db")));
    assert_eq!(address(&machine, "db"), "240.0.0.3");
}

#[test]
fn transactions_tell_and_change_the_catalog() {
    let mut machine = Machine::new();
    let on = |verb, node: Node| TxnOp::Node(NodeOp { verb, node });
    let of_service =
        |verb, service: Service| TxnOp::Service(Box::new(ServiceOp { verb, node: "n".into(), service }));
    let of_check = |verb, check: Check| TxnOp::Check(Box::new(CheckOp { verb, check }));
    let alive = Check { node: "n".into(), ..check_of("web", "alive", "passing") };
    let ops = vec![
        on(Verb::Cas, node("n")),
        of_service(Verb::Set, service("web", "web")),
        of_check(Verb::Cas, alive.clone()),
        on(Verb::Get, node("N")),
        of_service(Verb::Cas, Service { port: 81, modify_index: 2, ..service("web", "web") }),
        of_check(Verb::Get, alive.clone()),
        of_check(Verb::DeleteCas, Check { modify_index: 2, ..alive.clone() }),
        of_service(Verb::Delete, service("web", "web")),
        on(Verb::DeleteCas, Node { modify_index: 2, ..node("n") }),
    ];
    let Reply::Results(results) = machine.apply(Command::Txn(ops)) else { panic!("it must succeed") };
    let node_is = Node { create_index: 2, modify_index: 2, ..node("n") };
    let service_is = Service {
        weights: Some(Weights { passing: 1, warning: 1 }),
        create_index: 2,
        modify_index: 2,
        ..service("web", "web")
    };
    let check_is = Check { service_name: "web".into(), create_index: 2, modify_index: 2, ..alive.clone() };
    let expected = vec![
        TxnResult::Node(node_is.clone()),
        TxnResult::Service(Box::new(service_is.clone())),
        TxnResult::Check(Box::new(check_is.clone())),
        TxnResult::Node(node_is),
        TxnResult::Service(Box::new(Service { port: 81, ..service_is })),
        TxnResult::Check(Box::new(check_is)),
    ];
    assert_eq!(results, expected);
    assert_eq!(found(&machine, "n"), None);

    let stale = |modify_index| Check { modify_index, ..alive.clone() };
    let errors = machine.errors(vec![
        on(Verb::Get, node("n")),
        on(Verb::Cas, Node { modify_index: 9, ..node("n") }),
        on(Verb::DeleteCas, node("n")),
        of_service(Verb::Get, service("web", "web")),
        of_service(Verb::Cas, Service { modify_index: 9, ..service("web", "web") }),
        of_service(Verb::DeleteCas, service("web", "web")),
        of_service(Verb::Set, service("web", "web")),
        of_check(Verb::Get, alive.clone()),
        of_check(Verb::Cas, stale(9)),
        of_check(Verb::DeleteCas, stale(0)),
        of_check(Verb::Set, alive.clone()),
    ]);
    let told: Vec<&str> = errors.iter().map(|(_, what)| what.as_str()).collect();
    let expected = [
        r#"node "n" doesn't exist"#,
        r#"failed to set node "n", index is stale"#,
        r#"failed to delete node "n", index is stale"#,
        r#"service "web" on node "n" doesn't exist"#,
        r#"failed to set service "web" on node "n", index is stale"#,
        r#"failed to delete service "web" on node "n", index is stale"#,
        "Missing node registration",
        r#"check "alive" on node "n" doesn't exist"#,
        r#"failed to set check "alive" on node "n", index is stale"#,
        r#"failed to delete check "alive" on node "n", index is stale"#,
        "Missing node registration",
    ];
    assert_eq!(told, expected);
}

#[test]
fn transactions_check_the_catalog_s_operations_before_anything_is_done() {
    let mut machine = Machine::new();
    let on = |verb, node: Node| TxnOp::Node(NodeOp { verb, node });
    let nameless = ServiceOp { verb: Verb::Delete, node: "n".into(), service: service("web", "") };
    let ops = vec![on(Verb::Get, node("")), on(Verb::Delete, node("")), TxnOp::Service(Box::new(nameless))];
    let told: Vec<(usize, String)> = machine.errors(ops);
    let expected = [
        (1, "Must provide node".to_owned()),
        (2, "Must provide service name (Service.Service) when service ID is provided".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn reading_the_catalog_in_a_transaction_needs_no_log_entry() {
    let mut machine = furnished();
    let reads = vec![
        TxnOp::Node(NodeOp { verb: Verb::Get, node: node("n") }),
        TxnOp::Service(Box::new(ServiceOp {
            verb: Verb::Get,
            node: "n".into(),
            service: service("web", ""),
        })),
    ];
    let answer = txn_read(&machine.view(), &reads).unwrap();
    assert_eq!(answer, Some(machine.apply(Command::Txn(reads))));
    let set = TxnOp::Node(NodeOp { verb: Verb::Set, node: node("n") });
    assert_eq!(txn_read(&machine.view(), &[set]).unwrap(), None);
}
