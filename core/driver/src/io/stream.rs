//! What the driver asks of a transport.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

/// A stream of bytes in both directions: what a runtime's TCP or TLS stream becomes behind a
/// newtype of a few lines.
///
/// A method that returns `Pending` has left the waker of `cx` where it is found when the answer
/// changes. Reading and writing wait independently of each other.
pub trait ByteStream: Unpin {
    /// Reads some bytes into `buffer`, which is not empty; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>>;

    /// Writes some bytes of `slices`, of which the first is not empty. A stream that cannot write
    /// several slices at once writes from the first.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>>;

    /// Sends on what the stream itself holds back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Shuts the writing side down (TCP FIN, TLS `close_notify`). Reading goes on.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
}
