//! The steps of a vector.

use serde_json::Value;
use tidegate_core::deflate::DeflateOffer;

use super::bytes::Data;
use super::deflate::{Agreed, parse_offer};
use super::object::{Object, boolean, list, number, one_or_list, only_true, text};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Bytes arrive from the network, in pieces of `every` bytes if given.
    Receive { data: Data, every: Option<usize> },
    /// The stream ends.
    EndOfStream,
    /// Milliseconds pass.
    Advance(usize),
    /// The application takes events that equal this one.
    Take { event: EventPattern, times: usize },
    /// There is no event now.
    TakeNone,
    /// The application calls something, and may be refused.
    Send { wish: Wish, refused: bool },
    /// The output is exactly these frames.
    ExpectFrames { frames: Vec<FramePattern>, distinct_masks: bool, any_order: bool },
    /// The output is exactly these bytes.
    ExpectBytes(Data),
    /// The output does not matter.
    Discard,
    /// The output is pongs that answer pings in order, up to the last one.
    ExpectPongs { last: Data, max_bytes: usize },
    /// The output is one message.
    ExpectMessage { opcode: u8, data: Data },
    /// The output is one ping.
    ExpectPing,
    /// The peer answers it.
    AnswerPing,
    /// The connection fails with one of these classes, and sends the peer one of these codes.
    ExpectError { classes: Vec<String>, codes: Vec<Option<u16>> },
    /// Whether input is wanted.
    WantsRead(bool),
    /// Whether the transport must be closed.
    WantsClose(bool),
    /// How many messages are queued.
    Queued(usize),
    /// How the connection ended.
    ExpectClosed { code: u16, clean: bool },
    /// The client's request.
    ExpectRequest {
        target: String,
        host: String,
        subprotocols: Vec<String>,
        deflate: Option<DeflateOffer>,
    },
    /// The handshake is complete.
    ExpectOpen(Open),
    /// The server refused.
    ExpectReject { statuses: Vec<usize>, classes: Vec<String>, headers: Vec<(String, String)> },
    /// The handshake failed here.
    ExpectFail { classes: Vec<String>, status: Option<usize> },
}

/// The state of an open connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) accept: Option<String>,
    pub(super) targets: Vec<String>,
    pub(super) subprotocol: Option<String>,
    /// `None` if there must be no compression.
    pub(super) deflate: Option<Agreed>,
    pub(super) header_has: Vec<String>,
    pub(super) header_lacks: Vec<String>,
    pub(super) deflate_may_be_declined: bool,
    pub(super) or_fail: Vec<String>,
}

/// The expectation for an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EventPattern {
    /// A text message.
    Text(Data),
    /// A binary message.
    Binary(Data),
    /// A ping.
    Ping(Data),
    /// A pong.
    Pong(Data),
    /// A clean end, with the code and reason of the peer's Close.
    Close { code: u16, reason: String },
}

/// A call of the application.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    /// Sends text.
    Text(Data),
    /// Sends bytes.
    Binary(Data),
    /// Pings.
    Ping(Data),
    /// Closes; `None` for an empty Close.
    Close(Option<(u16, String)>),
    /// Sends a part of a message; every part has the opcode of the message.
    Fragment { opcode: u8, data: Data, fin: bool },
}

/// The expectation for a frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FramePattern {
    pub(super) opcode: u8,
    pub(super) fin: bool,
    pub(super) rsv1: bool,
    pub(super) body: Body,
}

/// The expectation for the payload of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Payload(Data),
    EmptyClose,
    Close { code: u16, reason: Option<String> },
}

impl Step {
    pub(super) fn parse_list(value: &Value) -> Result<Vec<Self>, String> {
        let steps = value.as_array().ok_or("steps are a list")?;
        let numbered = steps.iter().enumerate();
        numbered
            .map(|(index, step)| {
                Self::parse(step).map_err(|error| format!("step {}: {error}", index + 1))
            })
            .collect()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let step = Self::parse_first(&mut object)?;
        object.finish()?;
        Ok(step)
    }

    fn parse_first(object: &mut Object) -> Result<Self, String> {
        for (key, parse) in KINDS {
            if let Some(value) = object.optional(key) {
                return parse(&value, object).map_err(|error| format!("{key}: {error}"));
            }
        }
        Err(format!("unknown step {object:?}"))
    }
}

type Parse = fn(&Value, &mut Object) -> Result<Step, String>;

/// Every step, by the key that names it.
const KINDS: [(&str, Parse); 25] = [
    ("recv", |value, _| Ok(Step::Receive { data: Data::parse(value)?, every: None })),
    ("recv_split", |value, object| {
        let every = number(&object.required("every")?)?;
        Ok(Step::Receive { data: Data::parse(value)?, every: Some(every.max(1)) })
    }),
    ("eof", |value, _| only_true(value).map(|()| Step::EndOfStream)),
    ("advance_ms", |value, _| number(value).map(Step::Advance)),
    ("take", |value, _| Ok(Step::Take { event: EventPattern::parse(value)?, times: 1 })),
    ("take_n", |value, _| match value.as_array().map(Vec::as_slice) {
        Some([event, times]) => {
            Ok(Step::Take { event: EventPattern::parse(event)?, times: number(times)? })
        }
        _ => Err("an event and a count".into()),
    }),
    ("take_none", |value, _| only_true(value).map(|()| Step::TakeNone)),
    ("send", |value, object| {
        Ok(Step::Send { wish: Wish::parse(value)?, refused: object.flag("refused")? })
    }),
    ("expect_send", |value, object| {
        let distinct_masks = object.flag("distinct_masks")?;
        let frames = list(value, FramePattern::parse)?;
        Ok(Step::ExpectFrames { frames, distinct_masks, any_order: false })
    }),
    ("expect_send_any_order", |value, _| {
        let frames = list(value, FramePattern::parse)?;
        Ok(Step::ExpectFrames { frames, distinct_masks: false, any_order: true })
    }),
    ("expect_send_bytes", |value, _| Data::parse(value).map(Step::ExpectBytes)),
    ("discard_send", |value, _| only_true(value).map(|()| Step::Discard)),
    ("expect_pongs", |value, _| {
        let mut object = Object::new(value)?;
        let last = Data::parse(&object.required("last")?)?;
        let max_bytes = number(&object.required("max_bytes")?)?;
        object.finish().map(|()| Step::ExpectPongs { last, max_bytes })
    }),
    ("expect_message", |value, _| {
        let mut object = Object::new(value)?;
        let opcode = small(&object.required("op")?)?;
        let data = Data::parse(&object.required("data")?)?;
        object.finish().map(|()| Step::ExpectMessage { opcode, data })
    }),
    ("expect_ping", |value, _| only_true(value).map(|()| Step::ExpectPing)),
    ("answer_ping", |value, _| only_true(value).map(|()| Step::AnswerPing)),
    ("expect_error", |value, object| {
        let classes = one_or_list(value, text)?;
        let codes = one_or_list(&object.required("close_code")?, |code| match code {
            Value::Null => Ok(None),
            code => close_code(code).map(Some),
        })?;
        Ok(Step::ExpectError { classes, codes })
    }),
    ("wants_read", |value, _| boolean(value).map(Step::WantsRead)),
    ("wants_close", |value, _| boolean(value).map(Step::WantsClose)),
    ("queued", |value, _| {
        let mut object = Object::new(value)?;
        let messages = number(&object.required("messages")?)?;
        object.finish().map(|()| Step::Queued(messages))
    }),
    ("expect_closed", |value, _| {
        let mut object = Object::new(value)?;
        let code = close_code(&object.required("code")?)?;
        let clean = boolean(&object.required("clean")?)?;
        object.finish().map(|()| Step::ExpectClosed { code, clean })
    }),
    ("expect_request", |value, _| parse_request(value)),
    ("expect_open", |value, _| Open::parse(value).map(Step::ExpectOpen)),
    ("expect_reject", |value, _| parse_reject(value)),
    ("expect_fail", |value, _| {
        let mut object = Object::new(value)?;
        let classes = one_or_list(&object.required("class")?, text)?;
        let status = object.optional_number("status")?;
        object.finish().map(|()| Step::ExpectFail { classes, status })
    }),
];

impl EventPattern {
    fn parse(value: &Value) -> Result<Self, String> {
        let (key, value) = single(value)?;
        Ok(match key.as_str() {
            "text" => Self::Text(Data::parse(&value)?),
            "binary" => Self::Binary(Data::parse(&value)?),
            "ping" => Self::Ping(Data::parse(&value)?),
            "pong" => Self::Pong(Data::parse(&value)?),
            "close" => {
                let (code, reason) = parse_close(&value)?;
                Self::Close { code, reason }
            }
            _ => return Err(format!("unknown event {key:?}")),
        })
    }
}

impl Wish {
    fn parse(value: &Value) -> Result<Self, String> {
        let (key, value) = single(value)?;
        Ok(match (key.as_str(), &value) {
            ("text", value) => Self::Text(Data::parse(value)?),
            ("binary", value) => Self::Binary(Data::parse(value)?),
            ("ping", value) => Self::Ping(Data::parse(value)?),
            ("close", Value::Null) => Self::Close(None),
            ("close", value) => Self::Close(Some(parse_close(value)?)),
            ("fragment", value) => {
                let mut object = Object::new(value)?;
                let opcode = small(&object.required("op")?)?;
                let data = Data::parse(&object.required("data")?)?;
                let fin = boolean(&object.required("fin")?)?;
                object.finish()?;
                Self::Fragment { opcode, data, fin }
            }
            _ => return Err(format!("unknown wish {key:?}")),
        })
    }
}

impl FramePattern {
    fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let opcode = small(&object.required("op")?)?;
        let fin = object.optional_bool("fin")?.unwrap_or(true);
        let rsv1 = object.flag("rsv1")?;
        let body = match (object.optional("payload"), object.optional("close")) {
            (Some(payload), None) => Body::Payload(Data::parse(&payload)?),
            (None, Some(Value::Null)) => Body::EmptyClose,
            (None, Some(close)) => {
                let mut close = Object::new(&close)?;
                let code = close_code(&close.required("code")?)?;
                let reason = close.optional_text("reason")?;
                close.finish()?;
                Body::Close { code, reason }
            }
            _ => return Err("a frame has a payload or a close".into()),
        };
        object.finish()?;
        Ok(Self { opcode, fin, rsv1, body })
    }
}

impl Open {
    fn parse(value: &Value) -> Result<Self, String> {
        let mut object = Object::new(value)?;
        let names = |value: Option<Value>| value.map_or(Ok(Vec::new()), |value| list(&value, text));
        let deflate = match object.required("deflate")? {
            Value::Null => None,
            parameters => Some(Agreed::parse(&parameters)?),
        };
        let open = Self {
            accept: object.optional_text("accept")?,
            targets: match object.optional("target") {
                None => Vec::new(),
                Some(targets) => one_or_list(&targets, text)?,
            },
            subprotocol: match object.required("subprotocol")? {
                Value::Null => None,
                name => Some(text(&name)?),
            },
            deflate,
            header_has: names(object.optional("header_has"))?,
            header_lacks: names(object.optional("header_lacks"))?,
            deflate_may_be_declined: object.flag("deflate_may_be_declined")?,
            or_fail: match object.optional("or_fail") {
                None => Vec::new(),
                Some(classes) => one_or_list(&classes, text)?,
            },
        };
        object.finish()?;
        Ok(open)
    }
}

fn parse_request(value: &Value) -> Result<Step, String> {
    let mut object = Object::new(value)?;
    let target = object.text("target")?;
    let host = object.text("host")?;
    let subprotocols = list(&object.required("subprotocols")?, text)?;
    let deflate = match object.required("deflate_offer")? {
        Value::Null => None,
        parameters => Some(parse_offer(&parameters)?),
    };
    object.finish()?;
    Ok(Step::ExpectRequest { target, host, subprotocols, deflate })
}

fn parse_reject(value: &Value) -> Result<Step, String> {
    let mut object = Object::new(value)?;
    let statuses = one_or_list(&object.required("status")?, number)?;
    let classes = one_or_list(&object.required("class")?, text)?;
    let mut headers = Vec::new();
    if let Some(Value::Object(wanted)) = object.optional("headers") {
        for (name, value) in &wanted {
            headers.push((name.clone(), text(value)?));
        }
    }
    object.finish()?;
    Ok(Step::ExpectReject { statuses, classes, headers })
}

fn parse_close(value: &Value) -> Result<(u16, String), String> {
    let mut object = Object::new(value)?;
    let code = close_code(&object.required("code")?)?;
    let reason = object.text("reason")?;
    object.finish()?;
    Ok((code, reason))
}

fn close_code(value: &Value) -> Result<u16, String> {
    number(value).and_then(|code| u16::try_from(code).map_err(|_| format!("no code: {code}")))
}

fn small(value: &Value) -> Result<u8, String> {
    number(value).and_then(|op| u8::try_from(op).map_err(|_| format!("no opcode: {op}")))
}

fn single(value: &Value) -> Result<(String, Value), String> {
    let entries: Vec<_> = value.as_object().into_iter().flatten().collect();
    match entries.as_slice() {
        [(key, value)] => Ok(((*key).clone(), (*value).clone())),
        _ => Err(format!("one key and its value, not {value}")),
    }
}
