//! Generates the operations on a connection and its settings.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::testing::{Frame, hostile, strategies};
use tidegate_core::{CloseFrame, Config, MessageKind, Role};

use crate::reference::{Item, Times};
use crate::writer::close_of;

/// An operation on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Input(usize),
    Eof,
    /// Time passes, and the connection is told.
    Wait(u64),
    /// Time passes without a call, so the next call is late.
    Pause(u64),
    /// The next deadline comes.
    Deadline,
    Take(usize),
    Send(usize),
    /// A part of a message: its kind, its length, and whether it is the last.
    Chunk(MessageKind, usize, bool),
    Ping,
    Pong(usize),
    /// The peer answers one of our pings, perhaps a second time, with its next frame.
    Answer(usize),
    Close(CloseFrame),
    /// The peer goes on sending after its Close.
    Flood,
    Abort,
    Write(usize),
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{
        Abort, Answer, Chunk as Part, Close, Deadline, Eof, Flood, Input, Pause, Ping, Pong, Send,
        Take, Wait, Write,
    };
    let kind = prop_oneof![3 => Just(MessageKind::Text), 1 => Just(MessageKind::Binary)];
    prop_oneof![
        12 => prop_oneof![1..10usize, 1..100usize, 1..1000usize].prop_map(Input),
        1 => Just(Eof),
        4 => (0..2000u64).prop_map(Wait),
        2 => (0..3000u64).prop_map(Pause),
        4 => Just(Deadline),
        10 => (1..4usize).prop_map(Take),
        6 => strategies::length(10_000).prop_map(Send),
        3 => (kind, strategies::length(9000), any::<bool>())
            .prop_map(|(kind, length, last)| Part(kind, length, last)),
        2 => Just(Ping),
        2 => (0..126usize).prop_map(Pong),
        2 => (0..4usize).prop_map(Answer),
        1 => close_frame().prop_map(Close),
        1 => Just(Flood),
        1 => prop::option::weighted(0.3, Just(Abort)).prop_map(|abort| abort.unwrap_or(Deadline)),
        10 => prop_oneof![0..40usize, 0..2000usize, Just(usize::MAX)].prop_map(Write),
    ]
}

fn close_frame() -> impl Strategy<Value = CloseFrame> {
    let code = prop_oneof![
        2 => prop::sample::select(&[1000u16, 1001, 1008, 1011][..]),
        1 => 3000..5000u16
    ];
    let reason = prop::sample::select(&["", "bye", "grüß Gott"][..]);
    let full = (code, reason).prop_map(|(code, reason)| CloseFrame::new(code.into(), reason));
    prop_oneof![3 => full, 1 => Just(CloseFrame::EMPTY)]
}

pub(crate) fn setup() -> impl Strategy<Value = (Role, Config, Times, Vec<(usize, Item)>, Vec<u8>)> {
    let time = || prop::option::of((1..3000u64).prop_map(Duration::from_millis));
    let times = (time(), time(), time(), time());
    let config = (strategies::config(), times).prop_map(|(config, (ping, pong, close, write))| {
        let builder = config.to_builder().validate_utf8(true).max_message_size(700);
        let builder = builder.max_frame_size(None).ping_interval(ping);
        let builder = builder.pong_timeout(pong).close_timeout(close);
        (builder.write_timeout(write).build().unwrap(), Times { ping, pong, close, write })
    });
    (strategies::role(), config).prop_flat_map(|(role, (config, times))| {
        let peer = role.peer();
        let end = prop_oneof![
            2 => Just(None),
            2 => close_frame().prop_map(|close| Some(Err(close))),
            1 => hostile(peer, &config).prop_map(|hostile| Some(Ok(hostile))),
        ];
        (strategies::session(peer, 30, 700), end, vec(any::<u8>(), 0..20)).prop_map(
            move |(session, end, noise)| {
                let mut bytes = Vec::new();
                bytes.extend(session.bytes());
                let sent = |(position, sent)| (position, Item::Sent(sent));
                let mut items: Vec<_> = session.positions().into_iter().map(sent).collect();
                if let Some(Err(close)) = &end {
                    let key = peer.masks().then_some([5, 6, 7, 8]);
                    bytes.extend(Frame { key, ..close_of(close) }.encode());
                    items.push((bytes.len(), Item::Close(close.clone())));
                }
                if let Some(Ok(hostile)) = &end {
                    bytes.extend(&hostile.bytes);
                    items.push((bytes.len(), Item::Violation(hostile.error)));
                }
                if end.is_some() {
                    // Bytes after the end must not be decoded.
                    bytes.extend(&noise);
                }
                (role, config.clone(), times, items, bytes)
            },
        )
    })
}
