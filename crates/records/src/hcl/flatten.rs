//! Makes the tree of a JSON source one of blocks with labels, as HCL would have written it.
//!
//! Follows `hashicorp/hcl:json/parser/flatten.go`: an object of nothing but objects is taken for labels.

use super::{Error, Item, Value};

/// The most bytes of keys that come of flattening. Every block repeats the keys above it, so that a short
/// source could otherwise become any number of times as long.
const KEYS_BYTES_MAX: usize = 8 << 20;

/// Flattens items at every level.
pub(crate) fn flatten(items: Vec<Item>) -> Result<Vec<Item>, Error> {
    Flattening { keys_bytes: 0 }.items(items)
}

struct Flattening {
    keys_bytes: usize,
}

impl Flattening {
    fn items(&mut self, items: Vec<Item>) -> Result<Vec<Item>, Error> {
        let mut flat = Vec::new();
        for Item { keys, value } in items {
            self.add(keys, value, &mut flat)?;
        }
        Ok(flat)
    }

    fn add(&mut self, keys: Vec<String>, value: Value, flat: &mut Vec<Item>) -> Result<(), Error> {
        self.keys_bytes += keys.iter().map(|key| size_of::<String>() + key.len()).sum::<usize>();
        if self.keys_bytes > KEYS_BYTES_MAX {
            return Err(Error::Repetitive);
        }
        match value {
            Value::Object(items) if !items.is_empty() && items.iter().all(|item| is_object(&item.value)) => {
                items.into_iter().try_for_each(|item| {
                    let keys = keys.iter().cloned().chain(item.keys).collect();
                    self.add(keys, item.value, flat)
                })
            }
            Value::List(values) if !values.is_empty() && values.iter().all(is_object) => {
                values.into_iter().try_for_each(|value| self.add(keys.clone(), value, flat))
            }
            value => {
                let value = self.within(value)?;
                flat.push(Item { keys, value });
                Ok(())
            }
        }
    }

    /// Flattens what is in a value that itself stays as it is.
    fn within(&mut self, value: Value) -> Result<Value, Error> {
        Ok(match value {
            Value::Text(text) => Value::Text(text),
            Value::Object(items) => Value::Object(self.items(items)?),
            Value::List(values) => {
                Value::List(values.into_iter().map(|value| self.within(value)).collect::<Result<_, _>>()?)
            }
        })
    }
}

fn is_object(value: &Value) -> bool {
    matches!(value, Value::Object(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::{Repeats, parse};

    #[test]
    fn json_becomes_what_hcl_would_have_been() {
        let table = [
            (r#"{"a": {"b": {"c": "d"}}}"#, r#"a "b" { c = "d" }"#),
            (r#"{"a": [{"b": {"c": "d"}}, {"e": {}}]}"#, r#"a "b" { c = "d" } a "e" { }"#),
            (r#"{"a": {"b": {}, "c": {"d": 1}}, "e": {}}"#, r#"a "b" { } a "c" { d = 1 } e { }"#),
            (r#"{"a": {"b": 1, "c": {"d": {"e": 2}}}}"#, r#"a { b = 1 c "d" { e = 2 } }"#),
            (r#"{"a": {"b": [{"c": 1}]}, "d": []}"#, r#"a { b { c = 1 } } d = []"#),
            (r#"{"a": [1, {"b": {"c": {}}}]}"#, r#"a = [1, { b "c" { } }]"#),
        ];
        for (json, hcl) in table {
            let flat = flatten(parse(json, Repeats::LastHolds).unwrap()).unwrap();
            assert_eq!(flat, parse(hcl, Repeats::LastHolds).unwrap(), "{json}");
        }
    }

    #[test]
    fn a_long_key_over_many_blocks_is_refused() {
        let blocks: Vec<String> = (0..10_000).map(|number| format!("\"{number}\":{{}}")).collect();
        let source = format!("{{\"{}\":{{{}}}}}", "k".repeat(100_000), blocks.join(","));
        assert_eq!(flatten(parse(&source, Repeats::LastHolds).unwrap()), Err(Error::Repetitive));
    }
}
