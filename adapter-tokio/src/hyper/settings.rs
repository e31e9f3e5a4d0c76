//! HTTP/2 settings that a hyper server needs for WebSockets.

use hyper_util::server::conn::auto::Builder;

/// Prepares the HTTP/2 of a server for WebSockets: allows the extended CONNECT (RFC 8441), and sets
/// the flow-control windows so that a slow handler blocks its own socket only.
///
/// - Every stream has a window of [`STREAM_WINDOW`], and the connection one of
///   [`CONNECTION_WINDOW`]. If a handler takes no messages, the data of its peer stays in the
///   window. hyper's default is 1 MiB for a stream and 1 MiB for the whole connection. So two such
///   sockets would block every other socket, request and upload of that connection, and a browser
///   uses one connection for a whole site.
/// - Each stream buffers at most [`SEND_BUFFER`] that is written but not yet accepted by TCP,
///   instead of 400 KiB.
///
/// The window also limits uploads: one stream receives at most 64 KiB per round trip. Settings made
/// after this call override it. If you allow more than hyper's 200 streams at a time
/// (`max_concurrent_streams`), give the connection a window that they cannot fill together.
///
/// HTTP/1.1 is not changed. Serve the connection with `serve_connection_with_upgrades`.
///
/// ```
/// use core::convert::Infallible;
///
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper::body::Incoming;
/// use hyper::service::service_fn;
/// use hyper::{Request, Response};
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use hyper_util::server::conn::auto::Builder;
/// use tidegate_tokio::hyper::enable_websockets;
/// use tokio::net::TcpStream;
///
/// async fn serve(stream: TcpStream) {
///     let mut builder = Builder::new(TokioExecutor::new());
///     enable_websockets(&mut builder);
///     let service = service_fn(async |request| Ok::<_, Infallible>(answer(request)));
///     // A connection that fails concerns its client only.
///     let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
/// }
/// # fn answer(_: Request<Incoming>) -> Response<Full<Bytes>> { Response::default() }
/// ```
pub fn enable_websockets<E>(builder: &mut Builder<E>) {
    builder
        .http2()
        .enable_connect_protocol()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
}

/// The window of a stream that [`enable_websockets`] sets, in bytes: 64 KiB, as much as one read
/// takes. hyper holds this memory in addition to
/// [`Config::memory_bound`](tidegate_core::Config::memory_bound).
pub const STREAM_WINDOW: u32 = 64 * 1024;

/// The window of a connection that [`enable_websockets`] sets, in bytes: 16 MiB, more than the 200
/// streams that hyper allows at a time can fill.
pub const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// How much output of a stream may wait for TCP after [`enable_websockets`], in bytes: 64 KiB. This is
/// output that the peer's windows have admitted.
pub const SEND_BUFFER: usize = 64 * 1024;
