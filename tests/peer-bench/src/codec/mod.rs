//! Decoding and encoding in memory.

mod decode;
mod encode;
mod limits;

pub use self::decode::decode;
pub use self::encode::encode;

/// The runtime for the futures, which never wait. Built once, so that building it is not measured.
#[derive(Clone)]
pub struct Runtime(std::rc::Rc<tokio::runtime::Runtime>);

impl Runtime {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Self(std::rc::Rc::new(runtime.expect("a runtime")))
    }

    /// Runs to the end without tokio's budget, so that no yield is measured.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(tokio::task::unconstrained(future))
    }

    /// For types that create timers in their constructor.
    pub fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.0.enter()
    }
}
