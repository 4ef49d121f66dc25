//! What a request will do and what it takes, known before the work begins.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::ProductProcess;
use unmelt_diffusion::budget::{Budget, Cost, FilledIn};
use unmelt_diffusion::checkpoint::Card;
use unmelt_diffusion::files::limits::limits;
use unmelt_kernels::pair_count;

use crate::conditions::{check_limits, warnings};
use crate::memory::Memory;
use crate::requested::Requested;
use crate::{Beginning, FilterSet, GenerateRequest, MoleculeModel, Result, Wanted};

/// A request that was checked against a model: what will be done, and what it takes. A [`SamplingRun`](crate::SamplingRun) does it.
///
/// ```
/// use unmelt_diffusion::budget::Budget;
/// use unmelt_molecules::{FilterSet, GenerateRequest, Wanted, models};
///
/// let card = models::card("qm9")?;
/// let request = GenerateRequest { targets: vec![("dipole".into(), 2.0)], ..GenerateRequest::default() };
/// let plan = request.plan(&card, Wanted::new(64), &FilterSet::default(), &Budget::default())?;
/// // Eight candidates for each molecule, with guidance two evaluations a step.
/// assert_eq!((plan.candidates, plan.cost.drawn, plan.cost.evaluations), (8, 512, 102_400));
/// assert_eq!(plan.filled_in[1].field, "candidates");
///
/// // With less memory the batches are smaller; with too little the request is refused.
/// let budget = |memory| Budget { memory: Some(memory), ..Budget::default() };
/// let small = request.plan(&card, Wanted::new(64), &FilterSet::default(), &budget(150_000_000))?;
/// assert!(small.cost.batches > 1 && small.cost.memory <= 150_000_000);
/// assert!(request.plan(&card, Wanted::new(64), &FilterSet::default(), &budget(1_000_000)).is_err());
/// # Ok::<(), unmelt_molecules::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of the model.
    pub model: String,
    /// SHA-256 of its weights, in hexadecimal.
    pub weights: String,
    /// What was asked for.
    pub request: GenerateRequest,
    /// Which molecules of the seed.
    pub wanted: Wanted,
    /// Whether filters decide what is kept; then more molecules may be drawn than the cost says.
    pub is_filtered: bool,
    /// Molecules that are drawn for each one.
    pub candidates: usize,
    /// Evaluations of the network for each molecule, its candidates included.
    pub evaluations_each: usize,
    /// What the work takes.
    pub cost: Cost,
    /// What was not asked for and is done all the same.
    pub filled_in: Vec<FilledIn>,
    /// What the training data of the model has next to nothing of, as sentences.
    pub warnings: Vec<String>,
}

impl GenerateRequest {
    /// The plan of a request to the model of a card: checked, counted, and within a budget. What takes more memory than may be taken
    /// is done in smaller batches, which changes no molecule.
    ///
    /// # Errors
    /// What cannot be honoured, by the name of its field: [`unmelt_diffusion::Error::Field`]; what is above a limit
    /// ([`unmelt_diffusion::Error::Limit`]) or a budget ([`unmelt_diffusion::Error::Budget`]).
    pub fn plan(
        &self,
        card: &Card<MoleculeModel>,
        wanted: Wanted,
        filter_set: &FilterSet,
        budget: &Budget,
    ) -> Result<Plan> {
        let model = &card.model;
        let process = ProductProcess::new(&model.features())?;
        let requested = Requested { model, process: &process, request: self };
        requested.check()?;
        check_limits(model, self, &filter_set.limits)?;
        wanted.check()?;
        let candidates = requested.candidates();
        let evaluations_each = requested.evaluations()?;
        let drawn = wanted.count.saturating_mul(candidates as u64);
        budget.check_samples("the request", drawn)?;
        let batch = self.batch(model, candidates as u64, wanted, budget)?;
        let memory = Memory::of(model, self);
        let cost = Cost {
            samples: wanted.count,
            drawn,
            evaluations: wanted.count.saturating_mul(evaluations_each as u64),
            batches: wanted.count.div_ceil(batch),
            batch,
            memory: memory.of_molecules(batch.min(wanted.count).saturating_mul(candidates as u64)),
        };
        Ok(Plan {
            model: card.name.clone(),
            weights: card.weights.sha256.clone(),
            request: self.clone(),
            wanted,
            is_filtered: !filter_set.is_open(),
            candidates,
            evaluations_each,
            cost,
            filled_in: self.filled_in(model, candidates, (batch != wanted.batch).then_some(batch)),
            warnings: warnings(model, self),
        })
    }

    /// Molecules of the result at a time: as many as are wanted, if memory and limits allow.
    fn batch(&self, model: &MoleculeModel, candidates: u64, wanted: Wanted, budget: &Budget) -> Result<u64> {
        let memory = Memory::of(model, self);
        let largest = match &self.beginning {
            Beginning::Formula(formula) => formula.atoms(),
            Beginning::Molecule { molecule, .. } => molecule.len(),
            Beginning::Noise | Beginning::Fragments(_) => {
                self.atoms.or_else(|| model.sizes().keys().last().copied()).unwrap_or(1)
            }
        };
        let limits = limits();
        let by_pairs = limits.pairs / (pair_count(largest) as u64).max(1) / candidates;
        let most = wanted.batch.min(by_pairs).min(limits.batch / candidates).max(1);
        let one = if candidates == 1 { "one molecule" } else { "one molecule with its candidates" };
        Ok(budget.batch(one, most, |batch| memory.of_molecules(batch.saturating_mul(candidates)))?)
    }

    /// What a plan does that was not asked for; `batch` is what the molecules at a time were changed to.
    fn filled_in(&self, model: &MoleculeModel, candidates: usize, batch: Option<u64>) -> Vec<FilledIn> {
        let mut filled_in = Vec::new();
        let draws_size = matches!(self.beginning, Beginning::Noise | Beginning::Fragments(_));
        if let (true, None, Some((least, _)), Some((most, _))) =
            (draws_size, self.atoms, model.sizes().first_key_value(), model.sizes().last_key_value())
        {
            filled_in.push(FilledIn::new("atoms", vec![*least, *most]));
        }
        if self.candidates.is_none() && !self.targets.is_empty() {
            filled_in.push(FilledIn::new("candidates", candidates));
        }
        if let Some(batch) = batch {
            filled_in.push(FilledIn::new("batch", batch));
        }
        filled_in
    }
}

impl Plan {
    /// The cost as a sentence: "64 molecules, 512 drawn, 51,200 evaluations in 8 batches, about 1.1 GB".
    pub fn sentence(&self) -> String {
        let sentence = self.cost.sentence("molecules");
        if self.is_filtered { format!("{sentence}, or more where filters drop some") } else { sentence }
    }
}
