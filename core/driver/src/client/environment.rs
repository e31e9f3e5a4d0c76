//! What is wrong with the variables that name a proxy.

use std::fmt;

use crate::error::url::UrlError;

/// Why the variables that name a proxy cannot be used. Shows no user name and no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentError {
    variable: &'static str,
    wrong: Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    Proxy(UrlError),
    Exception(String),
}

impl EnvironmentError {
    pub(crate) const fn proxy(variable: &'static str, error: UrlError) -> Self {
        Self { variable, wrong: Wrong::Proxy(error) }
    }

    /// Keeps a bounded part of the entry, and not what may be a password.
    pub(crate) fn exception(variable: &'static str, entry: &str) -> Self {
        let entry = entry.rsplit('@').next().unwrap_or_default();
        let mut shown: String = entry.chars().take(MAX_SHOWN).collect();
        if shown.len() < entry.len() {
            shown.push_str("..");
        }
        Self { variable, wrong: Wrong::Exception(shown) }
    }

    /// Which variable it is, such as `https_proxy` or `NO_PROXY`.
    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// What is wrong with the address of the proxy; `None` if the exceptions are wrong.
    pub const fn address(&self) -> Option<UrlError> {
        match &self.wrong {
            Wrong::Proxy(error) => Some(*error),
            Wrong::Exception(_) => None,
        }
    }
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Proxy(error) => write!(f, "{} names no proxy: {error}", self.variable),
            Wrong::Exception(entry) => write!(
                f,
                "{} has the entry {:?}, which is no name, address, network or *",
                self.variable, entry
            ),
        }
    }
}

impl std::error::Error for EnvironmentError {}

/// Longer than entries are, and short enough for a line of a log.
const MAX_SHOWN: usize = 100;
