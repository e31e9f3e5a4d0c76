//! A timer of tokio.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::Instant;

use tidegate_driver::Timer;
use tokio::time::Sleep;

/// A timer of tokio. It follows tokio's clock, which a test can pause.
#[derive(Debug)]
pub(crate) struct TokioTimer(Pin<Box<Sleep>>);

impl Timer for TokioTimer {
    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn at(deadline: Instant) -> Self {
        Self(Box::pin(tokio::time::sleep_until(deadline.into())))
    }

    fn deadline(&self) -> Instant {
        self.0.deadline().into_std()
    }

    fn reset(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline.into());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
