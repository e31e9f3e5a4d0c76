//! A virtual socket for a loop that reads and writes: two ends over two pipes.

use alloc::sync::Arc;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Timestamp;
use crate::event_loop::Duplex;
use crate::testing::pipe::{Conditions, Pipe};

/// Two sockets that are connected. Both pipes are treated as `conditions` says, each by its own
/// schedule of the seed.
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
/// use tidegate_core::Timestamp;
/// use tidegate_core::testing::{Conditions, sockets};
///
/// let conditions = Conditions { delay: core::time::Duration::from_millis(5), ..Conditions::GOOD };
/// let (mut client, mut server) = sockets(conditions, 1);
/// let taken = client.write(b"hello")?;
///
/// let mut buffer = [0; 16];
/// assert_eq!(server.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
/// let arrival = server.next_arrival().expect("it is under way");
/// server.set_now(arrival); // for both ends
/// let read = server.read(&mut buffer)?;
/// assert_eq!(buffer[..read], b"hello"[..read]);
/// assert!(read <= taken);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sockets(conditions: Conditions, seed: u64) -> (Socket, Socket) {
    let pipes = [Pipe::new(conditions, seed), Pipe::new(conditions, !seed)];
    let wire = Arc::new(Mutex::new(Wire { now: Timestamp::ZERO, pipes }));
    (Socket { wire: Arc::clone(&wire), out: 0 }, Socket { wire, out: 1 })
}

/// One end of a virtual connection: never blocks, and gives `WouldBlock` instead.
///
/// The time of both ends is set by [`set_now`](Self::set_now). Dropped, the socket is closed: what
/// was written still arrives, what was not read is lost.
#[derive(Debug)]
pub struct Socket {
    wire: Arc<Mutex<Wire>>,
    out: usize,
}

#[derive(Debug)]
struct Wire {
    now: Timestamp,
    pipes: [Pipe; 2],
}

impl Socket {
    /// The time goes on, for both ends.
    pub fn set_now(&self, now: Timestamp) {
        let mut wire = self.wire();
        wire.now = wire.now.max(now);
    }

    /// When a read may next give something, the end of the stream too; `None` if nothing is under
    /// way. What a poller would wait for if this end wants to read.
    pub fn next_arrival(&self) -> Option<Timestamp> {
        self.wire().pipes.get(1 - self.out).and_then(Pipe::next_arrival)
    }

    /// Whether a write would be taken, at least in part. What a poller would wait for if this end
    /// wants to write.
    pub fn has_room(&self) -> bool {
        self.wire().pipes.get(self.out).is_some_and(Pipe::has_room)
    }

    /// Shuts the writing side down, as `TcpStream::shutdown` does. Reading goes on.
    pub fn shut_down(&self) {
        self.with_pipe(self.out, Pipe::shut_down);
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_pipe<T>(&self, index: usize, act: impl FnOnce(&mut Pipe, Timestamp) -> T) -> Option<T> {
        let mut wire = self.wire();
        let now = wire.now;
        wire.pipes.get_mut(index).map(|pipe| act(pipe, now))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len();
        let piece = self.with_pipe(1 - self.out, |pipe, now| pipe.read(now, most)).flatten();
        let piece = piece.ok_or(ErrorKind::WouldBlock)?;
        for (to, from) in buffer.iter_mut().zip(&piece) {
            *to = *from;
        }
        Ok(piece.len())
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.with_pipe(self.out, |pipe, now| pipe.write(now, bytes)) {
            Some(0) if !bytes.is_empty() => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count.unwrap_or(0)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Duplex for Socket {
    fn shut_down_write(&mut self) -> io::Result<()> {
        self.shut_down();
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.with_pipe(self.out, Pipe::shut_down);
        self.with_pipe(1 - self.out, Pipe::abandon);
    }
}
