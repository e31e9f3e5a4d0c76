//! Each way in which a connection ends is reported once, with its real cause.

use std::io::{self, ErrorKind};

use tidegate_core::event_loop::{Handler, Turn, Wait, turn, turn_with};
use tidegate_core::testing::Frame;
use tidegate_core::{Closed, Config, Connection, Event, Failure, Message, Timestamp, Watermarks};

use crate::script::{Script, buffer, close, frame, server, text};

const NOW: Timestamp = Timestamp::ZERO;

/// The events of a server until its end.
struct Ended {
    told: Vec<Event>,
    how: Closed,
    error: Option<ErrorKind>,
    stream: Script,
}

/// Echoes on a stream until it is over, which takes few turns.
fn run(mut stream: Script) -> Ended {
    let (mut connection, mut told) = (server(Config::default()), Vec::new());
    for _ in 0..10 {
        let turn = turn(&mut connection, &mut stream, &mut buffer(), NOW, |connection, event| {
            told.push(event.clone());
            if let Event::Message(message) = event {
                assert!(connection.send(message).is_ok() || connection.is_closing());
            }
        });
        if let Turn::Over { how, error } = turn {
            assert_eq!(told.last(), Some(&Event::Closed(how.clone())));
            let ends = told.iter().filter(|event| matches!(event, Event::Closed(_))).count();
            assert_eq!(ends, 1);
            return Ended { told, how, error: error.map(|error| error.kind()), stream };
        }
    }
    panic!("it does not end");
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

#[test]
fn after_the_closing_handshake_it_shuts_down_and_waits_for_the_end() {
    let mut stream = Script::reads([Ok(text("a")), Ok(close(1000, "bye"))]).takes_all();
    let mut connection = server(Config::default());
    let mut told = Vec::new();
    let mut next = |stream: &mut Script| {
        turn(&mut connection, stream, &mut buffer(), NOW, |_, event| told.push(event))
    };
    let Turn::Wait(wait) = next(&mut stream) else { panic!("the peer ends the stream") };
    assert!(wait.readable && !wait.writable && wait.until.is_some(), "{wait:?}");
    assert!(stream.shutdown_calls > 0, "after our Close frame");
    assert_eq!(Frame::parse_all(&stream.written).unwrap().len(), 1);
    // Input that arrives meanwhile is discarded.
    stream.reads.extend([Ok(vec![0xFF; 1000]), Ok(Vec::new())]);
    let Turn::Over { how, error: None } = next(&mut stream) else { panic!("it is over") };
    assert!(how.is_clean());
    let text = Event::Message(Message::text("a"));
    assert_eq!(told, [text, Event::Closed(how)], "the end is told before the stream has ended");
}

#[test]
fn the_peers_close_is_the_cause_and_the_reset_comes_beside_it() {
    // The peer refuses a message, closes and resets: our write fails first.
    let reads = [Ok(text("a")), Ok(close(1009, "too large")), error(ErrorKind::ConnectionReset)];
    let mut stream = Script::reads(reads);
    stream.writes.push_back(error(ErrorKind::BrokenPipe));
    let Ended { how, error, told, .. } = run(stream);
    assert_eq!(how.received(), Some(&frame(1009, "too large")));
    assert_eq!((told.len(), error), (2, Some(ErrorKind::BrokenPipe)));
}

#[test]
fn a_violation_is_the_cause_and_the_reset_comes_beside_it() {
    let mut stream = Script::reads([Ok(vec![0xFF, 0xFF]), error(ErrorKind::ConnectionReset)]);
    stream.writes.push_back(error(ErrorKind::ConnectionReset));
    let Ended { how, error, .. } = run(stream);
    assert!(matches!(how.failure(), Some(Failure::Protocol(_))), "{how:?}");
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
}

#[test]
fn a_reset_without_a_cause_is_the_end_of_the_stream() {
    let reads = [Ok([text("a"), text("b")].concat()), error(ErrorKind::ConnectionReset)];
    let Ended { how, error, told, .. } = run(Script::reads(reads).takes_all());
    assert_eq!(how.failure(), Some(Failure::EndOfStream));
    assert_eq!((told.len(), error), (3, Some(ErrorKind::ConnectionReset)));
}

#[test]
fn what_arrived_before_a_failed_write_is_handed_over() {
    let many: Vec<_> = (0..500).flat_map(|_| text(&"x".repeat(1000))).collect();
    let mut stream = Script::reads([Ok(text("a")), Ok(many)]);
    stream.writes.push_back(error(ErrorKind::BrokenPipe));
    let Ended { how, told, stream, .. } = run(stream);
    assert_eq!(how.failure(), Some(Failure::EndOfStream));
    assert_eq!(told.len(), 502);
    assert_eq!(stream.write_calls, 1, "nothing is written after an error");
}

#[test]
fn a_write_of_nothing_is_an_error() {
    let mut stream = Script::reads([Ok(text("a"))]);
    stream.writes.push_back(Ok(0));
    let Ended { how, error, .. } = run(stream);
    assert_eq!((how.failure(), error), (Some(Failure::EndOfStream), Some(ErrorKind::WriteZero)));
}

#[test]
fn an_empty_buffer_is_a_mistake_and_not_the_end_of_the_stream() {
    let (mut connection, mut stream) = (server(Config::default()), Script::reads([Ok(text("a"))]));
    let turn = turn(&mut connection, &mut stream, &mut [], NOW, |_, _| {});
    let Turn::Over { error: Some(error), .. } = turn else { panic!("{turn:?}") };
    assert_eq!((error.kind(), stream.read_calls), (ErrorKind::InvalidInput, 0));
}

#[test]
fn the_end_of_the_stream_is_told_and_no_error() {
    let Ended { how, error, told, .. } = run(Script::reads([Ok(text("a")), Ok(Vec::new())]));
    assert_eq!((how.failure(), error, told.len()), (Some(Failure::EndOfStream), None, 2));
}

#[test]
fn signals_are_no_errors() {
    let interrupted = || error(ErrorKind::Interrupted);
    let reads = [interrupted(), Ok(text("a")), interrupted(), Ok(close(1000, "")), Ok(Vec::new())];
    let mut stream = Script::reads(reads);
    stream.writes.extend([error(ErrorKind::Interrupted), Ok(1), Ok(1000)]);
    stream.writes.extend([error(ErrorKind::Interrupted), Ok(1000)]);
    stream.shutdowns.extend([interrupted_once(), Ok(())]);
    let Ended { how, error, stream, .. } = run(stream);
    assert!(how.is_clean() && error.is_none());
    assert_eq!(Frame::parse_all(&stream.written).unwrap().len(), 2);
}

fn interrupted_once() -> io::Result<()> {
    error(ErrorKind::Interrupted)
}

#[test]
fn a_shutdown_that_would_block_is_waited_for_and_one_that_fails_ends_it() {
    let mut stream = Script::reads([Ok(close(1000, ""))]).takes_all();
    stream.shutdowns.extend((0..9).map(|_| error(ErrorKind::WouldBlock)));
    let mut connection = server(Config::default());
    let mut next =
        |stream: &mut Script| turn(&mut connection, stream, &mut buffer(), NOW, |_, _| {});
    assert!(matches!(next(&mut stream), Turn::Wait(Wait { readable: true, writable: true, .. })));
    stream.shutdowns = [error(ErrorKind::NotConnected)].into();
    let Turn::Over { how, error: Some(error) } = next(&mut stream) else { panic!("it failed") };
    assert!(how.is_clean() && error.kind() == ErrorKind::NotConnected);
}

/// Takes one message at a time, when it is told to.
#[derive(Default)]
struct Slow {
    is_ready: bool,
    told: Vec<Event>,
}

impl Handler for Slow {
    fn event(&mut self, _: &mut Connection, event: Event) {
        self.is_ready = false;
        self.told.push(event);
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }
}

#[test]
fn an_application_that_is_not_ready_closes_the_gate_and_gets_everything_later() {
    let marks = Watermarks::new(4, 2);
    let config = Config::builder().message_marks(marks).surface_control(true).build().unwrap();
    let mut connection = server(config);
    let messages: Vec<_> = (0..9).map(|number| Ok(text(&number.to_string()))).collect();
    let mut stream = Script::reads(messages).takes_all();
    let end = [close(1000, "").as_slice(), &[]].map(|bytes| Ok(bytes.to_vec()));
    let mut slow = Slow::default();
    let mut next = |stream: &mut Script, slow: &mut Slow| {
        turn_with(&mut connection, stream, &mut buffer(), NOW, slow)
    };
    let Turn::Wait(wait) = next(&mut stream, &mut slow) else { panic!("it waits") };
    assert!(!wait.readable && !wait.writable, "for the application alone: {wait:?}");
    assert!(slow.told.is_empty() && stream.reads.len() == 5, "four, and no more, were read");
    stream.reads.extend(end);
    for number in 0..9 {
        slow.is_ready = true;
        let turn = next(&mut stream, &mut slow);
        let message = Event::Message(Message::text(number.to_string()));
        assert_eq!(slow.told.get(number), Some(&message), "one each time");
        match turn {
            Turn::Wait(_) => assert!(number < 8 && slow.told.len() == number + 1),
            // The end is queued after the messages, so the loop needs no more input.
            Turn::Over { how, error: None } => {
                assert_eq!((number, slow.told.last()), (8, Some(&Event::Closed(how))));
            }
            Turn::Again | Turn::Over { .. } => panic!("{turn:?}"),
        }
    }
    assert_eq!(slow.told.len(), 10);
}

#[test]
fn a_failed_stream_waits_for_an_application_that_is_not_ready() {
    let mut stream = Script::reads([Ok([text("a"), text("b")].concat())]);
    stream.reads.push_back(error(ErrorKind::ConnectionReset));
    let (mut connection, mut slow) = (server(Config::default()), Slow::default());
    let mut next =
        |slow: &mut Slow| turn_with(&mut connection, &mut stream, &mut buffer(), NOW, slow);
    assert!(matches!(next(&mut slow), Turn::Wait(wait) if wait == Wait::default()));
    slow.is_ready = true;
    assert!(matches!(next(&mut slow), Turn::Wait(_)));
    slow.is_ready = true;
    assert!(matches!(next(&mut slow), Turn::Over { .. }));
    assert_eq!(slow.told.len(), 3);
}

#[test]
fn control_frames_do_not_wait_for_room() {
    let config =
        Config::builder().send_marks(Watermarks::new(10, 0)).surface_control(true).build().unwrap();
    let input = [text("0123456789"), crate::script::ping("p"), text("b")].concat();
    let (mut connection, mut stream) = (server(config), Script::reads([Ok(input)]));
    let mut told = Vec::new();
    let mut next = |stream: &mut Script, told: &mut Vec<Event>| {
        let turn = turn(&mut connection, stream, &mut buffer(), NOW, |connection, event| {
            told.push(event.clone());
            if let Event::Message(message) = event {
                connection.send(message).unwrap();
            }
        });
        assert!(
            matches!(turn, Turn::Wait(wait) if wait.writable != stream.writes.is_empty() || wait.writable)
        );
    };
    next(&mut stream, &mut told);
    assert_eq!(told.len(), 2, "the message, and the ping although the outbox is full");
    stream.writes.push_back(Ok(1000));
    stream.writes.push_back(Ok(1000));
    next(&mut stream, &mut told);
    assert_eq!(told.len(), 3);
}
