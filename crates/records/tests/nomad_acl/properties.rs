//! What holds for any rules: more policies never allow what none of them allows.

use proptest::prelude::*;
use records::nomad::acl::{
    ALL_NAMESPACES, Authorizer, NamespaceCapability, OperatorCapability, VariableCapability,
};

/// A name over few letters, so that rules meet; often a glob.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{1,3}", "[ab*]{1,3}", Just("*".to_owned())]
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["read", "write", "scale", "deny"])
}

fn namespace() -> impl Strategy<Value = String> {
    let words = prop::sample::subsequence(vec!["read-job", "submit-job", "read-fs", "deny"], 0..=2);
    let variables = prop::sample::subsequence(vec!["read", "write", "list", "destroy", "deny"], 0..=2);
    let paths = prop::collection::vec((name(), variables), 1..3);
    (name(), prop::option::of(level()), words, prop::option::of(paths)).prop_map(
        |(name, level, words, paths)| {
            let level = level.map(|level| format!("policy = {level:?}")).unwrap_or_default();
            let path = |(path, words): (String, Vec<&str>)| {
                format!("path {path:?} {{ capabilities = {words:?} }}\n")
            };
            let paths = paths.map(|paths| paths.into_iter().map(path).collect::<String>());
            let paths = paths.map(|paths| format!("variables {{ {paths} }}")).unwrap_or_default();
            format!("namespace {name:?} {{ {level}\n capabilities = {words:?}\n {paths} }}\n")
        },
    )
}

fn operator() -> impl Strategy<Value = String> {
    let words = prop::sample::subsequence(vec!["snapshot-save", "license-read", "deny"], 0..=2);
    (level(), words)
        .prop_map(|(level, words)| format!("operator {{ policy = {level:?}\n capabilities = {words:?} }}\n"))
}

fn policy() -> impl Strategy<Value = String> {
    let plugin = prop::sample::select(vec!["list", "read", "write", "deny"]);
    let plugin = plugin.prop_map(|level| format!("plugin {{ policy = {level:?} }}\n"));
    let agent = level().prop_map(|level| format!("agent {{ policy = {level:?} }}\n"));
    let singles = (prop::option::of(operator()), prop::option::of(plugin), prop::option::of(agent));
    (prop::collection::vec(namespace(), 0..3), singles).prop_map(|(namespaces, (operator, plugin, agent))| {
        let singles: String = [operator, plugin, agent].into_iter().flatten().collect();
        format!("{}{singles}", namespaces.concat())
    })
}

/// The answers to every question about a few names, always in the same order.
fn answers(may: &Authorizer) -> Vec<bool> {
    let names = ["a", "b", "ab", "ba", "aab", ALL_NAMESPACES];
    let mut answers = Vec::new();
    for name in names {
        answers.push(may.namespace_any(name));
        answers.extend(NamespaceCapability::ALL.iter().map(|right| may.namespace(name, *right)));
        for path in names {
            answers.extend(VariableCapability::ALL.iter().map(|right| may.variable(name, path, *right)));
        }
    }
    answers.extend(OperatorCapability::ALL.iter().map(|right| may.operator(*right)));
    answers.extend([may.operator_read(), may.operator_write(), may.agent_read(), may.agent_write()]);
    answers.extend([may.plugin_list(), may.plugin_read(), may.management(), may.snapshot_restore()]);
    answers.into_iter().map(|answer| answer.is_ok()).collect()
}

fn authorizer<'a>(policies: impl IntoIterator<Item = &'a String>) -> Authorizer {
    Authorizer::client(policies.into_iter().map(|rules| ("p", rules.as_str()))).unwrap()
}

proptest! {
    #[test]
    fn policies_together_allow_nothing_that_each_alone_denies(
        policies in prop::collection::vec(policy(), 0..4)
    ) {
        let alone: Vec<Vec<bool>> = policies.iter().map(|policy| answers(&authorizer([policy]))).collect();
        for (place, allowed) in answers(&authorizer(&policies)).into_iter().enumerate() {
            prop_assert!(!allowed || alone.iter().any(|answers| answers[place]), "question {}", place);
        }
    }

    #[test]
    fn the_order_of_policies_and_repeats_do_not_matter(policies in prop::collection::vec(policy(), 0..4)) {
        let expected = answers(&authorizer(&policies));
        prop_assert_eq!(&answers(&authorizer(policies.iter().rev())), &expected);
        prop_assert_eq!(&answers(&authorizer(policies.iter().chain(&policies))), &expected);
    }
}
