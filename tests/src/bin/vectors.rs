//! Replays the wire vectors of a directory: `vectors DIR`.
//!
//! One line for each failing vector and chunking, then `N passed, N failed`. The exit status is 0 if
//! all passed, 1 if any failed, 2 if a file could not be read or parsed.

use std::path::PathBuf;
use std::process::ExitCode;

use tidegate_tests::vectors::replay_directory;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: vectors DIR");
        return ExitCode::from(2);
    };
    match replay_directory(&PathBuf::from(directory)) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Ok(summary) => {
            for (name, faults) in &summary.failed {
                for fault in faults {
                    println!("{name} {fault}");
                }
            }
            println!("{} passed, {} failed", summary.passed.len(), summary.failed.len());
            if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
