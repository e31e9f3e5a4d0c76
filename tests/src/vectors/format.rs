//! Parses the files of wire vectors strictly: an unknown key is an error and never skipped.

use std::path::Path;

use serde_json::Value;
use tidegate_core::Role;
use tidegate_core::deflate::{DeflateOffer, DeflateParams};

use super::chunking::Chunking;
use super::deflate::{parse_offer, parse_params};
use super::object::{Object, list, number, text};
use super::steps::Step;

/// One file.
#[derive(Clone, Debug)]
pub(super) struct VectorFile {
    /// The category; vectors are named within it.
    pub(super) category: String,
    /// The vectors.
    pub(super) vectors: Vec<Vector>,
}

/// One vector.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    /// Unique within its category.
    pub(super) name: String,
    /// Which end the core is.
    pub(super) role: Role,
    /// Whether it starts with the opening handshake.
    pub(super) is_handshake: bool,
    /// The configuration.
    pub(super) settings: Settings,
    /// How the input may be split.
    pub(super) chunking: Chunking,
    /// The steps, in order.
    pub(super) steps: Vec<Step>,
}

/// The configuration of a vector. Missing values have the default of the format, not of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The limit for one message in bytes.
    pub(super) max_message_size: usize,
    /// The limit for the payload of one data frame, if there is one.
    pub(super) max_frame_size: Option<usize>,
    /// Whether text is validated.
    pub utf8_validation: bool,
    /// Whether pings and pongs are events.
    pub(super) report_control: bool,
    /// High and low watermark for the number of messages.
    pub(super) messages: Option<(usize, usize)>,
    /// High and low watermark for their bytes.
    pub(super) bytes: Option<(usize, usize)>,
    /// Milliseconds, if there is a limit.
    pub(super) close_timeout: Option<usize>,
    /// Milliseconds, if there is a keepalive.
    pub(super) ping_interval: Option<usize>,
    /// Milliseconds, if there is a limit.
    pub(super) pong_timeout: Option<usize>,
    /// The negotiated parameters, for a connection that starts open.
    pub(super) deflate: Option<DeflateParams>,
    /// The parameters that a server asks for.
    pub(super) deflate_accept: Option<DeflateParams>,
    /// The parameters that a client offers.
    pub(super) deflate_offer: Option<DeflateOffer>,
    /// The limit for the HTTP head in the opening handshake, in bytes.
    pub(super) max_head_bytes: usize,
    /// The limit for the number of header fields in the opening handshake.
    pub(super) max_headers: usize,
    /// The subprotocols that the server supports or the client offers, best first.
    pub(super) subprotocols: Vec<String>,
    /// The client's `Host`.
    pub(super) host: Option<String>,
    /// The client's request target.
    pub(super) target: Option<String>,
}

impl VectorFile {
    /// Reads every `*.json` of a directory, in the order of their names.
    ///
    /// # Errors
    ///
    /// If a file could not be read or parsed, with its position; also for a directory without vectors.
    pub(super) fn read_directory(directory: &Path) -> Result<Vec<Self>, String> {
        let place = directory.display();
        let entries = std::fs::read_dir(directory).map_err(|error| format!("{place}: {error}"))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|error| format!("{place}: {error}"))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        if paths.is_empty() {
            return Err(format!("{place}: no *.json here"));
        }
        let read = |path: &std::path::PathBuf| {
            let place = path.display();
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{place}: {error}"))?;
            Self::parse(&text).map_err(|error| format!("{place}: {error}"))
        };
        paths.iter().map(read).collect()
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    ///
    /// If it is not JSON or not format 1, or has an unknown key or a name that is used twice.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut file = Object::new(&value)?;
        let format = number(&file.required("format")?)?;
        if format != 1 {
            return Err(format!("format {format} is unknown, only 1 is known"));
        }
        let category = file.text("category")?;
        let vectors = list(&file.required("vectors")?, Vector::parse)?;
        file.finish()?;
        let mut names: Vec<_> = vectors.iter().map(|vector| &vector.name).collect();
        names.sort();
        match names.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(twice) => Err(format!("a name occurs twice: {twice:?}")),
            None => Ok(Self { category, vectors }),
        }
    }
}

impl Vector {
    fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let name = object.text("name")?;
        Self::parse_rest(&name, object).map_err(|error| format!("vector {name:?}: {error}"))
    }

    fn parse_rest(name: &str, mut object: Object) -> Result<Self, String> {
        object.text("why")?;
        object.optional_text("policy")?;
        if let Some(requires) = object.optional("requires") {
            for feature in list(&requires, text)? {
                // The core supports all features, so no vector is skipped.
                if !FEATURES.contains(&feature.as_str()) {
                    return Err(format!("unknown feature {feature:?}"));
                }
            }
        }
        let role = match object.text("role")?.as_str() {
            "server" => Role::Server,
            "client" => Role::Client,
            other => return Err(format!("unknown role {other:?}")),
        };
        let is_handshake = match object.optional_text("phase")?.as_deref() {
            None => false,
            Some("handshake") => true,
            Some(other) => return Err(format!("unknown phase {other:?}")),
        };
        let vector = Self {
            name: name.into(),
            role,
            is_handshake,
            settings: Settings::parse(&object.required("config")?)?,
            chunking: Chunking::parse(&object.text("chunking")?)?,
            steps: Step::parse_list(&object.required("steps")?)?,
        };
        object.finish()?;
        Ok(vector)
    }
}

impl Settings {
    fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let deflate = given(&mut object, "deflate", parse_params)?;
        let deflate_accept = given(&mut object, "deflate_accept", parse_params)?;
        let deflate_offer = given(&mut object, "deflate_offer", parse_offer)?;
        let marks = |high: Option<usize>, low: Option<usize>| match (high, low) {
            (None, None) => Ok(None),
            (Some(high), Some(low)) => Ok(Some((high, low))),
            _ => Err("a mark without its counterpart"),
        };
        let subprotocols = object.optional("subprotocols");
        let settings = Self {
            max_message_size: object.optional_number("max_message_size")?.unwrap_or(16_777_216),
            max_frame_size: object.optional_number("max_frame_size")?,
            utf8_validation: object.optional_bool("utf8_validation")?.unwrap_or(true),
            report_control: object.flag("report_control")?,
            messages: marks(
                object.optional_number("high_messages")?,
                object.optional_number("low_messages")?,
            )?,
            bytes: marks(
                object.optional_number("high_bytes")?,
                object.optional_number("low_bytes")?,
            )?,
            close_timeout: object.optional_number("close_timeout_ms")?,
            ping_interval: object.optional_number("ping_interval_ms")?,
            pong_timeout: object.optional_number("pong_timeout_ms")?,
            deflate,
            deflate_accept,
            deflate_offer,
            max_head_bytes: object.optional_number("max_head_bytes")?.unwrap_or(65_536),
            max_headers: object.optional_number("max_headers")?.unwrap_or(128),
            subprotocols: subprotocols.map_or(Ok(Vec::new()), |value| list(&value, text))?,
            host: object.optional_text("host")?,
            target: object.optional_text("target")?,
        };
        object.finish()?;
        Ok(settings)
    }
}

/// The value of this key; `None` if it is `null` or missing.
fn given<T>(
    object: &mut Object,
    key: &str,
    parse: impl Fn(&Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match object.optional(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => parse(&value).map(Some).map_err(|error| format!("{key}: {error}")),
    }
}

const FEATURES: [&str; 5] = ["send_fragments", "report_control", "timers", "keepalive", "utf8_off"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(vector: &str) -> Result<VectorFile, String> {
        VectorFile::parse(&format!(r#"{{"format":1,"category":"c","vectors":[{vector}]}}"#))
    }

    #[test]
    fn unknown_keys_are_errors() {
        let good = r#"{"name":"n","why":"w","role":"server","config":{},"chunking":"any",
            "steps":[{"recv":"00"},{"take_none":true}]}"#;
        assert_eq!(parse(good).map(|file| file.vectors.len()), Ok(1));
        for (from, to) in [
            (r#""why":"w""#, r#""why":"w","extra":1"#),
            (r#""config":{}"#, r#""config":{"max_mesage_size":1}"#),
            (r#""config":{}"#, r#""config":{"high_bytes":1}"#),
            (r#""take_none""#, r#""take_nothing""#),
            (r#"true}"#, r#"false}"#),
            (r#"{"recv":"00"}"#, r#"{"recv":"00","every":1}"#),
            (r#""any""#, r#""some""#),
            (r#""server""#, r#""peer""#),
            (r#""why":"w""#, r#""why":"w","requires":["quic"]"#),
            (r#""why":"w""#, r#""why":"w","phase":"closing""#),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(parse(&bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("{good},{good}")).is_err(), "a name twice");
    }
}
