//! How much memory a connection holds at most.

use core::mem::size_of;

use crate::config::{Config, Delivery, PongPolicy};
use crate::connection::keepalive;
use crate::connection::receive::EVENT_OVERHEAD;
use crate::connection::send::queue::control_bound;
use crate::frame::{MAX_CONTROL_PAYLOAD, MAX_HEADER};

impl Config {
    /// The most memory that a connection holds, whatever the peer sends, in bytes:
    ///
    /// ```text
    ///   byte_marks.high                    messages below the mark
    /// + max_message_size                   the one that crossed it
    /// + max_message_size                   the one being assembled (in chunks: READ_SIZE for each)
    /// + READ_SIZE                          input behind a closed gate
    /// + send_marks.high                    output below its mark
    /// + pings, pongs, the close frame and what a queued event costs by itself
    ///
    ///   and if compression is configured:
    /// + 390 KiB                            a compressor and an inflater (by `mem_level`)
    /// + max_message_size                   a few bytes behind a closed gate can be a message that
    ///                                      grows while the one before it is handed over
    /// ```
    ///
    /// It holds if input comes in reads of at most [`READ_SIZE`](crate::READ_SIZE), and while the
    /// gate is closed none comes at all: what a caller hands over against
    /// [`wants_input`](crate::Connection::wants_input) is on its own account. So is the message
    /// with which the application crosses the send mark. `usize::MAX` if a mark is
    /// [`Watermarks::UNLIMITED`](crate::Watermarks::UNLIMITED).
    ///
    /// With the defaults this is about 2.4 MiB; an idle connection holds no buffer at all.
    pub fn memory_bound(&self) -> usize {
        // In chunks there is nothing to put together: the one that crosses the mark is as long as a
        // read, and so is compressed input behind the gate.
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

/// Boxes for rare parts, the generator of masking keys, and what an allocator adds to each.
const FIXED_OVERHEAD: usize = 2 * 1024;
