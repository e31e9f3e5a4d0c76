//! The command-line options.

use core::time::Duration;

use tidegate_tokio::{Config, Watermarks};

pub(crate) const HELP: &str = "\
A server sends numbered messages as fast as it can; a client takes one from time to time. Watch the
memory of the client, and how the server is slowed down.

usage: slow_reader [options]
  --duration SECONDS    how long (default 10)
  --size BYTES          size of a message (default 64K)
  --delay MILLISECONDS  pause between two messages taken (default 100)
  --messages HIGH/LOW   watermarks for the number of queued messages (default 16/4)
  --bytes HIGH/LOW      watermarks for their bytes (default 256K/64K)
  --url ws://...        read from this server instead of our own
  --split               split the client's connection, with a separate task as driver
  --no-gate             no watermarks, reading ahead as fast as the server sends: shows what
                        happens in a client without a gate; stops at 1 GiB
  --help
Sizes may end in K or M. The exit status is 0 if all checks at the end pass.";

/// The options of one run.
pub(crate) struct Options {
    pub(crate) duration: Duration,
    pub(crate) size: usize,
    pub(crate) delay: Duration,
    pub(crate) messages: Watermarks,
    pub(crate) bytes: Watermarks,
    pub(crate) url: Option<String>,
    pub(crate) has_gate: bool,
    pub(crate) is_split: bool,
}

impl Options {
    /// Reads the arguments; `None` if help is wanted.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let config = Config::default();
        let mut options = Self {
            duration: Duration::from_secs(10),
            size: 64 * 1024,
            delay: Duration::from_millis(100),
            messages: config.message_marks(),
            bytes: config.byte_marks(),
            url: None,
            has_gate: true,
            is_split: false,
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--split" => {
                    options.is_split = true;
                    continue;
                }
                "--no-gate" => {
                    options.has_gate = false;
                    continue;
                }
                _ => {}
            }
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--duration" => options.duration = Duration::from_secs(number(&value()?)? as u64),
                "--size" => options.size = number(&value()?)?,
                "--delay" => options.delay = Duration::from_millis(number(&value()?)? as u64),
                "--messages" => options.messages = marks(&value()?)?,
                "--bytes" => options.bytes = marks(&value()?)?,
                "--url" => options.url = Some(value()?),
                other => return Err(format!("there is no option {other}; try --help")),
            }
        }
        if options.size < NUMBER {
            return Err(format!("--size is {NUMBER} at least: a message carries its number"));
        }
        if options.duration.is_zero() {
            return Err("--duration is 1 at least".into());
        }
        let marks = Config::builder().message_marks(options.messages).byte_marks(options.bytes);
        marks.build().map_err(|error| error.to_string())?;
        Ok(Some(options))
    }

    /// The client's settings.
    pub(crate) fn config(&self) -> Config {
        let builder = Config::builder();
        let largest = self.size.max(Config::default().max_message_size());
        let builder = if self.has_gate {
            builder.message_marks(self.messages).byte_marks(self.bytes)
        } else {
            builder.message_marks(Watermarks::UNLIMITED).byte_marks(Watermarks::UNLIMITED)
        };
        builder
            .max_message_size(largest)
            .build()
            .expect("the marks are checked, and no limit is zero")
    }

    /// The settings whose memory bound the verdict uses, with or without the gate.
    pub(crate) fn gated(&self) -> Config {
        let largest = self.size.max(Config::default().max_message_size());
        Config::builder()
            .message_marks(self.messages)
            .byte_marks(self.bytes)
            .max_message_size(largest)
            .build()
            .expect("the marks are checked, and no limit is zero")
    }
}

fn number(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((end, 'k' | 'K')) => (&text[..end], 1024),
        Some((end, 'm' | 'M')) => (&text[..end], 1024 * 1024),
        _ => (text, 1),
    };
    let number: Option<usize> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or(format!("{text} is not a number"))
}

fn marks(text: &str) -> Result<Watermarks, String> {
    let (high, low) = text.split_once('/').ok_or(format!("{text} is not HIGH/LOW"))?;
    Ok(Watermarks::new(number(high)?, number(low)?))
}

/// The number of a message is in its first bytes; this is how many.
pub(crate) const NUMBER: usize = 8;
