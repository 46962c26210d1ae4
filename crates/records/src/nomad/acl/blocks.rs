//! Blocks of rules as written, found in the tree of a source.
//!
//! Follows `hashicorp/hcl:decoder.go` (1.0.1-nomad-1), oddities included: what a server reads out of a block
//! that is not quite in shape decides who may do what.

use std::borrow::Cow;

use crate::hcl::{Item, Value};

/// A block's fields. Those that its kind lacks stay empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The label.
    pub name: String,
    /// The level.
    pub policy: String,
    /// The capabilities; `None` if the block has no list of them.
    pub capabilities: Option<Vec<String>>,
    /// Blocks about paths of variables.
    pub variables: Option<Vec<Block>>,
}

/// Which fields the blocks of one kind have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The genuine name of the field that holds the label.
    pub(super) label: &'static str,
    pub(super) has_policy: bool,
    pub(super) has_capabilities: bool,
    pub(super) has_variables: bool,
}

/// Blocks about one path of variables.
const PATH: Shape =
    Shape { label: "PathSpec", has_policy: false, has_capabilities: true, has_variables: false };

/// An item of which some keys have been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) keys: &'a [String],
    pub(super) value: &'a Value,
}

/// The entries that were found under a name.
pub(super) struct Found<'a> {
    /// Those with further keys, their labels.
    labelled: Vec<Entry<'a>>,
    /// The values of the others.
    plain: Vec<&'a Value>,
}

impl Found<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.labelled.is_empty() && self.plain.is_empty()
    }
}

pub(super) fn entries(items: &[Item]) -> Vec<Entry<'_>> {
    items.iter().map(|item| Entry { keys: &item.keys, value: &item.value }).collect()
}

/// The entries called `name`, whatever its case, without that key.
pub(super) fn called<'a>(entries: &[Entry<'a>], name: &str) -> impl Iterator<Item = Entry<'a>> {
    let is_called = |entry: &&Entry<'_>| entry.keys.first().is_some_and(|key| key.eq_ignore_ascii_case(name));
    entries.iter().filter(is_called).map(|entry| Entry { keys: &entry.keys[1..], value: entry.value })
}

pub(super) fn find<'a>(entries: &[Entry<'a>], name: &str) -> Found<'a> {
    let (labelled, plain): (Vec<_>, Vec<_>) = called(entries, name).partition(|entry| !entry.keys.is_empty());
    Found { labelled, plain: plain.into_iter().map(|entry| entry.value).collect() }
}

/// Reads blocks that have labels. `path` is where they stand, for errors.
pub(super) fn read_labelled(found: &Found<'_>, path: &str, shape: Shape) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    for (place, entry) in found.labelled.iter().enumerate() {
        blocks.push(labelled_block(*entry, &format!("{path}[{place}]"), shape)?);
    }
    for value in &found.plain {
        match value {
            // An object without labels holds blocks under theirs.
            Value::Object(items) => {
                for (place, entry) in entries(items).into_iter().enumerate() {
                    blocks.push(labelled_block(entry, &format!("{path}[{place}]"), shape)?);
                }
            }
            Value::List(values) => {
                if let Some(value) = values.first() {
                    return Err(match value {
                        Value::Object(_) => format!("{path}[0]: {} asked for 'key', impossible", shape.label),
                        value => misshapen(&format!("{path}[0]"), value),
                    });
                }
            }
            Value::Text(_) => return Err("unknown slice type: *ast.LiteralType".into()),
        }
    }
    Ok(blocks)
}

/// Reads the block of which there is one. Several are one, written in parts.
pub(super) fn read_single(found: &Found<'_>, path: &str, shape: Shape) -> Result<Option<Block>, String> {
    let mut block = None;
    each_content(found, path, |content| fill(block.get_or_insert_default(), &content, path, shape))?;
    Ok(block)
}

/// Hands on what is in each part of a block without a label of its own.
fn each_content<'a>(
    found: &Found<'a>,
    path: &str,
    mut read: impl FnMut(Cow<'_, [Entry<'a>]>) -> Result<(), String>,
) -> Result<(), String> {
    if !found.labelled.is_empty() {
        // Labels that do not belong here are the keys of what is inside.
        read(Cow::Borrowed(&found.labelled))?;
    }
    found.plain.iter().try_for_each(|value| match value {
        Value::Object(items) => read(Cow::Owned(entries(items))),
        value => Err(misshapen(path, value)),
    })
}

fn labelled_block(entry: Entry<'_>, path: &str, shape: Shape) -> Result<Block, String> {
    let mut block = Block { name: entry.keys[0].clone(), ..Block::default() };
    let content = match entry.value {
        // A second label makes it a block within a block. A third one takes that back.
        _ if entry.keys.len() == 2 => vec![Entry { keys: &entry.keys[1..], value: entry.value }],
        Value::Object(items) => entries(items),
        // What looks like an argument is its own only field.
        Value::Text(_) => vec![entry],
        value @ Value::List(_) => return Err(misshapen(path, value)),
    };
    fill(&mut block, &content, path, shape)?;
    Ok(block)
}

fn fill(block: &mut Block, content: &[Entry<'_>], path: &str, shape: Shape) -> Result<(), String> {
    if shape.has_policy {
        read_text(&mut block.policy, &find(content, "policy"), &format!("{path}.Policy"))?;
    }
    if shape.has_capabilities {
        read_texts(&mut block.capabilities, &find(content, "capabilities"), &format!("{path}.Capabilities"))?;
    }
    if shape.has_variables {
        let path = format!("{path}.variables");
        each_content(&find(content, "variables"), &path, |content| {
            let read = read_labelled(&find(&content, "path"), &format!("{path}.path"), PATH)?;
            block.variables.get_or_insert_default().extend(read);
            Ok(())
        })?;
    }
    Ok(())
}

/// Reads a text. Of several the last holds.
fn read_text(text: &mut String, found: &Found<'_>, path: &str) -> Result<(), String> {
    if !found.labelled.is_empty() {
        return Err(not_a_text(path, "ObjectList"));
    }
    for value in &found.plain {
        match value {
            Value::Text(value) => text.clone_from(value),
            Value::Object(_) => return Err(not_a_text(path, "ObjectList")),
            Value::List(_) => return Err(not_a_text(path, "ListType")),
        }
    }
    Ok(())
}

/// Reads a list of texts. Several are one after the other.
fn read_texts(texts: &mut Option<Vec<String>>, found: &Found<'_>, path: &str) -> Result<(), String> {
    if !found.labelled.is_empty() {
        return Err(not_a_text(&format!("{path}[0]"), "ObjectItem"));
    }
    for value in &found.plain {
        let texts = texts.get_or_insert_default();
        match value {
            Value::Object(items) if items.is_empty() => {}
            Value::Object(_) => return Err(not_a_text(&format!("{path}[0]"), "ObjectItem")),
            Value::Text(_) => return Err("unknown slice type: *ast.LiteralType".into()),
            Value::List(values) => {
                for (place, value) in values.iter().enumerate() {
                    match value {
                        Value::Text(text) => texts.push(text.clone()),
                        Value::Object(_) => {
                            return Err(not_a_text(&format!("{path}[{place}]"), "ObjectType"));
                        }
                        Value::List(_) => return Err(not_a_text(&format!("{path}[{place}]"), "ListType")),
                    }
                }
            }
        }
    }
    Ok(())
}

fn not_a_text(path: &str, found: &str) -> String {
    format!("{path}: unknown type for string *ast.{found}")
}

fn misshapen(path: &str, value: &Value) -> String {
    let found = match value {
        Value::Text(_) => "LiteralType",
        Value::Object(_) => "ObjectType",
        Value::List(_) => "ListType",
    };
    format!("{path}: not an object type for struct (*ast.{found})")
}
