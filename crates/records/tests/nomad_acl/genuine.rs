//! What genuine code says of the same rules. `genuine.json` holds its texts and answers: those of package `acl`
//! of `hashicorp/nomad` 1.11.3, fed rules written by hand and policies and questions drawn at random. Places in
//! sources (`At 1:2: `) are left out, and so are syntax errors that JSON's and HCL's readers word otherwise.

use records::nomad::acl::{
    Authorizer, HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability, Rules,
    UnknownKeys, VariableCapability,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Genuine {
    rules: Vec<Parsed>,
    answers: Vec<Asked>,
}

#[derive(Deserialize)]
struct Parsed {
    rules: String,
    /// The error, or nothing, of storing these rules.
    new: String,
    /// The error, or nothing, of reading them from the store.
    stored: String,
}

#[derive(Deserialize)]
struct Asked {
    policies: Vec<String>,
    yes: Vec<String>,
    no: Vec<String>,
}

fn genuine() -> Genuine {
    serde_json::from_str(include_str!("genuine.json")).unwrap()
}

/// The text of an error without the place, which only some of ours tell.
fn without_place(text: &str) -> String {
    match text.split_once("At ") {
        Some((before, after)) => {
            let (_, after) = after.split_once(": ").unwrap();
            format!("{before}{after}")
        }
        None => text.to_owned(),
    }
}

#[test]
fn rules_are_read_and_refused_alike() {
    for Parsed { rules, new, stored } in genuine().rules {
        for (keys, expected) in [(UnknownKeys::Refused, new), (UnknownKeys::PassedOver, stored)] {
            let error = Rules::parse(&rules, keys).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(without_place(&error), expected, "{rules}");
        }
    }
}

#[test]
fn questions_are_answered_alike() {
    for Asked { policies, yes, no } in genuine().answers {
        let may = Authorizer::client(policies.iter().map(|rules| ("p", rules.as_str()))).unwrap();
        for (questions, expected) in [(yes, true), (no, false)] {
            for question in questions {
                assert_eq!(ask(&may, &question), expected, "{question} under {policies:#?}");
            }
        }
    }
}

fn ask(may: &Authorizer, question: &str) -> bool {
    let words: Vec<&str> = question.split(' ').collect();
    let answer = match words[..] {
        ["ns", name, right] => may.namespace(name, NamespaceCapability::named(right).unwrap()),
        ["ns?", name] => may.namespace_any(name),
        ["var", name, path, right] => may.variable(name, path, VariableCapability::named(right).unwrap()),
        ["np", name, right] => may.node_pool(name, NodePoolCapability::named(right).unwrap()),
        ["np?", name] => may.node_pool_any(name),
        ["hv", name, right] => may.host_volume(name, HostVolumeCapability::named(right).unwrap()),
        ["hv?", name] => may.host_volume_any(name),
        ["op", right] => may.operator(OperatorCapability::named(right).unwrap()),
        ["agent:read"] => may.agent_read(),
        ["agent:write"] => may.agent_write(),
        ["node:read"] => may.node_read(),
        ["node:write"] => may.node_write(),
        ["operator:read"] => may.operator_read(),
        ["operator:write"] => may.operator_write(),
        ["quota:read"] => may.quota_read(),
        ["quota:write"] => may.quota_write(),
        ["plugin:read"] => may.plugin_read(),
        ["plugin:list"] => may.plugin_list(),
        _ => panic!("no question: {question}"),
    };
    answer.is_ok()
}
