//! Attacks of hostile peers on real sockets. Each is written once and run against every adapter, with
//! whole and split connections, as server and as client. The allocator counts the memory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::cast_possible_truncation, reason = "counts of bytes that are in memory")]

mod bombs;
mod fragments;
mod handshakes;
mod headers;
mod malformed;
mod memory;
mod peer;
mod pings;
mod reads;

/// Each attack on each runtime, in each mode. They run one after another, because the allocator
/// counts for the whole process.
macro_rules! everywhere {
    (@$name:ident $adapter:ident $($module:ident::$test:ident),+ $(,)?) => {
        mod $name {
            use tidegate_tests::ends::{Adapter as _, Mode, $adapter};

            $(mod $test {
                use super::*;

                #[test]
                fn whole() {
                    let _alone = crate::memory::alone();
                    $adapter::block_on(crate::$module::$test::<$adapter>(Mode::Whole));
                }

                #[test]
                fn split() {
                    let _alone = crate::memory::alone();
                    $adapter::block_on(crate::$module::$test::<$adapter>(Mode::Split));
                }
            })+
        }
    };
    ($($tests:tt)+) => {
        everywhere!(@tokio Tokio $($tests)+);
        everywhere!(@smol Smol $($tests)+);
        everywhere!(@async_std AsyncStd $($tests)+);
    };
}

everywhere!(
    pings::flood_with_blocked_writes,
    fragments::one_endless_message,
    fragments::endless_empty_fragments,
    headers::that_declare_huge_lengths,
    bombs::one_message,
    bombs::many_messages,
    reads::cancelled_at_every_byte,
    malformed::inputs,
);

/// There is no connection yet, so there is no mode.
macro_rules! opening {
    ($($name:ident $adapter:ident),+) => {
        mod opening {$(
            mod $name {
                use tidegate_tests::ends::{Adapter as _, $adapter};

                #[test]
                fn requests() {
                    let _alone = crate::memory::alone();
                    $adapter::block_on(crate::handshakes::requests::<$adapter>());
                }

                #[test]
                fn requests_in_single_bytes() {
                    let _alone = crate::memory::alone();
                    $adapter::block_on(crate::handshakes::requests_in_single_bytes::<$adapter>());
                }

                #[test]
                fn answers() {
                    let _alone = crate::memory::alone();
                    $adapter::block_on(crate::handshakes::answers::<$adapter>());
                }
            }
        )+}
    };
}

opening!(tokio Tokio, smol Smol, async_std AsyncStd);
