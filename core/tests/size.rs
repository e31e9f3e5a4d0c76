//! A million connections are a million times this.

use tidegate_core::Connection;

/// With every feature, on a 64-bit machine; what is seldom needed is behind a pointer.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_connection_is_small() {
    assert!(size_of::<Connection>() <= 432, "{} bytes", size_of::<Connection>());
}
