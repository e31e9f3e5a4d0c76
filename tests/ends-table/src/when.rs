//! Sorts times into classes, so that the table is the same on every machine.

use std::time::Duration;

use crate::ways::Way;

/// How long the application is busy before it calls `recv`.
pub(crate) const BUSY: Duration = Duration::from_millis(300);
/// `ping_interval` and `pong_timeout`.
pub(crate) const PING: Duration = Duration::from_millis(700);
pub(crate) const PONG: Duration = Duration::from_millis(800);
pub(crate) const WRITE: Duration = Duration::from_millis(1500);
pub(crate) const CLOSE: Duration = Duration::from_millis(3000);
/// What has not happened after this time never happens.
pub(crate) const NEVER: Duration = Duration::from_millis(5000);

/// The class of `time` after the last message. Each row has only one time limit, its own.
pub(crate) fn when(way: Option<Way>, time: Duration) -> &'static str {
    let (limit, name) = match way {
        None => (BODY, "within two seconds"),
        Some(Way::KeepaliveTimeout) => (PING + PONG, "after `pong_timeout`"),
        Some(Way::WriteTimeout) => (WRITE, "after `write_timeout`"),
        Some(_) => (CLOSE, "after `close_timeout`"),
    };
    match time {
        time if time >= NEVER => "never",
        time if way.is_none() && time > 2 * BODY => "later",
        time if time > limit.mul_f32(0.8) => name,
        _ => "at once",
    }
}

/// How long a client waits for the body of a refusal.
const BODY: Duration = Duration::from_secs(1);
