//! A user name and a password for HTTP's basic authentication and for proxies.

use alloc::string::String;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A user name and a password. `Debug` does not show them.
///
/// ```
/// use tidegate_core::handshake::BasicCredentials;
///
/// let credentials = BasicCredentials::new("Aladdin", "open sesame")?;
/// assert_eq!(credentials.to_header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// # Ok::<(), tidegate_core::handshake::CredentialsError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    user: String,
    password: String,
}

impl BasicCredentials {
    /// Creates credentials. The user name and the password may be empty.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::Colon`], [`CredentialsError::ControlCharacter`].
    pub fn new(
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (user, password) = (user.into(), password.into());
        // RFC 7617 §2: "a user-id containing a colon character is invalid", and neither the user-id
        // nor the password may contain control characters.
        if user.contains(':') {
            return Err(CredentialsError::Colon);
        }
        if user.chars().chain(password.chars()).any(char::is_control) {
            return Err(CredentialsError::ControlCharacter);
        }
        Ok(Self { user, password })
    }

    /// The user name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The value of an `Authorization` or `Proxy-Authorization` header (RFC 7617). User name and
    /// password are encoded as UTF-8.
    pub fn to_header(&self) -> String {
        let mut value = String::from("Basic ");
        let pair = [self.user.as_str(), self.password.as_str()].join(":");
        STANDARD.encode_string(pair, &mut value);
        value
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").finish_non_exhaustive()
    }
}

/// Credentials that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The user name contains a colon, which would end it.
    Colon,
    /// The user name or the password contains a control character.
    ControlCharacter,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Colon => "the user name has a colon",
            Self::ControlCharacter => "the user name or the password has a control character",
        })
    }
}

impl core::error::Error for CredentialsError {}
