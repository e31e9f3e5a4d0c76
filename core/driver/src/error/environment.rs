//! The error for a proxy variable of the environment, such as `https_proxy`, that cannot be used.

use std::fmt;

use crate::error::url::UrlError;

/// Why a variable that configures a proxy cannot be used. Shows neither user name nor password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentError {
    variable: &'static str,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    ProxyAddress(UrlError),
    /// An entry of `no_proxy`.
    Exception(String),
}

impl EnvironmentError {
    pub(crate) const fn proxy(variable: &'static str, error: UrlError) -> Self {
        Self { variable, reason: Reason::ProxyAddress(error) }
    }

    /// Keeps only the beginning of the entry, and nothing that may be a password.
    pub(crate) fn exception(variable: &'static str, entry: &str) -> Self {
        let entry = entry.rsplit('@').next().unwrap_or_default();
        let mut shown: String = entry.chars().take(MAX_SHOWN).collect();
        if shown.len() < entry.len() {
            shown.push_str("..");
        }
        Self { variable, reason: Reason::Exception(shown) }
    }

    /// The name of the variable, such as `https_proxy` or `NO_PROXY`.
    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// What is wrong with the address of the proxy. `None` if the variable is a `no_proxy`.
    pub const fn address(&self) -> Option<UrlError> {
        match &self.reason {
            Reason::ProxyAddress(error) => Some(*error),
            Reason::Exception(_) => None,
        }
    }
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::ProxyAddress(error) => write!(f, "{} names no proxy: {error}", self.variable),
            Reason::Exception(entry) => write!(
                f,
                "{} has the entry {:?}, which is no name, address, network or *",
                self.variable, entry
            ),
        }
    }
}

impl std::error::Error for EnvironmentError {}

/// How many characters of an entry are shown: more than real entries have, and short enough for one
/// line of a log.
const MAX_SHOWN: usize = 100;
