//! What every adapter does, written once: on each runtime, with the connection whole and in parts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod closing;
mod cuts;
mod end;
mod flow;
mod runtimes;

/// Each behaviour on each runtime in each mode.
macro_rules! everywhere {
    ($($module:ident::$test:ident),+ $(,)?) => {
        everywhere!(@tokio Tokio $($module::$test)+);
        everywhere!(@smol Smol $($module::$test)+);
        everywhere!(@async_std AsyncStd $($module::$test)+);
    };
    (@$name:ident $adapter:ident $($module:ident::$test:ident)+) => {
        mod $name {
            use crate::end::Mode;
            use crate::runtimes::{Adapter as _, $adapter};

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
}

everywhere!(
    flow::echo_of_any_size,
    flow::both_directions_full,
    flow::senders_on_many_threads,
    flow::slow_reader,
    flow::peer_that_never_reads,
    flow::ping_while_busy,
    flow::cancelled_at_every_await,
    closing::from_either_side,
    closing::from_both_sides_at_once,
    closing::half_closed,
    closing::with_a_lot_on_the_way,
    cuts::at_every_byte,
);
