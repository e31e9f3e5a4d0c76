//! The clients, which make one connection after another, and the server's side of each.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_core::deflate::DeflateOptions;
use tidegate_core::{Config, Delivery, Watermarks};
use tidegate_tests::ends::{Error, Mode, Serve, Socket};
use tidegate_tests::random::Random;

use crate::messages::{Incoming, Outgoing, Side, greeted, hello};
use crate::state::{Fault, Run};
use crate::talk::Talk;

/// How long a close may take. A slow end first takes everything that was sent before the Close, which
/// takes many seconds if there are more connections than the machine can serve.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// When all messages have been sent.
    Said,
    /// TCP is cut after this many milliseconds.
    Cut(u64),
    /// The client or the server aborts after this many messages.
    Abort(Side, u64),
}

impl Plan {
    /// The same for both ends.
    fn of(connection: u64) -> Self {
        let mut random = Random::new(connection);
        random.next();
        match random.below(10) {
            0 | 1 => Self::Cut(random.next() % 2_000),
            2 => Self::Abort(Side::Client, random.next() % 60),
            3 => Self::Abort(Side::Server, random.next() % 60),
            _ => Self::Said,
        }
    }

    fn abort_of(self, side: Side) -> Option<u64> {
        match self {
            Self::Abort(which, at) if which == side => Some(at),
            Self::Said | Self::Cut(_) | Self::Abort(..) => None,
        }
    }
}

fn mode(random: &mut Random) -> Mode {
    if random.one_in(2) { Mode::Split } else { Mode::Whole }
}

fn talk(run: &Arc<Run>, connection: u64, side: Side) -> Talk {
    let peer = if side == Side::Client { Side::Server } else { Side::Client };
    let mut random = Random::new(!connection ^ u64::from(side == Side::Client));
    let last = 1 + random.next() % 200;
    Talk {
        run: run.clone(),
        side,
        random,
        outgoing: Outgoing::new(connection, side, last),
        incoming: Incoming::new(connection, peer),
        abort_at: Plan::of(connection).abort_of(side),
    }
}

/// Makes connections until the run stops.
pub(crate) async fn client<A: Serve>(run: Arc<Run>, address: SocketAddr, seed: u64, number: u64) {
    for round in 0.. {
        if run.is_stopping() {
            return;
        }
        let connection = seed << 40 ^ number << 24 ^ round;
        let cut = run.begin(connection);
        let plan = Plan::of(connection);
        if let Plan::Abort(..) = plan {
            cut.store(true, Ordering::Relaxed);
        }
        let result = one::<A>(&run, address, connection, plan).await;
        let is_cut = cut.load(Ordering::Relaxed);
        run.judge("client", connection, is_cut, &result);
        run.end(connection);
        run.totals.connections.fetch_add(1, Ordering::Relaxed);
        let ends = if is_cut { &run.totals.cut } else { &run.totals.clean };
        ends.fetch_add(1, Ordering::Relaxed);
    }
}

async fn one<A: Serve>(
    run: &Arc<Run>,
    address: SocketAddr,
    connection: u64,
    plan: Plan,
) -> Result<(), Fault> {
    let mut random = Random::new(connection);
    let config = client_config(run, &mut random)?;
    let mut socket = A::connect(address, config).await?;
    socket.send(hello(connection)).await?;
    if let Plan::Cut(after) = plan
        && let Some(flag) = run.is_cut(connection)
    {
        let cut = A::cutter(&socket);
        spawn::<A>(run, async move {
            A::sleep(Duration::from_millis(after)).await;
            flag.store(true, Ordering::Relaxed);
            cut();
        });
    }
    talk_over::<A, _>(run, connection, Side::Client, mode(&mut random), socket).await
}

/// One of many configurations.
fn client_config(run: &Run, random: &mut Random) -> Result<Config, Fault> {
    let mut builder =
        Config::builder().ping_interval(Duration::from_millis(700)).close_timeout(CLOSE_TIMEOUT);
    if random.one_in(2) {
        run.totals.compressed.fetch_add(1, Ordering::Relaxed);
        builder = builder.deflate(DeflateOptions::default());
    }
    if random.one_in(4) {
        builder = builder.delivery(Delivery::Chunks);
    }
    if random.one_in(4) {
        builder = builder.fragment_size(1_000 + random.below(20_000));
    }
    if random.one_in(3) {
        let (high, low) = random.pick(&[(1, 0), (4, 1), (100, 50)]).unwrap_or((2, 1));
        builder = builder.message_marks(Watermarks::new(high, low));
    }
    builder.build().map_err(|error| Fault::Wrong(error.to_string()))
}

/// The server's side of a connection.
pub(crate) async fn serve<A: Serve>(
    run: Arc<Run>,
    mut socket: Socket<A, A::Server>,
) -> Result<(), Error> {
    let first = socket.recv().await;
    let Ok(Some(message)) = first else {
        // Cut before the client sent the number of the connection.
        run.totals.unknown.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    let Some(connection) = greeted(&message) else {
        run.fault(format!("server: the first message is {message:?}"));
        return Ok(());
    };
    let Some(cut) = run.is_cut(connection) else {
        // The client has gone already.
        run.totals.unknown.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };
    let mode = mode(&mut Random::new(connection ^ 0x5555));
    let result = talk_over::<A, _>(&run, connection, Side::Server, mode, socket).await;
    run.judge("server", connection, cut.load(Ordering::Relaxed), &result);
    Ok(())
}

async fn talk_over<A: Serve, S>(
    run: &Arc<Run>,
    connection: u64,
    side: Side,
    mode: Mode,
    mut socket: Socket<A, S>,
) -> Result<(), Fault>
where
    S: tidegate_driver::ByteStream + Send + 'static,
{
    let talk = talk(run, connection, side);
    match mode {
        Mode::Whole => talk.whole::<A, S>(&mut socket).await,
        Mode::Split => {
            run.totals.split_ends.fetch_add(1, Ordering::Relaxed);
            let (sender, receiver, driver) = socket.split();
            spawn::<A>(run, async move { drop(driver.await) });
            talk.split::<A>(sender, receiver).await
        }
    }
}

/// A task that is counted.
pub(crate) fn spawn<A: Serve>(run: &Arc<Run>, task: impl Future<Output = ()> + Send + 'static) {
    struct Counted(Arc<Run>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.totals.tasks.fetch_sub(1, Ordering::Relaxed);
        }
    }

    run.totals.tasks.fetch_add(1, Ordering::Relaxed);
    let counted = Counted(run.clone());
    A::spawn(async move {
        task.await;
        drop(counted);
    });
}
