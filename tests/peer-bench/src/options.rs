//! The command-line options: what to measure, and how long.

use std::time::Duration;

pub struct Options {
    pub is_full: bool,
    /// For timings in memory: the number of rounds over all rows, and the length of each.
    pub rounds: usize,
    pub slice: Duration,
    /// The same over sockets.
    pub echo_rounds: usize,
    pub echo_slice: Duration,
    /// Empty: all.
    pub sections: Vec<String>,
    /// Only rows whose name contains this, apart from ours and the limits.
    pub only: Option<String>,
    pub writes: bool,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::quick();
        for argument in arguments {
            match argument.as_str() {
                "quick" => {}
                "full" => {
                    options = Self {
                        is_full: true,
                        rounds: 15,
                        slice: Duration::from_millis(12),
                        echo_rounds: 3,
                        echo_slice: Duration::from_millis(250),
                        writes: true,
                        ..options
                    }
                }
                "--write" => options.writes = true,
                only if only.starts_with("--only=") => {
                    options.only = only.split_once('=').map(|(_, name)| name.into());
                }
                section if SECTIONS.contains(&section) => options.sections.push(section.into()),
                other => return Err(format!("{other}: not one of {}", SECTIONS.join(", "))),
            }
        }
        Ok(options)
    }

    fn quick() -> Self {
        Self {
            is_full: false,
            rounds: 7,
            slice: Duration::from_millis(4),
            echo_rounds: 3,
            echo_slice: Duration::from_millis(120),
            sections: Vec::new(),
            only: None,
            writes: false,
        }
    }

    pub fn wants(&self, section: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|name| name == section)
    }

    pub fn wants_row(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| {
            name.contains(only) || name.starts_with("tidegate") || name.starts_with("limit")
        })
    }
}

pub const SECTIONS: [&str; 9] = [
    "decode",
    "encode",
    "echo",
    "calls",
    "memory",
    "compressed",
    "broadcast",
    "slow-reader",
    "scale",
];
