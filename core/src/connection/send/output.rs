//! The bytes to write, as a [`Buf`].

use core::fmt;

use bytes::Buf;

use crate::connection::send::queue::Outbox;

/// The bytes to write, as a [`Buf`]: show them to the transport, then
/// [`advance`](Buf::advance) by as many as it took. A partial write is normal.
///
/// ```
/// # use std::io::Write;
/// use bytes::Buf;
/// use tidegate_core::{Config, Connection, Timestamp};
///
/// # fn write_some(connection: &mut Connection, socket: &mut impl Write) -> std::io::Result<()> {
/// while connection.wants_output() {
///     let output = connection.output();
///     let written = socket.write(output.chunk())?; // or chunks_vectored and write_vectored
///     output.advance(written);
/// }
/// # Ok(())
/// # }
/// # let mut connection = Connection::server(Timestamp::ZERO, Config::default());
/// # connection.send("hello").unwrap();
/// # let mut socket = Vec::new();
/// # write_some(&mut connection, &mut socket).unwrap();
/// # assert_eq!(socket, b"\x81\x05hello");
/// ```
///
/// Bytes that were shown keep their place. Frames are committed a window of about 64 KiB at a time,
/// and what comes later, pongs included, goes after it.
pub struct Output {
    pub(crate) outbox: Outbox,
    bytes: u64,
}

impl Output {
    pub(crate) const fn new(outbox: Outbox) -> Self {
        Self { outbox, bytes: 0 }
    }

    /// How many bytes the transport has taken so far.
    pub(crate) const fn total(&self) -> u64 {
        self.bytes
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.outbox.committed().remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.outbox.committed().chunk()
    }

    /// Advances by all bytes if `count` is more.
    fn advance(&mut self, count: usize) {
        let count = count.min(self.remaining());
        self.bytes += count as u64;
        self.outbox.advance(count);
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.outbox.committed().chunks_vectored(slices)
    }
}

/// Shows how much there is, and no bytes: they may be secret.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("remaining", &self.remaining())
            .field("queued", &self.outbox.level())
            .finish_non_exhaustive()
    }
}
