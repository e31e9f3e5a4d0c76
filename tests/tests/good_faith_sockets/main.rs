//! Good faith on real sockets and real runtimes: some of the simulation's cases in real time with
//! short limits, for every adapter, whole and split; and an hour on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

mod ending;
#[path = "../good_faith/frames.rs"]
#[allow(dead_code, reason = "these peers do not compress")]
mod frames;
mod living;
mod peer;
mod serving;
mod tokio_paused;

/// Each behaviour on each runtime, in each mode.
macro_rules! everywhere {
    (@$name:ident $adapter:ident $($module:ident::$test:ident),+ $(,)?) => {
        mod $name {
            use tidegate_tests::ends::{Adapter as _, Mode, $adapter};

            $(mod $test {
                use super::*;

                #[test]
                fn whole() {
                    $adapter::block_on(crate::$module::$test::<$adapter>(Mode::Whole));
                }

                #[test]
                fn split() {
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
    living::only_sends,
    living::is_pinged_and_closed_while_it_only_sends,
    living::gives_up_and_is_busy,
    living::is_stopped,
    living::pings_over_a_long_way,
    living::acknowledges_and_works,
    ending::by_a_code,
    ending::by_a_violation_and_a_reset,
    ending::by_a_violation_and_silence,
    ending::by_an_empty_close_of_ours,
    ending::repeats_code_and_reason,
    ending::with_a_slow_reader,
);
