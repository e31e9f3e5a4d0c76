//! Echo with permessage-deflate: JSON of 1 KiB.

use std::io;
use std::io::Write;

use super::echo::with_cpu;
use crate::frames::masked;
use crate::load::{Load, Opening, Process, Script};
use crate::options::Options;
use crate::serve::COMPRESSED;
use crate::table::{Cell, Table};

pub fn compressed(options: &Options) -> io::Result<Vec<Table>> {
    let script = script();
    let headline = "tidegate tokio, level 3, send";
    let mut cost = Table::new(
        "compressed",
        "Compressed echo of 1 KiB of JSON, 16 connections, depth 4",
        "µs of server CPU a message",
        headline,
    );
    let mut size = Table::new("", "What an answer of 1 KiB shrinks to", "bytes", headline);
    let servers: Vec<_> =
        COMPRESSED.iter().filter(|server| options.wants_row(server.name)).collect();
    for (opening, agreed) in
        [(Opening::Deflate, "takeover"), (Opening::DeflateNoTakeover, "no takeover")]
    {
        cost.column(agreed);
        size.column(agreed);
        let processes: Vec<Process> = servers
            .iter()
            .map(|server| Process::start("compressed", server.name))
            .collect::<io::Result<_>>()?;
        let mut samples = vec![Vec::new(); servers.len()];
        let mut sizes = vec![0.0; servers.len()];
        for round in 0..options.echo_rounds + 1 {
            for turn in 0..servers.len() {
                let index = (turn + round) % servers.len();
                let process = &processes[index];
                let mut load = Load::open(process.address, 16, opening)?;
                let (measured, cpu) = with_cpu(process, |begin| {
                    load.echo(&script, 4, options.warm_up(), options.echo_slice, begin)
                })
                .map_err(|error| {
                    io::Error::other(format!("{}, {agreed}: {error}", servers[index].name))
                })?;
                samples[index].push(cpu * 1e6 / measured.messages.max(1) as f64);
                sizes[index] = measured.bytes as f64 / measured.messages.max(1) as f64;
            }
        }
        for ((server, samples), bytes) in servers.iter().zip(samples).zip(sizes) {
            cost.set(server.name, server.group, Cell::of(samples));
            size.set(server.name, server.group, Cell::exact(bytes));
        }
    }
    Ok(vec![cost, size])
}

/// A hundred similar messages, each compressed separately, so that they are valid with and without
/// takeover.
pub fn script() -> Script {
    let frames: Vec<Vec<u8>> = (0..100).map(|seed| masked(0xC1, &deflated(&json(seed)))).collect();
    Script::new(&frames)
}

fn json(seed: u32) -> Vec<u8> {
    let mut random = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 8
    };
    let mut text = format!("{{\"room\":\"harbour\",\"sequence\":{seed},\"levels\":[");
    while text.len() < 1024 - 60 {
        let (gauge, level, hour) = (next() % 1000, next() % 100_000, next() % 24);
        text += &format!("{{\"gauge\":{gauge},\"level\":{level},\"hour\":{hour}}},");
    }
    text += "{}],\"note\":\"";
    while text.len() < 1022 {
        text.push('x');
    }
    text += "\"}";
    text.into_bytes()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("memory");
    encoder.flush().expect("memory");
    let mut deflated = encoder.get_ref().clone();
    // RFC 7692 §7.2.1: the end of the empty block is not sent.
    assert!(deflated.ends_with(&[0, 0, 0xFF, 0xFF]));
    deflated.truncate(deflated.len() - 4);
    deflated
}
