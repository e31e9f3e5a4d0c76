//! A server that sends as fast as it can, and a slow client: shows that memory stays bounded.
//!
//! `cargo run --release --example slow_reader -p tidegate-tokio`, with `--help` for options.

extern crate alloc;

mod client;
mod memory;
mod options;
mod server;
mod verdict;

use alloc::sync::Arc;
use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

use tidegate_tokio::Error;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::client::Client;
use crate::memory::{human, resident};
use crate::options::{HELP, Options};
use crate::server::{Server, is_message};
use crate::verdict::{Measured, judge};

// One thread, so that allocator arenas of other threads do not distort the memory figures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(measured) if judge(&options, &measured) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Measured, Error> {
    let server = Arc::new(Server::new());
    let url = match &options.url {
        Some(url) => url.clone(),
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("ws://{}/", listener.local_addr()?);
            tokio::spawn(Arc::clone(&server).run(listener, options.size));
            url
        }
    };
    let connecting = tidegate_tokio::Options::builder().config(options.config()).build()?;
    let socket = tidegate_tokio::connect_with(&url, connecting).await?;
    println!(
        "{} messages from {url}, one taken every {} ms, {}\n",
        human(options.size),
        options.delay.as_millis(),
        if options.is_split { "split: driven by a task of its own" } else { "whole" },
    );
    println!("{HEADING}");

    let mut reader = Reader {
        options,
        server: Arc::clone(&server),
        client: Client::new(socket, options.is_split),
        begun: Instant::now(),
        printed: Instant::now(),
        progress: (0, Instant::now()),
        measured: Measured::default(),
    };
    reader.measured.memory_before = resident();
    server.begin();
    reader.read_slowly().await?;
    reader.finish().await
}

/// The slow client.
struct Reader<'a> {
    options: &'a Options,
    server: Arc<Server>,
    client: Client,
    begun: Instant,
    printed: Instant,
    /// The number of messages that the server had sent when it last changed, and that time.
    progress: (u64, Instant),
    measured: Measured,
}

impl Reader<'_> {
    /// Takes a message at each interval until the time is up.
    async fn read_slowly(&mut self) -> Result<(), Error> {
        let mut taking = interval(self.options.delay.max(Duration::from_micros(1)));
        taking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = self.begun + self.options.duration;
        while Instant::now() < end && self.client.queued_bytes() < ENOUGH {
            tokio::select! {
                biased;
                // Meanwhile measures the memory, and prints.
                () = sleep_until((Instant::now() + GLANCE).into()) => {}
                _ = taking.tick() => {
                    if let Some(message) = self.client.try_recv() {
                        self.check(message.as_bytes());
                    }
                }
                // Reads ahead until the gate closes and answers pings, as a driver task would.
                () = self.client.drive() => match self.client.recv().await? {
                    Some(message) => self.check(message.as_bytes()),
                    None => break,
                },
            }
            self.look();
        }
        self.measured.elapsed = self.begun.elapsed();
        self.measured.waited = self.server.waited();
        self.measured.sent = self.server.sent();
        Ok(())
    }

    /// Takes all remaining messages at once, to check that none is missing.
    async fn finish(mut self) -> Result<Measured, Error> {
        self.measured.taken_slowly = self.measured.taken;
        self.measured.stats = Some(self.client.stats());
        if !self.options.has_gate {
            self.client.abort();
        } else if self.options.url.is_some() {
            self.client.close().await?;
        } else {
            self.server.end();
            while let Some(message) = self.client.recv().await? {
                self.check(message.as_bytes());
            }
            self.measured.sent_at_end = Some(self.server.sent());
        }
        Ok(self.measured)
    }

    fn check(&mut self, message: &[u8]) {
        let number = self.measured.taken;
        if self.options.url.is_none() && !is_message(message, number, self.options.size) {
            self.measured.wrong += 1;
        }
        self.measured.taken += 1;
    }

    fn look(&mut self) {
        let measured = &mut self.measured;
        measured.memory_peak = measured.memory_peak.max(resident());
        let sent = self.server.sent();
        if sent != self.progress.0 {
            self.progress = (sent, Instant::now());
        }
        measured.longest_stall = measured.longest_stall.max(self.progress.1.elapsed());
        if measured.half.is_none() && self.begun.elapsed() >= self.options.duration / 2 {
            measured.half = Some((sent, measured.taken));
        }
        let period = if self.options.has_gate { SECOND } else { SECOND / 4 };
        if self.printed.elapsed() >= period {
            self.printed += period;
            self.print();
        }
    }

    fn print(&self) {
        let client = &self.client;
        let sent = match self.options.url {
            Some(_) => "-".into(),
            None => self.server.sent().to_string(),
        };
        let memory = match (resident(), self.measured.memory_before) {
            (Some(now), Some(before)) => format!("+{}", human(now.saturating_sub(before))),
            _ => "-".into(),
        };
        println!(
            "{:>5.1} s {:>8} {sent:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {memory:>10}",
            self.begun.elapsed().as_secs_f64(),
            self.measured.taken,
            client.queued_messages(),
            human(client.queued_bytes()),
            if client.is_gate_open() { "open" } else { "closed" },
            format!("{}x", client.stats().times_closed),
            human(client.queued_output()),
        );
    }
}

const HEADING: &str =
    "   time    taken     sent   queued     bytes     gate   closed   output     memory";

const SECOND: Duration = Duration::from_secs(1);

/// How often the memory is measured.
const GLANCE: Duration = Duration::from_millis(10);

/// The memory at which a client without a gate stops.
const ENOUGH: usize = 1 << 30;
