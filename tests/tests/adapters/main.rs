//! The behaviour of every adapter, tested on each runtime, plain and over TLS, with whole and split
//! connections.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod closing;
mod cuts;
mod flow;

/// Each behaviour on each runtime, over each transport, in each mode.
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
        over_tls!($($tests)+);
    };
}

macro_rules! over_tls {
    ($($tests:tt)+) => {
        everywhere!(@tokio_tls TokioTls $($tests)+);
        everywhere!(@smol_tls SmolTls $($tests)+);
        everywhere!(@async_std_tls AsyncStdTls $($tests)+);
    };
}

everywhere!(
    flow::echo_of_any_size,
    flow::both_directions_full,
    flow::senders_on_many_threads,
    flow::slow_reader,
    flow::peer_that_never_reads,
    flow::peer_that_reads_slowly,
    flow::ping_while_busy,
    flow::cancelled_at_every_await,
    closing::from_either_side,
    closing::from_both_sides_at_once,
    closing::half_closed,
    closing::with_much_data_in_flight,
    cuts::at_every_byte,
);

mod without_notice {
    //! TCP ends without a TLS close_notify.

    over_tls!(
        closing::in_the_middle_without_close_notify,
        closing::after_both_closes_without_close_notify
    );
}
