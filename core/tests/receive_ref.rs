//! Messages borrowed from the caller's read buffer. `tests/tests/splits.rs` checks that they equal
//! the messages that `receive` returns, in any split.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Buf;
use proptest::prelude::*;
use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::{
    CloseCode, Config, Connection, Event, EventRef, Failure, Message, MessageRef, ProtocolError,
    Timestamp,
};

const NOW: Timestamp = Timestamp::ZERO;

fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
    let length = payload.len() as u64;
    let header = FrameHeader { fin: true, rsv1: false, opcode, mask: Some(mask), length };
    let mut frame = encode_header(header).as_slice().to_vec();
    mask.append(payload, &mut frame);
    frame
}

fn server() -> Connection {
    Connection::server(NOW, Config::default())
}

/// The payload is neither copied nor moved.
#[test]
fn a_whole_message_borrows_the_read_buffer() {
    for (opcode, payload) in
        [(OpCode::Binary, vec![7; 200]), (OpCode::Text, "Gezeiten, 潮".repeat(9).into_bytes())]
    {
        let mut buffer = frame(opcode, &payload);
        let place = buffer.as_ptr_range();
        let mut input = &mut buffer[..];
        let Some(EventRef::Lent(message)) = server().receive_ref(NOW, &mut input) else {
            panic!("not lent")
        };
        assert_eq!(message.as_bytes(), payload);
        assert_eq!(message.as_text().is_some(), opcode == OpCode::Text);
        assert_eq!(message.as_bytes().as_ptr_range().end, place.end);
        assert!(input.is_empty());
    }
}

/// A server does not mask, so the client leaves the buffer unchanged.
#[test]
fn a_client_borrows_its_unmasked_input() {
    let mut client = Connection::client(NOW, Config::default(), [7; 32]);
    let read = *b"\x81\x03one\x82\x03two\x81\x05thr";
    let mut buffer = read;
    let mut input = &mut buffer[..];
    assert_eq!(client.receive_ref(NOW, &mut input), Some(EventRef::Lent("one".into())));
    assert_eq!(client.receive_ref(NOW, &mut input), Some(EventRef::Lent(b"two".into())));
    assert_eq!(client.receive_ref(NOW, &mut input), None);
    assert!(input.is_empty(), "the beginning of the third message is kept");
    assert_eq!(buffer, read);
    // A message that arrives in pieces is assembled and owned.
    let mut more = *b"ee\x81\x04four";
    let mut input = &mut more[..];
    let third = client.receive_ref(NOW, &mut input).unwrap();
    assert_eq!(third.message(), Some(MessageRef::Text("three")));
    assert_eq!(third, EventRef::Owned(Event::Message("three".into())));
    assert_eq!(client.receive_ref(NOW, &mut input), Some(EventRef::Lent("four".into())));
}

/// Queued messages are owned, since their input buffer is gone.
#[test]
fn queued_messages_are_returned_before_borrowed_ones() {
    let mut server = server();
    server.handle_input(NOW, &frame(OpCode::Text, b"first"));
    let mut buffer = frame(OpCode::Text, b"second");
    let mut input = &mut buffer[..];
    let first = server.receive_ref(NOW, &mut input).unwrap();
    assert_eq!(first.into_event(), Event::Message("first".into()));
    assert_eq!(server.receive_ref(NOW, &mut input), Some(EventRef::Lent("second".into())));
}

#[test]
fn unchecked_text_is_borrowed_and_can_be_sent_on() {
    let config = Config::builder().validate_utf8(false).build().unwrap();
    let mut server = Connection::server(NOW, config);
    let mut buffer = frame(OpCode::Text, b"no \xFF text");
    let event = server.receive_ref(NOW, &mut &mut buffer[..]).unwrap();
    let message = event.message().unwrap();
    assert_eq!(message, MessageRef::UncheckedText(b"no \xFF text"));
    assert_eq!(message.as_text(), None);
    server.send(message).unwrap();
    assert_eq!(server.output().chunk(), b"\x81\x09no \xFF text");
    // Unchecked text that is valid UTF-8 equals checked text.
    let mut buffer = frame(OpCode::Text, b"text");
    let lent = server.receive_ref(NOW, &mut &mut buffer[..]);
    assert_eq!(lent, Some(EventRef::Lent(MessageRef::UncheckedText(b"text"))));
    let owned = Message::UncheckedText(b"no \xFF text"[..].into());
    assert_eq!(MessageRef::from(&owned), message);
    assert_eq!(event.into_event(), Event::Message(owned));
}

proptest! {
    /// The fast path leaves such a frame to the general path, so the error has the same position.
    #[test]
    fn borrowed_text_fails_at_its_first_invalid_byte(
        before in "[ -~]{0,80}", fault in 0x80u8..0xC0, after in "[ -~]{0,80}",
    ) {
        let payload = [before.as_bytes(), &[fault], after.as_bytes()].concat();
        let mut server = server();
        let mut buffer = frame(OpCode::Text, b"good");
        buffer.extend(frame(OpCode::Text, &payload));
        buffer.extend(frame(OpCode::Text, b"never seen"));
        let mut input = &mut buffer[..];
        prop_assert_eq!(server.receive_ref(NOW, &mut input), Some(EventRef::Lent("good".into())));
        let Some(EventRef::Owned(Event::Closed(closed))) = server.receive_ref(NOW, &mut input)
        else {
            return Err(TestCaseError::fail("no end"));
        };
        let error = ProtocolError::InvalidUtf8 { offset: before.len() as u64 };
        prop_assert_eq!(closed.failure(), Some(Failure::Protocol(error)));
        prop_assert_eq!(closed.sent().map(|frame| frame.code), Some(CloseCode::INVALID_PAYLOAD));
        prop_assert_eq!(server.receive_ref(NOW, &mut input), None);
        prop_assert!(input.is_empty());
    }
}
