//! What a handler returns.

use crate::error::Error;

/// What a handler may return to [`serve_any_outcome`](crate::serve::serve_any_outcome): nothing, or a
/// `Result` with any error that becomes a boxed one: [`Error`], `anyhow::Error`, an application's
/// own, a `String`.
pub trait HandlerOutcome {
    /// What it came to.
    ///
    /// # Errors
    ///
    /// What the handler returned as its error.
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

/// Whether it says no more than that the connection was closed as usual, or is being closed.
pub(crate) fn is_farewell(error: &BoxError) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Closed(closed)) => closed.is_normal(),
        Some(Error::Closing) => true,
        Some(_) | None => false,
    }
}

/// Whether it is about how the connection ended: not a mistake of the application.
#[cfg(feature = "tracing")]
pub(crate) fn is_of_connection(error: &BoxError) -> bool {
    chain(error).any(|error| {
        matches!(
            error.downcast_ref::<Error>(),
            Some(Error::Closed(_) | Error::Closing | Error::Io(_))
        )
    })
}

/// An error and what it comes from, for one line of a log.
#[cfg(feature = "tracing")]
pub(crate) fn in_full(error: &BoxError) -> String {
    let mut text = String::new();
    for error in chain(error) {
        let error = error.to_string();
        // There are errors that repeat what they come from.
        if !text.ends_with(&error) {
            if !text.is_empty() {
                text += ": ";
            }
            text += &error;
        }
    }
    text
}

#[cfg(feature = "tracing")]
fn chain(error: &BoxError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = &**error;
    std::iter::successors(Some(first), |error| error.source())
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_chain_is_told_once() {
        let error: BoxError = Error::Io(io::Error::other("gone")).into();
        let text = in_full(&error);
        assert_eq!(text.matches("gone").count(), 1, "{text}");
        assert_eq!(in_full(&"alone".into()), "alone");
    }

    #[test]
    fn what_ended_the_connection_is_no_mistake_of_the_application() {
        assert!(is_of_connection(&Error::Closing.into()));
        assert!(!is_of_connection(&Error::Unfinished.into()));
        assert!(!is_of_connection(&"a mistake".into()));
    }
}
