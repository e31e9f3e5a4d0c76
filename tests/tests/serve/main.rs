//! Tests of `serve` on real sockets, the same for each adapter. Clients are threads with streams.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adapters;
mod client;
mod crowded;
mod decisions;
mod endings;
mod limits;
mod locks;
mod outcomes;
mod parts;
mod shutdown;
mod tls;
#[cfg(unix)]
mod unix;

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tidegate_driver::{
    ByteStream, ClientInfo, Clock, Counters, Error, Receiver, Sender, ServeOptions, ServerHandle,
    WebSocket,
};

use crate::client::Client;

/// What a handler does with its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Echo,
    /// Panics when a message arrives.
    Panic,
    /// Sends without end.
    Flood,
    /// Never uses its connection again.
    Ignore,
    /// Feeds "fed" when a message arrives, and returns this.
    Feed(Returns),
    /// Splits, sends "fed" when a message arrives, and returns this with its parts.
    FeedInParts(Returns),
    /// The same, and drives the connection itself.
    FeedAndDrive(Returns),
    /// Splits, drops the receiver when a message arrives, and goes on.
    DropReceiver,
    /// Splits, drives the connection until a message arrives, drops the driver, and goes on.
    DropDriver,
    /// Splits, gives the parts to a task that echoes, and returns.
    SplitAndReturn,
    /// Gives the socket to a task that echoes, and returns.
    SpawnAndReturn,
    /// Takes two messages, and feeds "so far" after each.
    Twice,
    /// Fills the outbox when a message arrives, and returns.
    FloodAndReturn,
    /// Gives the socket to a task that keeps it after the end, and returns.
    KeepSocket,
    /// Splits, gives the parts to a task that keeps them after the end, and returns.
    KeepParts,
}

/// How a handler ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Returns {
    Ok,
    Err,
    Panic,
}

impl Returns {
    fn now(self) -> Result<(), Error> {
        match self {
            Self::Ok => Ok(()),
            Self::Err => Err(Error::NotReady),
            Self::Panic => panic!("a handler panics, as the test wants"),
        }
    }
}

/// What the generic tests need from an adapter.
pub(crate) trait Adapter {
    /// Runs a task.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Serves on this listener, which at first fails with these system errors.
    fn serve(
        listener: TcpListener,
        failures: Vec<i32>,
        options: ServeOptions,
        behaviour: Behaviour,
        started: mpsc::Sender<ServerHandle>,
    ) -> Counters;
}

/// A server in a separate thread.
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

    /// Waits until this holds for the server.
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

#[allow(clippy::too_many_lines, reason = "a table of handlers")]
pub(crate) async fn handle<A, S, C>(
    mut socket: WebSocket<S, C>,
    _client: ClientInfo,
    behaviour: Behaviour,
) -> Result<(), Error>
where
    A: Adapter,
    S: ByteStream + Send + 'static,
    C: Clock + Send + 'static,
{
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
                // The closing handshake has begun, and is completed here.
                Err(Error::Closing) => {
                    while socket.recv().await?.is_some() {}
                    return Ok(());
                }
                sent => sent?,
            }
        },
        Behaviour::Ignore => core::future::pending().await,
        Behaviour::Feed(returns) => {
            socket.recv().await?;
            socket.feed("fed").await?;
            returns.now()
        }
        Behaviour::SpawnAndReturn => {
            A::spawn(async move {
                while let Ok(Some(message)) = socket.recv().await {
                    let is_last = message.as_text() == Some("last");
                    if socket.send(message).await.is_err() || is_last {
                        return;
                    }
                }
            });
            Ok(())
        }
        Behaviour::FloodAndReturn => {
            socket.recv().await?;
            for _ in 0..16 {
                socket.try_send(vec![7; 1_000_000]).ok();
                let _ = poll_once(socket.flush()).await;
            }
            Ok(())
        }
        Behaviour::KeepSocket => {
            A::spawn(async move {
                while let Ok(Some(_)) = socket.recv().await {}
                core::future::pending::<()>().await;
            });
            Ok(())
        }
        Behaviour::Twice => {
            for _ in 0..2 {
                socket.recv().await?;
                socket.feed("so far").await?;
            }
            Ok(())
        }
        Behaviour::FeedInParts(_)
        | Behaviour::FeedAndDrive(_)
        | Behaviour::DropReceiver
        | Behaviour::DropDriver
        | Behaviour::SplitAndReturn
        | Behaviour::KeepParts => handle_parts::<A, _, _>(socket, behaviour).await,
    }
}

/// The same, for those that split.
async fn handle_parts<A, S, C>(socket: WebSocket<S, C>, behaviour: Behaviour) -> Result<(), Error>
where
    A: Adapter,
    S: ByteStream + Send + 'static,
    C: Clock + Send + 'static,
{
    match behaviour {
        Behaviour::FeedInParts(returns) => {
            let (sender, mut receiver) = split::<A, _, _>(socket);
            receiver.recv().await?;
            sender.feed("fed").await?;
            returns.now()
        }
        Behaviour::FeedAndDrive(returns) => {
            let (sender, mut receiver, mut driver) = socket.split();
            let mut feeding = core::pin::pin!(async {
                receiver.recv().await?;
                sender.feed("fed").await
            });
            core::future::poll_fn(|cx| {
                let _ = Pin::new(&mut driver).poll(cx);
                feeding.as_mut().poll(cx)
            })
            .await?;
            returns.now()
        }
        Behaviour::DropDriver => {
            let (_sender, mut receiver, mut driver) = socket.split();
            let mut receiving = core::pin::pin!(receiver.recv());
            core::future::poll_fn(|cx| {
                let _ = Pin::new(&mut driver).poll(cx);
                receiving.as_mut().poll(cx)
            })
            .await?;
            drop(driver);
            core::future::pending().await
        }
        Behaviour::DropReceiver => {
            let (_sender, mut receiver) = split::<A, _, _>(socket);
            receiver.recv().await?;
            drop(receiver);
            core::future::pending().await
        }
        Behaviour::SplitAndReturn => {
            let (sender, mut receiver) = split::<A, _, _>(socket);
            A::spawn(async move {
                while let Ok(Some(message)) = receiver.recv().await {
                    if sender.send(message).await.is_err() {
                        return;
                    }
                }
            });
            Ok(())
        }
        Behaviour::KeepParts => {
            let (sender, mut receiver) = split::<A, _, _>(socket);
            A::spawn(async move {
                while let Ok(Some(_)) = receiver.recv().await {}
                core::future::pending::<()>().await;
                drop(sender);
            });
            Ok(())
        }
        Behaviour::Echo
        | Behaviour::Panic
        | Behaviour::Flood
        | Behaviour::Ignore
        | Behaviour::Feed(_)
        | Behaviour::SpawnAndReturn
        | Behaviour::Twice
        | Behaviour::FloodAndReturn
        | Behaviour::KeepSocket => panic!("{behaviour:?} does not split"),
    }
}

/// Polls a future once, and drops it if it is pending.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = core::pin::pin!(future);
    core::future::poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// Splits a connection, and runs its driver in a task.
fn split<A, S, C>(socket: WebSocket<S, C>) -> (Sender, Receiver)
where
    A: Adapter,
    S: ByteStream + Send + 'static,
    C: Clock + Send + 'static,
{
    let (sender, receiver, driver) = socket.split();
    A::spawn(async { drop(driver.await) });
    (sender, receiver)
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
