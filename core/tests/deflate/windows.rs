//! The compression window: how long it is kept, shared and referred to.

use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{CloseCode, Connection, Event, Failure, Message, Prepared, ProtocolError};

use crate::support::{MINUTE, NOW, client, config, drain, idle};

/// "Hello" with BFINAL set, then "Hello" again as a reference to the first one.
#[test]
fn the_window_is_kept_after_a_final_block() {
    let mut client = client(DeflateParams::default());
    client.handle_input(NOW, b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
    client.handle_input(NOW, b"\xc1\x05\xf2\x00\x11\x00\x00");
    for _ in 0..2 {
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text("Hello"))));
    }
}

/// The pool serves connections without context takeover; none sees the data of another.
#[test]
fn a_pooled_context_is_reset_between_connections() {
    let params = DeflateParams {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateParams::default()
    };
    let options = DeflateOptions::builder().min_size(0).pool(DeflatePool::new(1)).build().unwrap();
    for round in 0..3 {
        let mut server = Connection::server(NOW, config(options.clone())).with_deflate(params);
        let mut client =
            Connection::client(NOW, config(options.clone()), [round; 32]).with_deflate(params);
        for _ in 0..3 {
            server.send("a secret that is long enough to refer to, a secret that is long").unwrap();
            let wire = drain(&mut server);
            assert!(
                wire.len() < 60,
                "compressed, each time without the previous message: {}",
                wire.len()
            );
            client.handle_input(NOW, &wire);
            assert!(matches!(client.poll_event(), Some(Event::Message(_))));
        }
        client.handle_input(NOW, b"\xc1\x05\xf2\x00\x11\x00\x00"); // refers to data before the message
        let failure = client.closed().unwrap().failure();
        assert_eq!(failure, Some(Failure::Protocol(ProtocolError::InvalidDeflate)));
    }
}

/// An idle connection frees the tables and buffers of compression, and keeps both windows.
#[test]
fn the_window_is_kept_while_the_connection_is_idle() {
    let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
    let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
    let params = DeflateParams::default();
    let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
    let mut client = Connection::client(NOW, config, [1; 32]).with_deflate(params);
    let text: String = ('!'..='~').chain('À'..='ÿ').collect();
    let mut now = NOW;
    let mut lengths = Vec::new();
    for _ in 0..3 {
        server.send(text.as_str()).unwrap();
        let wire = drain(&mut server);
        lengths.push(wire.len());
        client.handle_input(now, &wire);
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(text.as_str()))));
        now = idle(&mut server, now, 3);
        now = idle(&mut client, now, 3);
        drain(&mut server);
        drain(&mut client);
    }
    assert!(lengths[0] > 200, "the text repeats nothing: {lengths:?}");
    assert!(lengths[1] < 20 && lengths[2] < 20, "the window contains all of it: {lengths:?}");
}

/// The peer's window then contains the prepared message instead of the earlier text.
#[test]
fn a_compressed_prepared_message_resets_the_window_of_an_idle_connection() {
    let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
    let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
    let params = DeflateParams::default();
    let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
    let mut client = Connection::client(NOW, config.clone(), [1; 32]).with_deflate(params);
    let text = "what the prepared message pushes out of the window ".repeat(4);
    let other = "b".repeat(40_000);
    server.send(text.as_str()).unwrap();
    idle(&mut server, NOW, 3);
    server.send(Prepared::new(other.as_str())).unwrap();
    server.send(text.as_str()).unwrap();
    client.handle_input(NOW, &drain(&mut server));
    for expected in [&text, &other, &text] {
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(expected.as_str()))));
    }
}

/// Before the connection was idle, the inflater still has the full window. Afterwards only the
/// negotiated window is left, and a reference beyond it must fail and not return other bytes.
#[test]
fn a_reference_beyond_the_negotiated_window_is_inflated_or_refused() {
    let agreed = DeflateParams { server_max_window_bits: 9, ..DeflateParams::default() };
    let text: String =
        (0..400u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    for was_idle in [false, true] {
        let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
        let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
        let params = DeflateParams::default();
        let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
        let mut client = Connection::client(NOW, config, [1; 32]).with_deflate(agreed);
        server.send(text.as_str()).unwrap();
        client.handle_input(NOW, &drain(&mut server));
        let expected = Some(Event::Message(Message::text(text.as_str())));
        assert_eq!(client.poll_event(), expected);
        let now = idle(&mut client, NOW, if was_idle { 3 } else { 0 });
        server.send(text.as_str()).unwrap();
        client.handle_input(now, &drain(&mut server));
        if !was_idle {
            assert_eq!(client.poll_event(), expected);
            continue;
        }
        let closed = client.closed().unwrap();
        assert_eq!(closed.failure(), Some(Failure::Protocol(ProtocolError::InvalidDeflate)));
        assert_eq!(closed.sent().unwrap().code, CloseCode::INVALID_PAYLOAD);
    }
}
