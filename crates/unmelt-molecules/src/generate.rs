//! New molecules from a trained model.

use std::path::Path;

use burn::tensor::Device;
use nalgebra::{Point3, Vector3};
use unmelt_diffusion::checkpoint::{Card, ModelFiles, WEIGHTS_FILE};
use unmelt_diffusion::{
    Denoiser, Draw, Given, Level, Mask, Moment, Noise, Prediction, ProductProcess, Question, Sampler,
    SamplerConfig, State, Stream, Value, to_vec,
};

use crate::network::{GraphDenoiser, GraphInput, Noisy, split_predictions};
use crate::tasks::{centre_on_given, give_atoms, give_elements, give_pairs, nothing};
use crate::{
    Atom, Beginning, Error, Formula, Fragments, GenerateRequest, GraphModel, Molecule, Result, is_valid,
};

/// Purpose of the noise that draws the number of atoms.
const SIZE: u16 = 103;

/// A loaded model, ready to generate.
pub struct Generator {
    card: Card<GraphModel>,
    process: ProductProcess,
    network: GraphDenoiser,
    device: Device,
}

/// Most candidates for a molecule.
const MAX_CANDIDATES: usize = 1000;

/// Most atoms of a molecule; the network's memory grows with their square.
pub const MAX_ATOMS: usize = 500;

/// The candidate's number is set into these upper bits of the sample's 48.
const CANDIDATE_BITS: u32 = 38;

/// Added to the squared distance from the wishes of a molecule that is not valid or in pieces.
const NOT_VALID: f32 = 1e6;

/// Molecules that are drawn for each one.
fn candidates(request: &GenerateRequest) -> usize {
    if request.targets.is_empty() { 1 } else { request.candidates }
}

/// Molecules on their way, after an evaluation.
pub struct Frame<'a> {
    generator: &'a Generator,
    moment: &'a Moment<'a>,
    places: &'a [Vector3<f64>],
}

impl Frame<'_> {
    /// The time of the evaluation, from 1 (noise) down.
    pub fn time(&self) -> f64 {
        self.moment.time
    }

    /// The molecules as they are now, noise and all.
    pub fn molecules(&self) -> Result<Vec<Molecule>> {
        let states = self.moment.states().zip(self.places);
        states.map(|(state, place)| moved(&self.generator.card.model.decode(state)?, place)).collect()
    }
}

impl Generator {
    /// Loads a model from its files.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let card: Card<GraphModel> = files.card()?;
        let weights = files.weights(&card, device)?;
        let network = GraphDenoiser::bind(&card.model.network, &weights).map_err(|e| match e {
            unmelt_diffusion::Error::Weights { name, fault } => unmelt_diffusion::Error::Format {
                kind: "weights file",
                path: files.origin.join(WEIGHTS_FILE),
                fault: format!("the weights {fault} for {name}, which the card's network wants"),
            },
            other => other,
        })?;
        Ok(Self {
            network,
            process: ProductProcess::new(&card.model.features)?,
            card,
            device: device.clone(),
        })
    }

    /// Loads a model from a folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        Self::load(&ModelFiles::read(folder)?, device)
    }

    /// The model's card.
    pub fn card(&self) -> &Card<GraphModel> {
        &self.card
    }

    /// Evaluations of the network per molecule for a request.
    pub fn evaluations(&self, request: &GenerateRequest) -> Result<usize> {
        let twice = !request.targets.is_empty() && request.guidance != 1.0;
        Ok(self.sampler(request)?.evaluations() * if twice { 2 } else { 1 } * candidates(request))
    }

    /// Checks everything about a request that can be known before the work begins.
    pub fn check(&self, request: &GenerateRequest) -> Result<()> {
        self.sampler(request)?;
        self.wishes(request)?;
        self.draw(request, 0).map(drop)
    }

    fn sampler(&self, request: &GenerateRequest) -> Result<Sampler<'_>> {
        if let Some(n) = request.atoms.filter(|n| !(1..=MAX_ATOMS).contains(n)) {
            return Err(too_large(n));
        }
        let begin = match &request.beginning {
            Beginning::Molecule { strength, .. } => *strength,
            _ => 1.0,
        };
        if !(1..=MAX_CANDIDATES).contains(&request.candidates) {
            return Err(Error::Request(format!(
                "the candidates must be between 1 and {MAX_CANDIDATES}, but there are to be {}",
                request.candidates
            )));
        }
        if !(begin > 0.0 && begin <= 1.0) {
            return Err(Error::Request(format!(
                "the strength must be above 0 and at most 1, but it is {begin}"
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

    /// The wanted properties, normalised, in the order of the model's.
    fn wishes(&self, request: &GenerateRequest) -> Result<Vec<Option<f32>>> {
        if !request.guidance.is_finite() {
            return Err(Error::Request("the guidance must be a finite number".into()));
        }
        let properties = &self.card.model.properties;
        let mut wishes = vec![None; properties.len()];
        for (name, value) in &request.targets {
            let Some(k) = properties.iter().position(|p| p.source.name == *name) else {
                let known: Vec<&str> = properties.iter().map(|p| p.source.name.as_str()).collect();
                let known = match known.is_empty() {
                    true => "it was trained on none".into(),
                    false => format!("it knows {}", known.join(", ")),
                };
                return Err(Error::Request(format!("the model knows no property \"{name}\"; {known}")));
            };
            if !value.is_finite() {
                return Err(Error::Request(format!("the target of {name} must be a finite number")));
            }
            wishes[k] = Some(properties[k].normalised(*value));
        }
        Ok(wishes)
    }

    /// What a request asks of the model that its training data has next to nothing of, as sentences.
    pub fn doubts(&self, request: &GenerateRequest) -> Vec<String> {
        let mut doubts = Vec::new();
        for (name, value) in &request.targets {
            let Some(p) = self.card.model.properties.iter().find(|p| p.source.name == *name) else {
                continue;
            };
            let [low, high] = p.range;
            if !(low..=high).contains(value) {
                doubts.push(format!(
                    "{name} = {value} lies outside of what the model has seen, {low:.3} to {high:.3} {}",
                    p.source.unit
                ));
            }
        }
        let sizes = &self.card.model.vocabulary.sizes;
        let atoms = match &request.beginning {
            Beginning::Formula(formula) => Some(formula.atoms()),
            Beginning::Molecule { molecule, .. } => Some(molecule.len()),
            _ => request.atoms,
        };
        if let (Some(n), Some(most)) = (atoms, sizes.keys().last())
            && n > *most
        {
            doubts.push(format!("{n} atoms are more than the model has seen, {most} at most"));
        }
        doubts
    }

    /// The sample with this number, and where its origin lies in space.
    fn draw(&self, request: &GenerateRequest, number: u64) -> Result<(Draw, Vector3<f64>)> {
        let model = &self.card.model;
        let here = Vector3::zeros();
        let fixed = |n: usize, what: &str| match request.atoms {
            Some(atoms) if atoms != n => {
                Err(Error::Request(format!("{what} has {n} atoms, but {atoms} were asked for")))
            }
            _ if n > MAX_ATOMS => Err(too_large(n)),
            _ => Ok(()),
        };
        match &request.beginning {
            Beginning::Noise => {
                let n = request.atoms.map_or_else(|| self.size(request, number, 0), Ok)?;
                Ok((Draw::new(number, model.lengths(n).to_vec()), here))
            }
            Beginning::Formula(formula) => {
                fixed(formula.atoms(), &format!("the formula {formula}"))?;
                Ok((self.formula(formula, number)?, here))
            }
            Beginning::Molecule { molecule, .. } => {
                fixed(molecule.len(), "the molecule to vary")?;
                let state = model.encode(molecule)?;
                let draw = Draw::new(number, model.lengths(molecule.len()).to_vec());
                Ok((Draw { origin: Some(state), ..draw }, middle(molecule.atoms())))
            }
            Beginning::Fragments(fragments) => {
                let given = fragments.molecule().len();
                let n = request.atoms.map_or_else(|| self.size(request, number, given), Ok)?;
                if n <= given {
                    return Err(Error::Request(format!(
                        "the fragments have {given} atoms already, so {n} atoms leave nothing to grow; ask for more with \
                         --atoms"
                    )));
                }
                Ok((self.around(fragments, n, number)?, middle(fragments.molecule().atoms())))
            }
        }
    }

    /// A number of atoms as in the training data, above `given`.
    fn size(&self, request: &GenerateRequest, number: u64, given: usize) -> Result<usize> {
        let u = Noise::new(request.seed).uniform_one(Stream::new(number, SIZE, 0));
        self.card.model.vocabulary.draw_size_above(given, u).ok_or_else(|| {
            Error::Request(format!(
                "the fragments have {given} atoms, as many as the largest molecules that the model has seen; say with \
                 --atoms how many there should be"
            ))
        })
    }

    fn formula(&self, formula: &Formula, number: u64) -> Result<Draw> {
        let model = &self.card.model;
        let n = formula.atoms();
        let mut classes = Vec::with_capacity(n);
        for (element, count) in formula.counts() {
            let class = model.vocabulary.element_class(element).ok_or_else(|| {
                Error::Request(format!(
                    "the model does not know the element {element}, which the formula names"
                ))
            })?;
            classes.extend(std::iter::repeat_n(class as u8, count));
        }
        let mut values = blank(model.lengths(n));
        values[1] = Value::Classes(classes);
        let mut mask = nothing(n);
        give_elements(&mut mask);
        Ok(Draw { given: Some(Given { values, mask }), ..Draw::new(number, model.lengths(n).to_vec()) })
    }

    fn around(&self, fragments: &Fragments, n: usize, number: u64) -> Result<Draw> {
        let model = &self.card.model;
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
        Ok(Draw { given: Some(Given { values, mask }), ..Draw::new(number, model.lengths(n).to_vec()) })
    }

    /// Generates the samples with these numbers; each is the same whatever it is generated with. `watch` sees every
    /// evaluation and may stop the work by returning false.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        numbers: std::ops::Range<u64>,
        watch: &mut dyn FnMut(&Frame) -> bool,
    ) -> Result<Vec<Molecule>> {
        let sampler = self.sampler(request)?;
        let each = candidates(request) as u64;
        // The first candidate of a number is what would be drawn without others.
        let all = numbers.flat_map(|number| (0..each).map(move |k| number ^ (k << CANDIDATE_BITS)));
        let drawn = all.map(|number| self.draw(request, number)).collect::<Result<Vec<_>>>()?;
        let (draws, places): (Vec<Draw>, Vec<Vector3<f64>>) = drawn.into_iter().unzip();
        if draws.is_empty() {
            return Ok(Vec::new());
        }
        let wishes = self.wishes(request)?;
        let wishes = if request.targets.is_empty() { Vec::new() } else { wishes };
        let denoiser = Guided { generator: self, wishes: &wishes, guidance: request.guidance };
        let mut tick = |moment: &Moment| watch(&Frame { generator: self, moment, places: &places });
        let states = sampler.draw(&draws, &denoiser, &mut tick)?;
        let kept = self.nearest(&states, &wishes, each as usize);
        let molecules = kept.into_iter().map(|k| {
            let molecule = moved(&self.card.model.decode(&states[k])?, &places[k])?;
            match &request.beginning {
                Beginning::Fragments(fragments) => restored(&molecule, fragments.molecule()),
                _ => Ok(molecule),
            }
        });
        molecules.collect()
    }

    /// Of every `each` states the one whose properties are nearest to the wishes, valid ones before others.
    fn nearest(&self, states: &[State<f32>], wishes: &[Option<f32>], each: usize) -> Vec<usize> {
        if each == 1 {
            return (0..states.len()).collect();
        }
        let estimates = self.estimates(states);
        let miss = |k: usize| -> f32 {
            let pairs = wishes.iter().zip(&estimates[k]);
            let distance: f32 = pairs.filter_map(|(w, e)| Some((w.as_ref()? - e).powi(2))).sum();
            let good = self.card.model.decode(&states[k]).is_ok_and(|m| is_valid(&m) && m.components() == 1);
            if good { distance } else { distance + NOT_VALID }
        };
        let groups = (0..states.len()).step_by(each);
        groups
            .map(|first| {
                let misses: Vec<f32> = (first..first + each).map(miss).collect();
                let best = (0..each).min_by(|a, b| misses[*a].total_cmp(&misses[*b])).unwrap_or(0);
                first + best
            })
            .collect()
    }

    /// The properties of clean states as the network estimates them, normalised; none for a network without properties.
    fn estimates(&self, states: &[State<f32>]) -> Vec<Vec<f32>> {
        let clean = |state| Noisy {
            state,
            previous: None,
            time: 0.0,
            level: Level::CLEAN,
            given: None,
            properties: &[],
        };
        let noisy: Vec<Noisy> = states.iter().map(|s| clean(s.as_slice())).collect();
        let input = GraphInput::new(&self.card.model.network, &noisy, &self.device);
        match self.network.forward(&input).properties {
            Some(properties) => {
                let columns = properties.dims()[1];
                to_vec(properties).chunks_exact(columns).map(<[f32]>::to_vec).collect()
            }
            None => vec![Vec::new(); states.len()],
        }
    }

    fn ask(&self, questions: &[Question], wishes: &[Option<f32>]) -> Vec<Vec<Prediction<f32>>> {
        let levels = &self.process.features()[0].levels;
        let noisy: Vec<Noisy> = questions
            .iter()
            .map(|q| Noisy {
                state: q.state,
                previous: q.previous,
                time: q.time,
                level: levels.at(q.time),
                given: q.given,
                properties: wishes,
            })
            .collect();
        let input = GraphInput::new(&self.card.model.network, &noisy, &self.device);
        split_predictions(self.network.forward(&input), &input.sizes)
    }
}

/// The network with the wishes of a request.
struct Guided<'a> {
    generator: &'a Generator,
    wishes: &'a [Option<f32>],
    guidance: f64,
}

impl Denoiser for Guided<'_> {
    fn predict(&self, questions: &[Question]) -> unmelt_diffusion::Result<Vec<Vec<Prediction<f32>>>> {
        let mut wanted = self.generator.ask(questions, self.wishes);
        if !self.wishes.is_empty() && self.guidance != 1.0 {
            let free = self.generator.ask(questions, &[]);
            let network = &self.generator.card.model.network;
            let classes = [0, network.elements, network.charges, network.bonds];
            for (wanted, free) in wanted.iter_mut().zip(&free) {
                for ((wanted, free), classes) in wanted.iter_mut().zip(free).zip(classes) {
                    guide(wanted, free, classes, self.guidance as f32);
                }
            }
        }
        Ok(wanted)
    }
}

/// Moves a prediction from the free one through the wanted one and beyond: numbers on a line, probabilities by their
/// logarithms.
fn guide(wanted: &mut Prediction<f32>, free: &Prediction<f32>, classes: usize, guidance: f32) {
    match (wanted, free) {
        (Prediction::Continuous(x), Prediction::Continuous(y)) => {
            x.iter_mut().zip(y).for_each(|(x, y)| *x = y + guidance * (*x - y));
        }
        (Prediction::Probabilities(p), Prediction::Probabilities(q)) => {
            let log = |p: f32| p.max(1e-9).ln();
            for (p, q) in p.chunks_exact_mut(classes).zip(q.chunks_exact(classes)) {
                p.iter_mut().zip(q).for_each(|(p, q)| *p = log(*q) + guidance * (log(*p) - log(*q)));
                let most = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                p.iter_mut().for_each(|p| *p = (*p - most).exp());
                let sum: f32 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= sum);
            }
        }
        _ => panic!("both predictions are of one process"),
    }
}

fn too_large(n: usize) -> Error {
    Error::Request(format!("a molecule must have between 1 and {MAX_ATOMS} atoms, but {n} were asked for"))
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
