//! Broadcast: one message of 1 KiB to 1,000 connections.

use std::io;
use std::time::Duration;

use super::echo::with_cpu;
use crate::frames::Kind;
use crate::load::{Load, Opening, Process, Script};
use crate::options::Options;
use crate::serve::BROADCAST;
use crate::table::{Cell, Table};

pub fn broadcast(options: &Options) -> io::Result<Vec<Table>> {
    let script = Script::repeated(&Kind::Binary.frame(1024), 1);
    let mut table = Table::new(
        "broadcast",
        "A message of 1 KiB to 1,000 connections",
        "",
        "tidegate tokio, broadcast()",
    );
    table.unit = "µs of server CPU for each that gets it, and ms until all have it";
    let servers: Vec<_> =
        BROADCAST.iter().filter(|server| options.wants_row(server.name)).collect();
    let processes: Vec<Process> = servers
        .iter()
        .map(|server| Process::start("broadcast", server.name))
        .collect::<io::Result<_>>()?;
    let mut loads: Vec<Load> = processes
        .iter()
        .map(|process| Load::open(process.address, 1001, Opening::Plain))
        .collect::<io::Result<_>>()?;
    std::thread::sleep(Duration::from_millis(200));
    let mut costs = vec![Vec::new(); servers.len()];
    let mut times = vec![Vec::new(); servers.len()];
    for round in 0..options.echo_rounds + 1 {
        for turn in 0..servers.len() {
            let index = (turn + round) % servers.len();
            let (measured, cpu) = with_cpu(&processes[index], |begin| {
                loads[index].broadcast(&script, options.echo_slice * 2, begin)
            })
            .map_err(|error| io::Error::other(format!("{}: {error}", servers[index].name)))?;
            costs[index].push(cpu * 1e6 / measured.messages.max(1) as f64);
            times[index].push(measured.latency.quantile(0.5) / 1000.0);
        }
    }
    table.column("CPU");
    for (server, samples) in servers.iter().zip(costs) {
        table.set(server.name, server.group, Cell::of(samples));
    }
    table.column("until all have it");
    for (server, samples) in servers.iter().zip(times) {
        table.set(server.name, server.group, Cell::of(samples));
    }
    Ok(vec![table])
}
