//! Which web origins may connect to a server (RFC 6455 §10.2).

use tidegate_core::handshake::Request;

/// A list of origins that may connect, such as `https://example.org` or `https://example.org:8443`.
///
/// Write them as browsers do (RFC 6454 §6.2), which is without the default port. The whole origin is
/// compared, ignoring case. There are no patterns, because a pattern that matches a little too much
/// is the usual way in which such a check fails.
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
    /// Allows these origins and no others.
    pub fn new<O: Into<String>>(origins: impl IntoIterator<Item = O>) -> Self {
        Self { list: origins.into_iter().map(Into::into).collect(), none: false }
    }

    /// Allows requests without an origin too. Browsers always send one; other clients usually do not.
    pub fn or_none(mut self) -> Self {
        self.none = true;
        self
    }

    /// Returns whether this origin may connect.
    pub fn allow(&self, origin: Option<&str>) -> bool {
        match origin {
            Some(origin) => self.list.iter().any(|known| known.eq_ignore_ascii_case(origin)),
            None => self.none,
        }
    }

    /// Returns whether the origin of this request may connect. A request with two origins, or with one
    /// that is not text, may not.
    pub fn allow_request(&self, request: &Request) -> bool {
        let mut origins = request.headers().get_all("Origin");
        match (origins.next(), origins.next()) {
            (None, _) => self.allow(None),
            (Some(_), None) => request.origin().is_some_and(|origin| self.allow(Some(origin))),
            (Some(_), Some(_)) => false,
        }
    }
}
