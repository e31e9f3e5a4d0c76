//! Reads the settings of a connection.

use core::time::Duration;

use crate::config::{Config, Delivery, PongPolicy, Watermarks};

/// The settings. The setter of the same name in [`ConfigBuilder`](crate::ConfigBuilder) says what
/// each one does.
impl Config {
    /// The marks on the number of messages that wait to be taken. Default: 16 and 4.
    pub fn message_marks(&self) -> Watermarks {
        self.message_marks
    }

    /// The marks on the bytes of messages that wait to be taken. Default: 256 KiB and 64 KiB.
    pub fn byte_marks(&self) -> Watermarks {
        self.byte_marks
    }

    /// The marks on the bytes of output. Default: 64 KiB and 16 KiB.
    pub fn send_marks(&self) -> Watermarks {
        self.send_marks
    }

    /// The longest message that is received, in bytes. Default: 1 MiB.
    pub fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// The longest payload of a data frame that is received, in bytes. Default: `None`, only
    /// `max_message_size` limits a frame.
    pub fn max_frame_size(&self) -> Option<usize> {
        self.max_frame_size
    }

    /// The size of the fragments that long messages are sent in, in bytes. Default: `None`, each
    /// message is one frame.
    pub fn fragment_size(&self) -> Option<usize> {
        self.fragment_size
    }

    /// Whether messages are received whole or in chunks. Default: whole.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Whether text is checked to be UTF-8. Default: `true`.
    pub fn validate_utf8(&self) -> bool {
        self.validate_utf8
    }

    /// Whether pings and pongs become events too. Default: `false`.
    pub fn surface_control(&self) -> bool {
        self.surface_control
    }

    /// When a ping is answered. Default: [`PongPolicy::OnReceipt`].
    pub fn pong_policy(&self) -> PongPolicy {
        self.pong_policy
    }

    /// How many pongs may wait to be written. Default: 32.
    pub fn max_pongs(&self) -> usize {
        self.max_pongs
    }

    /// How many pings of our own may wait to be written. Default: 16.
    pub fn max_pings(&self) -> usize {
        self.max_pings
    }

    /// How often the keepalive sends a ping. Default: 30 s; `None`: never.
    pub fn ping_interval(&self) -> Option<Duration> {
        self.ping_interval
    }

    /// How long the peer may be silent after a ping. Default: 30 s; `None`: forever.
    pub fn pong_timeout(&self) -> Option<Duration> {
        self.pong_timeout
    }

    /// How long the closing handshake may take. Default: 10 s; `None`: forever.
    pub fn close_timeout(&self) -> Option<Duration> {
        self.close_timeout
    }

    /// How long output may wait while the peer takes none of it. Default: 30 s; `None`: forever.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.write_timeout
    }

    /// How messages are compressed. Default: `None`, they are not.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<&crate::deflate::DeflateOptions> {
        self.deflate.as_ref()
    }
}
