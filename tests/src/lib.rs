//! The tools of Tidegate's tests: wire vectors, a virtual network, a reference model.
#![allow(clippy::std_instead_of_alloc, reason = "the tests run where there is a system")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test fails on what it does not expect")]

pub mod ends;
pub mod inflate;
pub mod process;
pub mod vectors;

/// A second frame implementation. Like the rest, it is what the core offers for testing event loops.
pub mod frames {
    pub use tidegate_core::testing::{Frame, header, opcode};
}

/// Pseudo-random numbers from a seed.
pub mod random {
    pub use tidegate_core::testing::Random;
}

/// The Rust code of the README and the guide, compiled and run.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/flow-control.md")]
    mod flow_control {}
    #[doc = include_str!("../../docs/compression.md")]
    mod compression {}
    #[doc = include_str!("../../docs/embedding.md")]
    mod embedding {}
    #[doc = include_str!("../../docs/adapters.md")]
    mod adapters {}
    #[doc = include_str!("../../docs/testing-your-loop.md")]
    mod testing_your_loop {}
}
