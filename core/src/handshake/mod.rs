//! The opening handshake (RFC 6455 §4): heads of HTTP/1.1 in, a [`Connection`] out.
//!
//! Two machines of the same shape as [`Connection`]. A server decides about each valid request; a
//! client offers and checks. Whatever has come behind the head when the handshake is over, and
//! whatever has not been written, goes on to the connection.
//!
//! ```
//! use bytes::Buf;
//! use tidegate_core::handshake::{
//!     Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
//! };
//! use tidegate_core::{Config, Event, Message, Timestamp};
//!
//! // The network. A real one writes what it can and advances by as much.
//! fn sent(output: &mut impl Buf) -> bytes::Bytes {
//!     output.copy_to_bytes(output.remaining())
//! }
//!
//! let now = Timestamp::ZERO;
//! let request = ClientRequest::builder("example.org", "/chat?room=1").subprotocol("chat").build()?;
//! let seed = [7; 32]; // from the operating system: it must be unpredictable
//! let mut client = ClientHandshake::new(now, request, Limits::default(), seed);
//! let mut server = ServerHandshake::new(now, Limits::default());
//!
//! server.handle_input(now, &sent(client.output()));
//! let request = server.request().expect("it is complete");
//! assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
//! let chosen = request.select_subprotocol(&["superchat", "chat"]).expect("it was offered");
//! server.accept(Acceptance::new().subprotocol(chosen))?;
//!
//! client.handle_input(now, &sent(server.output()));
//! assert_eq!(client.response().and_then(|response| response.subprotocol()), Some("chat"));
//!
//! let mut client = client.into_connection(now, Config::default()).expect("it is open");
//! let mut server = server.into_connection(now, Config::default()).expect("it was accepted");
//! client.send("hello")?;
//! server.handle_input(now, &sent(client.output()));
//! assert_eq!(server.poll_event(), Some(Event::Message(Message::text("hello"))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Strictness
//!
//! A server reads HTTP/1.1 to the letter: lines end with CRLF, there is no folded line, no blank
//! before a colon, no control character. What is leniently read is how one request is seen as two
//! (RFC 9112 §11). A client takes what real servers answer and browsers open: lines that end with
//! LF alone, folded lines, empty lines before the first, HTTP/1.0. The same bytes have the same
//! effect in whatever pieces they come.
//!
//! What is written cannot be broken out of: a name or a value that could end its line is refused
//! where it is given.

mod body;
mod client;
mod credentials;
mod deadline;
mod deflate;
mod error;
mod extensions;
mod foreign;
mod head;
mod headers;
mod key;
mod limits;
pub mod proxy;
mod server;

use bytes::Bytes;

pub use self::client::ClientHandshake;
pub use self::client::request::{ClientRequest, ClientRequestBuilder};
pub use self::client::response::Response;
pub use self::credentials::{BasicCredentials, CredentialsError};
pub use self::error::{AcceptError, HandshakeError, HeaderError, RequestError};
pub use self::foreign::Excerpt;
pub use self::headers::Headers;
pub use self::limits::{Limits, LimitsBuilder};
pub use self::server::ServerHandshake;
#[cfg(feature = "http")]
pub use self::server::http_types::{Accepted, Upgrade, refusal_response};
pub use self::server::request::Request;
pub use self::server::response::{Acceptance, Rejection};
use crate::connection::Connection;
pub use crate::extension::Extension;
use crate::time::Timestamp;

/// What is left of the handshake goes to the connection: output goes first, and input is decoded
/// up to the gate.
fn hand_over(
    mut connection: Connection,
    now: Timestamp,
    output: Bytes,
    early: &[u8],
    end_of_stream: bool,
) -> Connection {
    if !output.is_empty() {
        connection.output.outbox.push_raw(output.into());
        connection.watch_output();
        connection.watch_output();
    }
    connection.handle_input(now, early);
    if end_of_stream {
        connection.handle_eof(now);
    }
    connection
}
