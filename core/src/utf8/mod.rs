//! UTF-8 of text messages: validation as it arrives, and unmasking before it.

pub(crate) mod unmask;
pub(crate) mod validate;
