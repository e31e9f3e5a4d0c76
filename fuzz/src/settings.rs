//! Any configuration, from a fixed number of bytes: all zeros are a generous one, so that a seed can
//! put them in front of what is on the wire.

use core::time::Duration;

use arbitrary::Arbitrary;
use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{Config, Connection, Delivery, PongPolicy, Role, Timestamp, Watermarks};

/// What a configuration is made from. Thirteen bytes, as they stand in the input.
#[derive(Arbitrary, Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Role, checks, deflate: see the constants. The two highest bits are how much a pool keeps.
    pub flags: u8,
    /// High mark of messages, 0 for the default; the low one follows from it.
    pub messages: u8,
    /// High mark of bytes, likewise.
    pub bytes: u16,
    /// `max_message_size`, likewise.
    pub size: u16,
    /// `max_frame_size`, 0 for none.
    pub frame: u16,
    /// High mark of output, 0 for the default.
    pub output: u16,
    /// `fragment_size`, 0 for none.
    pub fragment: u8,
    /// Pong policy, and which time limits there are.
    pub times: u8,
    /// Windows and takeover of deflate.
    pub deflate: u8,
}

impl Settings {
    /// How many bytes it takes.
    pub const SIZE: usize = 13;
    /// This end is a client.
    pub const CLIENT: u8 = 0x01;
    /// Text is not checked.
    pub const UNCHECKED: u8 = 0x02;
    /// Control frames are events.
    pub const SURFACE: u8 = 0x04;
    /// Messages come in chunks.
    pub const CHUNKS: u8 = 0x08;
    /// permessage-deflate was agreed on.
    pub const DEFLATE: u8 = 0x10;
    /// Its contexts come from a pool.
    pub const POOL: u8 = 0x20;

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The role of this end.
    pub fn role(&self) -> Role {
        if self.has(Self::CLIENT) { Role::Client } else { Role::Server }
    }

    /// The bytes that give these settings.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let [b0, b1] = self.bytes.to_le_bytes();
        let [s0, s1] = self.size.to_le_bytes();
        let [f0, f1] = self.frame.to_le_bytes();
        let [o0, o1] = self.output.to_le_bytes();
        let (fragment, times, deflate) = (self.fragment, self.times, self.deflate);
        [self.flags, self.messages, b0, b1, s0, s1, f0, f1, o0, o1, fragment, times, deflate]
    }

    /// What was agreed on about compression.
    pub fn params(&self) -> Option<DeflateParams> {
        self.has(Self::DEFLATE).then(|| DeflateParams {
            server_no_context_takeover: self.deflate & 0x01 != 0,
            client_no_context_takeover: self.deflate & 0x02 != 0,
            server_max_window_bits: 15 - (self.deflate >> 2 & 0x07),
            client_max_window_bits: 15 - (self.deflate >> 5),
        })
    }

    /// The pool, if there is one: empty.
    pub fn pool(&self) -> Option<DeflatePool> {
        self.has(Self::POOL).then(|| DeflatePool::new(self.pooled()))
    }

    /// How many contexts of each kind it keeps.
    pub fn pooled(&self) -> usize {
        usize::from(self.flags >> 6)
    }

    /// The configuration, with a pool of its own.
    pub fn config(&self) -> Config {
        self.config_with(self.pool())
    }

    fn config_with(&self, pool: Option<DeflatePool>) -> Config {
        let mut builder = Config::builder()
            .validate_utf8(!self.has(Self::UNCHECKED))
            .surface_control(self.has(Self::SURFACE))
            .max_frame_size(Some(usize::from(self.frame)).filter(|size| *size > 0))
            .fragment_size(Some(usize::from(self.fragment)).filter(|size| *size > 0))
            .pong_policy(match self.times % 4 {
                0 | 1 => PongPolicy::OnReceipt,
                2 => PongPolicy::InOrder,
                _ => PongPolicy::Manual,
            })
            .ping_interval((self.times & 0x10 != 0).then(|| Duration::from_millis(300)))
            .pong_timeout((self.times & 0x20 != 0).then(|| Duration::from_millis(500)))
            .write_timeout((self.times & 0x40 != 0).then(|| Duration::from_secs(2)))
            .close_timeout((self.times & 0x80 == 0).then(|| Duration::from_secs(1)))
            .deflate(self.params().map(|_| deflate(8, pool)));
        if self.has(Self::CHUNKS) {
            builder = builder.delivery(Delivery::Chunks);
        }
        let marks = |high: usize| Watermarks::new(high, high / 3);
        if self.messages > 0 {
            builder = builder.message_marks(marks(self.messages.into()));
        }
        if self.bytes > 0 {
            builder = builder.byte_marks(marks(self.bytes.into()));
        }
        if self.output > 0 {
            builder = builder.send_marks(marks(self.output.into()));
        }
        if self.size > 0 {
            builder = builder.max_message_size(self.size.into());
        }
        builder.build().unwrap()
    }

    /// An open connection.
    pub fn connection(&self) -> Connection {
        self.connection_with(self.pool())
    }

    /// The same with a pool that others use, too.
    pub fn connection_with(&self, pool: Option<DeflatePool>) -> Connection {
        self.connection_of(self.role(), self.config_with(pool))
    }

    /// The other end of it, which takes whatever it is given.
    pub fn peer(&self) -> Connection {
        self.peer_with(self.pool())
    }

    /// The same with a pool that others use, too.
    pub fn peer_with(&self, pool: Option<DeflatePool>) -> Connection {
        let config = Config::builder()
            .send_marks(Watermarks::UNLIMITED)
            .validate_utf8(!self.has(Self::UNCHECKED))
            .deflate(deflate(0, pool));
        self.connection_of(self.role().peer(), config.build().unwrap())
    }

    fn connection_of(&self, role: Role, config: Config) -> Connection {
        let connection = match role {
            Role::Client => Connection::client(Timestamp::ZERO, config, [4; 32]),
            Role::Server => Connection::server(Timestamp::ZERO, config),
        };
        match self.params() {
            Some(params) => connection.with_deflate(params),
            None => connection,
        }
    }
}

fn deflate(min_size: usize, pool: Option<DeflatePool>) -> DeflateOptions {
    DeflateOptions::builder().min_size(min_size).pool(pool).build().unwrap()
}
