//! Generation up to a wanted number of molecules: batch after batch, through filters.

use std::ops::Range;
use std::str::FromStr;

use crate::evaluate::Assessment;
use crate::format::TableRow;
use crate::{Error, Frame, GenerateRequest, Generator, Molecule, Result, Sieve};

/// Molecules drawn without a single one kept before a run with filters gives up.
const PATIENCE: u64 = 10_000;

/// The numbers of samples stay below this.
const END: u64 = 1 << 48;

/// Which molecules of a seed are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the first.
    pub first: u64,
    /// How many; with filters, how many that pass.
    pub count: u64,
    /// Molecules at a time.
    pub batch: u64,
}

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
    /// The molecules of a shard. All shards together are the whole, in order, whatever their number.
    pub fn shard(self, shard: Shard) -> Self {
        let border = |k: u64| (u128::from(self.count) * u128::from(k) / u128::from(shard.of)) as u64;
        let (begin, end) = (border(shard.index - 1), border(shard.index));
        Self { first: self.first.saturating_add(begin), count: end - begin, ..self }
    }
}

/// A run that generates until enough molecules are kept.
pub struct Harvest<'a> {
    generator: &'a Generator,
    request: &'a GenerateRequest,
    sieve: Sieve,
    wanted: Wanted,
    end: u64,
    drawn: u64,
    kept: u64,
}

/// Molecules that were kept of a batch, and what the table says about each.
#[derive(Debug, Default)]
pub struct Batch {
    /// The molecules, named after model, seed and number, with data fields.
    pub molecules: Vec<Molecule>,
    /// Their rows.
    pub rows: Vec<TableRow>,
}

impl<'a> Harvest<'a> {
    /// Checks everything that can be known before the work begins.
    pub fn new(
        generator: &'a Generator,
        request: &'a GenerateRequest,
        sieve: Sieve,
        wanted: Wanted,
    ) -> Result<Self> {
        generator.check(request)?;
        if wanted.batch == 0 {
            return Err(Error::Request("the batch must hold at least one molecule".into()));
        }
        if wanted.first.checked_add(wanted.count).is_none_or(|end| end >= END) {
            return Err(Error::Request("the numbers of the molecules must stay below 2^48".into()));
        }
        let most = if sieve.is_open() { wanted.count } else { END };
        let end = wanted.first.saturating_add(most).min(END);
        Ok(Self { generator, request, sieve, wanted, end, drawn: 0, kept: 0 })
    }

    /// Molecules drawn so far.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Molecules kept so far.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// What is still wanted.
    pub fn rest(&self) -> Wanted {
        Wanted { first: self.wanted.first + self.drawn, count: self.wanted.count - self.kept, ..self.wanted }
    }

    /// Whether nothing is filtered.
    pub fn is_open(&self) -> bool {
        self.sieve.is_open()
    }

    /// Whether all that are wanted are there.
    pub fn is_finished(&self) -> bool {
        self.kept >= self.wanted.count || self.wanted.first + self.drawn >= self.end
    }

    /// The numbers of the batch to come.
    pub fn upcoming(&self) -> Range<u64> {
        let next = self.wanted.first + self.drawn;
        next..self.end.min(next.saturating_add(self.wanted.batch))
    }

    /// Generates the batch to come; `watch` sees every evaluation and may stop the work by returning false.
    pub fn advance(&mut self, watch: &mut dyn FnMut(&Frame) -> bool) -> Result<Batch> {
        let numbers = self.upcoming();
        let molecules = self.generator.generate(self.request, numbers.clone(), watch)?;
        let mut batch = Batch::default();
        for (molecule, number) in molecules.into_iter().zip(numbers) {
            if self.kept == self.wanted.count {
                break;
            }
            self.drawn += 1;
            let row = self.row(&molecule, number);
            if self.sieve.keeps(&molecule, &row.assessment) {
                self.kept += 1;
                batch.molecules.push(self.labelled(molecule, &row));
                batch.rows.push(row);
            }
        }
        if self.kept == 0 && self.drawn >= PATIENCE {
            return Err(Error::NothingKept { drawn: self.drawn });
        }
        Ok(batch)
    }

    fn row(&self, molecule: &Molecule, sample: u64) -> TableRow {
        let (seed, targets) = (self.request.seed, self.request.targets.clone());
        TableRow { assessment: Assessment::of(molecule), seed, sample, targets }
    }

    fn labelled(&self, mut molecule: Molecule, row: &TableRow) -> Molecule {
        molecule.name = format!("{} seed {} sample {}", self.generator.card().name, row.seed, row.sample);
        let field = |name: &str, value: String| (name.to_string(), value);
        let a = &row.assessment;
        molecule.fields = vec![
            field("smiles", a.smiles.clone()),
            field("formula", a.formula.clone()),
            field("valid", a.valid.to_string()),
            field("connected", a.connected.to_string()),
            field("stable", a.stable().to_string()),
            field("seed", row.seed.to_string()),
            field("sample", row.sample.to_string()),
        ];
        let targets = row.targets.iter();
        molecule.fields.extend(targets.map(|(n, v)| field(&format!("target_{n}"), v.to_string())));
        molecule
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
