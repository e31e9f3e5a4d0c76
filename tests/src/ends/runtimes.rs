//! What the tests need from a runtime and its adapter, plain and over TLS.

use core::fmt::Debug;
use core::net::SocketAddr;
use core::time::Duration;
use std::net::{Shutdown, TcpListener, TcpStream};

use tidegate_core::Config;
use tidegate_driver::{
    ByteStream, Client, ClientInfo, Clock, MaybeTls, Options, Receiver, Sender, ServeOptions,
    Server, WebSocket,
};

use super::certificates::{client_tls, server_tls};
pub use tidegate_driver::Error;

/// An adapter, its runtime, and the stream below the WebSocket.
pub trait Adapter: Debug + Send + Sync + 'static {
    /// The name for reports.
    const NAME: &'static str;
    /// Whether there is TLS between WebSocket and TCP.
    const IS_TLS: bool;
    /// The stream of a server.
    type Server: ByteStream + Debug + Send + 'static;
    /// The stream of a client.
    type Client: ByteStream + Debug + Send + 'static;
    /// The clock of the adapter.
    type Clock: Clock + Debug + Send + 'static;

    /// Runs a future on the calling thread.
    fn block_on<T>(future: impl Future<Output = T>) -> T;
    /// Runs a future in a separate task, on any thread.
    fn spawn(future: impl Future<Output = ()> + Send + 'static);
    /// Waits.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;
    /// Connects as an application does.
    fn connect(
        address: SocketAddr,
        config: Config,
    ) -> impl Future<Output = Result<Socket<Self, Self::Client>, Error>> + Send;
    /// Accepts as an application does.
    fn accept(
        stream: TcpStream,
        config: Config,
    ) -> impl Future<Output = Result<Socket<Self, Self::Server>, Error>> + Send;
    /// The adapter's own type.
    fn split_spawn<S: ByteStream + Send + 'static>(socket: Socket<Self, S>) -> (Sender, Receiver);
}

/// What tests of a server under load need in addition. Not over TLS.
pub trait Serve: Adapter {
    /// The server that the adapter's `serve` returns.
    fn serve<H, F>(listener: TcpListener, options: ServeOptions, handler: H) -> Server
    where
        H: Fn(Socket<Self, Self::Server>, ClientInfo) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static;

    /// Cuts a client's TCP connection in both directions, whatever the client is doing.
    fn cutter(socket: &Socket<Self, Self::Client>) -> Box<dyn FnOnce() + Send>;

    /// How many tasks the runtime has; `None` if it does not count them.
    fn tasks() -> Option<usize>;
}

/// A WebSocket of an adapter.
pub type Socket<A, S> = WebSocket<S, <A as Adapter>::Clock>;

macro_rules! adapter {
    ($plain:ident, $tls:ident, $label:literal, $krate:ident, $rustls:ident,
     $stream:ident<$tcp:ty>, $clock:ident, $network:ident, $block_on:expr, $spawn:expr,
     $sleep:expr, $from:expr) => {
        adapter!(@ $plain, $label, false, $krate, $krate::$stream<$tcp>, $clock, $network,
            $block_on, $spawn, $sleep, $network::new(), "ws",
            |stream| async move { $krate::accept(($from)(stream)).await });
        adapter!(@ $tls, concat!($label, " over TLS"), true, $krate,
            $krate::$stream<$krate::$rustls::server::TlsStream<$tcp>>, $clock, $network,
            $block_on, $spawn, $sleep, $network::new().tls(client_tls()), "wss",
            |stream| async move { $krate::accept_tls(($from)(stream), server_tls()).await });
    };
    (@ $name:ident, $label:expr, $is_tls:literal, $krate:ident, $server:ty, $clock:ident,
     $network:ident, $block_on:expr, $spawn:expr, $sleep:expr, $new:expr, $scheme:literal,
     $accept:expr) => {
        #[doc = concat!("The adapter `", stringify!($krate), "` on `", $scheme, "://`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        const _: () = {
            use $krate::{$clock, $network};

            impl Adapter for $name {
                const NAME: &'static str = $label;
                const IS_TLS: bool = $is_tls;
                type Server = $server;
                type Client = tidegate_driver::MaybeTls<
                    <$network as tidegate_driver::Network>::Stream,
                    <$network as tidegate_driver::Network>::Tls,
                >;
                type Clock = $clock;

                fn block_on<T>(future: impl Future<Output = T>) -> T {
                    // Boxed, because async-std moves it several times and it is large in a debug build.
                    ($block_on)(Box::pin(future))
                }

                fn spawn(future: impl Future<Output = ()> + Send + 'static) {
                    ($spawn)(future);
                }

                async fn sleep(duration: Duration) {
                    ($sleep)(duration).await;
                }

                async fn connect(
                    address: SocketAddr,
                    config: Config,
                ) -> Result<Socket<Self, Self::Client>, Error> {
                    let client = Client::new($new, Options::builder().config(config).build()?);
                    client.connect(&format!("{}://{address}/", $scheme)).await
                }

                async fn accept(
                    stream: TcpStream,
                    config: Config,
                ) -> Result<Socket<Self, Self::Server>, Error> {
                    stream.set_nonblocking(true).unwrap();
                    stream.set_nodelay(true).unwrap();
                    ($accept)(stream).await?.config(config).accept().await
                }

                fn split_spawn<S: ByteStream + Send + 'static>(
                    socket: Socket<Self, S>,
                ) -> (Sender, Receiver) {
                    $krate::split_spawn(socket)
                }
            }
        };
    };
}

adapter!(
    Tokio,
    TokioTls,
    "tokio",
    tidegate_tokio,
    tokio_rustls,
    TokioStream<tokio::net::TcpStream>,
    TokioClock,
    TokioNetwork,
    |future| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap().block_on(future)
    },
    |future| drop(tokio::spawn(future)),
    tokio::time::sleep,
    |stream| tokio::net::TcpStream::from_std(stream).unwrap()
);
adapter!(
    Smol,
    SmolTls,
    "smol",
    tidegate_smol,
    futures_rustls,
    FuturesStream<smol::net::TcpStream>,
    SmolClock,
    SmolNetwork,
    smol::block_on,
    |future| smol::spawn(future).detach(),
    smol::Timer::after,
    |stream| smol::net::TcpStream::try_from(stream).unwrap()
);
adapter!(
    AsyncStd,
    AsyncStdTls,
    "async-std",
    tidegate_async_std,
    futures_rustls,
    AsyncStdStream<async_std::net::TcpStream>,
    AsyncStdClock,
    AsyncStdNetwork,
    async_std::task::block_on,
    |future| drop(async_std::task::spawn(future)),
    async_std::task::sleep,
    async_std::net::TcpStream::from
);

macro_rules! serve {
    ($name:ident, $krate:ident, $listener:expr, $handle:expr, $tasks:expr) => {
        impl Serve for $name {
            fn serve<H, F>(listener: TcpListener, options: ServeOptions, handler: H) -> Server
            where
                H: Fn(Socket<Self, Self::Server>, ClientInfo) -> F + Send + Sync + 'static,
                F: Future<Output = Result<(), Error>> + Send + 'static,
            {
                listener.set_nonblocking(true).unwrap();
                $krate::serve(($listener)(listener).unwrap(), options, handler)
            }

            fn cutter(socket: &Socket<Self, Self::Client>) -> Box<dyn FnOnce() + Send> {
                let Some(MaybeTls::Plain(stream)) = socket.get_ref() else {
                    return Box::new(|| {});
                };
                let stream = ($handle)(stream.get_ref());
                Box::new(move || drop(stream.shutdown(Shutdown::Both)))
            }

            fn tasks() -> Option<usize> {
                $tasks
            }
        }
    };
}

serve!(
    Tokio,
    tidegate_tokio,
    tokio::net::TcpListener::from_std,
    |stream| socket2::SockRef::from(stream).try_clone().unwrap(),
    Some(tokio::runtime::Handle::current().metrics().num_alive_tasks())
);
serve!(Smol, tidegate_smol, smol::net::TcpListener::try_from, smol::net::TcpStream::clone, None);
serve!(
    AsyncStd,
    tidegate_async_std,
    |listener| std::io::Result::Ok(async_std::net::TcpListener::from(listener)),
    async_std::net::TcpStream::clone,
    None
);
