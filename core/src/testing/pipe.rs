//! One direction of a virtual network. It splits, delays, stalls and cuts the data, by a seed.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::Timestamp;

use crate::testing::random::Random;

/// The network conditions of a [`Pipe`].
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::testing::Conditions;
///
/// let modem = Conditions { longest_piece: 20, delay: Duration::from_millis(90), ..Conditions::GOOD };
/// assert_eq!(modem.cut_after(100).cut_after, Some(100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests build it")]
pub struct Conditions {
    /// How many bytes can be in flight, like the socket buffers of both systems together.
    pub capacity: usize,
    /// The most bytes that one write or read moves.
    pub longest_piece: usize,
    /// The longest time that a piece is in flight.
    pub delay: Duration,
    /// Once in this many reads nothing arrives for a while. 0 for never.
    pub stall_one_in: usize,
    /// For how long.
    pub stall: Duration,
    /// The stream ends after this many bytes, wherever that is.
    pub cut_after: Option<usize>,
}

impl Conditions {
    /// Fast, without delays, and with the capacity of a small socket buffer.
    pub const GOOD: Self = Self {
        capacity: 64 * 1024,
        longest_piece: 64 * 1024,
        delay: Duration::ZERO,
        stall_one_in: 0,
        stall: Duration::ZERO,
        cut_after: None,
    };

    /// Small pieces, delays and stalls.
    pub const POOR: Self = Self {
        capacity: 4 * 1024,
        longest_piece: 700,
        delay: Duration::from_millis(40),
        stall_one_in: 40,
        stall: Duration::from_millis(300),
        cut_after: None,
    };

    /// One byte at a time.
    pub const BYTE_BY_BYTE: Self = Self { capacity: 16, longest_piece: 1, ..Self::GOOD };

    /// The same conditions, and the stream is cut after so many bytes.
    pub const fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }
}

/// Bytes in flight in one direction, in order, and maybe the end of the stream after them.
///
/// ```
/// use tidegate_core::Timestamp;
/// use tidegate_core::testing::{Pipe, Conditions};
///
/// let mut pipe = Pipe::new(Conditions::BYTE_BY_BYTE, 7);
/// assert_eq!(pipe.write(Timestamp::ZERO, b"tide"), 1, "a byte at a time");
/// assert_eq!(pipe.read(Timestamp::ZERO, 100), Some(b"t".to_vec()));
/// assert_eq!(pipe.read(Timestamp::ZERO, 100), None);
/// pipe.shut_down(Timestamp::ZERO);
/// assert_eq!(pipe.read(Timestamp::ZERO, 100), Some(Vec::new()), "the end of the stream");
/// ```
#[derive(Debug)]
pub struct Pipe {
    conditions: Conditions,
    random: Random,
    pieces: VecDeque<(Timestamp, VecDeque<u8>)>,
    under_way: usize,
    carried: usize,
    /// Before this time nothing arrives.
    stalled_until: Timestamp,
    end: Option<Timestamp>,
}

impl Pipe {
    /// Creates an empty pipe. All its randomness comes from `seed`.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: Random::new(seed),
            pieces: VecDeque::new(),
            under_way: 0,
            carried: 0,
            stalled_until: Timestamp::ZERO,
            end: None,
        }
    }

    /// Takes a piece off the front of `bytes`, as a socket does, and returns its length: 0 if the pipe
    /// is full. A pipe that is cut takes everything and drops it.
    pub fn write(&mut self, now: Timestamp, bytes: &[u8]) -> usize {
        if self.end.is_some() {
            return bytes.len();
        }
        let mut room = self.conditions.capacity - self.under_way;
        if let Some(cut_after) = self.conditions.cut_after {
            room = room.min(cut_after - self.carried);
        }
        let most = room.min(self.conditions.longest_piece).min(bytes.len());
        let count = if most == 0 { 0 } else { 1 + self.random.below(most) };
        if let Some(piece) = bytes.get(..count).filter(|piece| !piece.is_empty()) {
            let arrival = self.arrival(now);
            self.pieces.push_back((arrival, piece.iter().copied().collect()));
            self.under_way += count;
            self.carried += count;
        }
        if self.conditions.cut_after == Some(self.carried) {
            self.shut_down(now);
        }
        count
    }

    /// Ends the stream after the bytes that are in flight.
    pub fn shut_down(&mut self, now: Timestamp) {
        if self.end.is_none() {
            self.end = Some(self.arrival(now));
        }
    }

    /// Closes the reading end. Bytes that are in flight, or are written later, are lost.
    pub fn abandon(&mut self, now: Timestamp) {
        self.pieces.clear();
        self.under_way = 0;
        self.shut_down(now);
    }

    /// Reads at most `most` bytes. Returns an empty piece at the end of the stream, and `None` if
    /// nothing has arrived.
    pub fn read(&mut self, now: Timestamp, most: usize) -> Option<Vec<u8>> {
        if self.next_arrival()? > now {
            return None;
        }
        if self.conditions.stall_one_in > 0
            && !self.conditions.stall.is_zero()
            && self.random.one_in(self.conditions.stall_one_in)
        {
            self.stalled_until = now + self.conditions.stall;
            return None;
        }
        if self.pieces.is_empty() {
            return Some(Vec::new());
        }
        // A read gives what has arrived, whatever the writes were.
        let most = (1 + self.random.below(self.conditions.longest_piece)).min(most);
        let mut read = Vec::new();
        while read.len() < most
            && let Some((arrival, piece)) = self.pieces.front_mut()
            && *arrival <= now
        {
            let count = piece.len().min(most - read.len());
            read.extend(piece.drain(..count));
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
        self.under_way -= read.len();
        Some(read)
    }

    /// When the next bytes, or the end of the stream, arrive. `None` if nothing is in flight.
    pub fn next_arrival(&self) -> Option<Timestamp> {
        let arrival = self.pieces.front().map(|(arrival, _)| *arrival).or(self.end)?;
        Some(arrival.max(self.stalled_until))
    }

    /// Whether a write would take at least one byte.
    pub fn has_room(&self) -> bool {
        self.end.is_some() || self.under_way < self.conditions.capacity
    }

    /// How many bytes are in flight.
    pub const fn under_way(&self) -> usize {
        self.under_way
    }

    /// How many bytes the pipe has taken in total.
    pub const fn carried(&self) -> usize {
        self.carried
    }

    fn arrival(&mut self, now: Timestamp) -> Timestamp {
        let delay = usize::try_from(self.conditions.delay.as_micros()).unwrap_or(usize::MAX - 1);
        let delay = Duration::from_micros(self.random.below(delay + 1) as u64);
        let last = self.pieces.back().map_or(Timestamp::ZERO, |(arrival, _)| *arrival);
        (now + delay).max(last)
    }
}
