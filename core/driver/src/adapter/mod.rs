//! Everything that the runtime adapters have in common, as one macro that each of them invokes once.
//!
//! An adapter's functions have its own stream and clock in their signatures, and its own paths in
//! their examples. Generic functions could share neither, so the shared code is a macro.

mod client;
mod server;

/// Defines the public interface of an adapter crate: its clock, network and listener types, `connect`,
/// `client`, `accept`, `serve`, `split_spawn` and their variants, type aliases for the driver's
/// generic types, and all re-exports. The adapter has the features of `tidegate-driver` under the
/// same names; `#[cfg]` inside of the macro means those of the adapter.
///
/// Made for the adapters of this repository: its form may change in any release.
#[doc(hidden)]
#[macro_export]
macro_rules! define_adapter {
    (
        crate: $crate_name:literal,
        runtime: $runtime:literal,
        block_on: $block_on:literal,
        stream: $Stream:ident<S> where S: ($($bound:tt)+),
        $(#[$clock_doc:meta])*
        clock: $Clock:ident($Timer:ty),
        network: $Network:ident,
        resolve: |$host:ident, $port:ident| $resolve:expr,
        connect: |$address:ident, $bind:ident| $connect:expr,
        listener: $Listener:ident,
        tcp: ($TcpListener:ty, $TcpStream:ty),
        unix: ($UnixListener:ty, $UnixStream:ty),
        rustls: $rustls:ident,
        $(#[$split_doc:meta])*
        spawn: |$task:ident| $spawn:expr,
    ) => {
        #[cfg(feature = "deflate")]
        pub use $crate::tidegate_core::deflate;
        pub use $crate::tidegate_core::handshake;
        pub use $crate::tidegate_core::handshake::{
            Acceptance, ClientRequest, ClientRequestBuilder, HandshakeError, Limits, LimitsBuilder, Rejection,
            Request, Response,
        };
        pub use $crate::tidegate_core::{
            ByteString, Bytes, Chunk, ChunkError, CloseCode, CloseFrame, Closed, Compress, Config,
            ConfigBuilder, ConfigError, Connection, ControlError, Delivery, Event, Failure,
            Message, MessageKind, MessageRef, Outgoing, PongPolicy, Prepared, ProtocolError, Refusal,
            SendError, Stats, Watermarks,
        };
        pub use $crate::{
            Backoff, BackoffBuilder, BoxError, ClientInfo, Closer, ConnectError, ConnectFault,
            Counters, Decision, Driver, EntropyError, EnvironmentError, Error, FailedAttempt,
            HandlerOutcome, Listener, MaybeTls, MessageReader, MessageWriter, OnDrop, Options,
            OptionsBuilder, Origins, Outcome, Peer, Proxy, Receiver, RedirectError, Remote,
            ReuniteError, Sender, ServeOptions, ServeOptionsBuilder, Server, ServerHandle, Slow,
            Stage, Url, UrlError, broadcast, broadcast_until,
        };

        #[doc = concat!("A WebSocket on a stream of ", $runtime, ".")]
        pub type WebSocket<S = $TcpStream> = $crate::WebSocket<$Stream<S>, $Clock>;

        #[doc = concat!("A request on a stream of ", $runtime, ", for the application to accept or reject.")]
        pub type Incoming<S = $TcpStream> = $crate::Incoming<$Stream<S>, $Clock>;

        /// Makes connections with the same options, once or again and again.
        pub type Client = $crate::Client<$Network>;

        /// What [`connect`] and a [`Client`] return: a WebSocket on a TCP stream or on TLS.
        pub type ClientSocket = $crate::ClientSocket<$Network>;

        /// Connections to one address, one after the other.
        pub type Reconnect = $crate::Reconnect<$Network>;

        $(#[$clock_doc])*
        ///
        /// The timer is created when it is first needed. It is moved to an earlier time, never to a
        /// later one: deadlines move with every message, and one needless wake-up costs less than
        /// that.
        #[derive(Clone, Debug, Default)]
        pub struct $Clock($crate::TimerClock<$Timer>);

        impl $Clock {
            /// Creates a clock that starts now.
            pub fn new() -> Self {
                Self::default()
            }
        }

        impl $crate::Clock for $Clock {
            fn now(&self) -> $crate::tidegate_core::Timestamp {
                self.0.now()
            }

            fn poll_deadline(
                &mut self,
                cx: &mut ::core::task::Context<'_>,
                deadline: $crate::tidegate_core::Timestamp,
            ) -> ::core::task::Poll<()> {
                self.0.poll_deadline(cx, deadline)
            }
        }

        $crate::define_adapter_client! {
            crate: $crate_name,
            runtime: $runtime,
            stream: $Stream<S> where S: ($($bound)+),
            clock: $Clock,
            network: $Network,
            resolve: |$host, $port| $resolve,
            connect: |$address, $bind| $connect,
            tcp: $TcpStream,
            rustls: $rustls,
        }

        $crate::define_adapter_server! {
            crate: $crate_name,
            runtime: $runtime,
            block_on: $block_on,
            stream: $Stream<S> where S: ($($bound)+),
            clock: $Clock,
            listener: $Listener,
            tcp: ($TcpListener, $TcpStream),
            unix: ($UnixListener, $UnixStream),
            rustls: $rustls,
            $(#[$split_doc])*
            spawn: |$task| $spawn,
        }
    };
}
