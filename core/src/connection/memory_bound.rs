//! The most memory that a connection can take, computed from its configuration.

use core::mem::size_of;

use crate::config::{Config, Delivery, PongPolicy};
use crate::connection::keepalive;
use crate::connection::receive::queue::EVENT_OVERHEAD;
use crate::connection::send::control_bound;
use crate::frame::{MAX_CONTROL_PAYLOAD, MAX_HEADER};

impl Config {
    /// The most memory in bytes that a connection takes, whatever the peer sends:
    ///
    /// ```text
    ///   byte_marks.high                    messages below the high watermark
    /// + max_message_size                   the message that crossed it
    /// + max_message_size                   the one being received (in chunks: READ_SIZE for each)
    /// + READ_SIZE                          input that came when the gate was closed
    /// + send_marks.high                    output below its high watermark
    /// + pings, pongs, the close frame, and the overhead of each queued event
    ///
    ///   and if compression is configured:
    /// + 390 KiB                            a compressor and an inflater (depends on `mem_level`)
    /// + max_message_size                   a few kept bytes can be a message that is inflated while
    ///                                      the application takes the one before it
    /// ```
    ///
    /// Three things are up to the caller and are not included: reads longer than
    /// [`READ_SIZE`](crate::READ_SIZE) (except as
    /// [`read_size`](crate::Connection::read_size) allows), input that is passed in while
    /// [`wants_input`](crate::Connection::wants_input) is false, and the message with which the
    /// application crosses the send watermark. `usize::MAX` if a watermark is
    /// [`Watermarks::UNLIMITED`](crate::Watermarks::UNLIMITED).
    ///
    /// With the defaults this is about 2.4 MiB. An idle connection has no buffers at all.
    pub fn memory_bound(&self) -> usize {
        // Chunks are not assembled: the chunk that crosses the watermark is at most as long as a
        // read, and so is the one that is inflated while the gate is closed.
        let message = match self.delivery {
            Delivery::Whole => self.max_message_size,
            Delivery::Chunks => crate::READ_SIZE,
        };
        let events = self.message_marks.high().saturating_mul(EVENT_OVERHEAD);
        let answers = match self.pong_policy {
            PongPolicy::InOrder => self.message_marks.high().saturating_add(1),
            PongPolicy::OnReceipt | PongPolicy::Manual => 0,
        };
        [
            self.byte_marks.high(),
            message,
            message,
            crate::READ_SIZE,
            self.send_marks.high(),
            events,
            answers.saturating_mul(EVENT_OVERHEAD + MAX_CONTROL_PAYLOAD),
            control_bound(self),
            keepalive::BOUND,
            MAX_CONTROL_PAYLOAD + MAX_HEADER,
            size_of::<crate::Connection>() + FIXED_OVERHEAD,
            self.deflate_bound(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    #[cfg(feature = "deflate")]
    fn deflate_bound(&self) -> usize {
        self.deflate.as_ref().map_or(0, |options| {
            crate::deflate::context_bound(options.mem_level).saturating_add(self.max_message_size)
        })
    }

    #[cfg(not(feature = "deflate"))]
    fn deflate_bound(&self) -> usize {
        0
    }
}

/// Boxes for parts that are rarely needed, the generator of masking keys, and what an allocator adds
/// to each allocation.
const FIXED_OVERHEAD: usize = 2 * 1024;
