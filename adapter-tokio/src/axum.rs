//! WebSocket in an [axum] application, with an extractor like axum's own. It works over HTTP/1.1, and
//! over HTTP/2 with the extended CONNECT (RFC 8441).
//!
//! ```
//! use axum::Router;
//! use axum::response::Response;
//! use axum::routing::any;
//! use tidegate_tokio::axum::{Socket, WebSocketUpgrade};
//!
//! // `any`, because the method is GET over HTTP/1.1 and CONNECT over HTTP/2.
//! let app: Router = Router::new().route("/echo", any(echo));
//!
//! async fn echo(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.protocols(["echo"]).on_upgrade(|mut socket: Socket| async move {
//!         while let Ok(Some(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//! ```
//!
//! # HTTP/2
//!
//! `axum::serve` uses hyper's default windows and has no setting for them. With these, two sockets
//! whose handlers take no messages block every other socket, request and upload of the same HTTP/2
//! connection ([why](crate::hyper#http2)). A server that its clients reach directly by HTTP/2 should
//! therefore accept connections itself:
//!
//! ```
//! use core::time::Duration;
//!
//! use axum::Router;
//! use hyper_util::rt::{TokioExecutor, TokioIo};
//! use hyper_util::server::conn::auto::Builder;
//! use hyper_util::service::TowerToHyperService;
//! use tidegate_tokio::hyper::enable_websockets;
//! use tokio::net::TcpListener;
//!
//! async fn serve(listener: TcpListener, app: Router) {
//!     loop {
//!         let Ok((stream, _)) = listener.accept().await else {
//!             // Out of file descriptors, for example.
//!             tokio::time::sleep(Duration::from_millis(100)).await;
//!             continue;
//!         };
//!         let service = TowerToHyperService::new(app.clone());
//!         tokio::spawn(async move {
//!             let mut builder = Builder::new(TokioExecutor::new());
//!             enable_websockets(&mut builder);
//!             // A connection that fails concerns its client only.
//!             let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
//!         });
//!     }
//! }
//! ```
//!
//! # Shutting down
//!
//! axum's graceful shutdown does not know about WebSockets. Over HTTP/1.1 it does not wait for open
//! ones, and they are cut when the process ends. Over HTTP/2 it waits for them, forever if nobody
//! closes them. So the application must tell its handlers and wait for them:
//!
//! ```
//! use core::time::Duration;
//!
//! use axum::Router;
//! use axum::extract::State;
//! use axum::response::Response;
//! use axum::routing::any;
//! use tidegate_tokio::CloseCode;
//! use tidegate_tokio::axum::{Socket, WebSocketUpgrade};
//! use tokio::net::TcpListener;
//! use tokio::sync::watch;
//! use tokio::time::timeout;
//!
//! async fn serve(listener: TcpListener, signal: impl Future<Output = ()> + Send + 'static) {
//!     let (stop, stopped) = watch::channel(false);
//!     let app = Router::new().route("/echo", any(echo)).with_state(stopped);
//!     let tell = stop.clone();
//!     let signal = async move {
//!         signal.await;
//!         tell.send_replace(true);
//!     };
//!     let serving = async {
//!         let served = axum::serve(listener, app).with_graceful_shutdown(signal).await;
//!         // Waits until the last handler has dropped its receiver.
//!         stop.closed().await;
//!         served
//!     };
//!     // Cuts the connections that are still open after ten seconds.
//!     let _ = timeout(Duration::from_secs(10), serving).await;
//! }
//!
//! async fn echo(upgrade: WebSocketUpgrade, State(mut stop): State<watch::Receiver<bool>>) -> Response {
//!     upgrade.on_upgrade(async move |mut socket: Socket| {
//!         let closer = socket.closer();
//!         let handler = async {
//!             while let Ok(Some(message)) = socket.recv().await {
//!                 if socket.send(message).await.is_err() {
//!                     break;
//!                 }
//!             }
//!         };
//!         tokio::pin!(handler);
//!         tokio::select! {
//!             () = &mut handler => return,
//!             _ = stop.wait_for(|stop| *stop) => {}
//!         }
//!         // The handler continues with `recv` until the closing handshake is complete.
//!         let _ = closer.close(CloseCode::GOING_AWAY);
//!         handler.await;
//!     })
//! }
//! ```
//!
//! [axum]: https://docs.rs/axum

use alloc::sync::Arc;
use core::fmt;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use hyper::ext::Protocol;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use tidegate_core::Config;
use tidegate_core::handshake::{HttpUpgrade, Request};
use tidegate_driver::Error;

pub use crate::hyper::Socket;
use crate::hyper::{Upgrade, UpgradeError};

/// An extractor for a request that asks for a WebSocket. Other requests are rejected with 405, 426 or
/// 400.
///
/// It can be combined with other extractors. To reject a request, the handler returns any other
/// response than that of [`on_upgrade`](Self::on_upgrade).
#[must_use = "without `on_upgrade` there is no WebSocket"]
pub struct WebSocketUpgrade {
    upgrade: Upgrade,
    selected: Option<String>,
    on_failed: Option<OnFailed>,
}

type OnFailed = Box<dyn FnOnce(Error) + Send>;

impl WebSocketUpgrade {
    /// The request of the client.
    pub fn request(&self) -> &Request {
        self.upgrade.request()
    }

    /// Sets the subprotocols that the handler supports. The first one of the client's list that is
    /// among them is chosen; if there is none, the connection has no subprotocol.
    pub fn protocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.selected = self.request().select_subprotocol(&names).map(String::from);
        self
    }

    /// The chosen subprotocol.
    pub fn selected_protocol(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    /// Adds a header to the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.upgrade = self.upgrade.header(name, value);
        self
    }

    /// Sets the configuration of the connection. If it enables permessage-deflate, that is negotiated.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.upgrade = self.upgrade.config(config);
        self
    }

    /// Sets a callback for the case that the response cannot be sent, so that there is no WebSocket.
    pub fn on_failed_upgrade(mut self, callback: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed = Some(Box::new(callback));
        self
    }

    /// Accepts the request. Returns the response, and runs `callback` with the WebSocket in a task of
    /// its own once the response is sent.
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(Socket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { mut upgrade, selected, on_failed } = self;
        if let Some(selected) = selected {
            upgrade = upgrade.subprotocol(selected);
        }
        match upgrade.accept() {
            Ok((response, opening)) => {
                tokio::spawn(async move {
                    match opening.await {
                        Ok(socket) => callback(socket).await,
                        Err(error) => {
                            if let Some(on_failed) = on_failed {
                                on_failed(error);
                            }
                        }
                    }
                });
                response.map(|()| Body::empty())
            }
            Err(rejection) => rejection.into_response().map(Body::from),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebSocketRejection> {
        let protocol = parts.extensions.get::<Protocol>().map(Protocol::as_str);
        let checked = HttpUpgrade::check_parts(parts, protocol)
            .map_err(|error| WebSocketRejection(UpgradeError::request(error, parts.version)))?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let upgrade =
            Upgrade::new(checked, on_upgrade, parts.version).map_err(WebSocketRejection)?;
        Ok(Self { upgrade, selected: None, on_failed: None })
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("upgrade", &self.upgrade)
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}

/// Why a request is rejected. As a response, it has the right status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketRejection(UpgradeError);

impl WebSocketRejection {
    /// Why the request is not upgraded.
    pub fn error(&self) -> &UpgradeError {
        &self.0
    }
}

impl IntoResponse for WebSocketRejection {
    fn into_response(self) -> Response {
        self.0.into_response().map(Body::from)
    }
}

impl fmt::Display for WebSocketRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for WebSocketRejection {}
