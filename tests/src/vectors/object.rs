//! Reads JSON objects strictly: a key that was not read is an error.

use serde_json::{Map, Value};

/// An object of which every entry must be taken.
#[derive(Debug)]
pub(super) struct Object {
    entries: Map<String, Value>,
}

impl Object {
    pub(super) fn new(value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(entries) => Ok(Self { entries: entries.clone() }),
            other => Err(format!("no object: {other}")),
        }
    }

    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.entries.remove(key)
    }

    pub(super) fn required(&mut self, key: &str) -> Result<Value, String> {
        self.optional(key).ok_or_else(|| format!("{key} is missing"))
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, String> {
        text(&self.required(key)?)
    }

    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.optional(key).map(|value| text(&value)).transpose()
    }

    /// A number; `None` if it is `null` or missing.
    pub(super) fn optional_number(&mut self, key: &str) -> Result<Option<usize>, String> {
        match self.optional(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => number(&value).map(Some),
        }
    }

    pub(super) fn optional_bool(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.optional(key).map(|value| boolean(&value)).transpose()
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<bool, String> {
        self.optional_bool(key).map(Option::unwrap_or_default)
    }

    /// Fails if an entry was not taken.
    pub(super) fn finish(self) -> Result<(), String> {
        match self.entries.keys().next() {
            Some(key) => Err(format!("unknown key {key:?}")),
            None => Ok(()),
        }
    }
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(Into::into).ok_or_else(|| format!("no text: {value}"))
}

pub(super) fn number(value: &Value) -> Result<usize, String> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| format!("no number: {value}"))
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("neither true nor false: {value}"))
}

/// `true`, for steps without a value.
pub(super) fn only_true(value: &Value) -> Result<(), String> {
    if boolean(value)? { Ok(()) } else { Err("only true has a meaning here".into()) }
}

/// A list, or one item as a list of one.
pub(super) fn one_or_list<T>(
    value: &Value,
    item: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match value {
        Value::Array(list) => list.iter().map(item).collect(),
        single => item(single).map(|item| vec![item]),
    }
}

pub(super) fn list<T>(
    value: &Value,
    item: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let list = value.as_array().ok_or_else(|| format!("no list: {value}"))?;
    list.iter().map(item).collect()
}
