//! The ring: accepts, reads into shared buffers, writes from owned ones. Contains all unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;
use std::time::Duration;

use bytes::Bytes;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use tidegate_core::READ_SIZE;

/// A ring, and the memory that the kernel reads and writes.
pub struct Ring {
    ring: IoUring,
    /// The buffers for reads. They live as long as the process, because reads may still be pending
    /// when the ring is dropped.
    pool: *mut u8,
    /// The data being sent, by key. It stays here until the kernel has finished with it.
    sends: Vec<Option<Bytes>>,
}

/// A completed operation of a key.
pub enum Done {
    Accepted(io::Result<OwnedFd>),
    /// These bytes were received; none means the end of the stream.
    Received(usize, io::Result<Vec<u8>>),
    /// This many bytes were sent.
    Sent(usize, io::Result<usize>),
}

impl Ring {
    /// Creates a ring, if the kernel allows it.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::new(ENTRIES)?;
        let pool = Box::leak(vec![0; BUFFERS * READ_SIZE].into_boxed_slice()).as_mut_ptr();
        let mut ring = Self { ring, pool, sends: Vec::new() };
        for buffer in 0..BUFFERS {
            ring.provide(buffer)?;
        }
        Ok(ring)
    }

    /// Accepts one connection.
    pub fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<()> {
        let accept = opcode::Accept::new(Fd(listener.as_raw_fd()), null_mut(), null_mut());
        self.push(accept.build().user_data(ACCEPT))
    }

    /// Submits a receive for this key.
    pub fn receive(&mut self, key: usize, stream: BorrowedFd<'_>) -> io::Result<()> {
        let receive = opcode::Recv::new(Fd(stream.as_raw_fd()), null_mut(), READ_SIZE as u32)
            .buf_group(GROUP)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        self.push(receive.user_data(key as u64 * 2 + RECEIVE))
    }

    /// Submits a send for this key, which must have no other one pending.
    pub fn send(&mut self, key: usize, stream: BorrowedFd<'_>, bytes: Bytes) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(Fd(stream.as_raw_fd()), bytes.as_ptr(), length)
            .flags(0x4000) // MSG_NOSIGNAL
            .build();
        if self.sends.len() <= key {
            self.sends.resize(key + 1, None);
        }
        assert!(self.sends[key].is_none(), "one send at a time");
        self.sends[key] = Some(bytes);
        self.push(send.user_data(key as u64 * 2 + SEND))
    }

    /// Waits until an operation completes, or until the time is up.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Vec<Done>> {
        let timeout = Timespec::from(timeout);
        let arguments = SubmitArgs::new().timespec(&timeout);
        match self.ring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => {}
            Err(error) if matches!(error.raw_os_error(), Some(ETIME | EINTR | EBUSY)) => {}
            Err(error) => return Err(error),
        }
        let completions: Vec<cqueue::Entry> = self.ring.completion().collect();
        let mut done = Vec::new();
        for completion in completions {
            let result = match completion.result() {
                count @ 0.. => Ok(count as usize),
                error => Err(io::Error::from_raw_os_error(-error)),
            };
            let key = (completion.user_data() / 2) as usize;
            match completion.user_data() {
                PROVIDE => drop(result?),
                ACCEPT => {
                    // SAFETY: accept returned this descriptor, and nothing else owns it.
                    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
                    done.push(Done::Accepted(result.map(own)));
                }
                data if data % 2 == RECEIVE => {
                    let received = self.received(&completion, result);
                    done.push(Done::Received(key, received));
                }
                _ => {
                    drop(self.sends[key].take());
                    done.push(Done::Sent(key, result));
                }
            }
        }
        Ok(done)
    }

    /// Copies the received bytes out of the buffer that the kernel chose, and gives the buffer back.
    /// The core copies its input too, so a server that passes the buffer to it directly avoids this
    /// copy.
    fn received(
        &mut self,
        entry: &cqueue::Entry,
        result: io::Result<usize>,
    ) -> io::Result<Vec<u8>> {
        let Some(buffer) = cqueue::buffer_select(entry.flags()).map(usize::from) else {
            return result.map(|_| Vec::new());
        };
        assert!(buffer < BUFFERS);
        let count = result.as_ref().map_or(0, |count| *count).min(READ_SIZE);
        // SAFETY: the buffer is in the pool, which is never freed. The kernel has written `count`
        // bytes, and does not use the buffer until it is provided again below.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.pool.add(buffer * READ_SIZE), count).to_vec()
        };
        self.provide(buffer)?;
        result.map(|_| bytes)
    }

    fn provide(&mut self, buffer: usize) -> io::Result<()> {
        // SAFETY: the offset is within the pool.
        let start = unsafe { self.pool.add(buffer * READ_SIZE) };
        let provide =
            opcode::ProvideBuffers::new(start, READ_SIZE as i32, 1, GROUP, buffer as u16).build();
        self.push(provide.user_data(PROVIDE))
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: the memory that the entry points to outlives the operation. The pool is never
        // freed, and data to send is kept in `sends` until its send completes, and leaked if the
        // ring is dropped before. If a file descriptor is closed too early, the operation fails or
        // affects another stream: a bug, but not a memory error.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit()?; // the submission queue was full
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Leaked, because the kernel may still read them.
        std::mem::forget(std::mem::take(&mut self.sends));
    }
}

const ENTRIES: u32 = 256;
const GROUP: u16 = 0;

/// Buffers for all connections together: the most reads between two iterations of the loop.
const BUFFERS: usize = 16;

/// The operations of a key: even numbers are receives, odd ones sends.
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const ACCEPT: u64 = u64::MAX;
const PROVIDE: u64 = u64::MAX - 1;

const EINTR: i32 = 4;
const EBUSY: i32 = 16;
const ETIME: i32 = 62;
