//! A borrowed message is sent exactly like an owned one.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use tidegate_core::{
    Chunk, Config, Connection, Message, MessageKind, MessageRef, Role, SendError, Timestamp,
    Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn connection(role: Role, config: Config) -> Connection {
    match role {
        Role::Server => Connection::server(NOW, config),
        Role::Client => Connection::client(NOW, config, [9; 32]),
    }
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

fn message() -> impl Strategy<Value = Message> {
    let length = prop_oneof![0..200usize, 0..70_000usize, 8190..8195usize];
    (any::<bool>(), length).prop_map(|(is_text, length)| {
        let text: String = "tide and gate, ".chars().cycle().take(length).collect();
        if is_text { Message::text(text) } else { Message::binary(text.into_bytes()) }
    })
}

fn borrowed(message: &Message) -> MessageRef<'_> {
    match message.as_text() {
        Some(text) => text.into(),
        None => message.as_bytes().into(),
    }
}

proptest! {
    #[test]
    fn a_borrowed_message_is_sent_like_an_owned_one(
        messages in prop::collection::vec(message(), 1..6),
        fragment_size in prop::option::of(1..20_000usize),
        is_client: bool,
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let config = Config::builder()
            .send_marks(Watermarks::UNLIMITED)
            .fragment_size(fragment_size)
            .build()
            .unwrap();
        let [mut given, mut kept] = [(); 2].map(|()| connection(role, config.clone()));
        for message in &messages {
            given.send(message.clone()).unwrap();
            kept.send(borrowed(message)).unwrap();
            prop_assert_eq!(given.queued_output(), kept.queued_output());
        }
        prop_assert_eq!(given.stats().messages_out, kept.stats().messages_out);
        prop_assert_eq!(written(&mut given), written(&mut kept));
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn a_borrowed_message_is_compressed_like_an_owned_one(
        messages in prop::collection::vec(message(), 1..6),
    ) {
        let params = tidegate_core::deflate::DeflateParams::default();
        let [mut given, mut kept] = [(); 2].map(|()| {
            let config = Config::builder().send_marks(Watermarks::UNLIMITED).build().unwrap();
            connection(Role::Server, config).with_deflate(params)
        });
        for message in &messages {
            given.send(message.clone()).unwrap();
            kept.send(borrowed(message)).unwrap();
        }
        prop_assert_eq!(written(&mut given), written(&mut kept));
    }
}

/// The errors equal those for the owned message.
#[test]
fn a_borrowed_message_is_refused_for_the_same_reasons() {
    let refused = |connection: &mut Connection| {
        let refused = connection.send("kept").unwrap_err();
        let error = connection.send(String::from("given")).unwrap_err();
        assert_eq!(core::mem::discriminant(&error), core::mem::discriminant(&refused));
        assert_eq!(error.to_string(), refused.to_string());
        assert_eq!(error.into_message(), Message::from("given"));
        refused
    };
    let marks = Watermarks::new(10, 0);
    let config = Config::builder().send_marks(marks).build().unwrap();
    let mut connection = connection(Role::Server, config);
    connection.send(&[7; 20]).unwrap();
    assert_eq!(refused(&mut connection), SendError::Full("kept".into()));
    assert!(!written(&mut connection).is_empty());
    let part = Chunk { kind: MessageKind::Text, payload: Bytes::from("be"), last: false };
    connection.send_chunk(part).unwrap();
    assert_eq!(refused(&mut connection), SendError::Unfinished("kept".into()));
    connection.close(NOW, None).unwrap();
    assert_eq!(refused(&mut connection), SendError::Closed("kept".into()));
    assert!(matches!(connection.send("x"), Err(SendError::Closed(_))));
}

#[test]
fn every_kind_of_buffer_is_a_message() {
    let (text, bytes) = (String::from("tide"), vec![1, 2, 3]);
    let messages: [MessageRef<'_>; 5] =
        ["tide".into(), (&text).into(), (&bytes).into(), bytes[..].into(), (&[1, 2, 3]).into()];
    for (message, kind) in messages.into_iter().zip([
        MessageKind::Text,
        MessageKind::Text,
        MessageKind::Binary,
        MessageKind::Binary,
        MessageKind::Binary,
    ]) {
        assert_eq!(message.kind(), kind);
        assert_eq!(message.len(), if kind == MessageKind::Text { 4 } else { 3 });
        assert!(!message.is_empty());
        let owned = Message::from(message);
        assert_eq!((owned.kind(), owned.as_bytes()), (kind, message.as_bytes()));
    }
    assert!(MessageRef::from("").is_empty());
}
