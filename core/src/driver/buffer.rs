//! One read buffer for all connections of a thread.

use core::cell::Cell;

use crate::READ_SIZE;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer of [`READ_SIZE`] bytes. It is zeroed once, when it is made.
///
/// It is taken out while it is lent: a stream that runs a connection of its own inside its
/// `poll_read` (a tunnel in a tunnel) gets another one. A thread that is being torn down has none
/// left, and gets one that is not kept.
pub(super) fn with_read_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.resize(READ_SIZE, 0);
    let result = read(&mut buffer);
    // An error means that the thread ends: the buffer goes with it.
    let _ = BUFFER.try_with(|kept| kept.set(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_buffer_again_and_another_one_inside() {
        let first = with_read_buffer(|buffer| {
            assert_eq!(buffer.len(), READ_SIZE);
            buffer[0] = 7;
            let outer = buffer.as_ptr();
            let inner = with_read_buffer(|buffer| {
                assert_eq!(buffer[0], 0);
                buffer.as_ptr()
            });
            assert_ne!(outer, inner);
            outer
        });
        assert_eq!(with_read_buffer(|buffer| (buffer.as_ptr(), buffer[0])), (first, 7));
    }
}
