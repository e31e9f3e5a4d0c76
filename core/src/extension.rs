//! An extension that is offered or agreed on in the opening handshake (RFC 6455 §9.1).

use core::fmt;

use bytestring::ByteString;

/// An extension that a peer offers or agrees to: a name and parameters. `Debug` shows the names of
/// the parameters, but not their values.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    /// `name;parameter=value;parameter`, without blanks and quotes. Names and values are tokens,
    /// so this is not ambiguous. All extensions of a request share one allocation, so that a header
    /// with thousands of extensions takes only a small multiple of its size.
    text: ByteString,
}

impl Extension {
    /// Takes one extension, written as the field `text` describes.
    pub(crate) const fn new(text: ByteString) -> Self {
        Self { text }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.text.split(';').next().unwrap_or_default()
    }

    /// The parameters in their order, each with its value if it has one. Quotes around a value are
    /// removed. A name may occur twice; whether that is valid depends on the extension.
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
