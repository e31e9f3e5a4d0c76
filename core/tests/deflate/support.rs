//! Builds connections that compress, takes their output, and lets time pass.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::{Config, Connection, Timestamp, Watermarks};

pub(crate) const NOW: Timestamp = Timestamp::ZERO;

pub(crate) fn config(options: DeflateOptions) -> Config {
    Config::builder()
        .deflate(options)
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .send_marks(Watermarks::UNLIMITED)
        .ping_interval(None)
        .build()
        .unwrap()
}

pub(crate) fn client(params: DeflateParams) -> Connection {
    Connection::client(NOW, config(DeflateOptions::default()), [1; 32]).with_deflate(params)
}

pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len();
        bytes.extend_from_slice(output.chunk());
        output.advance(length);
    }
    bytes
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Lets some minutes pass in which only this end's keepalive is active.
pub(crate) fn idle(connection: &mut Connection, mut now: Timestamp, minutes: u32) -> Timestamp {
    for _ in 0..minutes {
        now = now + MINUTE;
        connection.handle_timeout(now);
    }
    now
}
