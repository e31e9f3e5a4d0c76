//! A second implementation of RFC 6455 section 5.2, for a peer that shares no code with Tidegate.

use tidegate_tests::inflate::Inflater;

/// A frame as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// Writes a frame, masked if the sender is a client.
pub(crate) fn encode(first: u8, payload: &[u8], is_client: bool) -> Vec<u8> {
    let mask_bit = if is_client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(mask_bit | u8::try_from(length).unwrap()),
        length @ 126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(mask_bit | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    if is_client {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// Takes a whole frame from the start of what was read, if there is one.
///
/// # Panics
///
/// If the frame violates the protocol, which a correct library never does.
pub(crate) fn decode(bytes: &mut Vec<u8>, from_client: bool) -> Option<Frame> {
    let [first, second] = *bytes.first_chunk()?;
    let is_masked = second & 0x80 != 0;
    assert_eq!(is_masked, from_client, "a client masks, and a server does not");
    let (length, header) = match second & 0x7F {
        126 => {
            let length = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
            assert!(length > 125, "the shortest form");
            (usize::from(length), 4)
        }
        127 => {
            let length = u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
            assert!(length > 0xFFFF, "the shortest form");
            (usize::try_from(length).unwrap(), 10)
        }
        length => (usize::from(length), 2),
    };
    let begin = header + if is_masked { 4 } else { 0 };
    if bytes.len() < begin + length {
        return None;
    }
    let mut payload = bytes[begin..begin + length].to_vec();
    if is_masked {
        let key: [u8; 4] = bytes[header..begin].try_into().unwrap();
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    bytes.drain(..begin + length);
    let (fin, rsv, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    assert!(opcode < 8 || fin && payload.len() <= 125, "a control frame is short and whole");
    Some(Frame { fin, rsv, opcode, payload })
}

/// A DEFLATE stream of stored blocks, with the ending of RFC 7692 section 7.2.1.
pub(crate) fn stored(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in payload.chunks(0xFFFF) {
        let length = u16::try_from(block.len()).unwrap();
        bytes.push(0);
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    bytes.push(0);
    bytes
}

/// The message in the frames of a compressed one, without context takeover.
pub(crate) fn inflate(payload: &[u8]) -> Vec<u8> {
    Inflater::new(15, false).message(payload).unwrap()
}
