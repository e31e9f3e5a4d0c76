//! Benchmarks Tidegate and other WebSocket libraries on the same work.
//!
//! `cargo run --release --manifest-path tests/peer-bench/Cargo.toml -- [quick|full] [SECTION...]
//! [--only=PEER] [--write]`
//!
//! `quick` (the default) takes a few minutes and prints; `full` takes less than half an hour and
//! writes its tables and charts into the guide, as `--write` does.

mod chart;
mod codec;
mod frames;
mod load;
mod measure;
mod memory;
mod options;
mod report;
mod sections;
mod serve;
mod table;

use std::error::Error;
use std::io;

use crate::options::{Options, SECTIONS};
use crate::report::report;
use crate::table::Table;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The servers and readers are child processes of this program.
        ["serve", list, name] => return serve::serve(list, name),
        ["read-slowly", name, address] => return sections::read_slowly(name, address.parse()?),
        _ => {}
    }
    let options = Options::parse(arguments.into_iter())?;
    for section in SECTIONS.into_iter().filter(|section| options.wants(section)) {
        if !matches!(section, "decode" | "encode") {
            load::keep_to_core();
        }
        let begun = std::time::Instant::now();
        report(section, &measure(section, &options)?, options.writes)?;
        eprintln!("{section}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

fn measure(section: &str, options: &Options) -> io::Result<Vec<Table>> {
    match section {
        "decode" => Ok(codec::decode(options)),
        "encode" => Ok(codec::encode(options)),
        "echo" => sections::echo(options),
        "calls" => sections::calls(options),
        "memory" => sections::memory(options),
        "compressed" => sections::compressed(options),
        "broadcast" => sections::broadcast(options),
        "slow-reader" => sections::slow_reader(options),
        _ => sections::scale(options),
    }
}
