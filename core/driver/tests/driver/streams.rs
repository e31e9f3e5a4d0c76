//! Messages in parts: what happens when a reader or a writer is dropped in the middle.

use std::io::ErrorKind;

use bytes::Bytes;
use tidegate_core::{
    Chunk, CloseCode, Config, Connection, Delivery, Event, Message, MessageKind, Prepared,
    Timestamp,
};
use tidegate_driver::{Error, MessageReader, MessageSource, WebSocket};

use crate::mock::{Count, Net, Read, Socket, masked, poll, ready};

/// A server that delivers messages in chunks.
fn chunks() -> Config {
    Config::builder().delivery(Delivery::Chunks).build().unwrap()
}

/// Three text messages of three fragments each, with a ping in each of them.
fn three_messages(net: &Net) {
    for name in ["a", "b", "c"] {
        net.data(masked(0x01, format!("{name}1 ").as_bytes()));
        net.data(masked(0x00, format!("{name}2 ").as_bytes()));
        net.data(masked(0x89, b"?"));
        net.data(masked(0x80, format!("{name}3").as_bytes()));
    }
}

fn next<T: MessageSource>(reader: &mut MessageReader<'_, T>) -> Option<Bytes> {
    ready(poll(&Count::new(), reader.next_chunk())).unwrap()
}

/// The whole rest of a message.
fn rest<T: MessageSource>(mut reader: MessageReader<'_, T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next(&mut reader) {
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(next(&mut reader), None);
    bytes
}

/// Receives the next message in one of the three ways.
fn receive(socket: &mut Socket, way: usize) -> Vec<u8> {
    let count = Count::new();
    match way {
        0 => {
            let message = ready(poll(&count, socket.recv())).unwrap().unwrap();
            message.as_text().unwrap().as_bytes().to_vec()
        }
        1 => {
            let reader = ready(poll(&count, socket.read_message())).unwrap().unwrap();
            assert_eq!(reader.kind(), MessageKind::Text);
            rest(reader)
        }
        _ => {
            let mut bytes = Vec::new();
            loop {
                let event = ready(poll(&count, socket.next_event())).unwrap().unwrap();
                let Event::Chunk(Chunk { payload, last, .. }) = event else { panic!("{event:?}") };
                bytes.extend_from_slice(&payload);
                if last {
                    return bytes;
                }
            }
        }
    }
}

#[test]
fn a_reader_that_is_dropped_skips_its_message_only() {
    for taken in 0..=3 {
        for is_forgotten in [false, true] {
            for way in 0..3 {
                let net = Net::new();
                let mut socket = net.server(chunks());
                three_messages(&net);
                assert_eq!(receive(&mut socket, way), b"a1 a2 a3");
                let mut reader =
                    ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
                for chunk in ["b1 ", "b2 ", "b3"].iter().take(taken) {
                    assert_eq!(next(&mut reader).unwrap(), chunk);
                }
                if is_forgotten {
                    std::mem::forget(reader);
                }
                assert_eq!(receive(&mut socket, way), b"c1 c2 c3", "{taken} {way}");
                assert_eq!(net.written(), [0x8A, 1, b'?'].repeat(3), "each ping is answered");
            }
        }
    }
}

#[test]
fn the_way_to_receive_can_change_in_the_middle_of_a_message() {
    let net = Net::new();
    let mut socket = net.server(chunks());
    net.data(masked(0x01, b"a1 "));
    net.data(masked(0x00, b"a2 "));
    assert!(poll(&Count::new(), socket.recv()).is_pending());
    net.data(masked(0x80, b"a3"));
    {
        let mut reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
        assert_eq!(next(&mut reader).unwrap(), "a1 a2 ");
        assert_eq!(next(&mut reader).unwrap(), "a3");
        assert_eq!(next(&mut reader), None);
    }
    net.data(masked(0x01, b"b1 "));
    assert!(poll(&Count::new(), socket.recv()).is_pending());
    net.data(masked(0x80, b"b2"));
    assert_eq!(receive(&mut socket, 2), b"b1 b2");
}

#[test]
fn a_cancelled_close_leaves_no_partial_message() {
    let net = Net::new();
    let mut socket = net.server(chunks());
    net.data(masked(0x01, b"a1 "));
    assert!(poll(&Count::new(), socket.close(CloseCode::NORMAL, "")).is_pending());
    net.data(masked(0x80, b"a2"));
    net.data(masked(0x81, b"b"));
    assert_eq!(receive(&mut socket, 0), b"b");
}

#[test]
fn whole_messages_are_read_as_one_chunk_and_empty_ones_as_none() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.data([masked(0x81, b"whole"), masked(0x82, b""), masked(0x82, b"last")].concat());
    assert_eq!(receive(&mut socket, 1), b"whole");
    let reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
    assert_eq!(reader.kind(), MessageKind::Binary);
    assert_eq!(rest(reader), b"");
    let mut reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
    assert_eq!(next(&mut reader).unwrap(), "last");
}

#[test]
fn a_message_that_is_cut_off_is_an_error() {
    let close = [vec![0x88, 0x82, 0, 0, 0, 0], 1001_u16.to_be_bytes().to_vec()].concat();
    for (end, is_clean) in [(Read::Data(close), true), (Read::End, false)] {
        let net = Net::new();
        let mut socket = net.server(chunks());
        net.data(masked(0x01, b"a1 "));
        net.push(end);
        net.push(Read::End);
        let mut reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
        assert_eq!(next(&mut reader).unwrap(), "a1 ");
        for _ in 0..2 {
            let ended = ready(poll(&Count::new(), reader.next_chunk()));
            let Err(Error::Closed(closed)) = ended else { panic!("{ended:?}") };
            assert_eq!(closed.is_clean(), is_clean);
        }
        assert_eq!(ready(poll(&Count::new(), socket.recv())).unwrap(), None);
    }
}

/// A message that was not complete at the end is dropped: nothing is received after the end.
#[test]
fn after_the_end_an_incomplete_message_is_dropped() {
    for ask in 0..4 {
        let (net, count) = (Net::new(), Count::new());
        let mut socket = net.server(chunks());
        net.data(masked(0x01, b"a1 "));
        assert!(poll(&count, socket.recv()).is_pending());
        net.push(Read::End);
        if ask == 3 {
            ready(poll(&count, socket.close(CloseCode::NORMAL, ""))).unwrap_err();
        } else {
            ready(poll(&count, socket.recv())).unwrap_err();
        }
        match ask {
            0 => assert!(ready(poll(&count, socket.read_message())).unwrap().is_none()),
            1 => assert_eq!(ready(poll(&count, socket.next_event())).unwrap(), None),
            2 => assert_eq!(socket.try_recv(), None),
            _ => assert_eq!(ready(poll(&count, socket.next_event())).unwrap(), None),
        }
        assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    }
}

/// The events that a peer gets from these bytes of a server.
fn received(bytes: &[u8]) -> Vec<Event> {
    let mut client = Connection::client(Timestamp::ZERO, Config::default(), [1; 32]);
    client.handle_input(Timestamp::ZERO, bytes);
    std::iter::from_fn(|| client.poll_event()).collect()
}

#[test]
fn a_writer_writes_one_message() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let count = Count::new();
    let mut writer = socket.write_message(MessageKind::Text);
    // A chunk may end in the middle of a character.
    ready(poll(&count, writer.send_chunk(&b"high ti\xC3"[..]))).unwrap();
    ready(poll(&count, writer.send_chunk(Bytes::new()))).unwrap();
    ready(poll(&count, writer.send_chunk(&b"\xA4de"[..]))).unwrap();
    ready(poll(&count, writer.finish())).unwrap();
    assert_eq!(received(&net.written()), [Event::Message(Message::text("high tiäde"))]);
    ready(poll(&count, socket.write_message(MessageKind::Binary).finish())).unwrap();
    assert_eq!(received(&net.written()), [Event::Message(Message::binary(&b""[..]))]);
}

#[test]
fn a_writer_dropped_in_the_middle_ends_the_connection() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let count = Count::new();
    // If nothing was written, nothing happens.
    drop(socket.write_message(MessageKind::Text));
    let mut writer = socket.write_message(MessageKind::Text);
    ready(poll(&count, writer.send_chunk("half"))).unwrap();
    let refused = ready(poll(&count, writer.send_chunk(&b"\xFF"[..])));
    assert!(matches!(refused, Err(Error::Chunk(_))), "{refused:?}");
    drop(writer);
    assert!(matches!(ready(poll(&count, socket.send("another"))), Err(Error::Closing)));
    ready(poll(&count, socket.flush())).unwrap();
    let events = received(&net.written());
    let [Event::Closed(closed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(closed.code(), CloseCode::INTERNAL_ERROR);
    net.data(masked(0x88, &1011_u16.to_be_bytes()));
    net.push(Read::End);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert_eq!(socket.closed().unwrap().sent().unwrap().code, CloseCode::INTERNAL_ERROR);
}

#[test]
fn a_writer_does_not_continue_a_message_that_it_did_not_begin() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let count = Count::new();
    let chunk = |last| Chunk { kind: MessageKind::Text, payload: "half".into(), last };
    ready(poll(&count, socket.send_chunk(chunk(false)))).unwrap();
    let mut writer = socket.write_message(MessageKind::Text);
    assert!(matches!(ready(poll(&count, writer.send_chunk("x"))), Err(Error::Unfinished)));
    drop(writer);
    ready(poll(&count, socket.send_chunk(chunk(true)))).unwrap();
    assert_eq!(received(&net.written()), [Event::Message(Message::text("halfhalf"))]);
}

#[test]
fn a_writer_waits_for_room_and_accepts_nothing_meanwhile() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.set_room(0);
    let count = Count::new();
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let mut writer = socket.write_message(MessageKind::Binary);
    let data = vec![1; 200_000];
    let first = ready(writer.poll_write_slice(context, &data)).unwrap();
    assert_eq!(first, 64 * 1024);
    assert!(writer.poll_write_slice(context, &data).is_pending());
    assert!(poll(&count, writer.send_chunk(data.clone())).is_pending());
    net.set_room(usize::MAX);
    assert_eq!(ready(writer.poll_write_slice(context, &data)).unwrap(), 64 * 1024);
    ready(poll(&count, writer.finish())).unwrap();
    let events = received(&net.written());
    let [Event::Message(message)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(message.len(), 2 * 64 * 1024);
}

#[test]
fn a_prepared_message_waits_for_room() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let message = Prepared::new(vec![1; 100_000]);
    net.set_room(0);
    socket.try_send(&message).unwrap();
    assert!(socket.try_send(&message).is_err());
    assert!(poll(&Count::new(), socket.send(&message)).is_pending());
    net.set_room(usize::MAX);
    ready(poll(&Count::new(), socket.send(&message))).unwrap();
    assert_eq!(received(&net.written()).len(), 2);
}

/// As in `std::io`: an empty buffer is not the end, a Close in the middle is an unexpected end, and an
/// error of the transport keeps its kind.
#[test]
fn slices_are_read_and_written_as_in_std_io() {
    let close = [vec![0x88, 0x82, 0, 0, 0, 0], 1001_u16.to_be_bytes().to_vec()].concat();
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    for (end, kind) in [
        (Read::Data(close), ErrorKind::UnexpectedEof),
        (Read::Fault(ErrorKind::ConnectionReset), ErrorKind::ConnectionReset),
    ] {
        let net = Net::new();
        let mut socket = net.server(chunks());
        net.data(masked(0x01, b"tide"));
        net.push(end);
        net.push(Read::End);
        let mut reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
        assert_eq!(ready(reader.poll_read_slice(context, &mut [])).unwrap(), 0);
        let mut buffer = [0; 8];
        assert_eq!(ready(reader.poll_read_slice(context, &mut buffer)).unwrap(), 4);
        assert_eq!(&buffer[..4], b"tide");
        assert_eq!(ready(reader.poll_read_slice(context, &mut buffer)).unwrap_err().kind(), kind);
    }
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let mut writer = socket.write_message(MessageKind::Text);
    assert_eq!(writer.kind(), MessageKind::Text);
    assert_eq!(ready(writer.poll_write_slice(context, b"")).unwrap(), 0);
    drop(writer);
    assert_eq!(net.written(), b"", "nothing was begun");
    let mut writer = socket.write_message(MessageKind::Binary);
    ready(writer.poll_finish(context)).unwrap();
    let late = ready(writer.poll_write_slice(context, b"late")).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::BrokenPipe);
}

/// `Debug` output goes into logs, so it names the type and shows no payload.
#[test]
fn debug_output_shows_no_payload() {
    let net = Net::new();
    let mut socket = net.server(chunks());
    net.data(masked(0x01, b"SECRET"));
    let reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
    let reading = format!("{reader:?}");
    drop(reader);
    let mut writer = socket.write_message(MessageKind::Text);
    ready(poll(&Count::new(), writer.send_chunk("SECRET"))).unwrap();
    let writing = format!("{writer:?}");
    drop(writer);
    let (sender, receiver, driver) = socket.split();
    let parts = [format!("{sender:?}"), format!("{receiver:?}"), format!("{driver:?}")];
    let clone = sender.clone();
    let error = WebSocket::reunite(sender, receiver, driver).unwrap_err();
    drop(clone);
    assert_eq!(error.to_string(), "these are not all parts of one connection");
    let all = [reading, writing, format!("{error:?}")].into_iter().chain(parts);
    let names = ["MessageReader", "MessageWriter", "ReuniteError", "Sender", "Receiver", "Driver"];
    for (text, name) in all.zip(names) {
        assert!(text.starts_with(name) && !text.contains("SECRET"), "{text}");
    }
}

#[cfg(feature = "futures-io")]
#[test]
fn works_with_the_traits_of_futures_io() {
    use futures_io::{AsyncRead, AsyncWrite};
    use std::pin::Pin;

    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let net = Net::new();
    let mut socket = net.server(chunks());
    let mut writer = socket.write_message(MessageKind::Text);
    assert_eq!(ready(Pin::new(&mut writer).poll_write(context, b"tide")).unwrap(), 4);
    ready(AsyncWrite::poll_flush(Pin::new(&mut writer), context)).unwrap();
    for _ in 0..2 {
        ready(Pin::new(&mut writer).poll_close(context)).unwrap();
    }
    drop(writer);
    assert_eq!(received(&net.written()), [Event::Message("tide".into())]);

    net.data(masked(0x01, b"high "));
    net.data(masked(0x80, b"tide"));
    let mut reader = ready(poll(&Count::new(), socket.read_message())).unwrap().unwrap();
    let (mut read, mut buffer) = (Vec::new(), [0; 3]);
    loop {
        match ready(Pin::new(&mut reader).poll_read(context, &mut buffer)).unwrap() {
            0 => break,
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
    assert_eq!(read, b"high tide");
}
