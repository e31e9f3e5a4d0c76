//! Frames and payloads, generated independently of the measured libraries.

/// The kind of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Ascii,
    MultiByte,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Binary, Self::Ascii, Self::MultiByte];

    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "text, ASCII",
            Self::MultiByte => "text, multi-byte",
        }
    }

    pub fn id(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::MultiByte => "multi-byte",
        }
    }

    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    pub fn payload(self, size: usize) -> Vec<u8> {
        match self {
            Self::Binary | Self::Ascii => br#"{"id":1234,"name":"tide","value":true},"#
                .iter()
                .copied()
                .cycle()
                .take(size)
                .collect(),
            Self::MultiByte => {
                let words = "Gezeiten — прилив и отлив, 潮の満ち引き 🌊 ";
                let mut text: String = words.chars().cycle().take(size).collect();
                while text.len() > size {
                    text.pop();
                }
                while text.len() < size {
                    text.push('.');
                }
                text.into_bytes()
            }
        }
    }

    /// A client's message: one masked frame.
    pub fn frame(self, size: usize) -> Vec<u8> {
        let first = if self.is_text() { 0x81 } else { 0x82 };
        masked(first, &self.payload(size))
    }
}

/// A masked frame with this first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0x80, payload.len());
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame of a server.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0, payload.len());
    frame.extend_from_slice(payload);
    frame
}

fn header(first: u8, masked: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(masked | length as u8),
        126..=0xFFFF => {
            frame.push(masked | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame
}

/// The length of a whole frame from its first bytes, if they are enough.
pub fn frame_length(bytes: &[u8]) -> Option<usize> {
    let mask = if bytes.get(1)? & 0x80 == 0 { 0 } else { 4 };
    let (header, payload) = match bytes[1] & 0x7F {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, length as usize),
    };
    Some(header + mask + payload)
}

pub const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

pub const SIZES: [usize; 6] = [16, 125, 1024, 16 << 10, 64 << 10, 1 << 20];
