//! Servers on real sockets, the same for each adapter. Clients are plain threads and streams.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adapters;
mod client;
mod decisions;
mod limits;
mod shutdown;
#[cfg(unix)]
mod unix;

use core::net::SocketAddr;
use core::time::Duration;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tidegate_core::driver::{
    Arrival, ByteStream, Clock, Counters, Error, ServeOptions, ServerHandle, WebSocket,
};

use crate::client::Client;

/// What a handler does with its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Echo,
    /// Panics when a message comes.
    Panic,
    /// Sends without end.
    Flood,
    /// Never looks at its connection again.
    Ignore,
}

/// What the generic tests need of an adapter.
pub(crate) trait Adapter {
    /// Serves on this listener, which first fails with these errors of the system.
    fn serve(
        listener: TcpListener,
        failures: Vec<i32>,
        options: ServeOptions,
        behaviour: Behaviour,
        started: mpsc::Sender<ServerHandle>,
    ) -> Counters;
}

/// A server in a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    server: JoinHandle<Counters>,
}

impl Running {
    pub(crate) fn start<A: Adapter>(options: ServeOptions, behaviour: Behaviour) -> Self {
        Self::start_failing::<A>(Vec::new(), options, behaviour)
    }

    pub(crate) fn start_failing<A: Adapter>(
        failures: Vec<i32>,
        options: ServeOptions,
        behaviour: Behaviour,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, started) = mpsc::channel();
        let server =
            thread::spawn(move || A::serve(listener, failures, options, behaviour, sender));
        Self { address, handle: started.recv().unwrap(), server }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until the server says so.
    pub(crate) fn wait(&self, until: impl Fn(Counters) -> bool) -> Counters {
        for _ in 0..2000 {
            let counters = self.handle.counters();
            if until(counters) {
                return counters;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not come: {:?}", self.handle.counters());
    }

    pub(crate) fn stop(self, drain: Duration) -> Counters {
        self.handle.shutdown(drain);
        self.join()
    }

    pub(crate) fn join(self) -> Counters {
        self.server.join().unwrap()
    }
}

pub(crate) async fn handle<S: ByteStream, C: Clock>(
    mut socket: WebSocket<S, C>,
    _arrival: Arrival,
    behaviour: Behaviour,
) -> Result<(), Error> {
    match behaviour {
        Behaviour::Echo => {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await?;
            }
            Ok(())
        }
        Behaviour::Panic => {
            let message = socket.recv().await?;
            panic!("a handler panics, as the test wants: {message:?}");
        }
        Behaviour::Flood => loop {
            match socket.send(vec![7; 10_000]).await {
                // The closing handshake has begun: it is seen to its end.
                Err(Error::Closing) => {
                    while socket.recv().await?.is_some() {}
                    return Ok(());
                }
                sent => sent?,
            }
        },
        Behaviour::Ignore => core::future::pending().await,
    }
}

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The tests of a module, for each adapter.
macro_rules! for_each_adapter {
    ($($test:ident),+ $(,)?) => {
        mod tokio { $(#[test] fn $test() { super::$test::<crate::adapters::Tokio>(); })+ }
        mod smol { $(#[test] fn $test() { super::$test::<crate::adapters::Smol>(); })+ }
        mod async_std { $(#[test] fn $test() { super::$test::<crate::adapters::AsyncStd>(); })+ }
    };
}
pub(crate) use for_each_adapter;
