//! How a server's HTTP/2 is set up for WebSockets.

use hyper_util::server::conn::auto::Builder;

/// Sets up the HTTP/2 of a server for WebSockets: allows the extended CONNECT (RFC 8441), and sets
/// the windows so that sockets whose handlers stand still do not stop the others.
///
/// - Every stream has a window of [`STREAM_WINDOW`], and the connection one of
///   [`CONNECTION_WINDOW`]. A handler that takes no messages leaves in the window what its peer has
///   sent. hyper's own windows are 1 MiB for a stream and 1 MiB for the whole connection: there two
///   such sockets stop every other socket, request and upload of that connection, and a browser
///   has one connection for a whole site.
/// - What is written and not yet taken by TCP is at most [`SEND_BUFFER`] for each stream, in place
///   of 400 KiB.
///
/// The window is what an upload can have on its way: one stream receives at most 64 KiB in a round
/// trip. What is set after this call replaces what it sets. With more than hyper's 200 streams at a
/// time (`max_concurrent_streams`), give the connection a window that they cannot fill together.
///
/// HTTP/1.1 is left as it is. The connection must be served by `serve_connection_with_upgrades`.
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
///     // How a connection ends is its client's affair.
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

/// The window of a stream that [`enable_websockets`] sets, in bytes: 64 KiB, which is what one read
/// takes in. It is held by hyper, beside what
/// [`Config::memory_bound`](tidegate_core::Config::memory_bound) counts.
pub const STREAM_WINDOW: u32 = 64 * 1024;

/// The window of a connection that [`enable_websockets`] sets, in bytes: 16 MiB, which the 200
/// streams that hyper allows at a time cannot fill.
pub const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// The output of a stream that [`enable_websockets`] lets wait for TCP where the peer's windows are
/// open, in bytes: 64 KiB.
pub const SEND_BUFFER: usize = 64 * 1024;
