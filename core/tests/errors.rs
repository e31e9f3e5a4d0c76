//! Error texts name the cause, the allowed value and the setting; invalid settings are refused.
#![allow(clippy::unwrap_used, missing_docs)]

use core::error::Error;
use core::time::Duration;

use tidegate_core::frame::OpCode;
use tidegate_core::handshake::proxy::{ProxyError, ProxyRequestError};
use tidegate_core::handshake::{
    AcceptError, CredentialsError, Excerpt, HandshakeError, HeaderError, Limits, RequestError,
};
use tidegate_core::{
    Chunk, ChunkError, CloseCode, CloseFrame, Config, ConfigError, Connection, ControlError,
    Delivery, Event, Failure, Message, MessageKind, PongPolicy, ProtocolError, SendError,
    Timestamp, Watermarks,
};

/// Checks the style of error texts (lower case, no full stop) and that they contain these words.
fn says(error: &dyn Error, words: &[&str]) {
    let text = error.to_string();
    let first = text.chars().next().unwrap();
    assert!(
        !first.is_uppercase() || text.starts_with("HTTP") || text.starts_with("SOCKS"),
        "{text}"
    );
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    for word in words {
        assert!(text.contains(word), "{text:?} has not {word:?}");
    }
    // A chain that is printed says each thing once.
    let mut error = error;
    while let Some(source) = error.source() {
        assert!(!error.to_string().contains(&source.to_string()), "{error} <- {source}");
        error = source;
    }
}

#[test]
fn a_protocol_error_names_its_cause_and_its_close_code() {
    use ProtocolError as E;
    let ping = OpCode::Ping;
    for (error, code, words) in [
        (E::ReservedBits { bits: 0x20 }, 1002, &["0x20"][..]),
        (E::UnknownOpcode { opcode: 0xB }, 1002, &["0xb"]),
        (E::Unmasked, 1002, &["unmasked"]),
        (E::Masked, 1002, &["masked"]),
        (E::NonMinimalLength { length: 125 }, 1002, &["125"]),
        (E::LengthOverflow, 1002, &["top bit"]),
        (E::FragmentedControl { opcode: ping }, 1002, &["ping", "fragment"]),
        (E::OversizedControl { opcode: ping }, 1002, &["ping", "125"]),
        (E::UnexpectedContinuation, 1002, &["continuation"]),
        (E::ExpectedContinuation { opcode: OpCode::Text }, 1002, &["text"]),
        (E::FrameTooLarge { length: 11, limit: 10 }, 1009, &["11", "max_frame_size is 10"]),
        (E::MessageTooLarge { length: 11, limit: 10 }, 1009, &["11", "max_message_size is 10"]),
        (E::InvalidUtf8 { offset: 7 }, 1007, &["UTF-8", "7"]),
        (E::TruncatedUtf8, 1007, &["character"]),
        (E::InvalidCloseReason, 1007, &["reason", "UTF-8"]),
        (E::InvalidCloseCode { code: 999 }, 1002, &["999"]),
        (E::TruncatedCloseCode, 1002, &["one byte"]),
        (E::InvalidDeflate, 1007, &["inflated"]),
        (E::TruncatedDeflate, 1007, &["block"]),
    ] {
        says(&error, words);
        assert_eq!(error.close_code().as_u16(), code, "{error}");
        let failure = Failure::Protocol(error);
        says(&failure, words);
        assert!(failure.source().is_none(), "a source would repeat the text");
    }
    for (failure, words) in [
        (Failure::EndOfStream, "closing handshake"),
        (Failure::KeepaliveTimeout, "pong_timeout"),
        (Failure::WriteTimeout, "write_timeout"),
        (Failure::CloseTimeout, "close_timeout"),
        (Failure::Aborted, "aborted"),
    ] {
        says(&failure, &[words]);
        assert!(failure.source().is_none());
    }
}

#[test]
fn errors_of_sending_name_the_cause() {
    let message = Message::text("kept");
    for (error, words) in [
        (SendError::Full(message.clone()), "full"),
        (SendError::Closed(message.clone()), "clos"),
        (SendError::Unfinished(message), "not finished"),
    ] {
        says(&error, &[words]);
    }
    let chunk = || Chunk { kind: MessageKind::Text, payload: b"kept"[..].into(), last: true };
    for (error, words) in [
        (ChunkError::Full(chunk()), "full"),
        (ChunkError::Closed(chunk()), "clos"),
        (ChunkError::WrongKind(chunk()), "kind"),
        (ChunkError::InvalidUtf8(chunk()), "text"),
    ] {
        says(&error, &[words]);
    }
    says(&ControlError::Full, &["pings"]);
    says(&ControlError::Closed, &["clos"]);
    says(&ControlError::PayloadTooLong { length: 126 }, &["126", "125"]);
}

#[test]
fn an_invalid_configuration_is_refused_with_the_name_of_the_setting() {
    type Wrong = fn(tidegate_core::ConfigBuilder) -> tidegate_core::ConfigBuilder;
    type WithMarks = fn(Watermarks) -> tidegate_core::ConfigBuilder;
    for (setting, wrong) in [
        ("ping_interval", (|config| config.ping_interval(Duration::ZERO)) as Wrong),
        ("pong_timeout", |config| config.pong_timeout(Duration::ZERO)),
        ("close_timeout", |config| config.close_timeout(Duration::ZERO)),
        ("write_timeout", |config| config.write_timeout(Duration::ZERO)),
        ("max_message_size", |config| config.max_message_size(0)),
        ("fragment_size", |config| config.fragment_size(0)),
        ("max_frame_size", |config| config.max_frame_size(0)),
        ("max_pongs", |config| config.max_pongs(0)),
        ("max_pings", |config| config.max_pings(0)),
    ] {
        let error = wrong(Config::builder()).build().unwrap_err();
        says(&error, &[setting]);
    }
    for (setting, with) in [
        ("message_marks", (|marks| Config::builder().message_marks(marks)) as WithMarks),
        ("byte_marks", |marks| Config::builder().byte_marks(marks)),
        ("send_marks", |marks| Config::builder().send_marks(marks)),
    ] {
        let error = |high, low| with(Watermarks::new(high, low)).build().unwrap_err();
        says(&error(0, 0), &[setting, "0"]);
        says(&error(1, 2), &[setting, "2", "1"]);
    }
    let out = ConfigError::OutOfRange { setting: "level", value: 10, least: 0, most: 9 };
    says(&out, &["level", "10", "9"]);
}

/// Time is counted in microseconds, so 500 ns would be zero, and a keepalive of zero would keep the
/// event loop spinning.
#[test]
fn a_duration_below_a_microsecond_is_refused_like_zero() {
    type Set = fn(Duration) -> Result<(), ConfigError>;
    for (setting, set) in [
        ("ping_interval", (|time| Config::builder().ping_interval(time).build().map(drop)) as Set),
        ("pong_timeout", |time| Config::builder().pong_timeout(time).build().map(drop)),
        ("close_timeout", |time| Config::builder().close_timeout(time).build().map(drop)),
        ("write_timeout", |time| Config::builder().write_timeout(time).build().map(drop)),
        ("timeout", |time| Limits::builder().timeout(time).build().map(drop)),
        ("body_timeout", |time| Limits::builder().body_timeout(time).build().map(drop)),
        ("mine", |time| ConfigError::check_duration("mine", time)),
    ] {
        for nanoseconds in [0, 1, 500, 999] {
            let error = set(Duration::from_nanos(nanoseconds)).unwrap_err();
            assert_eq!(error, ConfigError::ZeroDuration { setting }, "{nanoseconds} ns");
            says(&error, &[setting, "microsecond"]);
        }
        for duration in [Duration::from_micros(1), Duration::MAX] {
            assert_eq!(set(duration), Ok(()), "{setting}: {duration:?}");
        }
    }
}

/// Each getter returns the value that was set.
#[test]
fn every_setting_can_be_read() {
    let marks = |high| Watermarks::new(high, 1);
    let seconds = Duration::from_secs;
    let config = Config::builder()
        .message_marks(marks(2))
        .byte_marks(marks(3))
        .send_marks(marks(4))
        .max_message_size(5)
        .max_frame_size(6)
        .fragment_size(7)
        .delivery(Delivery::Chunks)
        .validate_utf8(false)
        .surface_control(true)
        .pong_policy(PongPolicy::InOrder)
        .max_pongs(8)
        .max_pings(9)
        .ping_interval(seconds(10))
        .pong_timeout(seconds(11))
        .close_timeout(seconds(12))
        .write_timeout(seconds(13))
        .build()
        .unwrap();
    assert_eq!(
        (config.message_marks(), config.byte_marks(), config.send_marks()),
        (marks(2), marks(3), marks(4))
    );
    assert_eq!((config.max_message_size(), config.max_frame_size()), (5, Some(6)));
    assert_eq!((config.fragment_size(), config.delivery()), (Some(7), Delivery::Chunks));
    assert_eq!((config.validate_utf8(), config.surface_control()), (false, true));
    assert_eq!(config.pong_policy(), PongPolicy::InOrder);
    assert_eq!((config.max_pongs(), config.max_pings()), (8, 9));
    assert_eq!(
        (config.ping_interval(), config.pong_timeout()),
        (Some(seconds(10)), Some(seconds(11)))
    );
    assert_eq!(
        (config.close_timeout(), config.write_timeout()),
        (Some(seconds(12)), Some(seconds(13)))
    );
    let shown = format!("{config:?}");
    let fields = shown.matches(": ").count() - shown.matches("Watermarks { ").count() * 2;
    let all = if cfg!(feature = "deflate") { 17 } else { 16 };
    assert_eq!(fields, all, "a new setting needs a getter, and a line above: {shown}");
}

#[test]
fn a_handshake_error_names_the_failed_check() {
    use HandshakeError as E;
    for (error, words) in [
        (E::Malformed { what: "header line" }, "header line"),
        (E::TooLarge { setting: "max_headers", limit: 100 }, "max_headers is 100"),
        (E::Status { status: 503 }, "503"),
        (E::Rejected { status: 401 }, "401"),
        (E::Method, "GET"),
        (E::HttpVersion, "1.1"),
        (E::Host, "Host"),
        (E::Upgrade, "Upgrade"),
        (E::Connection, "Connection"),
        (E::Key, "Sec-WebSocket-Key"),
        (E::Version, "13"),
        (E::Body, "body"),
        (E::Extensions, "Sec-WebSocket-Extensions"),
        (E::Subprotocol, "Sec-WebSocket-Protocol"),
        (E::Accept, "Sec-WebSocket-Accept"),
        (E::EndOfStream, "ended"),
        (E::Timeout, "timeout"),
        (E::TlsClient, "on a plain port"),
        (E::Location, "Location"),
        (E::TlsServer, "wss://"),
        (E::NotHttp { seen: Excerpt::new(b"RFB\n") }, "\"RFB\\n\""),
    ] {
        says(&error, &[words]);
    }
    for (error, words) in [
        (HeaderError::Name, "token"),
        (HeaderError::Value, "control character"),
        (HeaderError::Reserved, "handshake itself"),
    ] {
        says(&error, &[words]);
        let (request, accept) = (RequestError::Header(error), AcceptError::Header(error));
        says(&request, &[words]);
        says(&accept, &[words]);
        assert_eq!(
            (request.to_string(), accept.to_string()),
            (error.to_string(), error.to_string())
        );
    }
    for (error, words) in [
        (RequestError::Host, "host"),
        (RequestError::Target, "target"),
        (RequestError::Subprotocol, "subprotocol"),
        (RequestError::DuplicateSubprotocol, "twice"),
        (RequestError::Origin, "origin"),
        (RequestError::WindowBits, "8 to 15"),
    ] {
        says(&error, &[words]);
        assert!(error.source().is_none());
    }
    says(&AcceptError::NoRequest, &["request"]);
    says(&AcceptError::Subprotocol, &["offer"]);
    says(&AcceptError::Status { status: 200 }, &["200", "300", "599"]);
    says(&CredentialsError::Colon, &["colon"]);
    says(&CredentialsError::ControlCharacter, &["control character"]);
}

#[test]
fn a_proxy_error_names_the_reason_of_the_refusal() {
    for (error, words) in [
        (ProxyError::Malformed { what: "reply" }, &["malformed", "reply"][..]),
        (ProxyError::TooLarge { setting: "max_head_bytes", limit: 9 }, &["max_head_bytes is 9"]),
        (ProxyError::Tls, &["TLS"]),
        (ProxyError::NotHttp { seen: Excerpt::new(b"RFB") }, &["HTTP", "RFB"]),
        (ProxyError::Status { status: 407 }, &["credentials", "407"]),
        (ProxyError::Status { status: 502 }, &["502"]),
        (ProxyError::NoMethod, &["authenticate"]),
        (ProxyError::Credentials, &["credentials"]),
        (ProxyError::EarlyData, &["before the server was asked"]),
        (ProxyError::EndOfStream, &["ended"]),
        (ProxyError::Timeout, &["timeout"]),
    ] {
        says(&error, words);
    }
    // RFC 1928 §6.
    for (reply, words) in [
        (1, "general"),
        (2, "rules"),
        (3, "network"),
        (4, "host"),
        (5, "refused"),
        (6, "time to live"),
        (7, "command"),
        (8, "address"),
    ] {
        says(&ProxyError::Refused { reply }, &["did not connect", words, &format!("({reply})")]);
    }
    says(&ProxyError::Refused { reply: 9 }, &["RFC 1928"]);
    says(&ProxyRequestError::Host, &["255"]);
    says(&ProxyRequestError::Credentials, &["255"]);
}

#[test]
fn how_a_connection_ended_is_one_line() {
    let now = Timestamp::ZERO;
    for (input, text) in [
        (&b"\x88\x00"[..], "closed with code 1005"),
        (b"\x88\x02\x03\xE8", "closed with code 1000"),
        (b"\x88\x06\x03\xE9tide", "closed with code 1001: tide"),
        (b"\x8B", "0xb"),
    ] {
        let mut client = Connection::client(now, Config::default(), [1; 32]);
        client.handle_input(now, input);
        let Some(Event::Closed(closed)) = client.poll_event() else { panic!("{input:x?}") };
        assert!(closed.to_string().contains(text), "{closed}");
        assert_eq!(closed.to_string().starts_with("closed"), closed.is_clean());
    }
}

#[test]
fn a_message_knows_its_kind_and_length() {
    let (text, binary) = (Message::text("tide"), Message::binary(&b""[..]));
    assert_eq!((text.as_text(), text.is_empty()), (Some("tide"), false));
    assert_eq!((binary.as_text(), binary.is_empty()), (None, true));
    assert_eq!(Message::UncheckedText(b"tide"[..].into()).as_text(), None);
}

/// RFC 6455 §7.4: valid codes are those of the RFC and the registry that may be sent, and private
/// ones. A reason has at most 123 bytes, since a control frame has 125 and the code takes two.
#[test]
fn a_close_frame_knows_whether_it_may_be_sent() {
    for code in 0..=u16::MAX {
        let may = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let code = CloseCode::from(code);
        let refused = ControlError::InvalidCode { code };
        let expected = if may { Ok(()) } else { Err(refused) };
        assert_eq!(CloseFrame::new(code, "bye").check(), expected, "{code}");
        let expected = if code == CloseCode::NO_STATUS { Ok(()) } else { expected };
        assert_eq!(CloseFrame::new(code, "").check(), expected, "{code}");
    }
    for (length, expected) in
        [(123, Ok(())), (124, Err(ControlError::ReasonTooLong { length: 124 }))]
    {
        let reason = "x".repeat(length);
        assert_eq!(CloseFrame::new(CloseCode::NORMAL, reason).check(), expected);
    }
    says(&ControlError::ReasonTooLong { length: 124 }, &["124", "123"]);
    says(&ControlError::InvalidCode { code: CloseCode::from(1005) }, &["1005"]);
}

/// RFC 6455 §5.5.1 and §7.4.
#[test]
fn receiving_an_invalid_close_frame_is_a_protocol_error() {
    use ProtocolError::{InvalidCloseCode, InvalidCloseReason, TruncatedCloseCode};
    for (body, error) in [
        (&b"\x03"[..], TruncatedCloseCode),
        (b"\x03\xE7", InvalidCloseCode { code: 999 }),
        (b"\x03\xED", InvalidCloseCode { code: 1005 }),
        (b"\x03\xE8tid\xC3", InvalidCloseReason),
    ] {
        let mut client = Connection::client(Timestamp::ZERO, Config::default(), [1; 32]);
        let length = u8::try_from(body.len()).unwrap();
        client.handle_input(Timestamp::ZERO, &[&[0x88, length], body].concat());
        let Some(Event::Closed(closed)) = client.poll_event() else { panic!("{body:x?}") };
        assert_eq!(closed.failure(), Some(Failure::Protocol(error)));
        assert_eq!(closed.sent().unwrap().code, error.close_code());
    }
}

#[test]
fn a_close_code_is_its_number() {
    assert_eq!(u16::from(CloseCode::NORMAL), 1000);
    assert_eq!(CloseCode::NORMAL.to_string(), "1000");
    assert_eq!(format!("{:?}", CloseCode::NORMAL), "CloseCode(1000)");
}
