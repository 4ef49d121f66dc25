//! New molecules from a trained model.

use std::path::Path;

use burn::tensor::Device;
use nalgebra::{Point3, Vector3};
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{
    Given, Level, Mask, Noise, ProductProcess, SampleSpec, Sampler, SamplerConfig, State, Step, Stream, Value,
};
use unmelt_kernels::pair_count;

use crate::conditions;
use crate::predictor::{self, Guided, Predictor};
use crate::tasks::{centre_on_given, give_atoms, give_elements, give_pairs, nothing};
use crate::vocabulary::draw_size_above;
use crate::{
    Atom, Beginning, ElementLimit, Error, Formula, Fragments, GenerateRequest, Molecule, MoleculeModel,
    Property, Result, USUAL_CANDIDATES, is_valid,
};

/// Purpose of the noise that draws the number of atoms.
const SIZE: u16 = 103;

/// A loaded model, ready to generate.
pub struct Generator {
    card: Card<MoleculeModel>,
    process: ProductProcess,
    predictor: Box<dyn Predictor>,
}

/// Most candidates for a molecule.
const MAX_CANDIDATES: usize = 1000;

/// Standard deviations from the mean of the training data that a wanted property may be away from it. Far outside of its
/// data a network answers with nothing, but says so; from further away its numbers leave the range of 32 bits.
const FARTHEST_CONDITION: f32 = 1e6;

/// The candidate's number stands in the bits of the sample's 48 from this one on.
const CANDIDATE_BITS: u32 = 38;

/// The numbers of samples stay below this: the bits above belong to candidates, so that no candidate is another sample.
pub(crate) const END_OF_NUMBERS: u64 = 1 << CANDIDATE_BITS;

/// Molecules on their way, after an evaluation.
pub struct Frame<'a> {
    generator: &'a Generator,
    step: &'a Step<'a>,
    places: &'a [Vector3<f64>],
}

impl Frame<'_> {
    /// The time of the evaluation, from 1 (noise) down.
    pub fn time(&self) -> f64 {
        self.step.time
    }

    /// The molecules as they are now, noise and all.
    pub fn molecules(&self) -> Result<Vec<Molecule>> {
        let states = self.step.states().zip(self.places);
        states.map(|(state, place)| moved(&self.generator.card.model.decode(state)?, place)).collect()
    }
}

impl Generator {
    /// Loads a model from its files.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let card = MoleculeModel::card(files)?;
        let predictor = predictor::load(&card, files, device)?;
        Ok(Self { predictor, process: ProductProcess::new(&card.model.features())?, card })
    }

    /// Loads a model from a folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        Self::load(&ModelFiles::read(folder)?, device)
    }

    /// The model's card.
    pub fn card(&self) -> &Card<MoleculeModel> {
        &self.card
    }

    /// Evaluations of the network per molecule for a request.
    pub fn evaluations(&self, request: &GenerateRequest) -> Result<usize> {
        let conditions = self.conditions(request)?;
        let each = self.guided(request, &conditions).evaluations();
        Ok(self.sampler(request)?.evaluations() * each * self.candidates(request))
    }

    /// Checks everything about a request that can be known before the work begins.
    pub fn check(&self, request: &GenerateRequest) -> Result<()> {
        self.sampler(request)?;
        self.conditions(request)?;
        conditions::check_size(&self.card.model, request)?;
        self.draw(request, 0).map(drop)
    }

    /// Molecules that are drawn for each one.
    fn candidates(&self, request: &GenerateRequest) -> usize {
        let usual = if self.card.model.estimates_properties() { USUAL_CANDIDATES } else { 1 };
        if request.targets.is_empty() { 1 } else { request.candidates.unwrap_or(usual) }
    }

    fn guided<'a>(&'a self, request: &GenerateRequest, conditions: &'a [Option<f32>]) -> Guided<'a> {
        Guided { predictor: self.predictor.as_ref(), conditions, guidance: request.guidance }
    }

    fn sampler(&self, request: &GenerateRequest) -> Result<Sampler<'_>> {
        self.card.model.check(request)?;
        if let Some(n) = request.atoms {
            check_atoms(n)?;
        }
        let begin = match &request.beginning {
            Beginning::Molecule { strength, .. } => self.time_of(*strength)?,
            _ => 1.0,
        };
        if let Some(n) = request.candidates.filter(|n| !(1..=MAX_CANDIDATES).contains(n)) {
            return Err(Error::Request(format!(
                "the candidates must be between 1 and {MAX_CANDIDATES}, but there are to be {n}"
            )));
        }
        let config = SamplerConfig {
            solver: request.solver,
            grid: request.grid,
            steps: request.steps,
            seed: request.seed,
            begin,
            temperature: request.temperature,
        };
        Ok(Sampler::new(&self.process, &config)?)
    }

    /// The time at which the positions hold so much noise.
    fn time_of(&self, strength: f64) -> Result<f64> {
        if !(strength > 0.0 && strength <= 1.0) {
            return Err(Error::Request(format!(
                "the strength must be above 0 and at most 1, but it is {strength}"
            )));
        }
        if strength == 1.0 {
            return Ok(1.0);
        }
        let level = Level::variance_preserving(1.0 - strength * strength);
        Ok(self.process.features()[0].levels.time_of_lambda(level.lambda()))
    }

    /// The wanted properties, normalised, in the order of the model's; empty where none is.
    fn conditions(&self, request: &GenerateRequest) -> Result<Vec<Option<f32>>> {
        if !request.guidance.is_finite() {
            return Err(Error::Request("the guidance must be a finite number".into()));
        }
        if request.targets.is_empty() {
            return Ok(Vec::new());
        }
        let properties = self.card.model.properties();
        let mut conditions = vec![None; properties.len()];
        for (name, value) in &request.targets {
            let Some(k) = properties.iter().position(|p| p.is_named(name)) else {
                let known: Vec<&str> = properties.iter().map(|p| p.source.name.as_str()).collect();
                let known = match known.is_empty() {
                    true => "it was trained on none".into(),
                    false => format!("it knows {}", known.join(", ")),
                };
                return Err(Error::Request(format!("the model knows no property \"{name}\"; {known}")));
            };
            let name = &properties[k].source.name;
            let normalised = properties[k].normalised(*value);
            if !normalised.is_finite() || normalised.abs() > FARTHEST_CONDITION {
                return Err(Error::Request(format!(
                    "the target of {name} must be a number within reach of the model's data, {:.3} to {:.3}, but it is \
                     {value}",
                    properties[k].range[0], properties[k].range[1]
                )));
            }
            if conditions[k].replace(normalised).is_some() {
                return Err(Error::Request(format!("the property {name} is named twice")));
            }
        }
        Ok(conditions)
    }

    /// What a request asks of the model that its training data has next to nothing of, as sentences.
    pub fn warnings(&self, request: &GenerateRequest) -> Vec<String> {
        conditions::warnings(&self.card.model, request)
    }

    /// Checks that molecules of a request can keep to limits on what they contain.
    pub fn check_limits(&self, request: &GenerateRequest, limits: &[ElementLimit]) -> Result<()> {
        conditions::check_limits(&self.card.model, request, limits)
    }

    /// The name of a property as the model has it, whatever the case of `name`; `name` itself where there is none.
    pub fn property_name<'a>(&'a self, name: &'a str) -> &'a str {
        Property::find(self.card.model.properties(), name).map_or(name, |p| p.source.name.as_str())
    }

    /// The sample with this number, and where its origin lies in space.
    fn draw(&self, request: &GenerateRequest, number: u64) -> Result<(SampleSpec, Vector3<f64>)> {
        let model = &self.card.model;
        let here = Vector3::zeros();
        let fixed = |n: usize, what: &str| match request.atoms {
            Some(atoms) if atoms != n => {
                Err(Error::Request(format!("{what} has {n} atoms, but {atoms} were asked for")))
            }
            _ => check_atoms(n),
        };
        match &request.beginning {
            Beginning::Noise => {
                let n = request.atoms.map_or_else(|| self.size(request, number, 0), Ok)?;
                Ok((SampleSpec::new(number, model.lengths(n)), here))
            }
            Beginning::Formula(formula) => {
                fixed(formula.atoms(), &format!("the formula {formula}"))?;
                Ok((self.formula(formula, number)?, here))
            }
            Beginning::Molecule { molecule, .. } => {
                fixed(molecule.len(), "the molecule to vary")?;
                let state = model.encode(molecule)?;
                let draw = SampleSpec::new(number, model.lengths(molecule.len()));
                Ok((SampleSpec { origin: Some(state), ..draw }, middle(molecule.atoms())))
            }
            Beginning::Fragments(fragments) => {
                let given = fragments.molecule().len();
                let n = request.atoms.map_or_else(|| self.size(request, number, given), Ok)?;
                if n <= given {
                    return Err(Error::Request(format!(
                        "the fragments have {given} atoms already, so {n} atoms leave nothing to grow; ask for more atoms"
                    )));
                }
                Ok((self.around(fragments, n, number)?, middle(fragments.molecule().atoms())))
            }
        }
    }

    /// A number of atoms as in the training data, above `given`.
    fn size(&self, request: &GenerateRequest, number: u64, given: usize) -> Result<usize> {
        let u = Noise::new(request.seed).uniform_one(Stream::new(number, SIZE, 0));
        let sizes = self.card.model.sizes();
        draw_size_above(sizes, given, u).ok_or_else(|| match sizes.is_empty() {
            true => Error::Request(
                "the model does not say how large the molecules of its training were; say how many atoms there should be"
                    .into(),
            ),
            false => Error::Request(format!(
                "the fragments have {given} atoms, as many as the largest molecules that the model has seen; say how many \
                 atoms there should be"
            )),
        })
    }

    fn formula(&self, formula: &Formula, number: u64) -> Result<SampleSpec> {
        let model = self.card.model.graph()?;
        let n = formula.atoms();
        let mut classes = Vec::with_capacity(n);
        for (element, count) in formula.counts() {
            let class = model.vocabulary.element_class(element).ok_or_else(|| {
                Error::Request(format!(
                    "the model does not know the element {element}, which the formula names; it knows {}",
                    conditions::known(&self.card.model)
                ))
            })?;
            classes.extend(std::iter::repeat_n(class as u8, count));
        }
        let mut values = blank(model.lengths(n));
        values[1] = Value::Classes(classes);
        let mut mask = nothing(n);
        give_elements(&mut mask);
        Ok(SampleSpec {
            given: Some(Given { values, mask }),
            ..SampleSpec::new(number, model.lengths(n).to_vec())
        })
    }

    fn around(&self, fragments: &Fragments, n: usize, number: u64) -> Result<SampleSpec> {
        let model = self.card.model.graph()?;
        let (part, count) = (fragments.molecule(), fragments.molecule().len());
        // The state of the fragments, and behind them atoms that are not there yet.
        let filler = Atom { position: Point3::origin(), ..*part.atom(0) };
        let all = part.atoms().copied().chain(std::iter::repeat_n(filler, n - count));
        let whole = Molecule::new(all, part.bonds())?;
        let mut values = model.encode(&whole)?;
        let mut mask: Mask = nothing(n);
        give_atoms(&mut mask, &(0..n).map(|k| k < count).collect::<Vec<_>>());
        for k in (0..count).filter(|&k| !fragments.open()[k]) {
            give_pairs(&mut mask, k, |j| j >= count);
        }
        centre_on_given(&mut values, &mask);
        Ok(SampleSpec {
            given: Some(Given { values, mask }),
            ..SampleSpec::new(number, model.lengths(n).to_vec())
        })
    }

    /// Generates the samples with these numbers; each is the same whatever it is generated with. The job
    /// hears of every evaluation and may stop the work; `watch` sees the molecules after each.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        numbers: std::ops::Range<u64>,
        job: &Job,
        watch: &mut dyn FnMut(&Frame),
    ) -> Result<Vec<Molecule>> {
        let sampler = self.sampler(request)?;
        let each = self.candidates(request) as u64;
        if numbers.end > END_OF_NUMBERS {
            return Err(numbers_ended());
        }
        within(
            limits().batch,
            "batch",
            (numbers.end - numbers.start.min(numbers.end)).saturating_mul(each),
            AT_A_TIME,
        )?;
        // The first candidate of a number is what would be drawn without others.
        let all = numbers.flat_map(|number| (0..each).map(move |k| number | k << CANDIDATE_BITS));
        let (mut draws, mut places, mut pairs) = (Vec::new(), Vec::new(), 0);
        for number in all {
            let (draw, place) = self.draw(request, number)?;
            pairs += pair_count(draw.lengths[0] / 3) as u64;
            within(limits().pairs, "pairs", pairs, AT_A_TIME)?;
            draws.push(draw);
            places.push(place);
        }
        if draws.is_empty() {
            return Ok(Vec::new());
        }
        let conditions = self.conditions(request)?;
        let denoiser = self.guided(request, &conditions);
        let mut on_step = |step: &Step| watch(&Frame { generator: self, step, places: &places });
        let states = sampler.draw(&draws, &denoiser, job, &mut on_step)?;
        let kept = self.nearest(&states, &conditions, each as usize);
        let molecules = kept.into_iter().map(|k| {
            let molecule = moved(&self.card.model.decode(&states[k])?, &places[k])?;
            match &request.beginning {
                Beginning::Fragments(fragments) => restored(&molecule, fragments.molecule()),
                Beginning::Molecule { molecule: before, .. } => marked(&molecule, before),
                _ => Ok(molecule),
            }
        });
        molecules.collect()
    }

    /// Of every `each` states the one whose properties are nearest to the conditions, valid ones before others.
    fn nearest(&self, states: &[State<f32>], conditions: &[Option<f32>], each: usize) -> Vec<usize> {
        if each == 1 {
            return (0..states.len()).collect();
        }
        let estimates = self.predictor.estimates(states);
        let miss = |k: usize| {
            let pairs = conditions.iter().zip(&estimates[k]);
            let distance: f32 = pairs.filter_map(|(w, e)| Some((w.as_ref()? - e).powi(2))).sum();
            let good = self.card.model.decode(&states[k]).is_ok_and(|m| is_valid(&m) && m.components() == 1);
            (!good, distance)
        };
        let groups = (0..states.len()).step_by(each);
        groups
            .map(|first| {
                let misses: Vec<(usize, (bool, f32))> = (first..first + each).map(|k| (k, miss(k))).collect();
                let nearest = misses.iter().min_by(|(_, a), (_, b)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
                nearest.map_or(first, |(k, _)| *k)
            })
            .collect()
    }
}

/// What the limits on the work at a time are about.
const AT_A_TIME: &str = "the molecules worked on at a time, candidates included";

/// The error of a run whose molecules have no numbers left.
pub(crate) fn numbers_ended() -> Error {
    Error::Request("the numbers of the molecules must stay below 2^38".into())
}

/// Checks the number of atoms of a molecule to generate; the network's memory grows with its square.
fn check_atoms(n: usize) -> Result<()> {
    match n {
        0 => Err(Error::Request("a molecule must have at least 1 atom, but 0 were asked for".into())),
        n => Ok(within(limits().generated_atoms, "generated_atoms", n as u64, "the atoms of a molecule")?),
    }
}

fn blank([positions, elements, charges, bonds]: [usize; 4]) -> State<f32> {
    vec![
        Value::Continuous(vec![0.0; positions]),
        Value::Classes(vec![0; elements]),
        Value::Classes(vec![0; charges]),
        Value::Classes(vec![0; bonds]),
    ]
}

/// The mean position of atoms.
fn middle<'a>(atoms: impl ExactSizeIterator<Item = &'a Atom>) -> Vector3<f64> {
    let count = atoms.len().max(1) as f64;
    atoms.map(|a| a.position.coords).sum::<Vector3<f64>>() / count
}

/// A molecule shifted by a vector.
fn moved(molecule: &Molecule, by: &Vector3<f64>) -> Result<Molecule> {
    let atoms = molecule.atoms().map(|a| Atom { position: a.position + by, ..*a });
    Ok(Molecule::new(atoms, molecule.bonds())?)
}

/// A molecule with its first atoms exactly where the fragments have them.
fn restored(molecule: &Molecule, part: &Molecule) -> Result<Molecule> {
    let atoms = molecule.atoms().enumerate().map(|(k, a)| if k < part.len() { *part.atom(k) } else { *a });
    Ok(Molecule::new(atoms, molecule.bonds())?)
}

/// A varied molecule with the isotopes and radicals of the atoms that stayed as they were: their element, their charge and their
/// bonds. No network knows of either.
fn marked(molecule: &Molecule, before: &Molecule) -> Result<Molecule> {
    let bonds = |m: &Molecule, k: usize| {
        let mut bonds: Vec<_> = m.neighbours(k).collect();
        bonds.sort_unstable();
        bonds
    };
    let atoms = molecule.atoms().enumerate().map(|(k, atom)| {
        let old = before.atom(k);
        let stays = (atom.element, atom.charge) == (old.element, old.charge)
            && (old.isotope != 0 || old.radicals != 0)
            && bonds(molecule, k) == bonds(before, k);
        match stays {
            true => Atom { isotope: old.isotope, radicals: old.radicals, ..*atom },
            false => *atom,
        }
    });
    Ok(Molecule::new(atoms, molecule.bonds())?)
}
