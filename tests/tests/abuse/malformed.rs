//! Fourteen malformed inputs that other libraries accept, each with the close code that the peer gets.

use std::io::Write;

use tidegate_core::{CloseCode, Config, Failure, Message, Role};
use tidegate_tests::ends::{Adapter, Mode, soon};
use tidegate_tests::frames::{Frame, header, opcode};

use crate::peer::{close_code, fails, join, read, to, victim};

/// The inputs for a victim in this role: description, close code, and bytes.
fn inputs_for(role: Role) -> [(&'static str, u16, Vec<u8>); 14] {
    let key = (role == Role::Server).then_some([0, 0, 0, 0]);
    let mask = if role == Role::Server { 0x80 } else { 0 };
    let frame = |opcode, payload: &[u8]| to(role, Frame::new(opcode, payload));
    let part = |opcode, payload: &[u8]| to(role, Frame::new(opcode, payload).unfinished());
    let behind_header = |header: &[u8], payload: &[u8]| {
        let key = if role == Role::Server { &[0; 4][..] } else { &[] };
        [header, key, payload].concat()
    };
    let other = if role == Role::Server { Role::Client } else { Role::Server };
    let limit = Config::default().max_message_size();
    [
        ("masked the wrong way", 1002, to(other, Frame::new(opcode::TEXT, "mask"))),
        ("a length of 3 in 16 bits", 1002, behind_header(&[0x82, mask | 126, 0, 3], b"abc")),
        ("a pong of 126 bytes", 1002, frame(opcode::PONG, &[0; 126])),
        (
            "a Close of 126 bytes",
            1002,
            frame(opcode::CLOSE, &[&[3, 232][..], &[b'x'; 124]].concat()),
        ),
        ("RSV2", 1002, to(role, Frame { reserved: 2, ..Frame::new(opcode::TEXT, "bit") })),
        ("opcode 3", 1002, frame(3, b"what?")),
        ("text that is not UTF-8", 1007, frame(opcode::TEXT, b"caf\xE9 au lait")),
        (
            "text that is not UTF-8, in pieces",
            1007,
            [part(opcode::TEXT, b"\xE2\x82"), frame(opcode::CONTINUATION, b"\xE2\x82\xAC")]
                .concat(),
        ),
        ("close code 1005", 1002, frame(opcode::CLOSE, &1005_u16.to_be_bytes())),
        ("close code 999", 1002, frame(opcode::CLOSE, &999_u16.to_be_bytes())),
        (
            "a message inside a message",
            1002,
            [part(opcode::TEXT, b"begun"), frame(opcode::TEXT, b"another")].concat(),
        ),
        ("a continuation first", 1002, frame(opcode::CONTINUATION, b"of what?")),
        ("a frame over the limit", 1009, header(true, 0, opcode::BINARY, key, limit + 1)),
        (
            "the top bit of a length",
            1002,
            behind_header(&[0x82, mask | 127, 0x80, 0, 0, 0, 0, 0, 0, 1], b"x"),
        ),
    ]
}

pub(crate) async fn inputs<A: Adapter>(mode: Mode) {
    for role in [Role::Server, Role::Client] {
        for (name, code, bytes) in inputs_for(role) {
            let (mut end, mut stream) = victim::<A>(role, mode, Config::default()).await;
            let reading = read(stream.tcp());
            let before = to(role, Frame::new(opcode::TEXT, "before"));
            let after = to(role, Frame::new(opcode::TEXT, "after")).repeat(20);
            stream.write_all(&[before, bytes, after].concat()).unwrap();
            stream.shutdown_write();
            let first = soon::<A, _>(end.recv()).await.unwrap();
            assert_eq!(first, Some(Message::text("before")), "{name}");
            let closed = fails(&mut end).await;
            assert!(matches!(closed.failure(), Some(Failure::Protocol(_))), "{name}: {closed:?}");
            assert_eq!(closed.sent().unwrap().code, CloseCode::from(code), "{name}");
            assert_eq!(soon::<A, _>(end.recv()).await.unwrap(), None, "{name}");
            let answered = join::<A, _>(reading).await;
            assert_eq!(close_code(role, &answered), code, "{name} to a {role:?}");
        }
    }
}
