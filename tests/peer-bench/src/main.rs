//! Tidegate beside its peers, on the same work, in turn.
//!
//! `cargo run --release --manifest-path tests/peer-bench/Cargo.toml -- [quick|full] [SECTION...]
//! [--only=PEER] [--write]`
//!
//! `quick` (the default) takes a few minutes and prints; `full` takes less than half an hour and
//! writes its tables and charts into the guide, as `--write` does.

mod chart;
mod codec;
mod frames;
mod measure;
mod memory;
mod options;
mod report;
mod table;

use std::error::Error;

use crate::options::Options;
use crate::report::report;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(arguments.into_iter())?;
    if options.wants("decode") {
        report("decode", &codec::decode(&options), options.writes)?;
    }
    if options.wants("encode") {
        report("encode", &codec::encode(&options), options.writes)?;
    }
    Ok(())
}
