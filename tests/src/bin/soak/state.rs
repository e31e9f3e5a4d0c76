//! The shared state of a run: when it stops, which connections are cut, and the counters.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_core::Message;
use tidegate_tests::ends::Error;

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    stopping: AtomicBool,
    /// The open connections, and whether each was cut on purpose.
    connections: Mutex<BTreeMap<u64, Arc<AtomicBool>>>,
    faults: Mutex<Vec<String>>,
    pub(crate) totals: Totals,
}

impl Run {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Registers a new connection. The flag is set when it is cut.
    pub(crate) fn begin(&self, connection: u64) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        locked(&self.connections).insert(connection, flag.clone());
        flag
    }

    pub(crate) fn end(&self, connection: u64) {
        locked(&self.connections).remove(&connection);
    }

    /// The flag of an open connection.
    pub(crate) fn is_cut(&self, connection: u64) -> Option<Arc<AtomicBool>> {
        locked(&self.connections).get(&connection).cloned()
    }

    pub(crate) fn open(&self) -> Vec<u64> {
        locked(&self.connections).keys().copied().collect()
    }

    /// Records how one end of a connection ended. On a connection that was cut, only a wrong message is
    /// a failure.
    pub(crate) fn judge(
        &self,
        who: &str,
        connection: u64,
        is_cut: bool,
        result: &Result<(), Fault>,
    ) {
        match result {
            Err(Fault::Wrong(why)) => self.fault(format!("{who}: {why}")),
            Err(Fault::Connection(_)) if is_cut => {}
            Err(Fault::Connection(error)) => {
                self.fault(format!("{who}: connection {connection:#x}: {error} ({error:?})"));
            }
            Ok(()) => {}
        }
    }

    pub(crate) fn fault(&self, what: String) {
        eprintln!("{what}");
        locked(&self.faults).push(what);
    }

    pub(crate) fn faults(&self) -> usize {
        locked(&self.faults).len()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an end of a connection failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A message was not the expected one.
    Wrong(String),
    /// The connection failed.
    Connection(Error),
}

impl Fault {
    /// The connection closed cleanly, but messages are missing.
    pub(crate) fn early() -> Self {
        Self::Wrong("closed cleanly before the end".into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Connection(error)
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// The counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) connections: AtomicU64,
    pub(crate) split_ends: AtomicU64,
    pub(crate) compressed: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) clean: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) streamed: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) cancelled_sending: AtomicU64,
    pub(crate) cancelled_receiving: AtomicU64,
    pub(crate) stalls: AtomicU64,
    /// Server ends whose client was cut before it sent the number of its connection.
    pub(crate) unknown: AtomicU64,
    /// Our own tasks that are running.
    pub(crate) tasks: AtomicU64,
}

impl Totals {
    pub(crate) fn count_sent(&self, is_streamed: bool) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.streamed.fetch_add(u64::from(is_streamed), Ordering::Relaxed);
    }

    pub(crate) fn count_received(&self, message: &Message) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        writeln!(
            f,
            "{} connections: {} closed cleanly, {} cut; {} with compression; {} of their ends in \
             parts",
            get(&self.connections),
            get(&self.clean),
            get(&self.cut),
            get(&self.compressed),
            get(&self.split_ends),
        )?;
        writeln!(
            f,
            "{} messages sent ({} as streams), {} received, {} MiB",
            get(&self.sent),
            get(&self.streamed),
            get(&self.received),
            get(&self.bytes) >> 20,
        )?;
        write!(
            f,
            "{} sends and {} receives cancelled, {} stalls",
            get(&self.cancelled_sending),
            get(&self.cancelled_receiving),
            get(&self.stalls),
        )
    }
}
