//! The command-line options.

use core::time::Duration;

/// The options of one run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) adapter: String,
    pub(crate) duration: Duration,
    pub(crate) connections: u64,
    pub(crate) seed: u64,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            adapter: "tokio".into(),
            duration: Duration::from_secs(180),
            connections: 200,
            seed: 1,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|error| format!("{name}: {error}"));
            match name.as_str() {
                "--adapter" => options.adapter = value,
                "--seconds" => options.duration = Duration::from_secs(number()?),
                "--connections" => options.connections = number()?,
                "--seed" => options.seed = number()?,
                other => return Err(format!("there is no option {other}")),
            }
        }
        Ok(options)
    }
}
