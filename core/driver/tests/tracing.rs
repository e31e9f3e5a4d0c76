//! What is logged about a connection, and at which level.
//!
//! This is a test program of its own. `tracing` caches for the whole process which events have a
//! subscriber, so a test without a subscriber that runs beside this one could make it miss events.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "not all of the mock is needed here")]

#[path = "driver/mock.rs"]
mod mock;
#[path = "driver/world.rs"]
mod world;

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_core::{Config, Watermarks};
use tidegate_driver::{Backoff, Options};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

use crate::mock::{Count, Net, Read, masked, poll, ready};
use crate::world::{Fate, World, addresses};

/// Keeps each event as one line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Lines {
    fn push(&self, metadata: &Metadata<'_>, text: &Text) {
        let name = if metadata.is_span() { metadata.name() } else { "event" };
        self.0.lock().unwrap().push(format!("{} {name}:{}", metadata.level(), text.0));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(String::new());
        span.record(&mut text);
        self.push(span.metadata(), &text);
        Id::from_u64(1 + self.1.fetch_add(1, Ordering::Relaxed))
    }
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.push(event.metadata(), &text);
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn logs_gate_transport_error_and_end_and_no_payload() {
    let lines = Lines::default();
    subscriber::with_default(lines.clone(), || {
        let (net, count) = (Net::new(), Count::new());
        let marks = Watermarks::new(2, 0);
        let mut socket = net.server(Config::builder().message_marks(marks).build().unwrap());
        assert_eq!(lines.take(), ["DEBUG connection: role=Server"]);

        net.data(masked(0x81, b"one"));
        ready(poll(&count, socket.recv())).unwrap();
        ready(poll(&count, socket.send("two"))).unwrap();
        assert_eq!(lines.take(), [""; 0]);

        for _ in 0..2 {
            net.data(masked(0x81, b"three"));
        }
        ready(poll(&count, socket.read_ahead()));
        assert_eq!(lines.take(), ["TRACE event: message=gate closed messages=2 bytes=10"]);
        ready(poll(&count, socket.recv())).unwrap();
        ready(poll(&count, socket.recv())).unwrap();
        assert_eq!(lines.take(), ["TRACE event: message=gate opened messages=0 bytes=0"]);

        net.push(Read::Fault(ErrorKind::ConnectionReset));
        ready(poll(&count, socket.recv())).unwrap_err();
        let told = lines.take();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("DEBUG event: message=transport failed error="), "{told:?}");
        assert!(told[1].starts_with("DEBUG event: message=closed is_clean=false"), "{told:?}");
    });
}

/// This includes an attempt that failed before the opening handshake.
#[test]
fn logs_each_failed_attempt_to_connect_and_no_credentials() {
    let lines = Lines::default();
    subscriber::with_default(lines.clone(), || {
        let refused = Fate::Refused(ErrorKind::ConnectionRefused);
        let unauthorized = "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n".into();
        let world = World::new(addresses(1), [refused, Fate::Answers(unauthorized)]);
        let second = Duration::from_secs(1);
        let backoff = Backoff::builder().initial(second).jitter(0.0).build().unwrap();
        let url = "ws://me:secret@a.test/?token=secret";
        let mut connections = world.client(Options::default()).reconnect(url, backoff).unwrap();
        assert!(world.run(connections.next()).unwrap().is_err());
        let told = lines.take();
        assert!(told.iter().all(|line| !line.contains("secret")), "{told:?}");
        let [not_connected, first, _span, handshake, last] = &told[..] else { panic!("{told:?}") };
        let why = "error=connecting to a.test:80 at 127.0.0.1:0 failed: connection refused";
        for (line, begin, words) in [
            (not_connected, "DEBUG event: message=not connected host=\"a.test\" port=80", why),
            (first, "WARN event: message=attempt failed host=\"a.test\" port=80 failures=1", why),
            (first, "WARN", "wait=1s"),
            (handshake, "DEBUG event: message=opening handshake failed", "401"),
            (last, "WARN event: message=last attempt failed", "401"),
        ] {
            assert!(line.starts_with(begin) && line.contains(words), "{line}");
        }
    });
}
