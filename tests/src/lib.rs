//! What the tests of Tidegate are made of: wire vectors, a virtual network, a reference model.
#![allow(clippy::std_instead_of_alloc, reason = "the tests run where there is a system")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test fails on what it does not expect")]

pub mod ends;
pub mod inflate;
pub mod process;
pub mod vectors;

/// Frames, a second time: what the core gives to those who test their own loops, as is the rest.
pub mod frames {
    pub use tidegate_core::testing::{Frame, header, opcode};
}

/// Numbers that look random, from a seed.
pub mod random {
    pub use tidegate_core::testing::Random;
}

/// The Rust of the README and of the guide, compiled and run.
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
