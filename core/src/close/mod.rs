//! The end of a connection as the peers tell it to each other: close codes and close frames.

mod code;
mod frame;

pub use self::code::CloseCode;
pub use self::frame::CloseFrame;
