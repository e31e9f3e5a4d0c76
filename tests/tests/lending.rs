//! Relaying messages from buffer to buffer allocates nothing for each message.
#![allow(clippy::unwrap_used, missing_docs)]

use allocation_counter::measure;
use bytes::Buf;
use tidegate_core::testing::Frame;
use tidegate_core::{Config, Connection, Timestamp};

/// A server that echoes each message, from reads that contain many.
#[test]
fn messages_are_lent_and_sent_without_an_allocation() {
    let read: Vec<u8> = (0..40)
        .flat_map(|number| {
            let opcode = if number % 2 == 0 { 1 } else { 2 };
            Frame::new(opcode, vec![b'x'; 7 * number]).masked([1, 2, 3, 4]).encode()
        })
        .collect();
    let mut buffer = vec![0; read.len()];
    let mut connection = Connection::server(Timestamp::ZERO, Config::default());
    let mut echo = || {
        buffer.copy_from_slice(&read);
        let (mut input, mut messages) = (&mut buffer[..], 0);
        while let Some(event) = connection.receive_ref(Timestamp::ZERO, &mut input) {
            connection.send_ref(event.message().unwrap()).unwrap();
            messages += 1;
        }
        while connection.wants_output() {
            let length = connection.output().chunk().len();
            connection.output().advance(length);
        }
        messages
    };
    // The output buffer grows in the first rounds.
    (0..3).for_each(|_| assert_eq!(echo(), 40));
    let one = measure(|| assert_eq!(echo(), 40));
    let ten = measure(|| (0..10).for_each(|_| assert_eq!(echo(), 40)));
    assert!(one.count_total <= 2, "the output's buffer at most: {one:?}");
    assert_eq!(ten.count_total, 10 * one.count_total);
    assert_eq!(ten.count_current, 0);
}
