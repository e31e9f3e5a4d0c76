//! Messages in parts, and broadcasts, on split connections.

use tidegate_core::{
    CloseCode, Config, Connection, Delivery, Event, Message, MessageKind, Prepared, Timestamp,
};
use tidegate_driver::{Error, Outcome, Slow, broadcast, broadcast_until};

use crate::mock::{Count, Net, Read, masked, poll, poll_pinned, ready};
use crate::split::{Parts, marks, split};

/// The events that a peer gets from these bytes of a server.
fn received(parts: &Parts) -> Vec<Event> {
    let mut client = Connection::client(Timestamp::ZERO, Config::default(), [1; 32]);
    client.handle_input(Timestamp::ZERO, &parts.net.written());
    std::iter::from_fn(|| client.poll_event()).collect()
}

fn messages(parts: &Parts) -> Vec<Message> {
    let message = |event| if let Event::Message(message) = event { Some(message) } else { None };
    received(parts).into_iter().filter_map(message).collect()
}

#[test]
fn a_reader_of_a_receiver_skips_the_rest_of_its_message() {
    let mut parts = split(Config::builder().delivery(Delivery::Chunks).build().unwrap());
    let count = Count::new();
    for name in ["a", "b"] {
        parts.net.data(masked(0x01, format!("{name}1 ").as_bytes()));
        parts.net.data(masked(0x89, b"?"));
        parts.net.data(masked(0x80, format!("{name}2").as_bytes()));
    }
    parts.run();
    let mut reader = ready(poll(&count, parts.receiver.read_message())).unwrap().unwrap();
    assert_eq!(ready(poll(&count, reader.next_chunk())).unwrap().unwrap(), "a1 ");
    drop(reader);
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("b1 b2".into()));
    // The message that a reader has begun is skipped after `reunite` too.
    parts.net.data(masked(0x01, b"c1 "));
    parts.run();
    drop(ready(poll(&count, parts.receiver.read_message())).unwrap().unwrap());
    let Parts { net, sender, receiver, driver, .. } = parts;
    let mut socket = tidegate_driver::WebSocket::reunite(sender, receiver, driver).unwrap();
    net.data(masked(0x80, b"c2"));
    net.data(masked(0x81, b"d"));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some("d".into()));
}

#[test]
fn other_senders_wait_for_a_writer() {
    let mut parts = split(Config::default());
    let count = Count::new();
    let other = parts.sender.clone();
    let mut writer = parts.sender.write_message(MessageKind::Text);
    ready(poll(&count, writer.send_chunk("one "))).unwrap();
    let mut sending = Box::pin(other.send("three"));
    assert!(poll_pinned(&count, &mut sending).is_pending());
    ready(poll(&count, writer.send_chunk("two"))).unwrap();
    let mut finishing = Box::pin(writer.finish());
    assert!(poll_pinned(&count, &mut finishing).is_pending());
    parts.driving.take();
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    ready(poll_pinned(&count, &mut finishing)).unwrap();
    ready(poll_pinned(&count, &mut sending)).unwrap();
    drop((sending, finishing));
    parts.run();
    assert_eq!(messages(&parts), ["one two".into(), "three".into()]);
}

#[test]
fn a_writer_dropped_in_the_middle_ends_the_connection_for_all() {
    let mut parts = split(Config::default());
    let count = Count::new();
    let other = parts.sender.clone();
    let mut sending = Box::pin(other.send("whole"));
    let mut writer = parts.sender.write_message(MessageKind::Text);
    ready(poll(&count, writer.send_chunk("half"))).unwrap();
    assert!(poll_pinned(&count, &mut sending).is_pending());
    count.take();
    drop(writer);
    parts.run();
    assert!(count.take() > 0, "who waits is woken");
    assert!(matches!(ready(poll_pinned(&count, &mut sending)), Err(Error::Closing)));
    let events = received(&parts);
    let [Event::Closed(closed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(closed.code(), CloseCode::INTERNAL_ERROR);
}

#[test]
fn a_writer_dropped_before_its_turn_does_nothing() {
    let mut parts = split(marks(10, 100));
    let count = Count::new();
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("x".repeat(200)))).unwrap();
    parts.run();
    let mut writer = parts.sender.write_message(MessageKind::Text);
    assert!(poll(&count, writer.send_chunk("half")).is_pending());
    drop(writer);
    parts.net.set_room(usize::MAX);
    parts.run();
    ready(poll(&count, parts.sender.send("whole"))).unwrap();
    parts.run();
    assert_eq!(messages(&parts).last(), Some(&"whole".into()));
}

/// Three connections. The peer of the second one takes nothing, and its outbox is full.
fn one_is_stuck() -> Vec<Parts> {
    let mut all: Vec<_> = (0..3).map(|_| split(marks(10, 100))).collect();
    all[1].net.set_room(0);
    ready(poll(&Count::new(), all[1].sender.send("x".repeat(200)))).unwrap();
    all.iter_mut().for_each(Parts::run);
    all
}

#[test]
fn a_broadcast_reports_the_result_of_each_connection() {
    let mut all = one_is_stuck();
    let news = Prepared::new("news");
    let send = |all: &[Parts], slow| broadcast(all.iter().map(|parts| &parts.sender), &news, slow);
    assert_eq!(send(&all, Slow::Skip), [Outcome::Sent, Outcome::Skipped, Outcome::Sent]);
    all[0].sender.abort();
    all.iter_mut().skip(1).for_each(Parts::run);
    assert_eq!(
        send(&all, Slow::Disconnect),
        [Outcome::Closed, Outcome::Disconnected, Outcome::Sent]
    );
    assert_eq!(send(&all, Slow::Disconnect)[1], Outcome::Closed);
    all[1].net.set_room(usize::MAX);
    all.iter_mut().skip(1).for_each(Parts::run);
    assert_eq!(messages(&all[2]), ["news".into(), "news".into(), "news".into()]);
    let events = received(&all[1]);
    let [Event::Message(_), Event::Closed(closed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(closed.code(), CloseCode::TRY_AGAIN_LATER);
}

#[test]
fn a_broadcast_waits_for_slow_connections_until_the_deadline() {
    for is_in_time in [false, true] {
        let mut all = one_is_stuck();
        let news = Prepared::new("news");
        let senders: Vec<_> = all.iter().map(|parts| parts.sender.clone()).collect();
        let over = std::cell::Cell::new(false);
        let deadline = std::future::poll_fn(|_| match over.get() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        let count = Count::new();
        let mut sending = Box::pin(broadcast_until(&senders, &news, deadline, Slow::Skip));
        assert!(poll_pinned(&count, &mut sending).is_pending());
        all.iter_mut().for_each(Parts::run);
        assert_eq!(messages(&all[2]), ["news".into()], "it does not wait for the others");
        count.take();
        over.set(true);
        if is_in_time {
            all[1].net.set_room(usize::MAX);
            all[1].run();
            assert!(count.take() > 0, "there is room");
        }
        let outcome = if is_in_time { Outcome::Sent } else { Outcome::Skipped };
        let outcomes = ready(poll_pinned(&count, &mut sending));
        assert_eq!(outcomes, [Outcome::Sent, outcome, Outcome::Sent]);
        all[1].net.set_room(usize::MAX);
        all[1].run();
        let news = messages(&all[1]).contains(&"news".into());
        assert_eq!(news, is_in_time, "what is said is true");
    }
}

#[test]
fn a_receiver_can_change_the_way_to_receive_in_the_middle_of_a_message() {
    let mut parts = split(Config::builder().delivery(Delivery::Chunks).build().unwrap());
    let count = Count::new();
    // `recv` puts a part of the message together, and then it is taken as events.
    parts.net.data(masked(0x01, b"a1 "));
    parts.run();
    assert!(poll(&count, parts.receiver.recv()).is_pending());
    let chunk = |event| if let Event::Chunk(chunk) = event { chunk } else { panic!("{event:?}") };
    let first = chunk(ready(poll(&count, parts.receiver.next_event())).unwrap().unwrap());
    assert_eq!((&first.payload[..], first.last), (&b"a1 "[..], false));
    parts.net.data(masked(0x80, b"a2"));
    parts.run();
    let last = chunk(ready(poll(&count, parts.receiver.next_event())).unwrap().unwrap());
    assert_eq!((&last.payload[..], last.last), (&b"a2"[..], true));
    // `try_recv` puts a part together, and then a reader reads it.
    parts.net.data(masked(0x01, b"b1 "));
    parts.run();
    assert_eq!(parts.receiver.try_recv(), None);
    parts.net.data(masked(0x80, b"b2"));
    parts.run();
    let mut reader = ready(poll(&count, parts.receiver.read_message())).unwrap().unwrap();
    assert_eq!(ready(poll(&count, reader.next_chunk())).unwrap().unwrap(), "b1 ");
    assert_eq!(ready(poll(&count, reader.next_chunk())).unwrap().unwrap(), "b2");
    assert_eq!(ready(poll(&count, reader.next_chunk())).unwrap(), None);
}

#[test]
fn a_receivers_reader_reports_a_message_that_is_cut_off() {
    let mut parts = split(Config::builder().delivery(Delivery::Chunks).build().unwrap());
    let count = Count::new();
    parts.net.data(masked(0x01, b"a1 "));
    parts.run();
    let mut reader = ready(poll(&count, parts.receiver.read_message())).unwrap().unwrap();
    assert_eq!(ready(poll(&count, reader.next_chunk())).unwrap().unwrap(), "a1 ");
    parts.net.data(masked(0x88, &1001_u16.to_be_bytes()));
    parts.net.push(Read::End);
    assert!(poll(&parts.driving, &mut parts.driver).is_ready());
    for _ in 0..2 {
        let ended = ready(poll(&count, reader.next_chunk()));
        let Err(Error::Closed(closed)) = ended else { panic!("{ended:?}") };
        assert_eq!(closed.code(), CloseCode::GOING_AWAY);
    }
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
}

#[test]
fn after_the_end_a_receiver_drops_an_incomplete_message() {
    for reads in [false, true] {
        let mut parts = split(Config::builder().delivery(Delivery::Chunks).build().unwrap());
        let count = Count::new();
        parts.net.data(masked(0x01, b"a1 "));
        parts.run();
        assert!(poll(&count, parts.receiver.recv()).is_pending());
        parts.net.push(Read::End);
        assert!(poll(&parts.driving, &mut parts.driver).is_ready());
        ready(poll(&count, parts.receiver.recv())).unwrap_err();
        if reads {
            assert!(ready(poll(&count, parts.receiver.read_message())).unwrap().is_none());
        } else {
            assert_eq!(ready(poll(&count, parts.receiver.next_event())).unwrap(), None);
        }
    }
}

#[test]
fn sender_and_receiver_show_the_same_state_of_the_connection() {
    let net = Net::new();
    let socket = net.server(Config::default()).with_subprotocol("chat".to_owned());
    let (sender, receiver, mut driver) = socket.split();
    let (count, driving) = (Count::new(), Count::new());
    let mut pinging = Box::pin(sender.ping());
    assert!(poll_pinned(&count, &mut pinging).is_pending());
    assert!(poll(&driving, &mut driver).is_pending());
    net.set_now(Timestamp::from_micros(70));
    let ping = net.written();
    net.data(masked(0x8A, &ping[2..]));
    assert!(poll(&driving, &mut driver).is_pending());
    let latency = ready(poll_pinned(&count, &mut pinging)).unwrap();
    drop(pinging);
    assert_eq!(latency, Some(std::time::Duration::from_micros(70)));
    assert_eq!((sender.latency(), receiver.latency()), (latency, latency));
    assert_eq!(sender.subprotocol().as_deref(), Some("chat"));
    assert_eq!(receiver.subprotocol(), sender.subprotocol());
}
