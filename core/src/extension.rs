//! Extensions in the opening handshake: a name and parameters (RFC 6455 §9.1).

use core::fmt;

use bytestring::ByteString;

/// An extension that a peer offers or accepts in the opening handshake. `Debug` shows the names of the
/// parameters and not their values, which may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    /// `name;parameter=value;parameter`, without blanks and quotes. Names and values are tokens, so
    /// this is not ambiguous. All extensions of a request share one allocation, so that a header of
    /// many short extensions takes only a small multiple of its size.
    text: ByteString,
}

impl Extension {
    /// `text` is one extension, in the form that the field describes.
    pub(crate) const fn new(text: ByteString) -> Self {
        Self { text }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.text.split(';').next().unwrap_or_default()
    }

    /// The parameters in their order, each with its value if it has one. Quotes around values are
    /// removed. The same name may come more than once; the rules of the extension say what that
    /// means.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.text.split(';').skip(1).map(|parameter| match parameter.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (parameter, None),
        })
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        f.debug_list().entries(self.parameters().map(|(name, _)| name)).finish()
    }
}
