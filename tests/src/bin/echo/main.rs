//! An echo server and client for conformance suites and other implementations.
//!
//! ```console
//! echo server [--adapter tokio|smol|async-std] [--split] [--plain] [--tls CERTIFICATE KEY] [ADDRESS]
//! echo client [--adapter tokio|smol|async-std] [--split] [--plain] [--ca CERTIFICATE]
//!             [--pause SECONDS] [--memory-limit MIB] URL
//! ```
//!
//! Messages up to 16 MiB, any subprotocol, and permessage-deflate unless it is `--plain`. `--split`
//! echoes on a split connection. The server prints `ready URL` and serves until it is killed. The
//! client follows the Autobahn protocol: it asks the server for the number of cases, and in each case
//! echoes every message until the connection ends in any way. With `--pause` it takes no message in
//! the first seconds of each case, as a slow reader. With `--memory-limit` it fails if the resident
//! memory of the whole process was higher at its peak.

mod adapter;
mod client;
mod server;
mod settings;

use std::error::Error;

use crate::adapter::{Adapter, AsyncStd, Smol, Tokio};
use crate::settings::Settings;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::parse(std::env::args().skip(1))?;
    match settings.adapter.as_str() {
        "tokio" => run::<Tokio>(settings),
        "smol" => run::<Smol>(settings),
        "async-std" => run::<AsyncStd>(settings),
        other => Err(format!("no adapter {other}: tokio, smol or async-std").into()),
    }
}

fn run<A: Adapter>(settings: Settings) -> Result<(), Box<dyn Error>> {
    match settings.role.as_str() {
        "server" => A::block_on(server::serve::<A>(settings)),
        "client" => A::block_on(client::run::<A>(settings)),
        other => Err(format!("no role {other}: server or client").into()),
    }
}
