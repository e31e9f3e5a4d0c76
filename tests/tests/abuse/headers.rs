//! Headers that declare lengths which never arrive.

use core::time::Duration;

use tidegate_core::{Config, Failure, ProtocolError, Role};
use tidegate_tests::ends::{Adapter, Mode, soon};
use tidegate_tests::frames::{header, opcode};

use crate::memory::{FLAT, Growth};
use crate::peer::{close_code, fails, join, read, take_in, victim, write, write_and_end};

const GIB: usize = 1 << 30;

pub(crate) async fn that_declare_huge_lengths<A: Adapter>(mode: Mode) {
    for role in [Role::Server, Role::Client] {
        for length in [Config::default().max_message_size() + 1, GIB, (1 << 63) - 1] {
            over_the_limit::<A>(role, mode, length).await;
        }
        for fin in [true, false] {
            within_the_limit::<A>(role, mode, fin).await;
        }
    }
}

/// The header of a frame, or of the next fragment of a message.
fn announced(role: Role, is_fragment: bool, length: usize) -> Vec<u8> {
    let key = (role == Role::Server).then_some([1, 2, 3, 4]);
    match is_fragment {
        false => header(true, 0, opcode::BINARY, key, length),
        true => [
            header(false, 0, opcode::BINARY, key, 0),
            header(false, 0, opcode::CONTINUATION, key, length),
        ]
        .concat(),
    }
}

/// Refused at the header.
async fn over_the_limit<A: Adapter>(role: Role, mode: Mode, length: usize) {
    for is_fragment in [false, true] {
        let (mut end, stream) = victim::<A>(role, mode, Config::default()).await;
        let growth = Growth::begin::<A>().await;
        let header = announced(role, is_fragment, length);
        write(stream.tcp(), header, b"", 0).join().unwrap();
        let reading = read(stream.tcp());
        let ending = async {
            // The victim then waits only for the end of the stream.
            while end.closed().is_none() {
                end.be_elsewhere(Duration::from_millis(1)).await;
            }
            let peak = growth.peak();
            assert!(peak <= FLAT, "{peak} bytes for a header");
        };
        soon::<A, _>(ending).await;
        join::<A, _>(write_and_end(stream.tcp(), Vec::new(), b"", 0)).await;
        let closed = fails(&mut end).await;
        let expected = ProtocolError::MessageTooLarge {
            length: length as u64,
            limit: Config::default().max_message_size(),
        };
        assert_eq!(closed.failure(), Some(Failure::Protocol(expected)));
        assert_eq!(close_code(role, &join::<A, _>(reading).await), 1009);
    }
}

/// The declared length is allowed, and memory is allocated only as bytes arrive.
async fn within_the_limit<A: Adapter>(role: Role, mode: Mode, is_fragment: bool) {
    let config = Config::builder().max_message_size(GIB).build().unwrap();
    let (mut end, stream) = victim::<A>(role, mode, config).await;
    let growth = Growth::begin::<A>().await;
    let bytes = [announced(role, is_fragment, GIB), vec![0; 100]].concat();
    let before = end.stats().bytes_in as usize;
    let count = bytes.len();
    write(stream.tcp(), bytes, b"", 0).join().unwrap();
    take_in(&mut end, before + count).await;
    let peak = growth.peak();
    assert!(peak <= FLAT, "{peak} bytes for a header and 100 bytes");
    assert!(end.closed().is_none());
    end.abort();
}
