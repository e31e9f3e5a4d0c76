//! The client: from an address such as `wss://example.org/chat` to an open WebSocket.

mod backoff;
mod connect;
mod happy_eyeballs;
mod host;
mod no_proxy;
mod options;
mod proxy;
mod reconnect;
mod redirect;
mod tunnel;
mod url;

pub use self::backoff::{Backoff, BackoffBuilder};
pub use self::connect::{Client, ClientSocket};
pub use self::options::{Options, OptionsBuilder};
pub use self::proxy::Proxy;
pub use self::reconnect::{FailedAttempt, Reconnect};
pub use self::url::Url;
