//! Wire vectors: `tests/vectors/FORMAT.md` is the specification of what is read and replayed here.

mod answer;
mod bytes;
mod chunking;
mod classes;
mod deflate;
mod expect;
mod format;
mod http;
mod object;
mod opening;
mod runner;
mod steps;

use std::path::Path;

use self::format::VectorFile;
use self::runner::replay;

/// The result of replaying a directory.
#[derive(Debug, Default)]
pub struct Summary {
    /// The names, `category/name`, of the vectors that passed with all their splits.
    pub passed: Vec<String>,
    /// The names of the others, and the failure, once for each split.
    pub failed: Vec<(String, Vec<String>)>,
}

/// Replays every `*.json` of a directory.
///
/// # Errors
///
/// If a file could not be read or parsed, with its position.
pub fn replay_directory(directory: &Path) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for file in VectorFile::read_directory(directory)? {
        for vector in &file.vectors {
            let name = format!("{}/{}", file.category, vector.name);
            let faults = replay(vector);
            if faults.is_empty() {
                summary.passed.push(name);
            } else {
                summary.failed.push((name, faults));
            }
        }
    }
    Ok(summary)
}
