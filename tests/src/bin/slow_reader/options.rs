//! The command-line options.

use core::time::Duration;

use tidegate_tests::ends::Mode;

/// The options of one run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) adapter: String,
    pub(crate) mode: Mode,
    pub(crate) duration: Duration,
    /// Whether the reader has watermarks.
    pub(crate) has_gate: bool,
    /// Whether this is the sending process.
    pub(crate) is_sender: bool,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            adapter: "tokio".into(),
            mode: Mode::Whole,
            duration: Duration::from_secs(10),
            has_gate: true,
            is_sender: false,
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--adapter" => options.adapter = value()?,
                "--duration" => {
                    let seconds = value()?.parse().map_err(|error| format!("{name}: {error}"))?;
                    options.duration = Duration::from_secs(seconds);
                }
                "--split" => options.mode = Mode::Split,
                "--no-gate" => options.has_gate = false,
                "--sender" => options.is_sender = true,
                other => return Err(format!("there is no option {other}")),
            }
        }
        Ok(options)
    }
}
