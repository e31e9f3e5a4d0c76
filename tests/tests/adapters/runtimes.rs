//! What the tests need of a runtime.

use core::time::Duration;

use tidegate_core::Config;
use tidegate_core::driver::{ByteStream, Clock, Incoming, Receiver, Sender, WebSocket};
use tidegate_core::handshake::{ClientRequest, Limits};

/// An adapter and its runtime.
pub(crate) trait Adapter: 'static {
    type Stream: ByteStream + Send + 'static;
    type Clock: Clock + Send + 'static;
    type Tcp;

    fn block_on(future: impl Future<Output = ()>);
    async fn sleep(duration: Duration);
    /// The runtime's stream of one of the system's.
    fn tcp(stream: std::net::TcpStream) -> Self::Tcp;
    async fn connect(url: &str, config: Config) -> Result<Socket<Self>, Error>;
    async fn accept(stream: Self::Tcp) -> Result<Incoming<Self::Stream, Self::Clock>, Error>;
    fn split_spawn(socket: Socket<Self>) -> (Sender, Receiver);
}

pub(crate) type Socket<A> = WebSocket<<A as Adapter>::Stream, <A as Adapter>::Clock>;
pub(crate) use tidegate_core::driver::Error;

macro_rules! adapter {
    ($name:ident, $krate:ident, $stream:ty, $tcp:ty, $clock:ty, $block_on:expr, $sleep:expr,
     $from:expr) => {
        pub(crate) struct $name;

        impl Adapter for $name {
            type Stream = $stream;
            type Clock = $clock;
            type Tcp = $tcp;

            fn block_on(future: impl Future<Output = ()>) {
                // async-std moves it several times, and it is large in a debug build.
                ($block_on)(Box::pin(future));
            }

            async fn sleep(duration: Duration) {
                ($sleep)(duration).await;
            }

            fn tcp(stream: std::net::TcpStream) -> Self::Tcp {
                stream.set_nonblocking(true).unwrap();
                stream.set_nodelay(true).unwrap();
                ($from)(stream)
            }

            async fn connect(url: &str, config: Config) -> Result<Socket<Self>, Error> {
                let authority = url.trim_start_matches("ws://").trim_end_matches('/');
                let stream = std::net::TcpStream::connect(authority)?;
                let request = ClientRequest::new(authority, "/")?;
                $krate::client(Self::tcp(stream), request, config).await
            }

            async fn accept(
                stream: Self::Tcp,
            ) -> Result<Incoming<Self::Stream, Self::Clock>, Error> {
                $krate::accept_with(stream, Limits::default()).await
            }

            fn split_spawn(socket: Socket<Self>) -> (Sender, Receiver) {
                $krate::split_spawn(socket)
            }
        }
    };
}

adapter!(
    Tokio,
    tidegate_tokio,
    tidegate_tokio::TokioStream<tokio::net::TcpStream>,
    tokio::net::TcpStream,
    tidegate_tokio::TokioClock,
    |future| tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future),
    tokio::time::sleep,
    |stream| tokio::net::TcpStream::from_std(stream).unwrap()
);
adapter!(
    Smol,
    tidegate_smol,
    tidegate_smol::FuturesStream<smol::net::TcpStream>,
    smol::net::TcpStream,
    tidegate_smol::SmolClock,
    smol::block_on,
    smol::Timer::after,
    |stream| smol::net::TcpStream::try_from(stream).unwrap()
);
adapter!(
    AsyncStd,
    tidegate_async_std,
    tidegate_async_std::AsyncStdStream<async_std::net::TcpStream>,
    async_std::net::TcpStream,
    tidegate_async_std::AsyncStdClock,
    async_std::task::block_on,
    async_std::task::sleep,
    async_std::net::TcpStream::from
);
