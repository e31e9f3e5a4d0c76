//! Bytes as vectors write them: hex, text, repetitions, lists.

use serde_json::Value;

/// Bytes that may have placeholders in their text parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    /// Bytes, written in hex.
    Bytes(Vec<u8>),
    /// Text in UTF-8, perhaps with placeholders.
    Text(String),
    /// The same bytes repeated.
    Repeat(Box<Self>, usize),
    /// Several of these, concatenated.
    Join(Vec<Self>),
}

impl Data {
    /// Parses the syntax.
    ///
    /// # Errors
    ///
    /// Anything that is not hex, `{"utf8"}`, `{"repeat"}` or a list.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        if let Some(hex) = value.as_str() {
            return parse_hex(hex).map(Self::Bytes);
        }
        if let Some(list) = value.as_array() {
            return list.iter().map(Self::parse).collect::<Result<_, _>>().map(Self::Join);
        }
        let entries: Vec<_> = value.as_object().into_iter().flatten().collect();
        match entries.as_slice() {
            [(key, text)] if *key == "utf8" => match text.as_str() {
                Some(text) => Ok(Self::Text(text.into())),
                None => Err(format!("utf8 is text, not {text}")),
            },
            [(key, Value::Array(pair))] if *key == "repeat" => match pair.as_slice() {
                [data, count] => {
                    let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
                    let count = count.ok_or_else(|| format!("repeat how often? {value}"))?;
                    Ok(Self::Repeat(Box::new(Self::parse(data)?), count))
                }
                _ => Err(format!("repeat is bytes and a count, not {value}")),
            },
            _ => Err(format!("no bytes: {value}")),
        }
    }

    /// The bytes, with text unchanged.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&[])
    }

    /// The bytes, with these placeholders replaced in text.
    pub(super) fn bytes_with(&self, placeholders: &[(&str, String)]) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(text) => {
                let mut text = text.clone();
                for (placeholder, value) in placeholders {
                    text = text.replace(placeholder, value);
                }
                text.into_bytes()
            }
            Self::Repeat(data, count) => data.bytes_with(placeholders).repeat(*count),
            Self::Join(list) => {
                list.iter().flat_map(|data| data.bytes_with(placeholders)).collect()
            }
        }
    }
}

fn parse_hex(hex: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| format!("no hex: {hex:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form() {
        let parse = |value| Data::parse(&value).map(|data| data.bytes());
        assert_eq!(parse(json!("00fF")), Ok(vec![0, 255]));
        assert_eq!(parse(json!({"utf8": "aä"})), Ok("aä".into()));
        assert_eq!(parse(json!(["01", {"repeat": [["02", "03"], 2]}])), Ok(vec![1, 2, 3, 2, 3]));
        for wrong in [json!("0"), json!("+1"), json!(1), json!({"utf8": 1}), json!({"utf9": ""})] {
            assert!(parse(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(parse(json!({"utf8": "", "repeat": ["", 1]})).is_err());
        assert!(parse(json!({"repeat": ["", -1]})).is_err());
    }

    #[test]
    fn placeholders_are_replaced_in_text_only() {
        let data = Data::Join(vec![Data::Text("a{{key}}".into()), Data::Bytes(b"{{key}}".into())]);
        assert_eq!(data.bytes_with(&[("{{key}}", "K".into())]), b"aK{{key}}");
    }
}
