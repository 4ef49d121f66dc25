//! Which molecules of a seed are wanted, by their numbers.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The candidate's number stands in the bits of the sample's 48 from this one on.
pub(crate) const CANDIDATE_BITS: u32 = 38;

/// The numbers of samples stay below this: the bits above belong to candidates, so that no candidate is another sample.
pub(crate) const END_OF_NUMBERS: u64 = 1 << CANDIDATE_BITS;

/// The error of a run whose molecules have no numbers left.
pub(crate) fn numbers_ended() -> Error {
    Error::field("first", "the numbers of the molecules must stay below 2^38")
}

/// Which molecules of a seed are wanted.
///
/// ```
/// use unmelt_molecules::Wanted;
///
/// let whole = Wanted { first: 100, ..Wanted::new(10) };
/// let third = whole.shard("3/4".parse().expect("a shard"));
/// assert_eq!((third.first, third.count), (105, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Number of the first.
    pub first: u64,
    /// How many; with filters, how many that pass.
    pub count: u64,
    /// Molecules at a time.
    pub batch: u64,
}

/// Molecules at a time, unless told otherwise.
const USUAL_BATCH: u64 = 64;

/// A part of the molecules that are wanted: the i-th of n, for runs on several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl FromStr for Shard {
    type Err = String;

    /// Reads "3/8", the third of eight.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |t: &str| t.trim().parse::<u64>().ok();
        let parts = text.split_once('/').and_then(|(i, n)| Some((number(i)?, number(n)?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(format!("\"{text}\" is no shard; write 3/8 for the third of eight")),
        }
    }
}

impl Wanted {
    /// Checks the numbers.
    pub(crate) fn check(&self) -> Result<()> {
        if self.batch == 0 {
            return Err(Error::field("batch", "the batch must hold at least one molecule"));
        }
        match self.first.checked_add(self.count) {
            Some(end) if end <= END_OF_NUMBERS => Ok(()),
            _ => Err(numbers_ended()),
        }
    }

    /// The first so many of a seed, in batches of the usual size.
    pub fn new(count: u64) -> Self {
        Self { first: 0, count, batch: USUAL_BATCH }
    }

    /// The molecules of a shard. All shards together are the whole, in order, whatever their number.
    pub fn shard(self, shard: Shard) -> Self {
        let border = |k: u64| (u128::from(self.count) * u128::from(k) / u128::from(shard.of)) as u64;
        let (begin, end) = (border(shard.index - 1), border(shard.index));
        Self { first: self.first.saturating_add(begin), count: end - begin, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shards_are_the_whole_in_order(first in 0u64..1000, count in 0u64..1000, of in 1u64..40) {
            let whole = Wanted { first, count, batch: 64 };
            let mut next = first;
            for index in 1..=of {
                let part = whole.shard(format!("{index}/{of}").parse().expect("a shard"));
                prop_assert_eq!(part.first, next);
                prop_assert!(part.count <= count / of + 1);
                next += part.count;
            }
            prop_assert_eq!(next, first + count);
        }
    }

    #[test]
    fn shards_count_from_one() {
        for bad in ["0/4", "5/4", "1", "a/b", "1/0", ""] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
