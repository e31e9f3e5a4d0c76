//! How much a caller reads from the transport at a time.

/// How much to read at a time: the size of the read buffer that serves every connection of a
/// thread, and that [`Config::memory_bound`](crate::Config::memory_bound) counts on. 64 KiB and room for headers: messages of
/// just that length are common, and each comes in one read.
///
/// A longer message takes fewer reads where [`Connection::read_size`](crate::Connection::read_size) is asked before each.
pub const READ_SIZE: usize = 65 * 1024;

/// The most that [`Connection::read_size`](crate::Connection::read_size) asks for.
pub const MAX_READ_SIZE: usize = 16 * READ_SIZE;
