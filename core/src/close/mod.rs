//! Close codes and close frames, by which one side tells the other why it closes the connection.

mod code;
mod frame;

pub use self::code::CloseCode;
pub use self::frame::CloseFrame;
