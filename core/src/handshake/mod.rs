//! The opening handshake (RFC 6455 §4): HTTP/1.1 in and out, and a [`Connection`] at the end.
//!
//! [`ClientHandshake`] sends a request and checks the response. [`ServerHandshake`] receives a
//! request, lets the application decide, and sends the answer. Both are used like a [`Connection`].
//! Bytes that arrive after the handshake, and bytes that are not written when it ends, are passed on
//! to the connection.
//!
//! ```
//! use bytes::Buf;
//! use tidegate_core::handshake::{
//!     Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
//! };
//! use tidegate_core::{Config, Event, Message, Timestamp};
//!
//! // The network. A real one writes what it can, and advances by as much.
//! fn sent(output: &mut impl Buf) -> bytes::Bytes {
//!     output.copy_to_bytes(output.remaining())
//! }
//!
//! let now = Timestamp::ZERO;
//! let request = ClientRequest::builder("example.org", "/chat?room=1").subprotocol("chat").build()?;
//! let seed = [7; 32]; // must be unpredictable: take it from the operating system
//! let mut client = ClientHandshake::new(now, request, Limits::default(), seed);
//! let mut server = ServerHandshake::new(now, Limits::default());
//!
//! server.handle_input(now, &sent(client.output()));
//! let request = server.request().expect("the request is complete");
//! assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
//! let chosen = request.select_subprotocol(&["superchat", "chat"]).expect("the client offered it");
//! server.accept(Acceptance::new().subprotocol(chosen))?;
//!
//! client.handle_input(now, &sent(server.output()));
//! assert_eq!(client.response().and_then(|response| response.subprotocol()), Some("chat"));
//!
//! let mut client = client.into_connection(now, Config::default()).expect("the server has upgraded");
//! let mut server = server.into_connection(now, Config::default()).expect("the request was accepted");
//! client.send("hello")?;
//! server.handle_input(now, &sent(client.output()));
//! assert_eq!(server.poll_event(), Some(Event::Message(Message::text("hello"))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Strictness
//!
//! A server reads HTTP/1.1 to the letter: lines end with CRLF, and there are no folded lines, no
//! blanks before a colon, and no control characters. Lenient parsing makes request smuggling
//! possible, where a proxy sees one request and the server two (RFC 9112 §11). A client accepts what
//! real servers send and browsers accept: lines that end with LF alone, folded lines, empty lines
//! before the first, and HTTP/1.0. The same bytes have the same effect in whatever pieces they
//! arrive.
//!
//! Header injection is not possible: a name or a value that could end its line is refused when it is
//! set.

mod body;
mod client;
mod compression;
mod credentials;
mod deadline;
mod error;
mod excerpt;
mod exchange;
mod extensions;
mod head;
mod headers;
mod key;
mod limits;
mod not_http;
pub mod proxy;
mod server;
mod start_line;
mod syntax;

pub use self::client::{
    ClientHandshake, ClientRequest, ClientRequestBuilder, ClientSteps, Response,
};
pub use self::credentials::{BasicCredentials, CredentialsError};
pub use self::error::{AcceptError, HandshakeError, HeaderError, RequestError};
pub use self::excerpt::Excerpt;
pub use self::exchange::{Handshake, OpeningSteps, Steps};
pub use self::headers::Headers;
pub use self::limits::{Limits, LimitsBuilder};
pub use self::server::{Acceptance, Rejection, Request, ServerHandshake, ServerSteps};
#[cfg(feature = "http")]
pub use self::server::{AcceptedUpgrade, HttpUpgrade, error_response};
pub use crate::extension::Extension;

#[cfg(doc)]
use crate::Connection;
