//! What the loop needs of a stream: to read, to write, and to end the writing side.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A non-blocking stream whose writing side can be shut down on its own.
///
/// Implemented for the sockets of `std`. A socket of another crate takes [`WithShutdown`], and a
/// type of your own implements it.
pub trait Duplex: Read + Write {
    /// Ends the writing side after everything that was written and flushed (a TCP FIN, the
    /// `close_notify` of TLS). Reading goes on.
    ///
    /// Called again and again from then on, until the end: that must be harmless.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if it could not be done yet. Any other error ends
    /// the connection.
    fn shut_down_write(&mut self) -> io::Result<()>;
}

macro_rules! duplex {
    ($($(#[$condition:meta])? $socket:ty),+) => {$(
        $(#[$condition])?
        impl Duplex for $socket {
            fn shut_down_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }
    )+};
}
duplex!(
    TcpStream,
    &TcpStream,
    #[cfg(unix)]
    std::os::unix::net::UnixStream,
    #[cfg(unix)]
    &std::os::unix::net::UnixStream
);

impl<S: Duplex + ?Sized> Duplex for &mut S {
    fn shut_down_write(&mut self) -> io::Result<()> {
        (**self).shut_down_write()
    }
}

/// A stream of another crate, and how to shut its writing side down.
///
/// ```
/// use std::net::Shutdown;
/// use tidegate_core::event_loop::{Turn, WithShutdown, turn};
/// # use tidegate_core::{Connection, Timestamp};
///
/// # fn example(
/// #     connection: &mut Connection,
/// #     socket: &mut mio::net::TcpStream,
/// #     buffer: &mut [u8],
/// #     now: Timestamp,
/// # ) -> Turn {
/// let mut stream = WithShutdown::new(socket, |socket| socket.shutdown(Shutdown::Write)); // mio's
/// turn(connection, &mut stream, buffer, now, |_, event| println!("{event:?}"))
/// # }
/// ```
#[derive(Debug)]
pub struct WithShutdown<'s, S, F> {
    stream: &'s mut S,
    shut_down: F,
}

impl<'s, S: Read + Write, F: FnMut(&mut S) -> io::Result<()>> WithShutdown<'s, S, F> {
    /// `shut_down` does what [`Duplex::shut_down_write`] says.
    pub const fn new(stream: &'s mut S, shut_down: F) -> Self {
        Self { stream, shut_down }
    }
}

impl<S: Read, F> Read for WithShutdown<'_, S, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Write, F> Write for WithShutdown<'_, S, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Read + Write, F: FnMut(&mut S) -> io::Result<()>> Duplex for WithShutdown<'_, S, F> {
    fn shut_down_write(&mut self) -> io::Result<()> {
        (self.shut_down)(self.stream)
    }
}
