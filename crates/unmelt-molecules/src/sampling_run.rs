//! Generation up to a wanted number of molecules: batch after batch, through filters.

use std::ops::Range;

use unmelt_diffusion::ErrorKind;
use unmelt_diffusion::job::{Event, Job, Phase, Progress};
use unmelt_diffusion::run_record::RunRecord;

use crate::conditions::check_limits;
use crate::evaluate::Assessment;
use crate::format::TableRow;
use crate::generate::Generated;
use crate::record_field::RECORD_FIELD;
use crate::wanted::{END_OF_NUMBERS, Wanted};
use crate::{Error, FilterSet, Frame, Generator, Molecule, Plan, Result};

/// Molecules drawn one after another without one that passes the filters, before a run with filters gives up.
pub const USUAL_MAX_DRAWS: u64 = 10_000;

/// A run that does what a plan says, until enough molecules are kept.
///
/// ```
/// use burn::tensor::Device;
/// use unmelt_diffusion::budget::Budget;
/// use unmelt_diffusion::job::Job;
/// use unmelt_molecules::{Filter, FilterSet, GenerateRequest, Generator, KeySet, SamplingRun, Wanted, models};
///
/// let generator = Generator::load(&models::find("qm9")?, &Device::flex())?;
/// let request = GenerateRequest { steps: 20, atoms: Some(6), ..GenerateRequest::default() };
/// let filter_set = FilterSet::new(vec![Filter::Connected], Vec::new(), KeySet::default());
/// let plan = request.plan(generator.card(), Wanted::new(2), &filter_set, &Budget::default())?;
/// let mut run = SamplingRun::new(&generator, plan, filter_set)?;
/// while !run.is_finished() {
///     let batch = run.advance(&Job::new(), &mut |_| ())?;
///     assert!(batch.rows.iter().all(|row| row.assessment.connected));
/// }
/// assert_eq!(run.kept(), 2);
/// # Ok::<(), unmelt_molecules::Error>(())
/// ```
pub struct SamplingRun<'a> {
    generator: &'a Generator,
    plan: Plan,
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
    /// The run of a plan.
    ///
    /// # Errors
    /// The plan is of another model, or what the filters want cannot be met.
    pub fn new(generator: &'a Generator, plan: Plan, filter_set: FilterSet) -> Result<Self> {
        if plan.weights != generator.card().weights.sha256 {
            let sentence = format!("the plan is of the model {} with other weights", plan.model);
            return Err(unmelt_diffusion::Error::plain(ErrorKind::Model, sentence).into());
        }
        check_limits(&generator.card().model, &plan.request, &filter_set.limits)?;
        let wanted = Wanted { batch: plan.cost.batch, ..plan.wanted };
        wanted.check()?;
        let end = if filter_set.is_open() { wanted.first + wanted.count } else { END_OF_NUMBERS };
        let max_draws = USUAL_MAX_DRAWS;
        let record = RunRecord::new(generator.card(), &plan.request).to_json();
        Ok(Self { generator, plan, filter_set, wanted, end, drawn: 0, kept: 0, since: 0, max_draws, record })
    }

    /// What the run does.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gives up after so many molecules one after another of which none passes the filters, in place of
    /// [`USUAL_MAX_DRAWS`].
    pub fn giving_up_after(self, max_draws: u64) -> Result<Self> {
        match (max_draws, self.is_open()) {
            (0, _) => Err(Error::field("max_draws", "the most draws must be at least 1, but they are 0")),
            (_, true) => Err(Error::field(
                "max_draws",
                "nothing is filtered, so the most draws without a molecule that passes change nothing",
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
        let generated = self.generator.generated(&self.plan.request, numbers.clone(), &batch_job, watch)?;
        let mut batch = Batch::default();
        let Generated { molecules, mut estimates } = generated;
        estimates.resize_with(molecules.len(), Vec::new);
        for ((molecule, estimates), number) in molecules.into_iter().zip(estimates).zip(numbers) {
            if self.kept == self.wanted.count {
                break;
            }
            self.drawn += 1;
            self.since += 1;
            let row = self.row(&molecule, number, estimates);
            if self.filter_set.keeps(&molecule, &row.assessment) {
                self.kept += 1;
                self.since = 0;
                batch.molecules.push(self.labelled(molecule, &row));
                batch.rows.push(row);
            }
        }
        let steps = self.plan.evaluations_each as u64;
        let done =
            Progress { phase: Phase::Sampling, finished: self.kept, at_work: 0, samples, step: steps, steps };
        job.report(&Event::Progress(done));
        Ok(batch)
    }

    fn row(&self, molecule: &Molecule, sample: u64, estimates: Vec<(String, f64)>) -> TableRow {
        let request = &self.plan.request;
        let seed = request.seed;
        let name = |name: &str| self.generator.property_name(name).to_string();
        let targets = request.targets.iter().map(|(n, value)| (name(n), *value)).collect();
        TableRow { assessment: Assessment::of(molecule), seed, sample, targets, estimates }
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
        let targets = row.targets.iter().map(|(n, v)| field(&format!("target_{n}"), v.to_string()));
        let estimates = row.estimates.iter().map(|(n, v)| field(&format!("estimate_{n}"), v.to_string()));
        molecule.fields.extend(targets.chain(estimates));
        molecule.fields.push(field(RECORD_FIELD, self.record.clone()));
        molecule
    }
}
