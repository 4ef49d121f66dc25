//! Generation up to a wanted number of molecules: batch after batch, through filters.

use std::ops::Range;
use std::str::FromStr;

use unmelt_diffusion::job::{Event, Job, Phase, Progress};
use unmelt_diffusion::run_record::RunRecord;

use crate::evaluate::Assessment;
use crate::format::TableRow;
use crate::generate::{END_OF_NUMBERS, numbers_ended};
use crate::replay::RECORD_FIELD;
use crate::{Error, FilterSet, Frame, GenerateRequest, Generator, Molecule, Result};

/// Molecules drawn one after another without one that passes the filters, before a run with filters gives up.
pub const USUAL_MAX_DRAWS: u64 = 10_000;

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
pub struct SamplingRun<'a> {
    generator: &'a Generator,
    request: &'a GenerateRequest,
    filter_set: FilterSet,
    wanted: Wanted,
    end: u64,
    drawn: u64,
    kept: u64,
    /// Molecules drawn since the last that was kept.
    since: u64,
    max_draws: u64,
    /// What every molecule carries so that it can be made again.
    record: String,
}

/// Molecules that were kept of a batch, and what the table says about each.
#[derive(Debug, Default)]
pub struct Batch {
    /// The molecules, named after model, seed and number, with data fields.
    pub molecules: Vec<Molecule>,
    /// Their rows.
    pub rows: Vec<TableRow>,
}

impl<'a> SamplingRun<'a> {
    /// Checks everything that can be known before the work begins.
    pub fn new(
        generator: &'a Generator,
        request: &'a GenerateRequest,
        filter_set: FilterSet,
        wanted: Wanted,
    ) -> Result<Self> {
        generator.check(request)?;
        if wanted.batch == 0 {
            return Err(Error::Request("the batch must hold at least one molecule".into()));
        }
        if wanted.first.checked_add(wanted.count).is_none_or(|end| end > END_OF_NUMBERS) {
            return Err(numbers_ended());
        }
        generator.check_limits(request, &filter_set.limits)?;
        let end = if filter_set.is_open() { wanted.first + wanted.count } else { END_OF_NUMBERS };
        let max_draws = USUAL_MAX_DRAWS;
        let record = RunRecord::new(generator.card(), request).to_json();
        Ok(Self {
            generator,
            request,
            filter_set,
            wanted,
            end,
            drawn: 0,
            kept: 0,
            since: 0,
            max_draws,
            record,
        })
    }

    /// Gives up after so many molecules one after another of which none passes the filters, in place of
    /// [`USUAL_MAX_DRAWS`].
    pub fn giving_up_after(self, max_draws: u64) -> Result<Self> {
        match (max_draws, self.is_open()) {
            (0, _) => Err(Error::Request("the most draws must be at least 1, but they are 0".into())),
            (_, true) => Err(Error::Request(
                "nothing is filtered, so the most draws without a molecule that passes change nothing".into(),
            )),
            _ => Ok(Self { max_draws, ..self }),
        }
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
        self.filter_set.is_open()
    }

    /// Whether all that are wanted are there.
    pub fn is_finished(&self) -> bool {
        self.kept >= self.wanted.count || self.wanted.first + self.drawn >= self.end
    }

    /// The numbers of the batch to come.
    pub fn upcoming(&self) -> Range<u64> {
        let next = self.wanted.first + self.drawn;
        let left = self.wanted.batch.min(if self.is_open() { u64::MAX } else { self.max_draws - self.since });
        next..self.end.min(next.saturating_add(left))
    }

    /// Generates the batch to come. The job hears of every evaluation and may stop the work; `watch` sees the molecules after
    /// each.
    ///
    /// A run that gives up says so with [`Error::GaveUp`] when it is asked for more; what was kept came with the batches
    /// before.
    pub fn advance(&mut self, job: &Job, watch: &mut dyn FnMut(&Frame)) -> Result<Batch> {
        if !self.is_open() && self.since >= self.max_draws {
            let (drawn, kept) = (self.drawn, self.kept);
            return Err(Error::GaveUp { drawn, kept, wanted: self.wanted.count, in_a_row: self.max_draws });
        }
        let numbers = self.upcoming();
        // With filters nobody knows how many of the batch will count.
        let at_work = if self.is_open() { numbers.end - numbers.start } else { 0 };
        let (finished, samples) = (self.kept, self.wanted.count);
        let listener = |event: &Event| match event {
            Event::Progress(progress) => {
                job.report(&Event::Progress(Progress { finished, at_work, samples, ..*progress }));
            }
            other => job.report(other),
        };
        let batch_job = job.heard_by(&listener);
        let molecules = self.generator.generate(self.request, numbers.clone(), &batch_job, watch)?;
        let mut batch = Batch::default();
        for (molecule, number) in molecules.into_iter().zip(numbers) {
            if self.kept == self.wanted.count {
                break;
            }
            self.drawn += 1;
            self.since += 1;
            let row = self.row(&molecule, number);
            if self.filter_set.keeps(&molecule, &row.assessment) {
                self.kept += 1;
                self.since = 0;
                batch.molecules.push(self.labelled(molecule, &row));
                batch.rows.push(row);
            }
        }
        let steps = self.generator.evaluations(self.request)? as u64;
        let done =
            Progress { phase: Phase::Sampling, finished: self.kept, at_work: 0, samples, step: steps, steps };
        job.report(&Event::Progress(done));
        Ok(batch)
    }

    fn row(&self, molecule: &Molecule, sample: u64) -> TableRow {
        let seed = self.request.seed;
        let name = |name: &str| self.generator.property_name(name).to_string();
        let targets = self.request.targets.iter().map(|(n, value)| (name(n), *value)).collect();
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
        molecule.fields.push(field(RECORD_FIELD, self.record.clone()));
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
