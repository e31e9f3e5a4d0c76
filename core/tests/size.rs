//! How much memory a connection takes by itself. A server may have a million of them.

use tidegate_core::Connection;

/// With every feature, on a 64-bit machine. Parts that are rarely needed are boxed.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_connection_is_small() {
    assert!(size_of::<Connection>() <= 432, "{} bytes", size_of::<Connection>());
}
