//! The measurements over sockets.

mod broadcast;
mod calls;
mod compressed;
mod echo;
mod memory;
mod slow_reader;

pub use self::broadcast::broadcast;
pub use self::calls::calls;
pub use self::compressed::compressed;
pub use self::echo::{echo, scale};
pub use self::memory::memory;
pub use self::slow_reader::{read_slowly, slow_reader};

use crate::load::Opening;
use crate::serve::Server;

impl Server {
    fn opening(&self) -> Opening {
        if self.is_raw { Opening::None } else { Opening::Plain }
    }
}
