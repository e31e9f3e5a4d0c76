//! How much a caller reads from the transport at a time.

/// The usual size of a read buffer, 65 KiB. One buffer can serve all connections of a thread.
///
/// It is 64 KiB plus room for headers, because messages of exactly 64 KiB are common and should take
/// one read. [`Config::memory_bound`](crate::Config::memory_bound) assumes reads of at most this size.
/// For longer messages [`Connection::read_size`](crate::Connection::read_size) suggests longer reads.
pub const READ_SIZE: usize = 65 * 1024;

/// The longest read that [`Connection::read_size`](crate::Connection::read_size) suggests.
pub const MAX_READ_SIZE: usize = 16 * READ_SIZE;
