//! What timers have to know of the output.

/// What has happened to the output, as a set: it is looked at in most calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News(pub(crate) u8);

impl News {
    /// Nothing waits. Stays until something does.
    pub(crate) const AT_REST: Self = Self(1);
    /// Something waits where nothing did before.
    pub(crate) const STARTED: Self = Self(2);
    /// The transport has taken some.
    pub(crate) const PROGRESSED: Self = Self(4);
    /// The transport has taken a ping.
    pub(crate) const PING_LEFT: Self = Self(8);
    /// The transport has taken our Close.
    pub(crate) const CLOSE_LEFT: Self = Self(16);
    /// The application waits for the transport. Stays until that takes something.
    pub(crate) const AWAITED: Self = Self(32);
    /// What is no news, but how it stands.
    pub(crate) const STANDING: Self = Self(Self::AT_REST.0 | Self::AWAITED.0);

    #[inline]
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
