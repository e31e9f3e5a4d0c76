//! Which origins may connect (RFC 6455 §10.2).

use tidegate_core::handshake::Request;

/// A list of origins that may connect, as `https://example.org` or `https://example.org:8443`.
///
/// Compared as browsers write them (RFC 6454 §6.2): whole, without regard to case, without a default
/// port. There are no patterns: a pattern that is a little too wide is how such a check fails.
///
/// ```
/// use tidegate_driver::Origins;
///
/// let origins = Origins::new(["https://example.org"]);
/// assert!(origins.allow(Some("https://example.org")));
/// assert!(!origins.allow(Some("https://example.org.attacker.test")));
/// assert!(!origins.allow(None) && origins.or_none().allow(None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    list: Vec<String>,
    none: bool,
}

impl Origins {
    /// These origins and no others.
    pub fn new<O: Into<String>>(origins: impl IntoIterator<Item = O>) -> Self {
        Self { list: origins.into_iter().map(Into::into).collect(), none: false }
    }

    /// Lets those connect who say no origin: everyone but browsers.
    pub fn or_none(mut self) -> Self {
        self.none = true;
        self
    }

    /// Whether this origin may connect.
    pub fn allow(&self, origin: Option<&str>) -> bool {
        match origin {
            Some(origin) => self.list.iter().any(|known| known.eq_ignore_ascii_case(origin)),
            None => self.none,
        }
    }

    /// Whether a request of this origin may be accepted. One that says two origins, or something
    /// that is not text, may not.
    pub fn allow_request(&self, request: &Request) -> bool {
        let mut said = request.headers().get_all("Origin");
        match (said.next(), said.next()) {
            (None, _) => self.allow(None),
            (Some(_), None) => request.origin().is_some_and(|origin| self.allow(Some(origin))),
            (Some(_), Some(_)) => false,
        }
    }
}
