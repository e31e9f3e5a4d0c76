//! The options of compression: when a message is compressed, and what the handshake negotiates.

use bytes::Buf;
use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{Compress, Connection, Event, Message, Outgoing, Prepared};

use crate::support::{NOW, client, config, drain};

#[test]
fn compress_always_and_never_override_the_minimum_size() {
    let mut server = Connection::server(NOW, config(DeflateOptions::default()))
        .with_deflate(DeflateParams::default());
    server.send(Outgoing::from("x").compress(Compress::Always)).unwrap();
    server.send(Outgoing::from("y".repeat(500)).compress(Compress::Never)).unwrap();
    server.send("z").unwrap();
    let wire = drain(&mut server);
    assert_eq!(wire[0], 0xC1);
    let plain = 2 + usize::from(wire[1]);
    assert_eq!(wire[plain], 0x81);
    assert_eq!(wire[plain + 4 + 500], 0x81, "below min_size");
}

#[test]
fn options_are_checked_and_determine_the_offer() {
    use tidegate_core::ConfigError;
    use tidegate_core::deflate::{ClientWindow, DeflateOffer, DeflateOptionsBuilder};
    use tidegate_core::handshake::{ClientRequest, RequestError};

    let default = DeflateOptions::default();
    let any = DeflateOffer { client_max_window_bits: ClientWindow::Any, ..Default::default() };
    assert_eq!(default.offer(), any);
    assert_eq!(default.params(), DeflateParams::default());
    let options = default
        .to_builder()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(9)
        .client_max_window_bits(14)
        .build()
        .unwrap();
    let expected = DeflateOffer {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(9),
        client_max_window_bits: ClientWindow::AtMost(14),
    };
    assert_eq!(options.offer(), expected);
    assert_eq!(options.params().server_max_window_bits, 9);
    assert_eq!(options.params().client_max_window_bits, 14);

    type Set = fn(DeflateOptionsBuilder, u8) -> DeflateOptionsBuilder;
    for (setting, set, least, most) in [
        ("level", DeflateOptionsBuilder::level as Set, 1, 9),
        ("mem_level", DeflateOptionsBuilder::mem_level, 1, 9),
        ("server_max_window_bits", DeflateOptionsBuilder::server_max_window_bits, 9, 15),
        ("client_max_window_bits", DeflateOptionsBuilder::client_max_window_bits, 9, 15),
    ] {
        for value in 0..20 {
            let error = ConfigError::OutOfRange { setting, value, least, most };
            let set = set(default.to_builder(), value).build();
            assert_eq!(set.is_ok(), (least..=most).contains(&value), "{setting} {value}");
            assert!(set.is_ok() || set.unwrap_err() == error);
        }
    }
    for bits in [7, 16] {
        let offer = DeflateOffer { server_max_window_bits: Some(bits), ..Default::default() };
        let request = ClientRequest::builder("example.org", "/").deflate(offer).build();
        assert_eq!(request.unwrap_err(), RequestError::WindowBits);
    }
}

/// `Prepared::with_options` replaces the options of the connection.
#[test]
fn a_prepared_message_has_its_own_options() {
    let text = "to be compressed ".repeat(100);
    let plain = Prepared::with_options(
        text.as_str(),
        DeflateOptions::builder().min_size(1 << 20).build().unwrap(),
    );
    let level = DeflateOptions::builder().level(9).build().unwrap();
    let short = Prepared::with_options(text.as_str(), level);
    assert!(format!("{short:?}").starts_with("Prepared("));
    for (prepared, compressed) in [(plain, false), (short, true)] {
        let mut server = Connection::server(NOW, config(DeflateOptions::default()))
            .with_deflate(DeflateParams::default());
        server.send(&prepared).unwrap();
        let wire = drain(&mut server);
        assert_eq!(wire[0] & 0x40 != 0, compressed);
        assert_eq!(wire.len() < text.len() / 10, compressed);
        let mut client = client(DeflateParams::default());
        client.handle_input(NOW, &wire);
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(text.as_str()))));
    }
}

/// "If a received extension negotiation response does not have the parameter, the client may use any
/// window" up to the full one (RFC 7692 §7.1.2.2); ours keeps to its own offer.
#[test]
fn a_client_uses_the_window_that_it_offered_if_the_server_names_none() {
    use tidegate_core::handshake::{
        Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
    };

    for (own, agreed) in [(10, 10), (15, 15)] {
        let offer = DeflateOptions::builder().client_max_window_bits(own).build().unwrap().offer();
        let request = ClientRequest::builder("example.org", "/").deflate(offer).build().unwrap();
        let mut client = ClientHandshake::new(NOW, request, Limits::default(), [7; 32]);
        assert_eq!(client.deflate(), None, "nothing is negotiated yet");
        let mut server = ServerHandshake::new(NOW, Limits::default());
        let written = |output: &mut bytes::Bytes| output.copy_to_bytes(output.remaining());
        server.handle_input(NOW, &written(client.output()));
        // A server that accepts compression without a window parameter.
        let plain = Acceptance::new().header("X-Plain", "1");
        server.accept(plain).unwrap();
        let answer = String::from_utf8(written(server.output()).to_vec()).unwrap();
        let answer = answer.replace("X-Plain: 1", "Sec-WebSocket-Extensions: permessage-deflate");
        client.handle_input(NOW, answer.as_bytes());
        assert!(client.is_open(), "{:?}", client.failure());
        assert_eq!(client.deflate().unwrap().client_max_window_bits, agreed);
    }
}

#[test]
fn options_are_equal_only_if_they_share_a_pool() {
    let pool = DeflatePool::new(3);
    let with = |pool: &DeflatePool| DeflateOptions::builder().pool(pool.clone()).build();
    assert_eq!(with(&pool), with(&pool));
    assert_ne!(with(&pool), with(&DeflatePool::new(3)));
    assert!(format!("{pool:?}").contains("capacity: 3"));
}
