//! Messages that cannot be sent, on whole and split connections: every way to send says why, and the
//! connection is not harmed.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_sink::Sink;
use tidegate_core::{
    Chunk, ChunkError, CloseCode, Config, ControlError, Message, MessageKind, Prepared, SendError,
};
use tidegate_driver::Error;

use crate::mock::{Count, Net, Read, Socket, masked, poll, ready};
use crate::split::{Parts, split};

fn chunk(kind: MessageKind, last: bool) -> Chunk {
    Chunk { kind, payload: "part".into(), last }
}

fn poll_ready<T: Sink<Message, Error = Error> + Unpin>(sink: &mut T) -> Poll<Result<(), Error>> {
    Pin::new(sink).poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn start_send<T: Sink<Message, Error = Error> + Unpin>(sink: &mut T) -> Result<(), Error> {
    Pin::new(sink).start_send(Message::text("late"))
}

/// A connection that the peer has closed, with all events taken.
fn closed() -> Socket {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.data(masked(0x88, &1001_u16.to_be_bytes()));
    net.push(Read::End);
    assert_eq!(ready(poll(&Count::new(), socket.recv())).unwrap(), None);
    socket
}

#[test]
fn after_the_end_every_way_to_send_says_how_the_connection_ended() {
    let mut socket = closed();
    let count = Count::new();
    let prepared = Prepared::new("late");
    let refused = [
        ready(poll(&count, socket.send("late"))),
        ready(poll(&count, socket.feed("late"))),
        ready(poll(&count, socket.send(&prepared))),
        ready(poll(&count, socket.send_chunk(chunk(MessageKind::Text, true)))),
        ready(poll(&count, socket.ping())).map(drop),
        ready(poll(&count, socket.pong("late"))),
        ready(poll_ready(&mut socket)),
        start_send(&mut socket),
        ready(poll(&count, socket.write_message(MessageKind::Text).send_chunk("late"))),
    ];
    for (way, refused) in refused.into_iter().enumerate() {
        let Err(Error::Closed(closed)) = refused else { panic!("{way}: {refused:?}") };
        assert_eq!(closed.code(), CloseCode::GOING_AWAY, "{way}");
    }
    assert!(matches!(socket.try_send(&prepared), Err(SendError::Closed(_))));
}

#[test]
fn within_a_message_in_chunks_no_other_message_is_sent_and_no_call_waits_forever() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let count = Count::new();
    ready(poll(&count, socket.send_chunk(chunk(MessageKind::Text, false)))).unwrap();
    net.written();
    let refused = [
        ready(poll(&count, socket.send("another"))),
        ready(poll(&count, socket.send(&Prepared::new("another")))),
        ready(poll_ready(&mut socket)),
        start_send(&mut socket),
    ];
    for (way, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(Error::Unfinished)), "{way}: {refused:?}");
    }
    let wrong = ready(poll(&count, socket.send_chunk(chunk(MessageKind::Binary, true))));
    assert!(matches!(wrong, Err(Error::Chunk(ChunkError::WrongKind(_)))), "{wrong:?}");
    ready(poll(&count, socket.send_chunk(chunk(MessageKind::Text, true)))).unwrap();
    assert_eq!(net.written(), b"\x80\x04part");
    ready(poll_ready(&mut socket)).unwrap();
}

#[test]
fn a_chunk_waits_for_room_and_is_not_lost_by_waiting() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.set_room(0);
    socket.try_send(vec![0; 100_000]).unwrap();
    let count = Count::new();
    let mut sending = Box::pin(socket.send_chunk(chunk(MessageKind::Text, true)));
    assert!(crate::mock::poll_pinned(&count, &mut sending).is_pending());
    net.set_room(usize::MAX);
    ready(crate::mock::poll_pinned(&count, &mut sending)).unwrap();
    drop(sending);
    assert!(net.written().ends_with(b"\x81\x04part"));
}

#[test]
fn a_full_sink_refuses_a_message_without_poll_ready() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.set_room(0);
    socket.try_send(vec![0; 100_000]).unwrap();
    assert!(matches!(start_send(&mut socket), Err(Error::NotReady)));
}

#[test]
fn pongs_of_the_application_go_out_and_are_limited_like_all_control_frames() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    let count = Count::new();
    ready(poll(&count, socket.pong("heartbeat"))).unwrap();
    assert_eq!(net.written(), b"\x8A\x09heartbeat");
    let long = ready(poll(&count, socket.pong(vec![0; 126])));
    let too_long = ControlError::PayloadTooLong { length: 126 };
    assert!(matches!(long, Err(Error::Control(error)) if error == too_long));

    let Parts { net, sender, mut driver, driving, receiver: _receiver } = split(Config::default());
    sender.pong("heartbeat").unwrap();
    assert!(poll(&driving, &mut driver).is_pending());
    assert_eq!(net.written(), b"\x8A\x09heartbeat");
    assert!(matches!(sender.pong(vec![0; 126]), Err(Error::Control(error)) if error == too_long));
    sender.abort();
    assert!(matches!(sender.pong("late"), Err(Error::Closed(_))));
}

#[test]
fn a_split_sender_refuses_another_message_within_its_own_chunks() {
    let mut parts = split(Config::default());
    let count = Count::new();
    ready(poll(&count, parts.sender.send_chunk(chunk(MessageKind::Text, false)))).unwrap();
    let refused = [
        ready(poll(&count, parts.sender.send("another"))),
        ready(poll(&count, parts.sender.send(&Prepared::new("another")))),
        ready(poll_ready(&mut parts.sender)).and_then(|()| start_send(&mut parts.sender)),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Error::Unfinished)), "{refused:?}");
    }
    let wrong = ready(poll(&count, parts.sender.send_chunk(chunk(MessageKind::Binary, true))));
    assert!(matches!(wrong, Err(Error::Chunk(ChunkError::WrongKind(_)))), "{wrong:?}");
    ready(poll(&count, parts.sender.send_chunk(chunk(MessageKind::Text, true)))).unwrap();
    parts.drive();
    assert_eq!(parts.net.written(), b"\x01\x04part\x80\x04part");
}

#[test]
fn on_a_split_connection_a_prepared_message_waits_in_order() {
    let mut parts = split(Config::default());
    let prepared = Prepared::new("prepared");
    parts.net.set_room(0);
    parts.sender.try_send(vec![0; 100_000]).unwrap();
    let count = Count::new();
    let mut waiting = Box::pin(parts.sender.send(&prepared));
    assert!(crate::mock::poll_pinned(&count, &mut waiting).is_pending());
    // While one message waits, no other one overtakes it.
    assert!(matches!(parts.sender.try_send(&prepared), Err(SendError::Full(_))));
    parts.net.set_room(usize::MAX);
    drop(waiting);
    let mut waiting = Box::pin(parts.sender.send(&prepared));
    while crate::mock::poll_pinned(&count, &mut waiting).is_pending() {
        assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    }
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    drop(waiting);
    assert!(parts.net.written().ends_with(b"\x81\x08prepared"));
}

#[test]
fn on_a_split_connection_a_waiting_send_learns_that_its_chunk_is_invalid() {
    let mut parts = split(Config::default());
    parts.net.set_room(0);
    parts.sender.try_send(vec![0; 100_000]).unwrap();
    let count = Count::new();
    let text = Chunk { kind: MessageKind::Text, payload: b"\xFF"[..].into(), last: true };
    let mut waiting = Box::pin(parts.sender.send_chunk(text));
    assert!(crate::mock::poll_pinned(&count, &mut waiting).is_pending());
    parts.net.set_room(usize::MAX);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert!(count.take() > 0, "it is woken");
    let refused = ready(crate::mock::poll_pinned(&count, &mut waiting));
    assert!(matches!(refused, Err(Error::Chunk(ChunkError::InvalidUtf8(_)))), "{refused:?}");
}

/// If the peer takes nothing, a ping waits until earlier pings are written, and then for its pong.
#[test]
fn a_ping_waits_while_earlier_pings_are_not_written() {
    let net = Net::new();
    let mut socket = net.server(Config::default());
    net.set_room(0);
    let count = Count::new();
    let mut waiting = 0;
    while waiting < 100 {
        // Each call is cancelled; its ping stays queued.
        assert!(poll(&count, socket.ping()).is_pending());
        waiting += 1;
    }
    let held = socket.queued_output();
    assert!(poll(&count, socket.ping()).is_pending());
    assert_eq!(socket.queued_output(), held, "it is not added to them");
    net.set_room(usize::MAX);
    let mut pinging = Box::pin(socket.ping());
    assert!(crate::mock::poll_pinned(&count, &mut pinging).is_pending());
    let written = net.written();
    let last = &written[written.len() - 10..];
    net.data(masked(0x8A, &last[2..]));
    assert!(ready(crate::mock::poll_pinned(&count, &mut pinging)).unwrap().is_some());
    drop(pinging);
    assert!(socket.latency().is_some() && socket.get_mut().is_some());
}
