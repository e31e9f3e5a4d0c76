//! Application code that runs inside the server's calls must not deadlock.

use core::pin::pin;
use core::task::{Context, Waker};
use std::io;
use std::sync::Arc;
use std::task::Wake;

use tidegate_driver::{Listener, Remote, ServeOptions, ServerHandle};
use tidegate_tokio::{TokioStream, serve_on};
use tokio::net::TcpStream;

/// A listener to which no client connects, and which stores no waker.
struct Never;

impl Listener for Never {
    type Stream = TokioStream<TcpStream>;
    type Opening = core::future::Ready<io::Result<Self::Stream>>;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        core::future::pending().await
    }
}

/// Calls the server when it is dropped.
struct Looks(ServerHandle);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Looks {
    fn drop(&mut self) {
        assert_eq!(self.0.counters().open, 0);
        self.0.shutdown(core::time::Duration::ZERO);
    }
}

#[test]
fn a_waker_that_is_dropped_may_use_the_server() {
    let server = serve_on(Never, ServeOptions::default(), |_, _| async { Ok(()) });
    let handle = server.handle();
    let mut server = pin!(server);
    let waker = Waker::from(Arc::new(Looks(handle.clone())));
    assert!(server.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // The server stores the last waker, and drops it when another task polls.
    drop(waker);
    let other = Waker::noop();
    assert!(server.as_mut().poll(&mut Context::from_waker(other)).is_pending());
    assert!(handle.is_shutting_down());
    assert!(server.as_mut().poll(&mut Context::from_waker(other)).is_ready());
}
