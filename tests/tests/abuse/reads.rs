//! Calls that are cancelled between any two bytes of a session.

use core::time::Duration;
use std::io::Write;

use tidegate_core::deflate::DeflateOptions;
use tidegate_core::{Config, Message, Role};
use tidegate_tests::ends::{Adapter, Mode, cancel, soon};
use tidegate_tests::frames::{Frame, opcode};

use crate::peer::{close_code, join, read, to, victim};

/// What the peer sends, and what the application must receive.
fn session(role: Role) -> (Vec<u8>, [Message; 4]) {
    let mut compressed = Frame::new(opcode::TEXT, b"\xF2\x48\xCD\xC9\xC9\x07\x00");
    compressed.reserved = 4;
    let bytes = [
        Frame::new(opcode::TEXT, "one, \u{20AC}"),
        Frame::new(opcode::PING, "are you there?"),
        Frame::new(opcode::TEXT, "fr").unfinished(),
        Frame::new(opcode::PING, "and now?"),
        Frame::new(opcode::CONTINUATION, "").unfinished(),
        Frame::new(opcode::CONTINUATION, "agments"),
        compressed,
        Frame::new(opcode::BINARY, [7; 130]),
        Frame::close(Some(1000), "bye"),
    ]
    .into_iter()
    .flat_map(|frame| to(role, frame))
    .collect();
    let messages = [
        Message::text("one, \u{20AC}"),
        Message::text("fragments"),
        Message::text("Hello"),
        Message::binary(vec![7; 130]),
    ];
    (bytes, messages)
}

pub(crate) async fn cancelled_at_every_byte<A: Adapter>(mode: Mode) {
    for role in [Role::Server, Role::Client] {
        let config = Config::builder().deflate(DeflateOptions::default()).build().unwrap();
        let (mut end, mut stream) = victim::<A>(role, mode, config).await;
        let reading = read(stream.tcp());
        let (bytes, expected) = session(role);
        let (mut received, mut cancelled) = (Vec::new(), 0);
        let before = end.stats().bytes_in;
        for (number, byte) in (1..).zip(&bytes) {
            match cancel(0, end.recv()).await {
                Some(message) => received.extend(message.unwrap()),
                None => cancelled += 1,
            }
            stream.write_all(&[*byte]).unwrap();
            soon::<A, _>(async {
                // On a whole connection, it is this call that reads the byte.
                while end.stats().bytes_in < before + number {
                    match cancel(0, end.recv()).await {
                        Some(message) => received.extend(message.unwrap()),
                        None => cancelled += 1,
                    }
                    A::sleep(Duration::from_micros(20)).await;
                }
            })
            .await;
        }
        stream.shutdown_write();
        while let Some(message) = soon::<A, _>(end.recv()).await.unwrap() {
            received.push(message);
        }
        assert_eq!(received, expected);
        assert!(cancelled >= bytes.len() - expected.len(), "{cancelled} calls were cancelled");
        assert!(end.closed().unwrap().is_clean());
        let answered = join::<A, _>(reading).await;
        let frames = Frame::parse_all(&answered).unwrap();
        let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
        assert_eq!(payloads[..2], [&b"are you there?"[..], b"and now?"]);
        assert_eq!((frames.len(), close_code(role, &answered)), (3, 1000));
    }
}
