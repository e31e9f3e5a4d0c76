//! Implements the interface of the generic tests for the three adapters.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc;

use tidegate_driver::{Counters, Listener, Remote, ServeOptions, ServerHandle};

use crate::{Adapter, Behaviour, handle};

/// A listener that fails at first.
pub(crate) struct Failing<L> {
    failures: Vec<i32>,
    listener: L,
}

impl<L: Listener> Listener for Failing<L> {
    type Stream = L::Stream;
    type Opening = L::Opening;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        match self.failures.pop() {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => self.listener.accept().await,
        }
    }
}

macro_rules! adapters {
    ($($name:ident: $adapter:ident, $listener:ident, $block_on:expr, $spawn:expr, $from:expr;)+) => {$(
        pub(crate) struct $name;

        impl Adapter for $name {
            fn spawn(task: impl Future<Output = ()> + Send + 'static) {
                ($spawn)(task);
            }

            fn serve(
                listener: TcpListener,
                failures: Vec<i32>,
                options: ServeOptions,
                behaviour: Behaviour,
                started: mpsc::Sender<ServerHandle>,
            ) -> Counters {
                $block_on(async {
                    let listener = $adapter::$listener($from(listener).unwrap());
                    let listener = Failing { failures, listener };
                    let server = $adapter::serve_on(listener, options, move |socket, client| {
                        handle::<Self, _, _>(socket, client, behaviour)
                    });
                    started.send(server.handle()).unwrap();
                    server.await
                })
            }
        }
    )+};
}
adapters! {
    Tokio: tidegate_tokio, TokioListener, tokio_block_on,
        |task| drop(tokio::spawn(task)), tokio::net::TcpListener::from_std;
    Smol: tidegate_smol, SmolListener, smol::block_on,
        |task| smol::spawn(task).detach(), smol::net::TcpListener::try_from;
    AsyncStd: tidegate_async_std, AsyncStdListener, async_std::task::block_on,
        |task| drop(async_std::task::spawn(task)), |listener| io::Result::Ok(async_std::net::TcpListener::from(listener));
}

pub(crate) fn tokio_block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}
