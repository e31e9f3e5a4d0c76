//! The client's half of `define_adapter!`: the network of a runtime, `connect` and `client`.

/// A part of `define_adapter!`.
#[doc(hidden)]
#[macro_export]
macro_rules! define_adapter_client {
    (
        crate: $crate_name:literal,
        runtime: $runtime:literal,
        stream: $Stream:ident<S> where S: ($($bound:tt)+),
        clock: $Clock:ident,
        network: $Network:ident,
        resolve: |$host:ident, $port:ident| $resolve:expr,
        connect: |$address:ident, $bind:ident| $connect:expr,
        tcp: $TcpStream:ty,
        rustls: $rustls:ident,
    ) => {
        #[doc = concat!("How a [`Client`] connects on ", $runtime, ".")]
        #[derive(Clone, Debug, Default)]
        pub struct $Network {
            #[cfg(feature = "rustls")]
            tls: Option<::std::sync::Arc<$rustls::rustls::ClientConfig>>,
        }

        impl $Network {
            /// Creates a network with the default TLS settings, if TLS is compiled in.
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the TLS settings for `wss://`. If they name no protocol (ALPN), `http/1.1` is
            /// added.
            #[cfg(feature = "rustls")]
            pub fn tls(
                mut self,
                config: ::std::sync::Arc<$rustls::rustls::ClientConfig>,
            ) -> Self {
                self.tls = Some($crate::tls::with_http1(config));
                self
            }
        }

        impl $crate::Network for $Network {
            type Stream = $Stream<$TcpStream>;
            type Tls = Tls;
            type Clock = $Clock;

            fn clock(&self) -> $Clock {
                $Clock::new()
            }

            fn resolve(
                &self,
                $host: String,
                $port: u16,
            ) -> $crate::BoxFuture<::std::io::Result<Vec<::core::net::SocketAddr>>> {
                Box::pin(async move { $resolve })
            }

            fn connect(
                &self,
                $address: ::core::net::SocketAddr,
                options: $crate::SocketOptions,
            ) -> $crate::BoxFuture<::std::io::Result<Self::Stream>> {
                Box::pin(async move {
                    let $bind = options.bind;
                    let stream: $TcpStream = $connect?;
                    stream.set_nodelay(options.nodelay)?;
                    Ok($Stream::new(stream))
                })
            }

            fn has_tls(&self) -> bool {
                cfg!(feature = "rustls")
            }

            #[cfg(feature = "rustls")]
            fn secure(
                &self,
                stream: Self::Stream,
                host: &str,
            ) -> $crate::BoxFuture<::std::io::Result<Tls>> {
                let (config, name) = (self.tls.clone(), $crate::tls::server_name(host));
                Box::pin(async move {
                    let config = config.map_or_else($crate::tls::client_config, Ok)?;
                    let connector = $rustls::TlsConnector::from(config);
                    let connecting = connector.connect(name?, stream.into_inner());
                    Ok($Stream::new($crate::tls::connect(connecting).await?))
                })
            }

            #[cfg(not(feature = "rustls"))]
            fn secure(
                &self,
                _: Self::Stream,
                _: &str,
            ) -> $crate::BoxFuture<::std::io::Result<Tls>> {
                Box::pin(async { Err(::std::io::ErrorKind::Unsupported.into()) })
            }
        }

        #[doc = concat!("TLS on a TCP stream of ", $runtime, ".")]
        #[cfg(feature = "rustls")]
        pub type Tls = $Stream<$rustls::client::TlsStream<$TcpStream>>;

        /// A type without values: TLS is not compiled in.
        #[cfg(not(feature = "rustls"))]
        pub type Tls = $crate::NoTls;

        /// Connects to an address such as `wss://example.org/chat?room=1`. `wss://` needs the
        /// feature `rustls`, and root certificates from one of the features `rustls-*`.
        ///
        /// Tries up to 32 addresses of the host, the next one when one has failed or has not
        /// answered for 250 ms. Sets `TCP_NODELAY`, so that a message is on its way when `send`
        /// returns. To make several connections, or to change the TLS settings, use a [`Client`].
        ///
        /// # Errors
        ///
        /// [`Error::Url`]: not such an address, or `wss://` without the feature `rustls`.
        /// [`Error::Connect`]: which step failed, with which peer, and why. [`Error::Handshake`]:
        /// the server refused.
        ///
        /// # Cancel safety
        ///
        /// If the future is dropped, everything it has opened is closed.
        pub async fn connect(url: &str) -> Result<ClientSocket, Error> {
            connect_with(url, Options::default()).await
        }

        /// Connects to an address, with subprotocols, headers, a proxy, limits or a configuration.
        ///
        /// ```no_run
        #[doc = concat!("use ", $crate_name, "::{Config, Options, Watermarks};")]
        ///
        /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
        /// let config = Config::builder().message_marks(Watermarks::new(4, 1)).build()?;
        /// let options = Options::builder().subprotocol("chat").config(config).build()?;
        #[doc = concat!(
            "let socket = ", $crate_name, "::connect_with(\"ws://example.org/\", options).await?;"
        )]
        /// assert_eq!(socket.subprotocol(), Some("chat"));
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// Those of [`connect`].
        ///
        /// # Cancel safety
        ///
        /// As for [`connect`].
        pub async fn connect_with(
            url: &str,
            options: Options,
        ) -> Result<ClientSocket, Error> {
            Client::new($Network::new(), options).connect(url).await
        }

        /// Opens a WebSocket on a stream to a server, for example a Unix socket or your own TLS
        /// stream.
        ///
        /// # Errors
        ///
        /// [`Error::Handshake`] and [`Error::Io`].
        ///
        /// # Cancel safety
        ///
        /// If the future is dropped, the stream is closed.
        pub async fn client<S: $($bound)+>(
            stream: S,
            request: ClientRequest,
            config: impl Into<::std::sync::Arc<Config>>,
        ) -> Result<WebSocket<S>, Error> {
            let (stream, clock, limits) = ($Stream::new(stream), $Clock::new(), Limits::default());
            $crate::client(stream, clock, request, limits, config).await
        }
    };
}
