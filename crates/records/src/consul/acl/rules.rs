//! What rules say, parsed and merged.
//!
//! Follows `hashicorp/consul:acl/{policy,policy_ce,policy_merger}.go`. As there, arguments and blocks that mean
//! nothing to the community edition are passed over: Enterprise's built-in policies are full of them.

use std::collections::BTreeMap;

use super::access::{Access, Resource};
use super::tree::{Rule, Tree};
use crate::hcl::{self, Item, Repeats, Value};
use crate::quote::Quoted;

/// The rules of one policy, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Rules about what there is one of.
    single: BTreeMap<Resource, Access>,
    /// Rules about what has names.
    named: BTreeMap<Resource, Tree>,
}

/// Why rules are refused. Texts are the genuine ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They are neither HCL nor JSON, or not shaped as rules are.
    #[error("Failed to parse ACL rules: {0}")]
    Syntax(String),
    /// A rule asks for something that there is not.
    #[error("Invalid {rule} policy: {content}")]
    Policy {
        /// The block or argument.
        rule: String,
        /// The rule, as Go prints it.
        content: String,
    },
}

/// How Go prints the rules of one resource: type and name of the field that holds the label.
type Printed = (&'static str, &'static str);

/// What there is one of.
const SINGLE: [Resource; 5] =
    [Resource::Acl, Resource::Keyring, Resource::Operator, Resource::Mesh, Resource::Peering];

/// What has names, and how its rules are printed.
const NAMED: [(Resource, Printed); 8] = [
    (Resource::Agent, ("AgentRule", "Node")),
    (Resource::Identity, ("IdentityRule", "Name")),
    (Resource::Key, ("KeyRule", "Prefix")),
    (Resource::Node, ("NodeRule", "Name")),
    (Resource::Service, ("ServiceRule", "Name")),
    (Resource::Session, ("SessionRule", "Node")),
    (Resource::Event, ("EventRule", "Event")),
    (Resource::Query, ("PreparedQueryRule", "Prefix")),
];

impl Rules {
    /// Parses the rules of a policy. `repeats` says whether they are new or were stored before.
    pub fn parse(source: &str, repeats: Repeats) -> Result<Rules, Error> {
        let items = hcl::parse(source, repeats).map_err(|error| Error::Syntax(error.to_string()))?;
        let mut rules = Rules::default();
        for resource in SINGLE {
            rules.add_single(&items, resource)?;
        }
        for (resource, printed) in NAMED {
            for is_prefix in [false, true] {
                let block = Block { resource, is_prefix, printed };
                for item in items.iter().filter(|item| is_called(item, &block.name())) {
                    block.add_to(rules.named.entry(resource).or_default(), item)?;
                }
            }
        }
        Ok(rules)
    }

    /// Adds every rule of `other`; of two about the same thing the stricter holds.
    pub fn merge(&mut self, other: &Rules) {
        for (resource, access) in &other.single {
            self.set(*resource, *access);
        }
        for (resource, tree) in &other.named {
            self.named.entry(*resource).or_default().merge(tree);
        }
    }

    /// Adds a rule about everything of one kind.
    pub(super) fn set(&mut self, resource: Resource, access: Access) {
        let before = self.single.entry(resource).or_insert(access);
        *before = access.max(*before);
    }

    /// Adds a rule about one thing.
    pub(super) fn add(&mut self, resource: Resource, name: &str, access: Access) {
        self.add_rule(resource, name, false, access);
    }

    /// Adds a rule about all things that begin alike.
    pub(super) fn add_prefix(&mut self, resource: Resource, prefix: &str, access: Access) {
        self.add_rule(resource, prefix, true, access);
    }

    pub(super) fn single(&self, resource: Resource) -> Option<Access> {
        self.single.get(&resource).copied()
    }

    pub(super) fn named(&self, resource: Resource) -> Option<&Tree> {
        self.named.get(&resource)
    }

    fn add_rule(&mut self, resource: Resource, name: &str, is_prefix: bool, access: Access) {
        let rule = Rule { access, intentions: None };
        self.named.entry(resource).or_default().add(name.as_bytes(), is_prefix, rule);
    }

    /// Takes in an argument such as `acl = "read"`. Of several the last holds; an empty one says nothing.
    fn add_single(&mut self, items: &[Item], resource: Resource) -> Result<(), Error> {
        let name = resource.name();
        let mut word = "";
        for item in items.iter().filter(|item| is_called(item, name)) {
            word = text(item).ok_or_else(|| not_a_text(name))?;
        }
        match access(word, resource) {
            _ if word.is_empty() => {}
            Some(access) => self.set(resource, access),
            None => return Err(Error::Policy { rule: name.into(), content: quoted(word) }),
        }
        Ok(())
    }
}

/// A kind of block, such as `key_prefix`.
struct Block {
    resource: Resource,
    is_prefix: bool,
    printed: Printed,
}

impl Block {
    fn name(&self) -> String {
        format!("{}{}", self.resource.name(), if self.is_prefix { "_prefix" } else { "" })
    }

    /// Takes in `key "a" { … }`, or, as JSON has it, `key = { "a" = { … } }`.
    fn add_to(&self, tree: &mut Tree, item: &Item) -> Result<(), Error> {
        match (&item.keys[1..], &item.value) {
            ([], Value::Object(rules)) => {
                rules.iter().try_for_each(|rule| self.add_rule(tree, &rule.keys, rule))
            }
            ([], Value::List(elements)) => elements.iter().try_for_each(|element| match element {
                Value::Object(rules) => {
                    rules.iter().try_for_each(|rule| self.add_rule(tree, &rule.keys, rule))
                }
                _ => Err(self.misshapen()),
            }),
            ([], Value::Text(_)) => Err(self.misshapen()),
            (labels, _) => self.add_rule(tree, labels, item),
        }
    }

    fn add_rule(&self, tree: &mut Tree, labels: &[String], item: &Item) -> Result<(), Error> {
        let name = labels[0].as_str();
        let fields = match &item.value {
            // A second label makes it a block within a block, which has no fields of its own.
            Value::Object(_) if labels.len() > 1 => &[],
            Value::Object(fields) => fields.as_slice(),
            // What looks like an argument is its own only field.
            Value::Text(_) => std::slice::from_ref(item),
            Value::List(_) => return Err(self.misshapen()),
        };
        let (policy, intentions) = (self.field(fields, "policy")?, self.field(fields, "intentions")?);
        let invalid = |rule| Error::Policy { rule, content: self.print(name, policy, intentions) };
        let access_of = |word| access(word, self.resource);
        let rule_access = access_of(policy).ok_or_else(|| invalid(self.name()))?;
        let intentions_access = match intentions {
            "" => None,
            _ if !self.has_intentions() => None,
            word => Some(access_of(word).ok_or_else(|| invalid(format!("{} intentions", self.name())))?),
        };
        tree.add(
            name.as_bytes(),
            self.is_prefix,
            Rule { access: rule_access, intentions: intentions_access },
        );
        Ok(())
    }

    /// The field called `name`; of several the last.
    fn field<'a>(&self, fields: &'a [Item], name: &str) -> Result<&'a str, Error> {
        let mut found = "";
        for field in fields.iter().filter(|field| is_called(field, name)) {
            found = text(field).ok_or_else(|| not_a_text(&format!("{}.{name}", self.name())))?;
        }
        Ok(found)
    }

    fn has_intentions(&self) -> bool {
        matches!(self.resource, Resource::Service | Resource::Identity)
    }

    /// The rule as Go's `%#v` prints it.
    fn print(&self, name: &str, policy: &str, intentions: &str) -> String {
        let (kind, label) = self.printed;
        let mut fields = format!("{label}:{}, Policy:{}", quoted(name), quoted(policy));
        if self.has_intentions() {
            fields.push_str(&format!(", Intentions:{}", quoted(intentions)));
        }
        if self.has_intentions() || matches!(self.resource, Resource::Key | Resource::Node) {
            fields.push_str(", EnterpriseRule:acl.EnterpriseRule{}");
        }
        format!("&acl.{kind}{{{fields}}}")
    }

    fn misshapen(&self) -> Error {
        Error::Syntax(format!("{}: not an object type for struct", self.name()))
    }
}

/// The access that a rule's word stands for. Only keys can be listed.
fn access(word: &str, resource: Resource) -> Option<Access> {
    Access::named(word).filter(|access| *access != Access::List || resource == Resource::Key)
}

/// Genuine servers find arguments and blocks whatever their case.
fn is_called(item: &Item, name: &str) -> bool {
    item.keys[0].eq_ignore_ascii_case(name)
}

fn text(item: &Item) -> Option<&str> {
    match &item.value {
        Value::Text(text) if item.keys.len() == 1 => Some(text),
        _ => None,
    }
}

fn not_a_text(name: &str) -> Error {
    Error::Syntax(format!("root.{name}: unknown type for string"))
}

fn quoted(text: &str) -> String {
    Quoted(text.to_owned().into()).to_string()
}
