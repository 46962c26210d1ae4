//! Handling of tidy structures ([`super::read`]): what is there, and what is set where nothing is.

use serde_json::Value;

use super::read::Tree;

/// Takes over what is said further out and not here.
pub(super) fn inherit(within: &mut Tree, name: &str, outer: Option<&Value>) {
    if let Some(outer) = outer {
        let own = within.entry(name).or_insert_with(|| Value::Object(Tree::new()));
        if let Value::Object(own) = own {
            fill(own, outer);
        }
    }
}

/// Sets what is not set.
pub(super) fn fill(within: &mut Tree, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        within.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}

/// Sets a text that is not set, or empty.
pub(super) fn fill_empty(within: &mut Tree, name: &str, default: &str) {
    if text(within, name).is_empty() {
        within.insert(name.to_owned(), default.into());
    }
}

/// An empty list or map is as good as none.
pub(super) fn forget_empty(within: &mut Tree, names: &[&str]) {
    for name in names {
        if is_empty(within, name) {
            within.remove(*name);
        }
    }
}

/// Whether a list or map is empty or not there.
pub(super) fn is_empty(within: &Tree, name: &str) -> bool {
    match within.get(name) {
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        found => found.is_none(),
    }
}

/// Whether all of it is zero.
pub(super) fn is_nothing(within: &Tree) -> bool {
    let is_zero = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    };
    within.values().all(is_zero)
}

/// Changes a part with the whole at hand: takes it out, and puts it back.
pub(super) fn aside(within: &mut Tree, name: &str, change: impl FnOnce(&Tree, &mut Option<Value>)) {
    let mut part = within.remove(name);
    change(within, &mut part);
    if let Some(part) = part {
        within.insert(name.to_owned(), part);
    }
}

/// Changes every structure in a list.
pub(super) fn each(within: &mut Tree, name: &str, change: impl FnMut(&mut Tree)) {
    let list = within.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
    list.filter_map(Value::as_object_mut).for_each(change);
}

/// The structures in a list that was taken out.
pub(super) fn each_of(list: &mut Option<Value>) -> impl Iterator<Item = &mut Tree> {
    list.as_mut().and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A structure, to be changed.
pub(super) fn tree<'a>(within: &'a mut Tree, name: &str) -> Option<&'a mut Tree> {
    within.get_mut(name)?.as_object_mut()
}

/// A structure.
pub(super) fn part<'a>(within: &'a Tree, name: &str) -> Option<&'a Tree> {
    within.get(name)?.as_object()
}

/// The structures in a list.
pub(super) fn list<'a>(within: &'a Tree, name: &str) -> impl Iterator<Item = &'a Tree> {
    within.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The structures in a map, by their names.
pub(super) fn entries<'a>(within: &'a Tree, name: &str) -> impl Iterator<Item = (&'a String, &'a Tree)> {
    let entries = part(within, name).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name, value.as_object()?)))
}

/// The texts in a list.
pub(super) fn texts<'a>(within: &'a Tree, name: &str) -> impl Iterator<Item = &'a str> {
    within.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

pub(super) fn text<'a>(within: &'a Tree, name: &str) -> &'a str {
    within.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn integer(within: &Tree, name: &str) -> i64 {
    within.get(name).and_then(Value::as_i64).unwrap_or_default()
}

pub(super) fn is_set(within: &Tree, name: &str) -> bool {
    within.get(name).and_then(Value::as_bool).unwrap_or_default()
}
