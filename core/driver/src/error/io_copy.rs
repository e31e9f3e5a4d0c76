//! Copies of `std::io::Error`, which has no `Clone`.

use std::io;

/// Copies an error of the transport: every call that fails because of it returns it.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        // Keeps the code of the system, which says more than the kind.
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
