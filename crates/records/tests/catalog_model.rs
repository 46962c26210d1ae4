//! Random registrations, sessions and locks: what is derived and counted in passing equals what staging the
//! same records derives and counts afresh, and a replica that applies the same commands holds the same.

mod catalog_support;
mod kv_support;

use archive::consul::{Node, Proxy, Service, Session};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use records::consul::{Command, NodeOp, Register, TxnOp, Verb};
use records::{Read, Record, View};

use catalog_support::{check_of, deregister, lock_op, node, service};
use kv_support::Machine;

const NODES: [&str; 3] = ["a", "B", "b"];
const IDS: [&str; 3] = ["", "065c1172-84a8-0bd1-269c-d24b2d0fb903", "c0ffee00-84a8-0bd1-269c-d24b2d0fb903"];
const SERVICES: [&str; 3] = ["web", "Web", "db"];
const CHECKS: [&str; 3] = ["serfHealth", "alive", "Alive"];
const STATES: [&str; 3] = ["passing", "warning", "critical"];
const SESSIONS: [&str; 3] = ["s1", "s2", "s3"];
const KEYS: [&str; 3] = ["k", "k/1", "l"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_up_to_date_equals_what_is_made_anew(runs in vec(vec(command(), 1..6), 1..12)) {
        let (mut machine, mut replica) = (Machine::new(), Machine::new());
        for run in runs {
            let one_by_one: Vec<_> = run.iter().map(|command| replica.apply(command.clone())).collect();
            prop_assert_eq!(machine.apply_run(run), one_by_one);
        }
        let view = machine.view();
        prop_assert_eq!(view.digest().unwrap(), replica.view().digest().unwrap());
        prop_assert_eq!(view.derived(b"\x09").unwrap(), replica.view().derived(b"\x09").unwrap());

        let mut anew = Machine::new();
        let records = machine.contents().into_iter().map(|(kind, bytes)| Record { kind, bytes });
        anew.restore(records.collect());
        prop_assert_eq!(derived(&view), derived(&anew.view()));
        prop_assert_eq!(view.totals().unwrap(), anew.view().totals().unwrap());
    }
}

/// Every derived key that records tell.
fn derived(view: &View) -> Vec<Vec<Bytes>> {
    (1..=8).map(|tag| view.derived(&[tag]).expect("derived")).collect()
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => register().prop_map(Command::Register),
        2 => (name(&NODES), part(&SERVICES), part(&CHECKS))
            .prop_map(|(node, service, check)| deregister(&node, &service, &check)),
        3 => session().prop_map(Command::SessionCreate),
        1 => name(&SESSIONS).prop_map(|id| Command::SessionDestroy { id }),
        4 => (name(&KEYS), name(&SESSIONS)).prop_map(|(key, session)| Command::Kv(lock_op(&key, &session))),
        2 => vec(txn_op(), 1..4).prop_map(Command::Txn),
    ]
}

fn register() -> impl Strategy<Value = Register> {
    let parts = (one_node(), any::<bool>(), proptest::option::of(one_service()), vec(one_check(), 0..3));
    parts.prop_map(|(node, skip_node_update, service, checks)| Register {
        node,
        skip_node_update,
        service: service.map(Box::new),
        checks,
    })
}

fn one_node() -> impl Strategy<Value = Node> {
    (name(&NODES), name(&IDS)).prop_map(|(name, id)| Node { id, ..node(&name) })
}

fn one_service() -> impl Strategy<Value = Service> {
    (name(&SERVICES), name(&SERVICES), any::<bool>()).prop_map(|(id, name, is_proxy)| {
        let destination = if is_proxy { "web" } else { "" };
        let kind = if is_proxy { "connect-proxy" } else { "" };
        let proxy = Proxy { destination_service_name: destination.into(), ..Proxy::default() };
        Service { kind: kind.into(), proxy, ..service(&id, &name) }
    })
}

fn one_check() -> impl Strategy<Value = archive::consul::Check> {
    (part(&SERVICES), name(&CHECKS), name(&STATES))
        .prop_map(|(service, id, status)| check_of(&service, &id, &status))
}

fn session() -> impl Strategy<Value = Session> {
    let checks = vec(name(&CHECKS), 0..2);
    (name(&SESSIONS), name(&NODES), checks, any::<bool>()).prop_map(|(id, node, checks, deletes)| Session {
        id,
        node,
        node_checks: Some(checks),
        behavior: if deletes { "delete".into() } else { String::new() },
        lock_delay_ns: 3_000_000,
        ..Session::default()
    })
}

fn txn_op() -> impl Strategy<Value = TxnOp> {
    let verb = select(vec![Verb::Get, Verb::Set, Verb::Cas, Verb::Delete]);
    prop_oneof![
        (verb, one_node()).prop_map(|(verb, node)| TxnOp::Node(NodeOp { verb, node })),
        (name(&KEYS), name(&SESSIONS)).prop_map(|(key, session)| TxnOp::Kv(lock_op(&key, &session))),
        name(&SESSIONS).prop_map(|session| TxnOp::SessionDelete { session }),
    ]
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(names).prop_map(str::to_owned)
}

/// One of the names, or none.
fn part(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), name(names)]
}
