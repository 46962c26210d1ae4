//! The members of a JSON object, taken one by one.

use serde_json::{Map, Value};

use super::{Shape, mismatch};

/// The members that nobody has taken yet. Names match whatever their case, and with underscores between
/// their words, which genuine servers allow for many.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// The members of an object. Null has none.
    pub(crate) fn of(value: Value) -> Result<Members, String> {
        match value {
            Value::Object(members) => Ok(Members(members)),
            Value::Null => Ok(Members(Map::new())),
            other => Err(mismatch(&other, "struct")),
        }
    }

    /// Takes a member as it is, a null included.
    pub(crate) fn take_raw(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.0.remove(name) {
            return Some(value);
        }
        let found = self.0.keys().find(|found| is_same(found, name))?.clone();
        self.0.remove(&found)
    }

    /// Takes a member unless it is absent or null.
    pub(crate) fn take_if_set<T: Shape>(&mut self, name: &str) -> Result<Option<T>, String> {
        self.take_raw(name).filter(|value| !value.is_null()).map(T::read).transpose()
    }

    /// Takes a member; its zero if it is absent or null.
    pub(crate) fn take<T: Shape>(&mut self, name: &str) -> Result<T, String> {
        Ok(self.take_if_set(name)?.unwrap_or_default())
    }

    /// Refuses members that nobody took. Those of the Enterprise edition are named as what they are.
    pub(crate) fn finish(self) -> Result<(), String> {
        let Some(name) = self.0.keys().next() else { return Ok(()) };
        let hint = match name.as_str() {
            "Namespace" => " - Namespaces are a Consul Enterprise feature",
            "Partition" => " - Partitions are a Consul Enterprise feature",
            _ => "",
        };
        Err(format!("json: unknown field {name:?}{hint}"))
    }
}

fn is_same(found: &str, name: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
    };
    letters(found) == letters(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_the_exact_one_first() {
        let mut members = Members::of(json!({"lockdelay": 1, "LockDelay": 2, "node_meta": 3})).unwrap();
        assert_eq!(members.take::<i64>("LockDelay"), Ok(2));
        assert_eq!(members.take::<i64>("LockDelay"), Ok(1));
        assert_eq!(members.take::<i64>("NodeMeta"), Ok(3));
        assert_eq!(members.take::<i64>("LockDelay"), Ok(0));
        assert_eq!(members.finish(), Ok(()));
    }

    #[test]
    fn what_nobody_takes_is_refused_by_name() {
        let members = Members::of(json!({"Zone": 1})).unwrap();
        assert_eq!(members.finish(), Err(r#"json: unknown field "Zone""#.to_owned()));
    }

    #[test]
    fn a_null_is_like_nothing_and_another_type_is_refused() {
        let mut members = Members::of(json!({"Port": null, "Name": 7})).unwrap();
        assert_eq!(members.take::<i64>("Port"), Ok(0));
        let refused = "json: cannot unmarshal number 7 into Go value of type string";
        assert_eq!(members.take::<String>("Name"), Err(refused.to_owned()));
    }
}
