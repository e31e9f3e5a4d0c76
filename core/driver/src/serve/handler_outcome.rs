//! What a server's handler may return, and how its error is judged and logged.

use crate::error::Error;

/// What a handler may return to [`serve_any_outcome`](crate::serve::serve_any_outcome): nothing, or a
/// `Result` whose error can be boxed, such as [`Error`], `anyhow::Error`, an error of the application
/// or a `String`.
pub trait HandlerOutcome {
    /// Converts it.
    ///
    /// # Errors
    ///
    /// The error that the handler returned.
    fn into_result(self) -> Result<(), BoxError>;
}

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl HandlerOutcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> HandlerOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// Whether the error only says that the connection was closed normally, or is being closed. Calls
/// that send return it at the end of a normal conversation.
pub(crate) fn is_normal_end(error: &BoxError) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Closed(closed)) => closed.is_normal(),
        Some(Error::Closing) => true,
        Some(_) | None => false,
    }
}

/// Whether the error reports how the connection ended, and no mistake of the application.
pub(crate) fn is_of_connection(error: &BoxError) -> bool {
    // The whole chain, since an application may have wrapped our error in one of its own.
    chain(error).any(|error| {
        matches!(
            error.downcast_ref::<Error>(),
            Some(Error::Closed(_) | Error::Closing | Error::Io(_))
        )
    })
}

/// The error and its sources, for one line of a log.
pub(crate) fn in_full(error: &BoxError) -> String {
    let mut text = String::new();
    for error in chain(error) {
        let error = error.to_string();
        // Some errors repeat the text of their source.
        if !text.ends_with(&error) {
            if !text.is_empty() {
                text += ": ";
            }
            text += &error;
        }
    }
    text
}

fn chain(error: &BoxError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = &**error;
    std::iter::successors(Some(first), |error| error.source())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_repeated_source_is_logged_once() {
        let error: BoxError = Error::Io(io::Error::other("gone")).into();
        let text = in_full(&error);
        assert_eq!(text.matches("gone").count(), 1, "{text}");
        assert_eq!(in_full(&"alone".into()), "alone");
    }

    #[test]
    fn the_end_of_a_connection_is_not_a_mistake_of_the_application() {
        assert!(is_of_connection(&Error::Closing.into()));
        assert!(!is_of_connection(&Error::Unfinished.into()));
        assert!(!is_of_connection(&"a mistake".into()));
    }
}
