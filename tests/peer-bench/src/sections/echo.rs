//! Echo over loopback: the server's CPU time for a message, throughput and latency.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use crate::frames::{Kind, SIZES};
use crate::load::{Load, Measured, Process, Script};
use crate::options::Options;
use crate::serve::{ECHO, Server};
use crate::table::{self, Table, size_name};

/// The number of connections, and of messages in flight on each.
const SHAPES: [(usize, usize); 6] = [(1, 1), (64, 1), (512, 1), (1, 32), (64, 32), (512, 32)];

pub fn echo(options: &Options) -> io::Result<Vec<Table>> {
    let servers = start(|name| options.wants_row(name))?;
    let (mut costs, mut rates) = (Vec::new(), Vec::new());
    let mut latencies =
        Table::new("echo-latency", "Latency of an echo of 1 KiB, depth 1", "µs", HEADLINE);
    for (connections, depth) in SHAPES {
        if connections > 64 && !options.is_full {
            continue;
        }
        let shape = format!("{connections} connections, depth {depth}");
        let mut cost = Table::new(
            &format!("echo-{connections}-{depth}"),
            &format!("Echo, {shape}"),
            "µs of server CPU a message (seconds a million)",
            HEADLINE,
        );
        cost.headlines.push(FEED);
        cost.limit = Some(LIMIT);
        let mut rate = Table::new("", &format!("Echo, {shape}"), "messages a second", HEADLINE);
        rate.headlines.push(FEED);
        rate.is_more_better = true;
        rate.limit = Some(LIMIT);
        for size in SIZES {
            let under_way = connections * depth * size;
            if !options.sizes().contains(&size) || under_way > MOST_UNDER_WAY {
                continue;
            }
            let samples = cell(options, &servers, connections, depth, size)?;
            cost.column(size_name(size));
            rate.column(size_name(size));
            let is_timed = depth == 1 && size == 1024;
            for (name, share) in SHARES.into_iter().filter(|_| is_timed) {
                latencies.column(format!("{connections} conn. {name}"));
                for ((server, _), samples) in servers.iter().zip(&samples) {
                    if samples.is_empty() {
                        continue;
                    }
                    let values = samples.iter().map(|sample| sample.latency.quantile(share));
                    let cell = table::Cell::of(values.collect());
                    latencies.set(server.name, server.group, cell);
                }
            }
            for ((server, _), samples) in servers.iter().zip(&samples) {
                if samples.is_empty() {
                    continue;
                }
                let of = |value: fn(&Sample) -> f64| {
                    table::Cell::of(samples.iter().map(value).collect())
                };
                cost.set(server.name, server.group, of(|sample| sample.cost));
                rate.set(server.name, server.group, of(|sample| sample.rate));
            }
        }
        costs.push(cost);
        rates.push(rate);
    }
    costs.push(latencies);
    costs.extend(rates);
    Ok(costs)
}

/// The cost of a message as the number of connections grows, for our servers only.
pub fn scale(options: &Options) -> io::Result<Vec<Table>> {
    let servers = start(|name| name == HEADLINE || name == LIMIT)?;
    let mut table = Table::new(
        "scale-connections",
        "Echo of 125 B, depth 1, as connections grow",
        "µs of server CPU a message",
        HEADLINE,
    );
    table.limit = Some(LIMIT);
    for connections in [1, 10, 100, 1000, 5000, 9500] {
        if connections > 1000 && !options.is_full {
            continue;
        }
        table.column(format!("{connections}"));
        let samples = cell(options, &servers, connections, 1, 125)?;
        for ((server, _), samples) in servers.iter().zip(&samples) {
            let values = samples.iter().map(|sample| sample.cost);
            table.set(server.name, server.group, table::Cell::of(values.collect()));
        }
    }
    Ok(vec![table])
}

fn start(wanted: impl Fn(&str) -> bool) -> io::Result<Vec<(&'static Server, Process)>> {
    let servers = ECHO.iter().filter(|server| wanted(server.name) && server.is_installed());
    servers.map(|server| Ok((server, Process::start("echo", server.name)?))).collect()
}

struct Sample {
    /// The server's CPU time for one message in microseconds.
    cost: f64,
    rate: f64,
    latency: crate::load::Histogram,
}

/// Measures all servers one after another, several times.
fn cell(
    options: &Options,
    servers: &[(&'static Server, Process)],
    connections: usize,
    depth: usize,
    size: usize,
) -> io::Result<Vec<Vec<Sample>>> {
    let script = Script::repeated(&Kind::Binary.frame(size), depth);
    let mut samples: Vec<Vec<Sample>> = servers.iter().map(|_| Vec::new()).collect();
    let mut is_out = vec![false; servers.len()];
    for round in 0..options.echo_rounds {
        for turn in 0..servers.len() {
            let index = (turn + round) % servers.len();
            let (server, process) = &servers[index];
            if is_out[index] {
                continue;
            }
            let run = || {
                let mut load = Load::open(process.address, connections, server.opening())?;
                with_cpu(process, |begin| {
                    load.echo(&script, depth, options.warm_up(), options.echo_slice, begin)
                })
            };
            let mut result = run();
            // If the process did not get to run, this is not a measurement.
            if result.as_ref().is_ok_and(|(measured, _)| measured.messages < 10) {
                result = run();
            }
            let (measured, cpu) = match result {
                Ok(result) => result,
                Err(error) if server.name.starts_with("tidegate") => {
                    return Err(io::Error::other(format!("{}: {error}", server.name)));
                }
                Err(error) => {
                    // A peer that fails gets no number here, and the others do.
                    eprintln!("{}: {connections} × {depth} × {size} B: {error}", server.name);
                    is_out[index] = true;
                    samples[index].clear();
                    continue;
                }
            };
            if measured.messages == 0 {
                continue;
            }
            let messages = measured.messages as f64;
            samples[index].push(Sample {
                cost: cpu * 1e6 / messages,
                rate: messages / measured.elapsed.as_secs_f64(),
                latency: measured.latency,
            });
        }
    }
    Ok(samples)
}

/// Runs a load, and returns the CPU time of the server's process meanwhile.
pub fn with_cpu(
    process: &Process,
    run: impl FnOnce(&dyn Fn()) -> io::Result<Measured>,
) -> io::Result<(Measured, f64)> {
    let before = Cell::new(0.0);
    let measured = run(&|| before.set(process.cpu().unwrap_or(0.0)))?;
    Ok((measured, process.cpu()? - before.get()))
}

impl Options {
    pub fn sizes(&self) -> &'static [usize] {
        if self.is_full { &SIZES } else { &[16, 1 << 10, 64 << 10] }
    }

    pub fn warm_up(&self) -> Duration {
        self.echo_slice / 5
    }
}

const HEADLINE: &str = "tidegate tokio, send";
const FEED: &str = "tidegate tokio, feed";
const LIMIT: &str = "limit: raw TCP, tokio";
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// The kernel's buffers hold no more than this anyway.
const MOST_UNDER_WAY: usize = 600 << 20;
