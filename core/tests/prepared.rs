//! Prepared messages arrive as if each connection had sent the message itself.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Buf;
use tidegate_core::{
    Config, Connection, Event, Message, Prepared, SendError, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn config() -> Config {
    Config::builder().send_marks(Watermarks::UNLIMITED).ping_interval(None).build().unwrap()
}

fn pair(server: bool) -> (Connection, Connection) {
    let ends = (Connection::server(NOW, config()), Connection::client(NOW, config(), [4; 32]));
    if server { ends } else { (ends.1, ends.0) }
}

fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let mut length = 0;
    while from.wants_output() {
        let bytes = from.output().chunk().to_vec();
        from.output().advance(bytes.len());
        to.handle_input(NOW, &bytes);
        length += bytes.len();
    }
    length
}

#[test]
fn prepared_messages_of_any_size_arrive_unchanged_from_both_roles() {
    for server in [true, false] {
        for size in [0, 1, 125, 126, 600, 8_192, 70_000] {
            let message = Message::text("x".repeat(size));
            let prepared = Prepared::new(message.clone());
            let (mut from, mut to) = pair(server);
            for _ in 0..3 {
                from.send(&prepared).unwrap();
                from.send("between").unwrap();
                carry(&mut from, &mut to);
                assert_eq!(to.poll_event(), Some(Event::Message(message.clone())));
                assert_eq!(to.poll_event(), Some(Event::Message(Message::text("between"))));
            }
            assert_eq!((from.stats().messages_out, from.queued_output()), (6, 0));
        }
    }
}

#[test]
fn a_refused_prepared_message_is_returned() {
    let marks = Watermarks::new(1, 0);
    let config = Config::builder().send_marks(marks).build().unwrap();
    let mut server = Connection::server(NOW, config);
    let prepared = Prepared::new("news");
    server.send(&prepared).unwrap();
    let full = Err(SendError::Full(Message::text("news")));
    assert_eq!(server.send(&prepared), full);
    server.abort();
    assert_eq!(server.send(&prepared), Err(SendError::Closed(Message::text("news"))));
}

#[cfg(feature = "deflate")]
#[test]
fn prepared_messages_are_compressed_once_and_keep_the_window_valid() {
    use tidegate_core::deflate::DeflateParams;
    let text = "the tide is high and the tide is low, ".repeat(40);
    let prepared = Prepared::new(&*text);
    for (takeover, bits) in [(true, 15), (false, 15), (true, 9), (false, 11), (true, 8)] {
        for server in [true, false] {
            let params = DeflateParams {
                server_no_context_takeover: !takeover,
                client_no_context_takeover: !takeover,
                server_max_window_bits: bits,
                client_max_window_bits: bits,
            };
            let (from, to) = pair(server);
            let (mut from, mut to) = (from.with_deflate(params), to.with_deflate(params));
            // Ordinary messages before and after it: no reference may cross the prepared message.
            for round in 0..4 {
                let own = format!("{text} of our own, {round}");
                from.send(&*own).unwrap();
                from.send(&prepared).unwrap();
                let length = carry(&mut from, &mut to);
                assert!(bits == 8 || length < 400, "{length} for {bits} bits");
                assert_eq!(to.poll_event(), Some(Event::Message(Message::text(own))));
                assert_eq!(to.poll_event(), Some(Event::Message(Message::text(&*text))));
            }
        }
    }
}
