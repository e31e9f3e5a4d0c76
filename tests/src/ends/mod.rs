//! The two ends of a connection on real sockets, for every runtime, plain and over TLS.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test may panic")]

mod certificates;
mod end;
mod raw;
mod runtimes;
mod together;

pub use certificates::{client_tls, server_tls};
pub use end::{End, Mode, pair, sockets, take};
pub use raw::{Buffer, Raw, raw_client, raw_client_offering, raw_server};
pub use runtimes::{
    Adapter, AsyncStd, AsyncStdTls, Error, Serve, Smol, SmolTls, Socket, Tokio, TokioTls,
};
pub use together::{Either, both, cancel, either, soon, within};
