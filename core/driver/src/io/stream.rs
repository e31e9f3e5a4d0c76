//! The trait of a transport: a TCP or TLS stream of any runtime.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

/// A stream of bytes in both directions. A small newtype implements it for the streams of a runtime.
///
/// A method that returns `Pending` has registered the waker of `cx`, to be woken when the answer
/// changes. Reading and writing register their wakers independently of each other.
pub trait ByteStream: Unpin {
    /// Reads some bytes into `buffer`, which is not empty. Returns 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>>;

    /// Writes some bytes of `slices`. The first slice is not empty. A stream that cannot write
    /// several slices at once writes from the first one.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>>;

    /// Sends everything that the stream itself has buffered.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Shuts down the writing side (TCP FIN, TLS `close_notify`). Reading still works.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
}
