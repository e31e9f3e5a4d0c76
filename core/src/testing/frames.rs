//! Frames, written and parsed a second time and as plainly as possible: the oracle for the core's.

/// A frame as it is sent, its payload unmasked. It may be illegal.
///
/// ```
/// use tidegate_core::testing::{Frame, opcode};
///
/// let frame = Frame::new(opcode::TEXT, "Hello").masked([0x37, 0xfa, 0x21, 0x3d]);
/// let bytes = frame.encode();
/// assert_eq!(bytes, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // RFC 6455 §5.7
/// assert_eq!(Frame::parse_all(&bytes), Ok(vec![frame]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The three reserved bits, as a number from 0 to 7; 4 is RSV1.
    pub reserved: u8,
    /// The four bits of the opcode.
    pub opcode: u8,
    /// The masking key, if there is one.
    pub key: Option<[u8; 4]>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The opcodes of RFC 6455 §5.2.
pub mod opcode {
    /// The next fragment.
    pub const CONTINUATION: u8 = 0x0;
    /// Text.
    pub const TEXT: u8 = 0x1;
    /// Binary.
    pub const BINARY: u8 = 0x2;
    /// Close.
    pub const CLOSE: u8 = 0x8;
    /// Ping.
    pub const PING: u8 = 0x9;
    /// Pong.
    pub const PONG: u8 = 0xA;
}

impl Frame {
    /// A whole, unmasked frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, reserved: 0, opcode, key: None, payload: payload.into() }
    }

    /// The same frame with more to come.
    pub fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    /// The same frame, masked.
    pub fn masked(mut self, key: [u8; 4]) -> Self {
        self.key = Some(key);
        self
    }

    /// A Close frame: empty without a code.
    pub fn close(code: Option<u16>, reason: &str) -> Self {
        let mut body = Vec::new();
        if let Some(code) = code {
            body.extend(code.to_be_bytes());
            body.extend(reason.as_bytes());
        }
        Self::new(opcode::CLOSE, body)
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(self.fin, self.reserved, self.opcode, self.key, self.payload.len());
        let start = bytes.len();
        bytes.extend(&self.payload);
        if let Some(key) = self.key {
            for (index, byte) in bytes.iter_mut().skip(start).enumerate() {
                *byte ^= key[index % 4];
            }
        }
        bytes
    }

    /// Takes one frame off the front of `bytes`: the frame and its length on the wire, or `None` if
    /// it is not complete.
    ///
    /// # Errors
    ///
    /// A length that is not in its shortest form, or has its top bit set.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let Some(([first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let (length, rest) = match second & 0x7F {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let shortest = match length {
            0..126 => 0,
            126..0x1_0000 => 126,
            _ => 127,
        };
        if second & 0x7F != shortest && (shortest != 0 || second & 0x7F > 125) {
            return Err(format!("length {length} is not in its shortest form"));
        }
        if length >> 63 != 0 {
            return Err("the top bit of a 64-bit length is set".into());
        }
        let (key, rest) = if second & 0x80 != 0 {
            match rest.split_first_chunk::<4>() {
                Some((key, rest)) => (Some(*key), rest),
                None => return Ok(None),
            }
        } else {
            (None, rest)
        };
        let Some(payload) = usize::try_from(length).ok().and_then(|length| rest.get(..length))
        else {
            return Ok(None);
        };
        let taken = bytes.len() - rest.len() + payload.len();
        let mut payload = payload.to_vec();
        if let Some(key) = key {
            for (index, byte) in payload.iter_mut().enumerate() {
                *byte ^= key[index % 4];
            }
        }
        let frame = Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0x7,
            opcode: first & 0xF,
            key,
            payload,
        };
        Ok(Some((frame, taken)))
    }

    /// All frames in `bytes`, which end with a frame.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), or a frame that is not complete.
    pub fn parse_all(mut bytes: &[u8]) -> Result<Vec<Self>, String> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let Some((frame, taken)) = Self::parse(bytes)? else {
                return Err(format!("{} bytes at the end are no whole frame", bytes.len()));
            };
            frames.push(frame);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(frames)
    }
}

/// A header that may lie: any bits, any opcode, and a length that may never come.
pub fn header(fin: bool, reserved: u8, opcode: u8, key: Option<[u8; 4]>, length: usize) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![u8::from(fin) << 7 | (reserved & 7) << 4 | opcode & 0xF];
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        bytes.push(mask | short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(mask | 126);
        bytes.extend(medium.to_be_bytes());
    } else {
        bytes.push(mask | 127);
        bytes.extend((length as u64).to_be_bytes());
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 6455 §5.7.
        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let hello = Frame::new(opcode::TEXT, "Hello");
        assert_eq!(Frame::parse_all(b"\x81\x05Hello"), Ok(vec![hello.clone()]));
        let hello = hello.masked([0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(hello.encode(), masked);
        assert_eq!(Frame::parse_all(masked), Ok(vec![hello]));
        assert_eq!(header(true, 0, opcode::BINARY, None, 256), b"\x82\x7e\x01\x00");
        assert_eq!(header(true, 0, opcode::BINARY, None, 65536), b"\x82\x7f\0\0\0\0\0\x01\0\0");
        assert!(Frame::parse(b"\x82\x7e\x00\x7d").is_err());
        assert!(Frame::parse(b"\x82\x7f\0\0\0\0\0\0\xff\xff").is_err());
        assert_eq!(Frame::parse(b"\x82\x7e\x00\x7e"), Ok(None));
    }
}
