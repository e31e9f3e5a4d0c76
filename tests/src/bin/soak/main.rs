//! Runs many connections for a long time, with random messages, pauses, cancellations and cuts. No
//! message may be lost, duplicated, out of order or corrupt; memory must not grow, and no task may
//! be left.
//!
//! `cargo run --release -p tidegate-tests --bin soak -- --adapter tokio|smol|async-std
//! [--seconds 180] [--connections 200] [--seed 1]`

mod messages;
mod options;
mod state;
mod talk;
mod verdict;
mod worker;

use core::time::Duration;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use peak_alloc::PeakAlloc;
use tidegate_core::Config;
use tidegate_core::deflate::DeflateOptions;
use tidegate_driver::{Counters, ServeOptions};
use tidegate_tests::ends::{Adapter as _, AsyncStd, Serve, Smol, Tokio, within};
use tidegate_tests::process::{descriptors, resident};

use crate::options::Options;
use crate::state::Run;
use crate::verdict::{Measured, judge};

/// Counts allocated memory, since resident memory includes what the allocator keeps.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let holds = match options.adapter.as_str() {
        "tokio" => Tokio::block_on(run::<Tokio>(&options)),
        "smol" => Smol::block_on(run::<Smol>(&options)),
        "async-std" => AsyncStd::block_on(run::<AsyncStd>(&options)),
        other => Err(format!("there is no adapter {other}").into()),
    };
    match holds {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run<A: Serve>(options: &Options) -> Result<bool, Box<dyn core::error::Error>> {
    let (descriptors_before, allocated_before) = (descriptors(), MEMORY.current_usage());
    let run = Arc::new(Run::default());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let config = Config::builder()
        .deflate(DeflateOptions::default())
        .ping_interval(Duration::from_millis(900))
        .close_timeout(worker::CLOSE_TIMEOUT)
        .build()?;
    let serving = ServeOptions::builder()
        .config(config)
        .max_connections(None)
        .max_handshakes(None)
        .build()?;
    let for_server = run.clone();
    let server = A::serve(listener, serving, move |socket, _| {
        worker::serve::<A>(for_server.clone(), socket)
    });
    let handle = server.handle();
    let counters = Arc::new(std::sync::Mutex::new(None::<Counters>));
    let told = counters.clone();
    worker::spawn::<A>(&run, async move {
        let counters = server.await;
        if let Ok(mut told) = told.lock() {
            *told = Some(counters);
        }
    });
    for number in 0..options.connections {
        let client = worker::client::<A>(run.clone(), address, options.seed, number);
        worker::spawn::<A>(&run, client);
    }

    let begun = Instant::now();
    let (mut memory, mut allocated) = (Vec::new(), Vec::new());
    while begun.elapsed() < options.duration {
        A::sleep(Duration::from_millis(500)).await;
        memory.push(resident());
        allocated.push(MEMORY.current_usage());
        if memory.len() % 20 == 0 {
            eprintln!(
                "{:4} s, {} messages, {} KiB resident, {} KiB allocated, {} connections open",
                begun.elapsed().as_secs(),
                run.totals.received.load(Ordering::Relaxed),
                resident() >> 10,
                MEMORY.current_usage() >> 10,
                handle.counters().open,
            );
        }
    }
    run.stop();
    // The clients finish their connections.
    let waits_for = |left: u64| {
        let run = run.clone();
        async move {
            while run.totals.tasks.load(Ordering::Relaxed) > left {
                A::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let are_done = within::<A, _>(PATIENCE, waits_for(1)).await.is_some();
    if !are_done {
        run.fault(format!("these connections are stuck: {:x?}", run.open()));
    }
    handle.shutdown(Duration::from_secs(5));
    let has_stopped = within::<A, _>(PATIENCE, waits_for(0)).await.is_some();
    if !has_stopped {
        run.fault(format!("the server is still there: {:?}", handle.counters()));
    }
    // The sockets of the last connections are closed when their tasks are dropped.
    A::sleep(Duration::from_millis(300)).await;
    let counters = counters.lock().ok().and_then(|told| *told);
    drop(handle);
    let measured = Measured {
        memory,
        left: (allocated_before, MEMORY.current_usage()),
        allocated,
        connections: usize::try_from(options.connections)?,
        counters,
        tasks: run.totals.tasks.load(Ordering::Relaxed),
        runtime_tasks: A::tasks(),
        descriptors: (descriptors_before, descriptors()),
    };
    println!(
        "{}, {} connections at a time, {} s, seed {}",
        A::NAME,
        options.connections,
        options.duration.as_secs(),
        options.seed
    );
    Ok(judge(&run, &measured))
}

/// How long the connections may take to end when the run stops.
const PATIENCE: Duration = Duration::from_secs(60);
