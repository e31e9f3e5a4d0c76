//! The server's half of `define_adapter!`: `accept`, `serve`, listeners, and the tasks of a runtime.

/// A part of `define_adapter!`.
#[doc(hidden)]
#[macro_export]
macro_rules! define_adapter_server {
    (
        crate: $crate_name:literal,
        runtime: $runtime:literal,
        block_on: $block_on:literal,
        stream: $Stream:ident<S> where S: ($($bound:tt)+),
        clock: $Clock:ident,
        listener: $Listener:ident,
        tcp: ($TcpListener:ty, $TcpStream:ty),
        unix: ($UnixListener:ty, $UnixStream:ty),
        rustls: $rustls:ident,
        $(#[$split_doc:meta])*
        spawn: |$task:ident| $spawn:expr,
    ) => {
        /// Waits for a client's request on a stream. A TCP stream should have `TCP_NODELAY` set.
        ///
        /// # Errors
        ///
        /// [`Error::Handshake`]: no valid request came, or none in time; the client was told what
        /// is wrong. [`Error::Io`].
        ///
        /// # Cancel safety
        ///
        /// If the future is dropped, the stream is closed.
        pub async fn accept<S: $($bound)+>(stream: S) -> Result<Incoming<S>, Error> {
            accept_with(stream, Limits::default()).await
        }

        /// Waits for a client's request on a stream, within other limits than the default ones.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        ///
        /// # Cancel safety
        ///
        /// As for [`accept`].
        pub async fn accept_with<S: $($bound)+>(
            stream: S,
            limits: Limits,
        ) -> Result<Incoming<S>, Error> {
            Incoming::receive($Stream::new(stream), $Clock::new(), limits).await
        }

        /// Waits for a client's TLS handshake and then for its request. If the settings name no
        /// protocol (ALPN), `http/1.1` is added.
        ///
        /// # Errors
        ///
        /// [`Error::Tls`]: the TLS handshake failed or took too long. [`Error::Handshake`] and
        /// [`Error::Io`] as for [`accept`].
        ///
        /// # Cancel safety
        ///
        /// If the future is dropped, the stream is closed.
        #[cfg(feature = "rustls")]
        pub async fn accept_tls<S: $($bound)+>(
            stream: S,
            config: ::std::sync::Arc<$rustls::rustls::ServerConfig>,
        ) -> Result<Incoming<$rustls::server::TlsStream<S>>, Error> {
            accept_tls_with(stream, config, Limits::default()).await
        }

        /// Waits for a client's TLS handshake and then for its request. The limits apply to each of
        /// the two.
        ///
        /// # Errors
        ///
        /// Those of [`accept_tls`].
        ///
        /// # Cancel safety
        ///
        /// As for [`accept_tls`].
        #[cfg(feature = "rustls")]
        pub async fn accept_tls_with<S: $($bound)+>(
            stream: S,
            config: ::std::sync::Arc<$rustls::rustls::ServerConfig>,
            limits: Limits,
        ) -> Result<Incoming<$rustls::server::TlsStream<S>>, Error> {
            let acceptor = $rustls::TlsAcceptor::from($crate::tls::server_with_http1(config));
            let accepting = acceptor.accept(stream);
            let stream = $crate::tls::accept(&mut $Clock::new(), &limits, accepting).await?;
            accept_with(stream, limits).await
        }

        /// Serves WebSockets on a TCP or Unix listener: accepts or rejects each request by
        /// `options`, and runs `handler` for each connection in a task of its own.
        ///
        /// ```
        /// use core::time::Duration;
        #[doc = concat!("use ", $crate_name, "::{ServeOptions, serve};")]
        ///
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        #[doc = concat!("# ", $block_on, "(async {")]
        #[doc = concat!(
            "let listener = ", stringify!($TcpListener), "::bind(\"127.0.0.1:0\").await?;"
        )]
        /// let options = ServeOptions::builder().subprotocols(["echo"]).build()?;
        /// let server = serve(listener, options, |mut socket, _client| async move {
        ///     while let Some(message) = socket.recv().await? {
        ///         socket.send(message).await?;
        ///     }
        ///     Ok(())
        /// });
        /// let stop = async {}; // a signal of the operating system, for example
        /// let counters = server.until(stop, Duration::from_secs(10)).await;
        /// assert_eq!(counters.open, 0);
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        ///
        /// A handler learns of [`ServerHandle::shutdown`] from the call on its socket in which it
        /// waits, whichever that is. See also [`Server`] and [`ServeOptions`].
        pub fn serve<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
        where
            $Listener<L>: Listener,
            H: Fn(
                    $crate::WebSocket<<$Listener<L> as Listener>::Stream, $Clock>,
                    ClientInfo,
                ) -> F
                + Send
                + Sync
                + 'static,
            F: Future<Output = Result<(), Error>> + Send + 'static,
        {
            serve_on($Listener(listener), options, handler)
        }

        /// Serves WebSockets on your own [`Listener`]: TLS, or something that is not a socket at
        /// all. See [`serve`].
        pub fn serve_on<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
        where
            L: Listener,
            H: Fn($crate::WebSocket<L::Stream, $Clock>, ClientInfo) -> F + Send + Sync + 'static,
            F: Future<Output = Result<(), Error>> + Send + 'static,
        {
            $crate::serve(AdapterRuntime, listener, options, handler)
        }

        /// Like [`serve`], for a handler that returns nothing, or a `Result` with any error type,
        /// such as `anyhow::Error` or your own.
        ///
        /// ```
        #[doc = concat!("use ", $crate_name, "::{ServeOptions, serve_any_outcome};")]
        ///
        /// # fn example(listener: Listener) {
        /// let server = serve_any_outcome(listener, ServeOptions::default(), |mut socket, _| async move {
        ///     while let Some(message) = socket.recv().await? {
        ///         let number: u64 = message.as_text().unwrap_or_default().parse()?;
        ///         socket.send((number + 1).to_string()).await?;
        ///     }
        ///     Ok::<(), Box<dyn core::error::Error + Send + Sync>>(())
        /// });
        /// # }
        #[doc = concat!("# type Listener = ", stringify!($TcpListener), ";")]
        /// ```
        pub fn serve_any_outcome<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
        where
            $Listener<L>: Listener,
            H: Fn(
                    $crate::WebSocket<<$Listener<L> as Listener>::Stream, $Clock>,
                    ClientInfo,
                ) -> F
                + Send
                + Sync
                + 'static,
            F: Future<Output: HandlerOutcome> + Send + 'static,
        {
            serve_any_outcome_on($Listener(listener), options, handler)
        }

        /// Like [`serve_any_outcome`], on your own [`Listener`].
        pub fn serve_any_outcome_on<L, H, F>(
            listener: L,
            options: ServeOptions,
            handler: H,
        ) -> Server
        where
            L: Listener,
            H: Fn($crate::WebSocket<L::Stream, $Clock>, ClientInfo) -> F + Send + Sync + 'static,
            F: Future<Output: HandlerOutcome> + Send + 'static,
        {
            $crate::serve_any_outcome(AdapterRuntime, listener, options, handler)
        }

        #[doc = concat!("A TCP or Unix listener of ", $runtime, ". Sets `TCP_NODELAY` on its streams.")]
        #[derive(Debug)]
        pub struct $Listener<L>(pub L);

        impl Listener for $Listener<$TcpListener> {
            type Stream = $Stream<$TcpStream>;
            type Opening = ::core::future::Ready<::std::io::Result<Self::Stream>>;

            async fn accept(&mut self) -> ::std::io::Result<(Self::Opening, Remote)> {
                let (stream, address) = self.0.accept().await?;
                let opened = stream.set_nodelay(true).map(|()| $Stream::new(stream));
                Ok((::core::future::ready(opened), Remote::Ip(address)))
            }
        }

        #[cfg(unix)]
        impl Listener for $Listener<$UnixListener> {
            type Stream = $Stream<$UnixStream>;
            type Opening = ::core::future::Ready<::std::io::Result<Self::Stream>>;

            async fn accept(&mut self) -> ::std::io::Result<(Self::Opening, Remote)> {
                let (stream, address) = self.0.accept().await?;
                let peer = Remote::Unix(address.as_pathname().map(Into::into));
                Ok((::core::future::ready(Ok($Stream::new(stream))), peer))
            }
        }

        /// Starts tasks and creates clocks for a server.
        #[derive(Clone, Copy, Debug)]
        struct AdapterRuntime;

        impl $crate::Runtime for AdapterRuntime {
            type Clock = $Clock;

            fn clock(&self) -> $Clock {
                $Clock::new()
            }

            fn spawn(&self, $task: impl Future<Output = ()> + Send + 'static) {
                $spawn;
            }
        }

        /// Splits a connection and runs its [`Driver`] in a task of its own. Returns a [`Sender`],
        /// which can be cloned, and a [`Receiver`], for use in any tasks. See
        /// [`WebSocket::split`].
        $(#[$split_doc])*
        pub fn split_spawn<S: $crate::ByteStream + Send + 'static>(
            socket: $crate::WebSocket<S, $Clock>,
        ) -> (Sender, Receiver) {
            let (sender, receiver, $task) = socket.split();
            // The sender and the receiver tell how the connection ends.
            $spawn;
            (sender, receiver)
        }
    };
}
