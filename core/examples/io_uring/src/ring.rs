//! The ring: reads into shared buffers, writes from owned ones, accepts. The only unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;
use std::time::Duration;

use bytes::Bytes;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use tidegate_core::READ_SIZE;

/// A ring and the memory that the kernel reads and writes.
pub struct Ring {
    ring: IoUring,
    /// Where the kernel writes what it reads. It lives as long as the process: reads may be under way
    /// when the ring goes.
    pool: *mut u8,
    /// What is being sent, by its key. It stays until the kernel is done with it.
    sends: Vec<Option<Bytes>>,
}

/// What the kernel has done, for the operation of a key.
pub enum Done {
    Accepted(io::Result<OwnedFd>),
    /// These bytes came; none at the end of the stream.
    Received(usize, io::Result<Vec<u8>>),
    /// So many bytes were taken.
    Sent(usize, io::Result<usize>),
}

impl Ring {
    /// A ring, if the kernel allows it.
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

    /// Receives something for this key.
    pub fn receive(&mut self, key: usize, stream: BorrowedFd<'_>) -> io::Result<()> {
        let receive = opcode::Recv::new(Fd(stream.as_raw_fd()), null_mut(), READ_SIZE as u32)
            .buf_group(GROUP)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        self.push(receive.user_data(key as u64 * 2 + RECEIVE))
    }

    /// Sends these bytes for this key, which must not be sending.
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

    /// Waits until something is done, or until the time is up.
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
                    // SAFETY: accept gave it to us, and to nobody else.
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

    /// Copies what came out of the buffer that the kernel chose, and gives the buffer back. A copy is
    /// what the core makes too: a server that has it decode at once spares this one.
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
        // SAFETY: the buffer is one of the pool's, which is never freed; the kernel has written
        // `count` bytes, and has given it up until it is provided again, below.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.pool.add(buffer * READ_SIZE), count).to_vec()
        };
        self.provide(buffer)?;
        result.map(|_| bytes)
    }

    fn provide(&mut self, buffer: usize) -> io::Result<()> {
        // SAFETY: it stays within the pool.
        let start = unsafe { self.pool.add(buffer * READ_SIZE) };
        let provide =
            opcode::ProvideBuffers::new(start, READ_SIZE as i32, 1, GROUP, buffer as u16).build();
        self.push(provide.user_data(PROVIDE))
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: what the entry points to outlives the operation: the pool is never freed, what is
        // sent is kept in `sends` until it is done, and forgotten if the ring goes before. A file
        // descriptor that is closed too early fails the operation, or concerns another stream: an
        // error, but not one of memory.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit()?; // the queue was full
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel may still read them.
        std::mem::forget(std::mem::take(&mut self.sends));
    }
}

const ENTRIES: u32 = 256;
const GROUP: u16 = 0;

/// For all connections together: as many as may be read between two turns of the loop.
const BUFFERS: usize = 16;

/// The keys' operations: even and odd.
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const ACCEPT: u64 = u64::MAX;
const PROVIDE: u64 = u64::MAX - 1;

const EINTR: i32 = 4;
const EBUSY: i32 = 16;
const ETIME: i32 = 62;
