//! The read buffer that all connections of a thread share.

use std::cell::Cell;

#[cfg(doc)]
use tidegate_core::READ_SIZE;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `read` with `size` bytes of the thread's buffer: [`READ_SIZE`] or a few times that. A buffer
/// that is too short is extended with zeros, and keeps its new length.
///
/// The buffer is taken out of the thread-local variable meanwhile. So a stream that runs another
/// connection inside its `poll_read` (WebSocket over WebSocket) gets a new buffer. While a thread is
/// torn down the variable is gone, and the call gets a buffer that is not kept.
pub(crate) fn with_read_buffer<T>(size: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    if buffer.len() < size {
        let more = size - buffer.len();
        // `resize` alone may reserve twice as much, and the buffer is kept as long as the thread
        // lives.
        buffer.reserve_exact(more);
        buffer.resize(size, 0);
    }
    let result = read(buffer.get_mut(..size).unwrap_or_default());
    // An error means that the thread is ending, and the buffer with it.
    let _ = BUFFER.try_with(|kept| kept.set(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::READ_SIZE;

    #[test]
    fn is_the_same_buffer_again_and_another_one_inside() {
        let first = with_read_buffer(READ_SIZE, |buffer| {
            assert_eq!(buffer.len(), READ_SIZE);
            buffer[0] = 7;
            let outer = buffer.as_ptr();
            let inner = with_read_buffer(READ_SIZE, |buffer| {
                assert_eq!(buffer[0], 0);
                buffer.as_ptr()
            });
            assert_ne!(outer, inner);
            outer
        });
        let again = with_read_buffer(READ_SIZE, |buffer| (buffer.as_ptr(), buffer[0]));
        assert_eq!(again, (first, 7));
    }

    #[test]
    fn grows_when_more_is_asked_for_and_lends_no_more_than_that() {
        for size in [READ_SIZE, 3 * READ_SIZE, 2 * READ_SIZE] {
            assert_eq!(with_read_buffer(size, |buffer| buffer.len()), size);
        }
    }
}
