//! Decompression bombs: messages that inflate to a thousand times their compressed size.

use core::time::Duration;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::{
    Chunk, Config, Connection, Failure, MessageKind, ProtocolError, Role, Timestamp,
};
use tidegate_tests::ends::{Adapter, Mode, soon};
use tidegate_tests::frames::{Frame, opcode};

use crate::memory::{FLAT, Growth};
use crate::peer::{close_code, fails, join, read, to, victim, write, write_and_end};

const MIB: usize = 1 << 20;

fn config() -> Config {
    Config::builder().deflate(DeflateOptions::default()).build().unwrap()
}

/// 1 MiB of zeros, compressed and ending at a byte boundary, so that it can be repeated anywhere.
fn zeros() -> Vec<u8> {
    let options = DeflateOptions::builder().level(9).build().unwrap();
    let config = Arc::new(Config::builder().deflate(options).build().unwrap());
    let mut server =
        Connection::server(Timestamp::ZERO, config).with_deflate(DeflateParams::default());
    let payload = Bytes::from(vec![0; MIB]);
    server.send_chunk(Chunk { kind: MessageKind::Binary, payload, last: false }).unwrap();
    let mut bytes = Vec::new();
    let output = server.output();
    while output.has_remaining() {
        bytes.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
    let payload = Frame::parse(&bytes).unwrap().unwrap().0.payload;
    assert!(payload.len() < 1100, "{}", payload.len());
    payload
}

/// Frames of one compressed message, with this many bytes in each.
fn frames(role: Role, op: u8, compressed: &[u8], size: usize) -> Vec<u8> {
    let count = compressed.len().div_ceil(size);
    let encode = |(index, piece): (usize, &[u8])| {
        let mut frame = Frame::new(if index == 0 { op } else { opcode::CONTINUATION }, piece);
        frame.fin = index + 1 == count;
        frame.reserved = if index == 0 { 4 } else { 0 };
        to(role, frame)
    };
    compressed.chunks(size).enumerate().flat_map(encode).collect()
}

/// 512 MiB inflated, in one frame and in many.
pub(crate) async fn one_message<A: Adapter>(mode: Mode) {
    let compressed = zeros().repeat(512);
    for (role, op) in [(Role::Server, opcode::BINARY), (Role::Client, opcode::TEXT)] {
        for size in [usize::MAX, 1_000] {
            let (mut end, stream) = victim::<A>(role, mode, config()).await;
            let bomb = frames(role, op, &compressed, size);
            assert!(bomb.len() < 600_000);
            let growth = Growth::begin::<A>().await;
            let reading = read(stream.tcp());
            let writing = write_and_end(stream.tcp(), bomb, b"", 0);
            let closed = fails(&mut end).await;
            let peak = growth.peak();
            assert!(matches!(
                closed.failure(),
                Some(Failure::Protocol(ProtocolError::MessageTooLarge { .. }))
            ));
            join::<A, _>(writing).await;
            assert_eq!(close_code(role, &join::<A, _>(reading).await), 1009);
            assert!(peak <= config().memory_bound(), "{peak} bytes");
            let gross = growth.gross_peak();
            assert!(gross > MIB / 2, "{gross} bytes: nothing was measured");
        }
    }
}

/// Each message has the maximal size, and all of them come in three reads.
pub(crate) async fn many_messages<A: Adapter>(mode: Mode) {
    const MESSAGES: usize = 100;
    for role in [Role::Server, Role::Client] {
        let (mut end, stream) = victim::<A>(role, mode, config()).await;
        let compressed = zeros();
        let message = compressed.strip_suffix(&[0x00, 0x00, 0xFF, 0xFF]).unwrap();
        let unit = frames(role, opcode::BINARY, message, usize::MAX);
        let total = MESSAGES * unit.len();
        let bomb = unit.repeat(MESSAGES);
        let expected = vec![0; MIB];
        let growth = Growth::begin::<A>().await;
        let writing = write(stream.tcp(), bomb, b"", total);
        // No message is taken until the gate has been closed for a while.
        soon::<A, _>(async {
            while end.queued_messages() == 0 {
                end.be_elsewhere(Duration::from_millis(20)).await;
            }
        })
        .await;
        end.be_elsewhere(Duration::from_millis(50)).await;
        assert_eq!((end.queued_messages(), end.queued_bytes()), (1, MIB));
        for _ in 0..MESSAGES {
            let message = soon::<A, _>(end.recv()).await.unwrap().unwrap();
            assert!(message.as_bytes() == expected);
        }
        let (peak, bound) = (growth.peak(), config().memory_bound());
        assert!(peak <= bound, "{peak} of {bound} bytes");
        assert!(growth.gross_peak() > MIB);
        assert_eq!(join::<A, _>(writing).await, total);
        end.abort();
        drop(end);
        let left = growth.left::<A>().await;
        assert!(left <= FLAT, "{left} bytes are left");
    }
}
