//! What a connection holds when everything it had to say is said: one small buffer, or less.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::{Buf, Bytes};
use peak_alloc::PeakAlloc;
use tidegate_core::{Config, Connection, Message, Prepared, Role, Timestamp, Watermarks};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn connection(role: Role) -> Connection {
    let marks = Watermarks::UNLIMITED;
    let config = Config::builder().ping_interval(None).send_marks(marks).build().unwrap();
    match role {
        Role::Server => Connection::server(Timestamp::ZERO, config),
        Role::Client => Connection::client(Timestamp::ZERO, config, [1; 32]),
    }
}

/// At most `most` bytes at a time.
fn take_all(connection: &mut Connection, most: usize) {
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len().min(most);
        output.advance(length);
    }
}

/// In every order in which three kinds of message can follow one another, taken one by one or all at
/// once. One test, because the allocator counts for the whole process.
#[test]
fn a_connection_that_said_something_holds_256_bytes_at_most() {
    let sizes = [16, 1_000, 6_000, 20_000, 200_000];
    let payloads = sizes.map(|size| Bytes::from(vec![b'x'; size]));
    // What is shared has a count of its own from the first time on.
    let _shared = payloads.clone();
    let prepared = Prepared::new(Message::binary(vec![b'x'; 2_000]));
    for role in [Role::Server, Role::Client] {
        for number in 0..7usize.pow(3) {
            for most in [999, 70_000, usize::MAX] {
                for together in [false, true] {
                    let mut connection = connection(role);
                    let before = MEMORY.current_usage();
                    for kind in [number % 7, number / 7 % 7, number / 49] {
                        match payloads.get(kind) {
                            Some(payload) => connection.send(payload.clone()).unwrap(),
                            None if kind == 5 => connection.send_prepared(&prepared).unwrap(),
                            None => (0..50).for_each(|_| connection.send_ref("batch").unwrap()),
                        }
                        if !together {
                            take_all(&mut connection, most);
                        }
                    }
                    take_all(&mut connection, most);
                    let held = MEMORY.current_usage().saturating_sub(before);
                    assert!(held <= 256, "{held} bytes: {role:?} {number} {most} {together}");
                }
            }
        }
    }
}
