//! Consul's rules for sessions, one by one.

mod catalog_support;
mod kv_support;

use std::sync::Arc;
use std::time::Duration;

use archive::consul::{Check, Definition, DirEntry, Registration, ServiceCheck, Session, kinds};
use records::consul::{
    Command, Reply, TxnOp, check_session, kv_get, session_get, session_list, session_list_of_node,
    sessions_with_ttl,
};
use records::store::{Memory, Store};
use records::{Read, Record, Records};

use catalog_support::{
    check, check_of, deregister, lock, lock_op, node, register_check, register_node, register_service,
    service, session,
};
use kv_support::Machine;

const SECOND_NS: i64 = 1_000_000_000;

/// A node `n` with a passing check `alive`, a service `web` with a passing check `web-alive`.
fn with_node() -> Machine {
    let mut machine = Machine::new();
    machine.done(register_service("n", service("web", "web")));
    machine.done(register_check("n", check("alive", "passing")));
    machine.done(register_check("n", check_of("web", "web-alive", "passing")));
    machine
}

fn create(session: Session) -> Command {
    Command::SessionCreate(session)
}

fn destroy(id: &str) -> Command {
    Command::SessionDestroy { id: id.into() }
}

fn with_delay(delay_s: i64, behavior: &str) -> Session {
    Session { lock_delay_ns: delay_s * SECOND_NS, behavior: behavior.into(), ..session("s", "n") }
}

fn entry(machine: &Machine, key: &str) -> Option<DirEntry> {
    kv_get(&machine.view(), key.as_bytes()).expect("get").value
}

fn ids(machine: &Machine) -> Vec<String> {
    session_list(&machine.view()).expect("list").value.map(|session| session.expect("session").id).collect()
}

#[test]
fn a_session_is_stored_as_genuine_servers_do() {
    let mut machine = with_node();
    let asked = Session {
        name: "lock".into(),
        ttl: "15s".into(),
        node_checks: Some(vec!["alive".into()]),
        service_checks: Some(vec![ServiceCheck { id: "web-alive".into(), namespace: String::new() }]),
        ..with_delay(15, "")
    };
    machine.done(create(asked.clone()));
    let index = machine.view().index();
    let expected = Session { behavior: "release".into(), create_index: index, modify_index: index, ..asked };
    let view = machine.view();
    assert_eq!(session_get(&view, "s").unwrap().value, Some(expected.clone()));
    assert_eq!(session_get(&view, "S").unwrap().value, Some(expected.clone()), "in any case");
    assert_eq!(view.get(kinds::SESSION, b"s").unwrap().unwrap(), expected.encode());
    assert_eq!(machine.touched(), ["sessions"]);
    let of_node: Vec<_> = session_list_of_node(&view, "N").unwrap().value.map(Result::unwrap).collect();
    assert_eq!(of_node, [expected]);
    assert_eq!(session_list_of_node(&view, "other").unwrap().value.count(), 0);
}

#[test]
fn what_no_state_could_make_right_is_told_before_anything_is_looked_at() {
    let check = |change: Session, expected: &str| {
        assert_eq!(check_session(&change), Err(expected.to_owned()));
    };
    check(session("s", ""), "Must provide Node");
    check(with_delay(0, "keep"), "Invalid Behavior setting 'keep'");
    let ttl = |ttl: &str| Session { ttl: ttl.into(), ..session("s", "n") };
    check(ttl("5s"), "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]");
    check(ttl("25h"), "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]");
    check(ttl("soon"), r#"Session TTL 'soon' invalid: time: invalid duration "soon""#);
    for legal in ["", "0s", "10s", "24h", "1h30m"] {
        assert_eq!(check_session(&ttl(legal)), Ok(()));
    }
}

#[test]
fn a_session_needs_its_node_and_checks_that_do_not_fail() {
    let mut machine = with_node();
    assert_eq!(machine.refused(create(session("s", "other"))), "Missing node registration");
    let on = |check: &str| Session { node_checks: Some(vec![check.into()]), ..session("s", "n") };
    assert_eq!(machine.refused(create(on("nope"))), "Missing check 'nope' registration");
    machine.done(register_check("n", check("alive", "critical")));
    assert_eq!(machine.refused(create(on("alive"))), "Check 'alive' is in critical state");
    machine.done(register_check("n", check("alive", "warning")));
    machine.done(create(on("alive")));
    assert_eq!(machine.refused(create(session("", "n"))), "Missing session ID");
    assert_eq!(machine.refused(create(session("s", "n"))), "session 's' exists");
}

#[test]
fn a_destroyed_session_releases_its_keys() {
    let mut machine = with_node();
    machine.done(create(session("s", "n")));
    machine.apply_run(vec![lock("a", "s"), lock("b", "s")]);
    let before = entry(&machine, "a").unwrap();
    machine.done(destroy("s"));
    let index = machine.view().index();
    let released = DirEntry { session: String::new(), modify_index: index, ..before };
    assert_eq!(entry(&machine, "a"), Some(released));
    assert_eq!(entry(&machine, "b").unwrap().session, "");
    assert_eq!(machine.touched(), ["kvs", "sessions"]);
    assert_eq!(machine.view().derived(b"\x01").unwrap().len(), 0);
    assert_eq!(machine.view().derived(b"\x02").unwrap().len(), 0);
    machine.done(destroy("s"));
    assert!(machine.touched().is_empty(), "to end what is not there changes nothing");
}

#[test]
fn a_destroyed_session_removes_its_keys_if_it_is_meant_to() {
    let mut machine = with_node();
    machine.done(create(with_delay(0, "delete")));
    machine.apply(lock("a", "s"));
    machine.done(destroy("s"));
    assert_eq!(entry(&machine, "a"), None);
    assert_eq!(machine.touched(), ["kvs", "sessions", "tombstones"]);
}

#[test]
fn keys_of_an_ended_session_can_t_be_locked_for_a_while() {
    let mut machine = with_node();
    machine.done(create(with_delay(15, "release")));
    machine.done(create(session("other", "n")));
    machine.apply(lock("a", "s"));
    machine.done(destroy("s"));
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(false));
    assert_eq!(machine.apply(lock("b", "other")), Reply::Bool(true), "another key is of no concern");
    let errors = machine.errors(vec![TxnOp::Kv(lock_op("b", "other")), TxnOp::Kv(lock_op("a", "other"))]);
    assert_eq!(errors, [(1, r#"failed to lock key "a" due to lock delay"#.to_owned())]);
    machine.idle_ms = 14_990;
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(false));
    machine.idle_ms = 15_000;
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(true));
}

#[test]
fn no_lock_delay_is_longer_than_a_minute() {
    let mut machine = with_node();
    machine.done(create(with_delay(3_600, "delete")));
    machine.done(create(session("other", "n")));
    machine.apply(lock("a", "s"));
    machine.done(destroy("s"));
    machine.idle_ms = 59_990;
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(false));
    machine.idle_ms = 60_000;
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(true));
}

#[test]
fn lock_delays_survive_restarts_and_transfers_and_end_with_a_restore() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let mut machine = Machine::on(store.clone());
    machine.done(register_node(node("n")));
    machine.done(create(with_delay(15, "release")));
    machine.done(create(session("other", "n")));
    machine.apply(lock("a", "s"));
    machine.done(destroy("s"));

    let mut bytes = Vec::new();
    machine.records.transfer().unwrap().write_to(&mut bytes).unwrap();
    let replica = Arc::new(Records::open(Arc::new(Memory::default())).unwrap());
    replica.install(&mut bytes.as_slice(), machine.records.applied().unwrap()).unwrap();
    let notes = |records: &Records| records.view(records::Scope::Consul).unwrap().derived(b"\x09").unwrap();
    assert_eq!(notes(&replica), notes(&machine.records));
    assert_eq!(notes(&replica).len(), 2);

    let mut machine = Machine::on(store);
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(false));
    let archived = machine.contents().into_iter().map(|(kind, bytes)| Record { kind, bytes }).collect();
    machine.restore(archived);
    assert_eq!(machine.apply(lock("a", "other")), Reply::Bool(true));
}

#[test]
fn expired_lock_delays_are_forgotten() {
    let mut machine = with_node();
    for round in 0..3 {
        machine.idle_ms = round * 60_000;
        machine.done(create(with_delay(15, "release")));
        for key in ["a", "b"] {
            assert_eq!(machine.apply(lock(key, "s")), Reply::Bool(true));
        }
        machine.done(destroy("s"));
        assert_eq!(machine.view().derived(b"\x09").unwrap().len(), 4, "by key and by time");
    }
}

#[test]
fn a_session_ends_with_its_node() {
    let mut machine = with_node();
    machine.done(create(session("s", "N")));
    machine.apply(lock("a", "s"));
    machine.done(deregister("n", "", ""));
    assert_eq!(ids(&machine), [""; 0]);
    assert_eq!(entry(&machine, "a").unwrap().session, "");
}

#[test]
fn a_session_ends_when_a_check_it_depends_on_fails_or_goes() {
    let on = |id: &str, check: &str| Session { node_checks: Some(vec![check.into()]), ..session(id, "n") };
    let mut machine = with_node();
    let on_service = Session {
        service_checks: Some(vec![ServiceCheck { id: "WEB-ALIVE".into(), namespace: String::new() }]),
        ..session("of-service", "n")
    };
    machine.done(create(on("of-node", "alive")));
    machine.done(create(on_service));
    machine.done(create(session("free", "n")));
    machine.apply(lock("a", "of-node"));
    machine.done(register_check("n", check("alive", "warning")));
    assert_eq!(ids(&machine), ["free", "of-node", "of-service"]);
    machine.done(register_check("n", check("alive", "critical")));
    assert_eq!(ids(&machine), ["free", "of-service"]);
    assert_eq!(entry(&machine, "a").unwrap().session, "");
    machine.done(deregister("n", "web", ""));
    assert_eq!(ids(&machine), ["free"]);
}

#[test]
fn checks_follow_the_life_of_the_session_they_name_and_may_end_others() {
    let mut machine = with_node();
    let follows = |id: &str, name: &str| {
        let definition = Definition { session_name: name.into(), ..Definition::default() };
        Check { kind: "session".into(), definition, ..check(id, "critical") }
    };
    let named = |id: &str, on: &[&str]| Session {
        name: id.into(),
        node_checks: Some(on.iter().map(|check| (*check).to_owned()).collect()),
        ..session(id, "n")
    };
    machine.done(register_check("n", follows("of-first", "first")));
    machine.done(register_check("n", follows("of-second", "second")));
    machine.done(create(named("first", &["of-first"])));
    machine.done(create(named("second", &["of-first"])));
    machine.done(create(named("third", &["of-second"])));
    let state = |machine: &Machine, id: &str| {
        let checks = records::consul::node_checks(&machine.view(), "n").unwrap().value;
        let check = checks.into_iter().find(|check| check.check_id == id).unwrap();
        (check.status, check.output)
    };
    let in_force = ("passing".to_owned(), "Session 'second' in force".to_owned());
    assert_eq!(state(&machine, "of-second"), in_force);
    machine.done(destroy("first"));
    assert_eq!(ids(&machine), [""; 0], "each ends the next");
    let invalid = ("critical".to_owned(), "Session 'second' is invalid".to_owned());
    assert_eq!(state(&machine, "of-second"), invalid);
}

/// Sessions that end one another must not end us: there may be any number of them.
#[test]
fn a_chain_of_sessions_ends_to_its_last() {
    let mut machine = Machine::new();
    let mut image = vec![record(kinds::REGISTER, Registration::of_node(node("n")).encode())];
    for place in 0..200_usize {
        let (id, name) = (format!("of-{place}"), place.to_string());
        let definition = Definition { session_name: name.clone(), ..Definition::default() };
        let check = Check { node: "n".into(), kind: "session".into(), definition, ..check(&id, "passing") };
        image.push(record(kinds::REGISTER, Registration::of_check(node("n"), check).encode()));
        let node_checks = place.checked_sub(1).map(|before| vec![format!("of-{before}")]);
        let session = Session { name: name.clone(), node_checks, ..session(&name, "n") };
        image.push(record(kinds::SESSION, session.encode()));
    }
    machine.restore(image);
    machine.done(destroy("0"));
    assert_eq!(ids(&machine), [""; 0]);
}

fn record(kind: u8, bytes: Vec<u8>) -> Record {
    Record { kind, bytes: bytes.into() }
}

#[test]
fn prepared_queries_end_with_their_session() {
    let mut machine = Machine::new();
    let query = |id: &str, session: &str| {
        let mut out = archive::msgpack::Encoder::new();
        out.map(2).raw("ID").raw(id).raw("Session").raw(session);
        record(kinds::PREPARED_QUERY, out.into_bytes())
    };
    let session = record(kinds::SESSION, session("s", "n").encode());
    machine.restore(vec![session, query("q1", "s"), query("q2", "")]);
    machine.done(destroy("s"));
    assert_eq!(machine.touched(), ["prepared-queries", "sessions"]);
    let view = machine.view();
    assert!(view.get(kinds::PREPARED_QUERY, b"q1").unwrap().is_none());
    assert!(view.get(kinds::PREPARED_QUERY, b"q2").unwrap().is_some());
}

#[test]
fn transactions_forget_a_session_and_leave_its_keys_locked() {
    let mut machine = with_node();
    machine.done(create(session("s", "n")));
    machine.apply(lock("a", "s"));
    let forget = || TxnOp::SessionDelete { session: "s".into() };
    assert_eq!(machine.apply(Command::Txn(vec![forget()])), Reply::Results(vec![]));
    assert_eq!(ids(&machine), [""; 0]);
    assert_eq!(entry(&machine, "a").unwrap().session, "s");
    let what = "failed to delete session: failed deleting session: not found".to_owned();
    assert_eq!(machine.errors(vec![forget()]), [(0, what)]);
}

#[test]
fn sessions_that_end_by_themselves_are_told_with_their_time() {
    let mut machine = with_node();
    for (id, ttl) in [("a", "15s"), ("b", ""), ("c", "0s"), ("d", "1h")] {
        machine.done(create(Session { ttl: ttl.into(), ..session(id, "n") }));
    }
    let expected = [("a".to_owned(), Duration::from_secs(15)), ("d".to_owned(), Duration::from_secs(3_600))];
    assert_eq!(sessions_with_ttl(&machine.view()).unwrap(), expected);
}

#[test]
fn a_lock_survives_its_archive() {
    let mut machine = with_node();
    machine.done(create(session("s", "n")));
    machine.done(create(session("other", "n")));
    machine.apply(lock("a", "s"));
    let archived = machine.contents().into_iter().map(|(kind, bytes)| Record { kind, bytes }).collect();
    let mut again = Machine::new();
    again.restore(archived);
    assert_eq!(again.apply(lock("a", "other")), Reply::Bool(false));
    assert_eq!(again.apply(lock("a", "s")), Reply::Bool(true));
    again.done(destroy("s"));
    assert_eq!(again.apply(lock("a", "other")), Reply::Bool(true));
}
