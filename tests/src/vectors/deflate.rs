//! Parameters of permessage-deflate, in the syntax of the vectors and in header fields.

use serde_json::Value;
use tidegate_core::deflate::{ClientWindow, DeflateOffer, DeflateParams};

use super::object::{Object, boolean, number};

/// The expectation for negotiated parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    server_no_context_takeover: Option<bool>,
    client_no_context_takeover: Option<bool>,
    server_max_window_bits: Bits,
    client_max_window_bits: Bits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bits {
    Exactly(u8),
    AtMost(u8),
    Any,
}

impl Agreed {
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let agreed = Self {
            server_no_context_takeover: flag_pattern(&object.required(SERVER_TAKEOVER)?)?,
            client_no_context_takeover: flag_pattern(&object.required(CLIENT_TAKEOVER)?)?,
            server_max_window_bits: Bits::parse(&object.required(SERVER_BITS)?)?,
            client_max_window_bits: Bits::parse(&object.required(CLIENT_BITS)?)?,
        };
        object.finish()?;
        Ok(agreed)
    }

    pub(super) fn matches(&self, params: DeflateParams) -> bool {
        let flag = |pattern: Option<bool>, seen| pattern.is_none_or(|expected| expected == seen);
        flag(self.server_no_context_takeover, params.server_no_context_takeover)
            && flag(self.client_no_context_takeover, params.client_no_context_takeover)
            && self.server_max_window_bits.matches(params.server_max_window_bits)
            && self.client_max_window_bits.matches(params.client_max_window_bits)
    }
}

impl Bits {
    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(any) if any == "any" => Ok(Self::Any),
            Value::Object(_) => {
                let mut object = Object::new(value)?;
                let most = bits(&object.required("max")?)?;
                object.finish().map(|()| Self::AtMost(most))
            }
            value => bits(value).map(Self::Exactly),
        }
    }

    fn matches(self, seen: u8) -> bool {
        (8..=15).contains(&seen)
            && match self {
                Self::Exactly(bits) => bits == seen,
                Self::AtMost(most) => seen <= most,
                Self::Any => true,
            }
    }
}

/// Parameters that were negotiated, or that a server asks for: all of them exact.
pub(super) fn parse_params(value: &Value) -> Result<DeflateParams, String> {
    let mut object = Object::new(value)?;
    let params = DeflateParams {
        server_no_context_takeover: boolean(&object.required(SERVER_TAKEOVER)?)?,
        client_no_context_takeover: boolean(&object.required(CLIENT_TAKEOVER)?)?,
        server_max_window_bits: bits(&object.required(SERVER_BITS)?)?,
        client_max_window_bits: bits(&object.required(CLIENT_BITS)?)?,
    };
    object.finish()?;
    Ok(params)
}

/// A client's offer. Window bits: `null` for absent, `true` for present without a value.
pub(super) fn parse_offer(value: &Value) -> Result<DeflateOffer, String> {
    let mut object = Object::new(value)?;
    let offer = DeflateOffer {
        server_no_context_takeover: boolean(&object.required(SERVER_TAKEOVER)?)?,
        client_no_context_takeover: boolean(&object.required(CLIENT_TAKEOVER)?)?,
        server_max_window_bits: match object.required(SERVER_BITS)? {
            Value::Null => None,
            value => Some(bits(&value)?),
        },
        client_max_window_bits: match object.required(CLIENT_BITS)? {
            Value::Null => ClientWindow::NotOffered,
            Value::Bool(true) => ClientWindow::Any,
            value => ClientWindow::AtMost(bits(&value)?),
        },
    };
    object.finish()?;
    Ok(offer)
}

/// Parses a client's header, as simply as possible and without the core.
pub(super) fn read_offer(header: &str) -> Result<DeflateOffer, String> {
    let mut offer = DeflateOffer::default();
    for (name, value) in parameters(header)? {
        match (name, value) {
            (SERVER_TAKEOVER, None) => offer.server_no_context_takeover = true,
            (CLIENT_TAKEOVER, None) => offer.client_no_context_takeover = true,
            (SERVER_BITS, Some(value)) => {
                offer.server_max_window_bits = Some(decimal(value, header)?);
            }
            (CLIENT_BITS, None) => offer.client_max_window_bits = ClientWindow::Any,
            (CLIENT_BITS, Some(value)) => {
                offer.client_max_window_bits = ClientWindow::AtMost(decimal(value, header)?);
            }
            _ => return Err(format!("unexpected parameter in {header:?}")),
        }
    }
    Ok(offer)
}

/// Parses a server's header, likewise.
pub(super) fn read_answer(header: &str) -> Result<DeflateParams, String> {
    let mut params = DeflateParams::default();
    for (name, value) in parameters(header)? {
        match (name, value) {
            (SERVER_TAKEOVER, None) => params.server_no_context_takeover = true,
            (CLIENT_TAKEOVER, None) => params.client_no_context_takeover = true,
            (SERVER_BITS, Some(value)) => params.server_max_window_bits = decimal(value, header)?,
            (CLIENT_BITS, Some(value)) => params.client_max_window_bits = decimal(value, header)?,
            _ => return Err(format!("unexpected parameter in {header:?}")),
        }
    }
    Ok(params)
}

type Parameter<'h> = (&'h str, Option<&'h str>);

fn parameters(header: &str) -> Result<Vec<Parameter<'_>>, String> {
    let mut elements = header.split(';').map(str::trim);
    if elements.next() != Some("permessage-deflate") || header.contains(',') {
        return Err(format!("expected permessage-deflate alone, there is {header:?}"));
    }
    let parameters: Vec<_> = elements
        .map(|element| match element.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (element, None),
        })
        .collect();
    let mut names: Vec<_> = parameters.iter().map(|(name, _)| name).collect();
    names.sort();
    match names.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(twice) => Err(format!("a parameter occurs twice: {twice:?}")),
        None => Ok(parameters),
    }
}

/// `None` for any.
fn flag_pattern(value: &Value) -> Result<Option<bool>, String> {
    if value.as_str() == Some("any") { Ok(None) } else { boolean(value).map(Some) }
}

fn bits(value: &Value) -> Result<u8, String> {
    match u8::try_from(number(value)?) {
        Ok(bits @ 8..=15) => Ok(bits),
        _ => Err(format!("no window has {value} bits")),
    }
}

fn decimal(value: &str, header: &str) -> Result<u8, String> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    match value.parse() {
        Ok(bits @ 8..=15) if is_plain => Ok(bits),
        _ => Err(format!("no window has {value:?} bits: {header:?}")),
    }
}

const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn agreed(server: Value, client: Value, takeover: Value) -> Result<Agreed, String> {
        Agreed::parse(&json!({SERVER_TAKEOVER: false, CLIENT_TAKEOVER: takeover,
            SERVER_BITS: server, CLIENT_BITS: client}))
    }

    #[test]
    fn patterns_match_their_values() {
        let params = read_answer("permessage-deflate; server_max_window_bits=10");
        let params = params.unwrap_or_default();
        assert_eq!((params.server_max_window_bits, params.client_max_window_bits), (10, 15));
        for (server, client, takeover, expected) in [
            (json!(10), json!(15), json!(false), true),
            (json!({"max": 12}), json!("any"), json!("any"), true),
            (json!({"max": 9}), json!(15), json!(false), false),
            (json!(15), json!(15), json!(false), false),
            (json!(10), json!(15), json!(true), false),
        ] {
            let pattern = agreed(server, client, takeover);
            assert_eq!(pattern.map(|pattern| pattern.matches(params)), Ok(expected));
        }
        assert!(agreed(json!(7), json!(15), json!(false)).is_err());
        assert!(agreed(json!({"least": 9}), json!(15), json!(false)).is_err());
    }

    #[test]
    fn headers_are_read_strictly() {
        let offer = "permessage-deflate; client_max_window_bits; server_no_context_takeover";
        let expected = DeflateOffer {
            server_no_context_takeover: true,
            client_max_window_bits: ClientWindow::Any,
            ..DeflateOffer::default()
        };
        assert_eq!(read_offer(offer), Ok(expected));
        assert!(read_answer(offer).is_err(), "an answer has a value");
        for wrong in ["x-deflate", "a, permessage-deflate", "; server_max_window_bits=010"] {
            assert!(read_answer(wrong).is_err(), "{wrong}");
        }
        for wrong in ["=9", "=16", "=7", "=+9", "=09", "=9; server_max_window_bits=9"] {
            let header = format!("permessage-deflate; server_max_window_bits{wrong}");
            assert_eq!(read_answer(&header).is_ok(), wrong == "=9", "{wrong}");
        }
    }
}
