//! How a vector's input is split for a replay.

use tidegate_core::testing::Random;

/// The splits that a vector allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunking {
    /// Any split.
    Any,
    /// Pieces of at least 500 bytes.
    Coarse,
    /// Only as written.
    AsIs,
}

/// How every `recv` is split in one replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not at all.
    Whole,
    /// Into pieces of this many bytes.
    Every(usize),
    /// Into pieces of `least` to `most` bytes, the same for the same seed.
    Random {
        /// The shortest piece; the last one may be shorter.
        least: usize,
        /// The longest piece.
        most: usize,
        /// The seed of the sizes.
        seed: u64,
    },
}

impl Chunking {
    /// Parses the name.
    ///
    /// # Errors
    ///
    /// Any other name.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "any" => Ok(Self::Any),
            "coarse" => Ok(Self::Coarse),
            "as_is" => Ok(Self::AsIs),
            _ => Err(format!("unknown chunking {name:?}")),
        }
    }

    /// The replays for this setting.
    pub(super) fn cuts(self) -> Vec<Cut> {
        let random = |least, most, seed| Cut::Random { least, most, seed };
        match self {
            Self::Any => vec![
                Cut::Whole,
                Cut::Every(1),
                Cut::Every(2),
                Cut::Every(3),
                Cut::Every(7),
                random(1, 5, 1),
                random(1, 40, 2),
                random(1, 400, 3),
            ],
            Self::Coarse => vec![
                Cut::Whole,
                Cut::Every(500),
                Cut::Every(1021),
                random(500, 1500, 4),
                random(500, 20_000, 5),
            ],
            Self::AsIs => vec![Cut::Whole],
        }
    }
}

impl Cut {
    /// The lengths of the pieces of `length` bytes; one empty piece if `length` is 0.
    pub(super) fn pieces(self, length: usize) -> Vec<usize> {
        let (least, most, seed) = match self {
            Self::Whole => return vec![length],
            Self::Every(size) => (size, size, 0),
            Self::Random { least, most, seed } => (least, most, seed),
        };
        let mut random = Random::new(seed);
        let mut pieces = Vec::new();
        let mut left = length;
        while left > 0 {
            let piece = (least + random.below(most + 1 - least)).clamp(1, left);
            pieces.push(piece);
            left -= piece;
        }
        pieces
    }

    /// A short name for reports.
    pub(super) fn name(self) -> String {
        match self {
            Self::Whole => "whole".into(),
            Self::Every(size) => format!("every {size}"),
            Self::Random { least, most, seed } => format!("random {least}-{most} seed {seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_and_keep_their_limits() {
        for chunking in [Chunking::Any, Chunking::Coarse, Chunking::AsIs] {
            for cut in chunking.cuts() {
                for length in [0, 1, 2, 499, 500, 5000] {
                    let pieces = cut.pieces(length);
                    assert_eq!(pieces.iter().sum::<usize>(), length, "{}", cut.name());
                    let all_but_last = pieces.split_last().map_or(&[][..], |(_, rest)| rest);
                    let least = if chunking == Chunking::Coarse { 500 } else { 1 };
                    assert!(all_but_last.iter().all(|piece| *piece >= least), "{}", cut.name());
                    assert_eq!(pieces, cut.pieces(length), "it is deterministic");
                }
            }
        }
    }
}
