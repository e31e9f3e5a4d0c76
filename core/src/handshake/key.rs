//! `Sec-WebSocket-Key` and the `Sec-WebSocket-Accept` that answers it (RFC 6455 §1.3).

use alloc::string::String;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, PAD, STANDARD};
use sha1::{Digest, Sha1};

/// Encodes a key for the header.
pub(crate) fn encode_key(octets: [u8; KEY_OCTETS]) -> String {
    STANDARD.encode(octets)
}

/// Whether this is base64 of exactly sixteen octets, padded.
///
/// The last character has four unused bits. A decoder may refuse them if they are not zero (RFC 4648
/// §3.5), but hand-written keys contain ones, and nothing depends on the octets.
pub(crate) fn is_key(value: &[u8]) -> bool {
    let mut octets = [0; KEY_OCTETS + 2];
    LENIENT.decode_slice(value, &mut octets) == Ok(KEY_OCTETS)
}

/// Proves that the server has read the key and speaks WebSocket: the hash of the key as it was sent
/// (not decoded) and of the protocol's identifier (RFC 6455 §4.2.2).
pub(crate) fn accept_value(key: &[u8]) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(hash)
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_BITS);
const LENIENT_BITS: GeneralPurposeConfig = PAD.with_decode_allow_trailing_bits(true);

pub(crate) const KEY_OCTETS: usize = 16;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_in_the_rfc() {
        assert_eq!(encode_key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn only_base64_of_sixteen_octets_is_a_key() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_key(b"8PHy8/T19vf4+fr7/P3+/w=="));
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZR=="), "unused bits that are not zero");
        for bad in [
            &b""[..],
            b"eHh4eHh4eHh4eHh4eHh4",         // 15 octets
            b"eHh4eHh4eHh4eHh4eHh4eHg=",     // 17 octets
            b"eHh4eHh4eHh4eHh4eHh4eHh4",     // 18 octets
            b"eHh4eHh4eHh4eHh4eHh4eHh4eHh4", // 21 octets
            b"dGhlIHNhbXBsZSBub25jZQ",       // no padding
            b"dGhlIHNhbXBsZSBub25jZQ=",      // half of the padding
            b"8PHy8_T19vf4-fr7_P3-_w==",     // the other alphabet
            b"!!!!!!!!!!!!!!!!!!!!!!==",
            b"dGhlIHNhbXBsZSBub25jZQ==,",
            b"dGhlIHNhbXBs ZSBub25jZQ==",
        ] {
            assert!(!is_key(bad), "{}", bad.escape_ascii());
        }
    }
}
