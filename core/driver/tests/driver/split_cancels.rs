//! Calls that wait on a split connection and are cancelled, in any order.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tidegate_driver::Error;

use crate::mock::{Count, poll_pinned, ready};
use crate::split::{marks, split};

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// All numbers of 0..count in mixed order. The count is a power of two, so an odd step visits each
/// number once.
fn shuffled(count: usize) -> impl Iterator<Item = usize> {
    assert!(count.is_power_of_two());
    let step = 2 * (count * 618 / 2000) + 1;
    (0..count).map(move |index| index * step % count)
}

/// A cancelled call is removed from anywhere in the queue while the lock of the connection is held.
/// When that took time in proportion to the length of the queue, this test took 12 s in a debug build.
#[allow(clippy::disallowed_methods, reason = "the cost is what is tested")]
#[test]
fn cancelling_a_hundred_thousand_calls_in_any_order_is_fast() {
    const SENDS: usize = 131_072;
    let (parts, count) = (split(marks(16, 1)), Count::new());
    parts.net.set_room(0);
    ready(crate::mock::poll(&count, parts.sender.send("full"))).unwrap();
    let mut sending: Vec<Option<Sending<'_>>> = (0..SENDS)
        .map(|_| {
            let mut sending: Sending<'_> = Box::pin(parts.sender.send("x"));
            assert!(poll_pinned(&count, &mut sending).is_pending());
            Some(sending)
        })
        .collect();
    let begin = Instant::now();
    for index in shuffled(SENDS) {
        drop(sending[index].take());
    }
    let elapsed = begin.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

/// The calls that stay keep their order, whichever calls are cancelled.
#[test]
fn calls_that_are_not_cancelled_keep_their_order() {
    const SENDS: usize = 64;
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    parts.net.set_room(0);
    let sender = parts.sender.clone();
    ready(crate::mock::poll(&count, sender.send("."))).unwrap();
    let mut sending: Vec<Option<Sending<'_>>> = (0..SENDS)
        .map(|index| {
            let mut sending: Sending<'_> = Box::pin(sender.send(format!("{index:02}")));
            assert!(poll_pinned(&count, &mut sending).is_pending());
            Some(sending)
        })
        .collect();
    for index in shuffled(SENDS).take(SENDS / 2) {
        drop(sending[index].take());
    }
    let mut expected = b"\x81\x01.".to_vec();
    for (index, sending) in sending.iter().enumerate() {
        if sending.is_some() {
            expected.extend_from_slice(b"\x81\x02");
            expected.extend_from_slice(format!("{index:02}").as_bytes());
        }
    }
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(parts.net.written(), expected);
    for sending in sending.iter_mut().flatten() {
        ready(poll_pinned(&count, sending)).unwrap();
    }
}
