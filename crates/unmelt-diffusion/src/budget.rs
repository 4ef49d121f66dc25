//! What work takes, what it may take, and what a machine has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{device, machine};

/// What work may take; nothing is bounded that is not named.
///
/// ```
/// use unmelt_diffusion::budget::Budget;
///
/// let budget = Budget { memory: Some(4_000_000_000), ..Budget::default() };
/// assert!(budget.check_memory("the work", 5_000_000_000).is_err());
/// // A batch of 64 that takes 100 MB a sample is done in smaller ones.
/// assert_eq!(budget.batch("a batch of one sample", 64, |batch| batch * 100_000_000)?, 40);
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Bytes of memory at a time.
    pub memory: Option<u64>,
    /// Threads to compute on.
    pub threads: Option<usize>,
    /// Samples drawn in all, those that are not kept included.
    pub samples: Option<u64>,
}

impl Budget {
    /// What this machine has now.
    pub fn of_machine() -> Self {
        Self { memory: machine::available_memory(), threads: Some(device::threads()), samples: None }
    }

    /// Refuses work that takes so many bytes where fewer may be taken; `what` begins the sentence.
    ///
    /// # Errors
    /// [`Error::Budget`] of the field `memory`.
    pub fn check_memory(&self, what: &str, wanted: u64) -> Result<()> {
        Self::check("memory", "bytes", self.memory, what, wanted)
    }

    /// Refuses work that draws so many samples where fewer may be drawn; `what` begins the sentence.
    ///
    /// # Errors
    /// [`Error::Budget`] of the field `samples`.
    pub fn check_samples(&self, what: &str, wanted: u64) -> Result<()> {
        Self::check("samples", "samples", self.samples, what, wanted)
    }

    fn check(
        field: &'static str,
        unit: &'static str,
        allowed: Option<u64>,
        what: &str,
        wanted: u64,
    ) -> Result<()> {
        match allowed {
            Some(allowed) if wanted > allowed => {
                Err(Error::Budget { field, what: what.into(), unit, wanted, allowed })
            }
            _ => Ok(()),
        }
    }

    /// The largest batch, `wanted` samples at most, whose memory may be taken. `memory` says how many bytes a batch takes, and
    /// does not decrease; `one` names a batch of one sample in the error.
    ///
    /// # Errors
    /// A batch of one sample takes too much.
    pub fn batch(&self, one: &str, wanted: u64, memory: impl Fn(u64) -> u64) -> Result<u64> {
        let fits = |batch: u64| self.memory.is_none_or(|most| memory(batch) <= most);
        if fits(wanted) {
            return Ok(wanted);
        }
        self.check_memory(one, memory(1))?;
        let (mut fit, mut large) = (1, wanted);
        while large - fit > 1 {
            let middle = fit + (large - fit) / 2;
            if fits(middle) { fit = middle } else { large = middle }
        }
        Ok(fit)
    }
}

/// What work takes.
///
/// ```
/// use unmelt_diffusion::budget::Cost;
///
/// let cost = Cost { samples: 64, drawn: 512, evaluations: 51_200, batches: 8, batch: 8, memory: 1_100_000_000 };
/// assert_eq!(
///     cost.sentence("molecules"),
///     "64 molecules, 512 drawn, 51,200 evaluations in 8 batches, about 1.1 GB"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Samples that are wanted.
    pub samples: u64,
    /// Samples that are drawn for them; at least so many where filters are at work.
    pub drawn: u64,
    /// Evaluations of the network, of one sample each.
    pub evaluations: u64,
    /// Batches that are worked on one after another.
    pub batches: u64,
    /// Wanted samples of a batch.
    pub batch: u64,
    /// Bytes of memory that the work takes at its peak, estimated.
    pub memory: u64,
}

impl Cost {
    /// The cost as a sentence; `samples` is what is drawn: "molecules".
    pub fn sentence(&self, samples: &str) -> String {
        let drawn = match self.drawn == self.samples {
            true => String::new(),
            false => format!(" {} drawn,", grouped(self.drawn)),
        };
        let batches = if self.batches == 1 { "batch" } else { "batches" };
        format!(
            "{} {samples},{drawn} {} evaluations in {} {batches}, about {}",
            grouped(self.samples),
            grouped(self.evaluations),
            grouped(self.batches),
            Bytes(self.memory)
        )
    }
}

/// Bytes in megabytes or gigabytes.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 as f64 / 1e6 {
            megabytes if megabytes < 999.5 => write!(f, "{megabytes:.0} MB"),
            megabytes => write!(f, "{:.1} GB", megabytes / 1e3),
        }
    }
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|c| String::from_utf8_lossy(c).into_owned());
    let head = (first > 0).then(|| head.to_string());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

/// Something that was not asked for and that a plan filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilledIn {
    /// The field of the request.
    pub field: String,
    /// What stands in it now.
    pub value: serde_json::Value,
}

impl FilledIn {
    /// A field, and what stands in it now.
    pub fn new(field: &str, value: impl Into<serde_json::Value>) -> Self {
        Self { field: field.into(), value: value.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_large_as_memory_allows() {
        let budget = |memory| Budget { memory, ..Budget::default() };
        let batch = |memory, wanted| budget(memory).batch("one", wanted, |n| 100 + 10 * n);
        assert_eq!(batch(None, 64).expect("unbounded"), 64);
        for (memory, wanted, expected) in
            [(740, 64, 64), (739, 64, 63), (115, 64, 1), (110, 1, 1), (1000, 1000, 90)]
        {
            assert_eq!(batch(Some(memory), wanted).expect("fits"), expected, "{memory} {wanted}");
        }
        let error = batch(Some(109), 64).expect_err("too little");
        assert!(matches!(error, Error::Budget { field: "memory", wanted: 110, allowed: 109, .. }), "{error}");
    }

    #[test]
    fn costs_are_said_with_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        let cost = Cost { samples: 5, drawn: 5, evaluations: 500, batches: 1, batch: 5, memory: 45_400_000 };
        assert_eq!(cost.sentence("molecules"), "5 molecules, 500 evaluations in 1 batch, about 45 MB");
    }
}
