//! Whether the driver of a split connection sleeps, and which changes must wake it.

use std::task::Waker;

use tidegate_core::{Connection, Timestamp, Transport};

/// The state of the task that polls the driver.
#[derive(Debug)]
pub(crate) enum DriverTask {
    /// It is being polled, or was not polled yet. If it is notified meanwhile, it runs another round
    /// before it sleeps.
    Awake { is_notified: bool },
    /// It waits for a wake-up.
    Asleep(Waker),
    /// The driver was dropped.
    Gone,
    /// The parts were reunited into a `WebSocket`.
    Reunited,
}

/// What of the connection the driver acts on. A call of another part that changes this must wake it.
#[derive(PartialEq, Eq)]
pub(crate) struct DriverNeeds {
    input: bool,
    output: bool,
    transport: Transport,
    timeout: Option<Timestamp>,
    is_decided: bool,
}

impl DriverNeeds {
    // Every call of a part asks for this twice and compares. Inlined by force, the answers stay in
    // registers.
    #[inline(always)]
    pub(crate) fn of(connection: &Connection) -> Self {
        Self {
            input: connection.wants_input(),
            output: connection.wants_output(),
            transport: connection.transport(),
            timeout: connection.poll_timeout(),
            is_decided: connection.closed().is_some(),
        }
    }
}
