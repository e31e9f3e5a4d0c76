//! A server with its settings, and event loops that advance its clock.

use bytes::Buf;
use tidegate_core::{Config, ConfigBuilder, Connection, Failure, Timestamp, Transport};

pub(crate) const PONG: &[u8] = b"\x8A\x80\0\0\0\0";
/// A masked text message: "tide".
pub(crate) const MESSAGE: &[u8] = b"\x81\x84\0\0\0\0tide";
/// A masked Close with 1000.
pub(crate) const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xE8";

pub(crate) fn server(set_up: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Connection {
    let config = set_up(Config::builder()).build().expect("valid settings");
    Connection::server(Timestamp::ZERO, config)
}

pub(crate) fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// Takes all output, and returns its length.
pub(crate) fn drain(connection: &mut Connection) -> usize {
    let mut taken = 0;
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len();
        output.advance(length);
        taken += length;
    }
    taken
}

/// Runs an event loop until `end` that wakes at each deadline, writes all output and reads nothing.
/// Returns the time of the last wake-up.
pub(crate) fn run_loop(
    connection: &mut Connection,
    mut now: Timestamp,
    end: Timestamp,
) -> Timestamp {
    while let Some(deadline) = connection.poll_timeout().map(|deadline| deadline.max(now))
        && deadline <= end
        && connection.transport() == Transport::KeepOpen
    {
        now = deadline;
        connection.handle_timeout(now);
        drain(connection);
    }
    now
}

pub(crate) fn run_loop_without_writes(
    connection: &mut Connection,
    mut now: Timestamp,
    end: Timestamp,
) {
    while let Some(deadline) = connection.poll_timeout().map(|deadline| deadline.max(now))
        && deadline <= end
        && connection.closed().is_none()
    {
        now = deadline;
        connection.handle_timeout(now);
    }
}

pub(crate) fn failure(connection: &Connection) -> Option<Failure> {
    connection.closed().and_then(|closed| closed.failure())
}
