//! Errors, sorted by who is to blame: the peer, the configuration or the caller.

mod config;
mod control;
mod protocol;

pub use self::config::ConfigError;
pub(crate) use self::control::CLOSED;
pub use self::control::ControlError;
pub use self::protocol::ProtocolError;
