//! A child process sends as fast as it can, this process reads slowly and measures its own memory.
//!
//! `cargo run --release -p tidegate-tests --bin slow_reader -- --adapter tokio|smol|async-std
//! [--split] [--duration 10] [--no-gate]`

mod options;
mod reader;
mod sender;
mod verdict;

use std::process::ExitCode;

use tidegate_tests::ends::{Adapter, AsyncStd, Smol, Tokio};

use crate::options::Options;

/// The result of a part of the program.
pub(crate) type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let holds = match options.adapter.as_str() {
        "tokio" => run::<Tokio>(&options),
        "smol" => run::<Smol>(&options),
        "async-std" => run::<AsyncStd>(&options),
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

fn run<A: Adapter>(options: &Options) -> Result<bool> {
    if options.is_sender {
        return A::block_on(sender::run::<A>()).map(|()| true);
    }
    let mut child = sender::Child::spawn(A::NAME)?;
    let measured = A::block_on(reader::run::<A>(options, &mut child))?;
    Ok(verdict::judge::<A>(options, &measured))
}
