//! The memory of a connection after all its output is written: at most one small buffer.
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

/// Writes at most `most` bytes at a time.
fn take_all(connection: &mut Connection, most: usize) {
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len().min(most);
        output.advance(length);
    }
}

/// The memory of a connection after three messages of these kinds were sent, one by one or all at
/// once.
fn held(role: Role, kinds: [usize; 3], most: usize, together: bool) -> usize {
    let payloads = SIZES.map(|size| Bytes::from(vec![b'x'; size]));
    // Sharing a payload allocates its reference count the first time.
    let _shared = payloads.clone();
    let prepared = Prepared::new(Message::binary(vec![b'x'; 2_000]));
    // Sending it as a server makes it shared.
    connection(role).send_prepared(&prepared).unwrap();

    let mut connection = connection(role);
    let before = MEMORY.current_usage();
    for kind in kinds {
        match payloads.get(kind) {
            Some(payload) => connection.send(payload.clone()).unwrap(),
            None if kind == SIZES.len() => connection.send_prepared(&prepared).unwrap(),
            None => (0..50).for_each(|_| connection.send_ref("batch").unwrap()),
        }
        if !together {
            take_all(&mut connection, most);
        }
    }
    take_all(&mut connection, most);
    MEMORY.current_usage().saturating_sub(before)
}

/// Tests every order of three kinds of message. A single test, because the allocator counts for the
/// whole process. It also counts the test runner's thread, which allocates a buffer for its output
/// once at the start; memory of a connection would show up each time.
#[test]
fn after_sending_a_connection_holds_at_most_256_bytes() {
    const KINDS: usize = SIZES.len() + 2;
    for role in [Role::Server, Role::Client] {
        for number in 0..KINDS.pow(3) {
            let kinds = [number % KINDS, number / KINDS % KINDS, number / KINDS / KINDS];
            for most in [999, 70_000, usize::MAX] {
                for together in [false, true] {
                    let held = || held(role, kinds, most, together);
                    let least = Some(held()).filter(|held| *held <= MOST);
                    let least = least.unwrap_or_else(|| held().min(held()));
                    assert!(least <= MOST, "{least} bytes: {role:?} {kinds:?} {most} {together}");
                }
            }
        }
    }
}

const SIZES: [usize; 5] = [16, 1_000, 6_000, 20_000, 200_000];

const MOST: usize = 256;
