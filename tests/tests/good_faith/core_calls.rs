//! The core alone: its calls may come in any order, and a late call causes only a delay.

use bytes::Buf;
use tidegate_core::{CloseCode, CloseFrame, Config, Connection, Event, Failure, Timestamp};

use crate::frames::{decode, encode};

/// The calls of one turn of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Timeout,
    Input,
    Output,
    Events,
}

/// Every order of the four.
fn orders() -> Vec<[Call; 4]> {
    let calls = [Call::Timeout, Call::Input, Call::Output, Call::Events];
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| ![a, b].contains(c)) {
                orders.push([calls[a], calls[b], calls[c], calls[6 - a - b - c]]);
            }
        }
    }
    orders
}

/// A loop around a server's connection, and the contents of its socket.
struct Loop {
    connection: Connection,
    kernel: Vec<u8>,
    written: Vec<u8>,
    closed: Option<Option<Failure>>,
}

impl Loop {
    fn new(config: Config) -> Self {
        let connection = Connection::server(Timestamp::ZERO, config);
        Self { connection, kernel: Vec::new(), written: Vec::new(), closed: None }
    }

    /// One turn, which writes at most `room` bytes.
    fn turn(&mut self, now: Timestamp, order: [Call; 4], room: usize) {
        for call in order {
            match call {
                Call::Timeout => self.connection.handle_timeout(now),
                Call::Input => {
                    if self.connection.wants_input() {
                        self.connection.handle_input(now, &core::mem::take(&mut self.kernel));
                    }
                }
                Call::Output => {
                    let output = self.connection.output();
                    let length = output.remaining().min(room);
                    self.written.extend(output.copy_to_bytes(length));
                }
                Call::Events => {
                    while let Some(event) = self.connection.poll_event() {
                        if let Event::Closed(closed) = event {
                            self.closed = Some(closed.failure());
                        }
                    }
                }
            }
        }
    }

    /// Runs turns when `poll_timeout` and the output ask for them, up to that time.
    fn until(&mut self, end: Timestamp, order: [Call; 4], room: usize) {
        let mut turns = 0;
        while let Some(next) = self.connection.poll_timeout().filter(|next| *next <= end) {
            self.turn(next, order, room);
            if self.connection.wants_output() {
                self.turn(next, order, room);
            }
            turns += 1;
            assert!(turns < 1000, "it goes round in circles at {next:?}");
        }
    }
}

/// The ping goes out at 30 s, its pong is in the kernel, and the loop runs late: at 61 s.
#[test]
fn a_late_loop_finds_the_pong_in_any_order() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        let at = Timestamp::from_secs;
        turning.turn(at(30), order, usize::MAX);
        turning.turn(at(30), order, usize::MAX);
        let ping = decode(&mut turning.written, false).unwrap();
        assert_eq!(ping.opcode, 9);
        turning.kernel = encode(0x8A, &ping.payload, true);
        for _ in 0..3 {
            turning.turn(at(61), order, usize::MAX);
        }
        assert_eq!(turning.closed, None, "{order:?}");
        assert!(turning.connection.can_send(), "{order:?}");
    }
}

/// The Close is answered in time, and the loop runs late.
#[test]
fn a_late_loop_finds_the_close_in_any_order() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        let at = Timestamp::from_secs;
        turning.connection.close(at(1), CloseFrame::from(CloseCode::NORMAL)).unwrap();
        turning.turn(at(1), order, usize::MAX);
        turning.turn(at(1), order, usize::MAX);
        turning.kernel =
            [encode(0x82, b"last words", true), encode(0x88, &[3, 232], true)].concat();
        for _ in 0..3 {
            turning.turn(at(15), order, usize::MAX);
        }
        assert_eq!(turning.closed, Some(None), "{order:?}");
    }
}

/// The kernel has room again, and the loop runs late.
#[test]
fn a_late_loop_writes_before_it_judges_in_any_order() {
    for order in orders() {
        let config = Config::builder().write_timeout(core::time::Duration::from_secs(2));
        let mut turning = Loop::new(config.ping_interval(None).build().unwrap());
        let at = Timestamp::from_secs;
        turning.connection.send(vec![0; 100_000]).unwrap();
        turning.turn(at(0), order, 50_000);
        turning.turn(at(2), order, 100);
        for _ in 0..3 {
            turning.turn(at(10), order, usize::MAX);
        }
        assert_eq!(turning.closed, None, "{order:?}");
        let message = decode(&mut turning.written, false).unwrap();
        assert_eq!(message.payload.len(), 100_000);
    }
}

/// A loop that is always late must still end a dead connection: if nothing arrives, it ends when the
/// loop makes the calls that it is asked for.
#[test]
fn a_dead_peer_is_given_up_in_any_order() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        turning.until(Timestamp::from_secs(62), order, usize::MAX);
        // The end is an event, and the order may have `poll_event` before the call that causes it.
        turning.turn(Timestamp::from_secs(62), order, usize::MAX);
        assert_eq!(turning.closed, Some(Some(Failure::KeepaliveTimeout)), "{order:?}");
    }
}

/// While the ping has not left, output that progresses on a slow link is a sign of life.
#[test]
fn output_that_progresses_is_a_sign_of_life() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        turning.connection.send(vec![0; 1_000_000]).unwrap();
        for second in 0..100 {
            turning.turn(Timestamp::from_secs(second), order, 10_000);
        }
        assert_eq!(turning.closed, None, "{order:?}");
    }
}

/// The same for a Close after a message.
#[test]
fn a_close_limit_does_not_run_before_the_close_has_left() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        turning.connection.send(vec![0; 1_000_000]).unwrap();
        turning.connection.close(Timestamp::ZERO, CloseFrame::from(CloseCode::NORMAL)).unwrap();
        for second in 0..30 {
            turning.turn(Timestamp::from_secs(second), order, 64_000);
            if second == 20 {
                turning.kernel = encode(0x88, &[3, 232], true);
            }
        }
        assert_eq!(turning.closed, Some(None), "{order:?}");
        let message = decode(&mut turning.written, false).unwrap();
        assert_eq!(message.payload.len(), 1_000_000);
    }
}

/// A peer that reads nothing, but sends something from time to time: with the defaults it ends.
#[test]
fn a_peer_that_reads_nothing_ends() {
    for order in orders() {
        let mut turning = Loop::new(Config::default());
        turning.connection.send(vec![0; 1_000_000]).unwrap();
        let mut ended = None;
        for second in 0..24 * 60 * 60 {
            if second % 20 == 0 {
                turning.kernel = encode(0x8A, b"", true);
            }
            turning.turn(Timestamp::from_secs(second), order, 0);
            if let Some(failure) = turning.closed {
                ended = Some((failure, second));
                break;
            }
        }
        assert!(matches!(ended, Some((Some(_), ..=61))), "{order:?}: {ended:?}");
    }
}

/// An empty Close can be sent, and an answer repeats code and reason.
#[test]
fn an_empty_close_can_be_sent_by_the_core() {
    let mut turning = Loop::new(Config::default());
    turning.connection.close(Timestamp::ZERO, CloseFrame::EMPTY).unwrap();
    turning.turn(Timestamp::ZERO, orders()[0], usize::MAX);
    turning.turn(Timestamp::ZERO, orders()[0], usize::MAX);
    assert_eq!(turning.written, encode(0x88, b"", false));
}

#[test]
fn the_core_repeats_code_and_reason() {
    let mut turning = Loop::new(Config::default());
    let close = [&[0x0F, 0xA1][..], b"gone fishing"].concat();
    turning.kernel = encode(0x88, &close, true);
    for _ in 0..3 {
        turning.turn(Timestamp::ZERO, orders()[0], usize::MAX);
    }
    assert_eq!(turning.written, encode(0x88, &close, false));
}
