//! What the transport took since the timers last looked: a set of flags in one byte.

/// What has happened to the output. A byte and not a struct of booleans, since most calls ask
/// whether any of several flags is set: that is one test of a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputChanges(u8);

impl OutputChanges {
    /// Nothing is queued. A state and not a change: it stays until something is queued.
    pub(crate) const AT_REST: Self = Self(1);
    /// Something was queued while nothing was before.
    pub(crate) const STARTED: Self = Self(2);
    /// The transport has taken some output.
    pub(crate) const PROGRESSED: Self = Self(4);
    /// The transport has taken a ping.
    pub(crate) const PING_LEFT: Self = Self(8);
    /// The transport has taken our Close.
    pub(crate) const CLOSE_LEFT: Self = Self(16);
    /// The application waits for the transport. A state: it stays until the transport takes output.
    pub(crate) const AWAITED: Self = Self(32);
    /// The flags that are states.
    const STATES: Self = Self(Self::AT_REST.0 | Self::AWAITED.0);

    /// Whether any flag of `other` is set.
    #[inline]
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    #[inline]
    pub(crate) const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    #[inline]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is a change, apart from the states.
    #[inline]
    pub(crate) const fn is_any(self) -> bool {
        self.0 & !Self::STATES.0 != 0
    }

    /// Takes all flags; the states stay set.
    pub(crate) const fn take(&mut self) -> Self {
        let taken = *self;
        self.0 &= Self::STATES.0;
        taken
    }
}
