//! What rules let a token do: many small cases.

use records::nomad::acl::{
    ALL_NAMESPACES, Authorizer, HostVolumeCapability, NamespaceCapability, NodePoolCapability,
    OperatorCapability, VariableCapability,
};

fn authorizer(policies: &[&str]) -> Authorizer {
    Authorizer::client(policies.iter().map(|rules| ("p", *rules))).unwrap()
}

/// Asks each thing in turn and compares with what is expected.
#[track_caller]
fn check<T: Copy + std::fmt::Debug>(
    policies: &[&str],
    right: fn(&Authorizer, T) -> bool,
    expected: &[(T, bool)],
) {
    let may = authorizer(policies);
    for (about, answer) in expected {
        assert_eq!(right(&may, *about), *answer, "{about:?} under {policies:?}");
    }
}

const READ_JOB: fn(&Authorizer, &str) -> bool =
    |may, name| may.namespace(name, NamespaceCapability::ReadJob).is_ok();
const READ_VARIABLE: fn(&Authorizer, (&str, &str)) -> bool =
    |may, (namespace, path)| may.variable(namespace, path, VariableCapability::Read).is_ok();

#[test]
fn the_closest_rule_about_a_namespace_holds() {
    let rules = [r#"
        namespace "*" { policy = "read" }
        namespace "prod-*" { policy = "deny" }
        namespace "prod-*-eu" { policy = "read" }
        namespace "prod-web" { policy = "write" }
    "#];
    let expected = [
        ("default", true),
        ("prod", true),
        ("prod-", false),
        ("prod-db", false),
        ("prod-db-eu", true),
        ("prod-web", true),
        ("prod-web2", false),
    ];
    check(&rules, READ_JOB, &expected);
}

/// They are equally close; in genuine servers sorting puts the later one first.
#[test]
fn of_equally_close_globs_the_last_one_in_byte_order_holds() {
    let globs = |first, second| {
        format!("namespace \"a*\" {{ policy = \"{first}\" }} namespace \"*a\" {{ policy = \"{second}\" }}")
    };
    check(&[&globs("read", "deny")], READ_JOB, &[("aba", true)]);
    check(&[&globs("deny", "read")], READ_JOB, &[("aba", false)]);
}

#[test]
fn a_rule_that_grants_nothing_hides_wider_ones() {
    let rules = ["namespace \"*\" { policy = \"write\" }", "namespace \"a\" { }"];
    check(&rules, READ_JOB, &[("a", false), ("b", true)]);
    check(&rules, |may, name: &str| may.namespace_any(name).is_ok(), &[("a", false), ("b", true)]);
}

#[test]
fn levels_stand_for_capabilities() {
    use NamespaceCapability::*;
    let may: fn(&Authorizer, NamespaceCapability) -> bool = |may, right| may.namespace("a", right).is_ok();
    let of = |level: &str| format!("namespace \"a\" {{ policy = \"{level}\" }}");
    let count = |level: &str| {
        let may = authorizer(&[&of(level)]);
        NamespaceCapability::ALL.iter().filter(|right| may.namespace("a", **right).is_ok()).count()
    };
    check(&[&of("read")], may, &[(ReadJob, true), (HostVolumeRead, true), (SubmitJob, false)]);
    check(&[&of("write")], may, &[(SubmitJob, true), (ReadFs, true), (AllocNodeExec, false)]);
    check(&[&of("scale")], may, &[(ScaleJob, true), (ReadJob, true), (ListJobs, false)]);
    assert_eq!(["read", "write", "scale", "deny"].map(count), [9, 20, 6, 0]);
}

#[test]
fn some_capabilities_contain_others() {
    use NamespaceCapability::*;
    let may: fn(&Authorizer, NamespaceCapability) -> bool = |may, right| may.namespace("a", right).is_ok();
    let of = |word| format!("namespace \"a\" {{ capabilities = [\"{word}\"] }}");
    let expected = |rights: [bool; 5]| {
        let all = [HostVolumeWrite, HostVolumeRegister, HostVolumeCreate, HostVolumeDelete, HostVolumeRead];
        all.into_iter().zip(rights).collect::<Vec<_>>()
    };
    check(&[&of("host-volume-write")], may, &expected([true; 5]));
    check(&[&of("host-volume-register")], may, &expected([false, true, true, false, true]));
    check(&[&of("host-volume-create")], may, &expected([false, false, true, false, true]));
    check(&[&of("host-volume-delete")], may, &expected([false, false, false, true, false]));
}

#[test]
fn every_namespace_is_asked_about_by_asking_for_any() {
    let rules =
        ["namespace \"a\" { policy = \"read\" }", "namespace \"b-*\" { capabilities = [\"read-fs\"] }"];
    check(
        &rules,
        |may, right| may.namespace(ALL_NAMESPACES, right).is_ok(),
        &[
            (NamespaceCapability::ReadJob, true),
            (NamespaceCapability::ReadFs, true),
            (NamespaceCapability::SubmitJob, false),
        ],
    );
    let any: fn(&Authorizer, &str) -> bool = |may, name| may.namespace_any(name).is_ok();
    check(&rules, any, &[(ALL_NAMESPACES, true), ("a", true), ("b-c", true), ("c", false)]);
    check(&["namespace \"a\" { policy = \"deny\" }"], any, &[(ALL_NAMESPACES, false), ("a", false)]);
}

#[test]
fn the_closest_rule_about_a_variable_holds() {
    let rules = [r#"
        namespace "default" {
            variables {
                path "*" { capabilities = ["read"] }
                path "nomad/jobs/*" { capabilities = ["deny"] }
                path "nomad/jobs/web" { capabilities = ["write", "destroy"] }
            }
        }
        namespace "dev-*" { variables { path "shared" { capabilities = ["list"] } } }
    "#];
    let expected = [
        (("default", "a/b"), true),
        (("default", "nomad/jobs"), true),
        (("default", "nomad/jobs/db"), false),
        (("default", "nomad/jobs/web"), false),
        (("dev-1", "shared"), false),
        (("other", "a/b"), false),
        ((ALL_NAMESPACES, "a/b"), false),
    ];
    check(&rules, READ_VARIABLE, &expected);
    let may: fn(&Authorizer, (&str, &str, VariableCapability)) -> bool =
        |may, (namespace, path, right)| may.variable(namespace, path, right).is_ok();
    use VariableCapability::*;
    let expected = [
        (("default", "a", List), true),
        (("default", "a", Write), false),
        (("default", "nomad/jobs/web", Write), true),
        (("default", "nomad/jobs/web", Destroy), true),
        (("default", "nomad/jobs/web", List), false),
        (("dev-1", "shared", List), true),
        (("dev-1", "shared/x", List), false),
    ];
    check(&rules, may, &expected);
}

#[test]
fn deny_beats_whatever_else_is_said_of_the_same_thing() {
    let namespace = |policy| format!("namespace \"a\" {{ policy = \"{policy}\" }}");
    let variable =
        |word| format!("namespace \"a\" {{ variables {{ path \"x\" {{ capabilities = [\"{word}\"] }} }} }}");
    let operator = |policy| format!("operator {{ policy = \"{policy}\" }}");
    let capability = "operator { capabilities = [\"deny\"] }";
    let save: fn(&Authorizer, ()) -> bool = |may, ()| may.snapshot_save().is_ok();
    let check_both_orders = |one: &str, other: &str, right: &dyn Fn(&Authorizer) -> bool| {
        assert!(!right(&authorizer(&[one, other])), "{one} {other}");
        assert!(!right(&authorizer(&[other, one])), "{other} {one}");
        assert!(!right(&authorizer(&[&format!("{one}\n{other}")])), "{one} {other} in one");
    };
    check_both_orders(&namespace("write"), &namespace("deny"), &|may| READ_JOB(may, "a"));
    check_both_orders(&variable("read"), &variable("deny"), &|may| READ_VARIABLE(may, ("a", "x")));
    check_both_orders(&operator("write"), capability, &|may| save(may, ()));
    assert!(!save(&authorizer(&[&operator("write"), &operator("deny")]), ()));
    assert!(authorizer(&[&operator("write"), &operator("deny")]).operator_read().is_err());
}

#[test]
fn rights_over_what_there_is_one_of_are_read_or_write() {
    type Right = fn(&Authorizer) -> bool;
    let rights: [(&str, Right, Right); 4] = [
        ("agent", |may| may.agent_read().is_ok(), |may| may.agent_write().is_ok()),
        ("node", |may| may.node_read().is_ok(), |may| may.node_write().is_ok()),
        ("operator", |may| may.operator_read().is_ok(), |may| may.operator_write().is_ok()),
        ("quota", |may| may.quota_read().is_ok(), |may| may.quota_write().is_ok()),
    ];
    for (name, read, write) in rights {
        let table =
            [("read", true, false), ("write", true, true), ("deny", false, false), ("scale", false, false)];
        for (level, reads, writes) in table {
            let may = authorizer(&[&format!("{name} {{ policy = \"{level}\" }}")]);
            assert_eq!((read(&may), write(&may)), (reads, writes), "{name} {level}");
        }
        for (other, read, write) in rights.iter().filter(|(other, ..)| *other != name) {
            let may = authorizer(&[&format!("{name} {{ policy = \"write\" }}")]);
            assert!(!read(&may) && !write(&may), "{name} is not {other}");
        }
    }
}

/// `write` is a level of plugins that grants nothing, and hides `read`.
#[test]
fn plugins_are_listed_and_read() {
    let of = |level: &str| format!("plugin {{ policy = \"{level}\" }}");
    let rights = |levels: &[&str]| {
        let policies: Vec<String> = levels.iter().map(|level| of(level)).collect();
        let may = authorizer(&policies.iter().map(String::as_str).collect::<Vec<_>>());
        (may.plugin_list().is_ok(), may.plugin_read().is_ok())
    };
    assert_eq!(rights(&["list"]), (true, false));
    assert_eq!(rights(&["list", "read"]), (true, true));
    assert_eq!(rights(&["write", "read"]), (false, false));
    assert_eq!(rights(&["deny", "read"]), (false, false));
}

#[test]
fn operators_may_save_snapshots_and_managers_restore_them() {
    let table = [
        ("operator { policy = \"write\" }", true),
        ("operator { policy = \"read\" }", false),
        ("operator { capabilities = [\"snapshot-save\"] }", true),
        ("operator { policy = \"read\" capabilities = [\"snapshot-save\"] }", true),
        ("operator { capabilities = [\"license-read\"] }", false),
        ("namespace \"*\" { policy = \"write\" }", false),
    ];
    for (rules, saves) in table {
        let may = authorizer(&[rules]);
        assert_eq!(may.snapshot_save().is_ok(), saves, "{rules}");
        assert!(may.snapshot_restore().is_err() && may.management().is_err(), "{rules}");
    }
    let read = authorizer(&["operator { policy = \"read\" }"]);
    assert!(read.operator(OperatorCapability::KeyringRead).is_ok());
    assert!(read.operator(OperatorCapability::KeyringRotate).is_err());
}

#[test]
fn node_pools_and_host_volumes_have_rules_of_their_own() {
    let rules = [r#"
        node_pool "gpu_*" { policy = "read" }
        node_pool "gpu_old" { capabilities = ["write"] }
        host_volume "data-*" { policy = "read" }
        host_volume "data-x" { capabilities = ["mount-readwrite"] }
    "#];
    use NodePoolCapability::{Delete, Read, Write};
    let pool: fn(&Authorizer, (&str, NodePoolCapability)) -> bool =
        |may, (name, right)| may.node_pool(name, right).is_ok();
    let expected = [
        (("gpu_1", Read), true),
        (("gpu_1", Write), false),
        (("gpu_old", Write), true),
        (("gpu_old", Read), false),
        (("gpu_old", Delete), false),
        (("cpu", Read), false),
    ];
    check(&rules, pool, &expected);
    check(&rules, |may, name: &str| may.node_pool_any(name).is_ok(), &[("gpu_old", true), ("cpu", false)]);
    use HostVolumeCapability::{MountReadOnly, MountReadWrite};
    let volume: fn(&Authorizer, (&str, HostVolumeCapability)) -> bool =
        |may, (name, right)| may.host_volume(name, right).is_ok();
    let expected = [
        (("data-a", MountReadOnly), true),
        (("data-a", MountReadWrite), false),
        (("data-x", MountReadWrite), true),
        (("data-x", MountReadOnly), false),
    ];
    check(&rules, volume, &expected);
    check(&rules, |may, name: &str| may.host_volume_any(name).is_ok(), &[("data-x", true), ("x", false)]);
}

#[test]
fn who_is_not_restricted_may_do_everything() {
    let may = Authorizer::unrestricted();
    assert!(may.management().is_ok() && may.snapshot_restore().is_ok() && may.plugin_read().is_ok());
    assert!(READ_JOB(&may, ALL_NAMESPACES) && READ_VARIABLE(&may, ("a", "b")));
}

#[test]
fn without_policies_nothing_is_allowed() {
    let may = authorizer(&[]);
    assert!(may.management().is_err() && may.snapshot_save().is_err() && may.agent_read().is_err());
    assert!(!READ_JOB(&may, ALL_NAMESPACES) && !READ_VARIABLE(&may, ("a", "b")));
    assert_eq!(may.agent_read().unwrap_err().to_string(), "Permission denied");
}

#[test]
fn the_first_unreadable_policy_is_told_of_by_name() {
    let good = ("a", "agent { policy = \"read\" }");
    let policies = [("c", "agent {"), good, ("b", "node { policy = \"x\" }")];
    let error = Authorizer::client(policies).unwrap_err();
    let expected = "failed to parse \"b\": Invalid node policy: &acl.NodePolicy{Policy:\"x\"}";
    assert_eq!(error.to_string(), expected);
}
