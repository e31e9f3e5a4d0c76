//! One message that never ends.

use tidegate_core::{CloseCode, Config, Failure, Message, ProtocolError, Role};
use tidegate_tests::ends::{Adapter, Mode, soon};
use tidegate_tests::frames::{Frame, opcode};

use crate::memory::{FLAT, Growth};
use crate::peer::{close_code, fails, join, read, take_in, to, victim, write, write_and_end};

pub(crate) async fn one_endless_message<A: Adapter>(mode: Mode) {
    const TOTAL: usize = 32 << 20;
    for (role, op) in [(Role::Server, opcode::BINARY), (Role::Client, opcode::TEXT)] {
        let config = Config::default();
        let (mut end, stream) = victim::<A>(role, mode, config.clone()).await;
        let growth = Growth::begin::<A>().await;
        let first = to(role, Frame::new(op, "begin").unfinished());
        let unit = to(role, Frame::new(opcode::CONTINUATION, vec![b'x'; 1_000]).unfinished());
        let writing = write_and_end(stream.tcp(), first, &unit, TOTAL);
        let reading = read(stream.tcp());
        let closed = fails(&mut end).await;
        assert!(matches!(
            closed.failure(),
            Some(Failure::Protocol(ProtocolError::MessageTooLarge { .. }))
        ));
        assert_eq!(closed.sent().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
        join::<A, _>(writing).await;
        assert_eq!(close_code(role, &join::<A, _>(reading).await), 1009);
        let (peak, gross) = (growth.peak(), growth.gross_peak());
        assert!(peak <= config.memory_bound(), "{peak} bytes");
        assert!(gross > config.max_message_size(), "{gross} bytes: nothing was measured");
    }
}

/// Empty fragments are legal and cost nothing, so their number is not limited.
pub(crate) async fn endless_empty_fragments<A: Adapter>(mode: Mode) {
    for (role, op) in [(Role::Server, opcode::TEXT), (Role::Client, opcode::BINARY)] {
        let (mut end, stream) = victim::<A>(role, mode, Config::default()).await;
        let growth = Growth::begin::<A>().await;
        let first = to(role, Frame::new(op, "begin").unfinished());
        let unit = to(role, Frame::new(opcode::CONTINUATION, "").unfinished());
        let before = end.stats().bytes_in as usize;
        let total = 400_000 * unit.len();
        let writing = write(stream.tcp(), first, &unit, total);
        take_in(&mut end, before + total).await;
        let peak = growth.peak();
        let last = to(role, Frame::new(opcode::CONTINUATION, ", end"));
        join::<A, _>(writing).await;
        join::<A, _>(write(stream.tcp(), last, b"", 0)).await;
        let message = soon::<A, _>(end.recv()).await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), b"begin, end");
        assert_eq!(matches!(message, Message::Text(_)), op == opcode::TEXT);
        assert!(peak <= FLAT, "{peak} bytes for empty frames");
        end.abort();
    }
}
