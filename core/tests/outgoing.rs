//! `send` accepts every kind of message without an explicit conversion.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use tidegate_core::{
    Compress, Config, Connection, Message, MessageKind, MessageRef, Outgoing, Prepared, SendError,
    Timestamp,
};

fn server() -> Connection {
    Connection::server(Timestamp::ZERO, Config::default())
}

fn written(connection: &mut Connection) -> Vec<u8> {
    let mut written = Vec::new();
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len();
        written.extend_from_slice(output.chunk());
        output.advance(length);
    }
    written
}

/// Each form in which callers write `send`.
#[test]
fn text_and_bytes_are_sent_owned_borrowed_and_prepared() {
    let mut connection = server();
    let (text, bytes) = (String::from("tide"), b"tide".to_vec());
    let (message, prepared) = (Message::text("tide"), Prepared::new("tide"));
    connection.send("tide").unwrap();
    connection.send(&text).unwrap();
    connection.send(&*text).unwrap();
    connection.send(format!("t{}", "ide")).unwrap();
    connection.send(ByteString::from("tide")).unwrap();
    connection.send(&message).unwrap();
    connection.send(message.clone()).unwrap();
    connection.send(MessageRef::Text("tide")).unwrap();
    connection.send(&prepared).unwrap();
    connection.send(prepared).unwrap();
    connection.send(Outgoing::from(message).compress(Compress::Never)).unwrap();
    assert_eq!(connection.stats().messages_out, 11);
    assert_eq!(written(&mut connection), b"\x81\x04tide".repeat(11));

    connection.send(b"tide").unwrap();
    connection.send(&bytes).unwrap();
    connection.send(&bytes[..]).unwrap();
    connection.send(vec![b't', b'i', b'd', b'e']).unwrap();
    connection.send(Bytes::from(bytes)).unwrap();
    assert_eq!(written(&mut connection), b"\x82\x04tide".repeat(5));
}

#[test]
fn an_error_returns_the_message_of_every_kind() {
    let mut connection = server();
    connection.abort();
    let message = Message::text("tide");
    for refused in [
        connection.send("tide"),
        connection.send(message.clone()),
        connection.send(&message),
        connection.send(Prepared::new("tide")),
    ] {
        let error = refused.unwrap_err();
        assert!(error.is_closed() && !error.is_full() && !error.is_unfinished());
        assert_eq!(error, SendError::Closed(message.clone()));
        assert_eq!(error.into_message(), message);
    }
}

#[test]
fn an_outgoing_message_that_is_kept_is_unchanged() {
    let prepared = Prepared::new("tide");
    for outgoing in [Outgoing::from("tide"), "tide".to_string().into(), (&prepared).into()] {
        let kept: Outgoing<'static> = outgoing.clone().into_owned();
        assert_eq!((kept.kind(), kept.len(), kept.is_empty()), (MessageKind::Text, 4, false));
        assert_eq!(kept.into_message(), outgoing.into_message());
    }
}

#[test]
fn debug_output_shows_no_payload() {
    let shown = format!("{:?}", Outgoing::from("secret").compress(Compress::Always));
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("Text") && shown.contains('6') && shown.contains("Always"), "{shown}");
}
