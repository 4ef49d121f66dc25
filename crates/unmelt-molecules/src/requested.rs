//! A request as a model understands it: the samples to draw, their conditions, and the walk to them.

use nalgebra::{Point3, Vector3};
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::guidance::Guidance;
use unmelt_diffusion::{
    Given, Level, Mask, Noise, ProductProcess, SampleSpec, Sampler, SamplerConfig, State, Stream, Value,
};

use crate::conditions;
use crate::tasks::{centre_on_given, give_atoms, give_elements, give_pairs, nothing};
use crate::vocabulary::draw_size_above;
use crate::{
    Atom, Beginning, Error, Formula, Fragments, GenerateRequest, GraphModel, Molecule, MoleculeModel, Result,
    USUAL_CANDIDATES,
};

/// Purpose of the noise that draws the number of atoms.
const SIZE: u16 = 103;

/// Most candidates for a molecule.
const MAX_CANDIDATES: usize = 1000;

/// Standard deviations from the mean of the training data that a wanted property may be away from it. Far outside of its
/// data a network answers with nothing, but says so; from further away its numbers leave the range of 32 bits.
const FARTHEST_CONDITION: f32 = 1e6;

/// A request to a model.
#[derive(Clone, Copy)]
pub(crate) struct Requested<'a> {
    /// The model.
    pub model: &'a MoleculeModel,
    /// The process of the model's features.
    pub process: &'a ProductProcess,
    /// The request.
    pub request: &'a GenerateRequest,
}

impl<'a> Requested<'a> {
    /// Checks everything that can be known before the work begins.
    pub fn check(&self) -> Result<()> {
        self.sampler()?;
        self.conditions()?;
        conditions::check_size(self.model, self.request)?;
        self.draw(0).map(drop)
    }

    /// Molecules that are drawn for each one.
    pub fn candidates(&self) -> usize {
        let usual = if self.model.estimates_properties() { USUAL_CANDIDATES } else { 1 };
        if self.request.targets.is_empty() { 1 } else { self.request.candidates.unwrap_or(usual) }
    }

    /// How far answers go beyond the network's own.
    pub fn guidance(&self) -> Guidance {
        let can = !self.request.targets.is_empty() && matches!(self.model, MoleculeModel::Graph(_));
        let scale = if can || !self.request.guidance.is_finite() { self.request.guidance } else { 1.0 };
        Guidance { scale, interval: self.request.guidance_interval }
    }

    /// Evaluations of the network for a molecule of the result, with all its candidates.
    pub fn evaluations(&self) -> Result<usize> {
        let (guidance, levels) = (self.guidance(), &self.process.features()[0].levels);
        let times = self.sampler()?.times_of_evaluations()?;
        let each = times.iter().map(|t| if guidance.acts_at(levels.at(*t)) { 2 } else { 1 });
        Ok(each.sum::<usize>().saturating_mul(self.candidates()))
    }

    /// The walk from noise to molecules.
    pub fn sampler(&self) -> Result<Sampler<'a>> {
        let request = self.request;
        self.model.check(request)?;
        if let Some(n) = request.atoms {
            check_atoms(n)?;
        }
        let begin = match &request.beginning {
            Beginning::Molecule { strength, .. } => self.time_of(*strength)?,
            _ => 1.0,
        };
        if let Some(n) = request.candidates.filter(|n| !(1..=MAX_CANDIDATES).contains(n)) {
            return Err(Error::field(
                "candidates",
                format!("the candidates must be between 1 and {MAX_CANDIDATES}, but there are to be {n}"),
            ));
        }
        let config = SamplerConfig {
            solver: request.solver,
            grid: request.grid,
            steps: request.steps,
            seed: request.seed,
            begin,
            temperature: request.temperature,
        };
        Ok(Sampler::new(self.process, &config)?)
    }

    /// The graph denoiser, for what only it can do.
    fn graph(&self) -> Result<&'a GraphModel> {
        self.model.graph()
    }

    /// The time at which the positions hold so much noise.
    fn time_of(&self, strength: f64) -> Result<f64> {
        if !(strength > 0.0 && strength <= 1.0) {
            return Err(Error::field(
                "strength",
                format!("the strength must be above 0 and at most 1, but it is {strength}"),
            ));
        }
        if strength == 1.0 {
            return Ok(1.0);
        }
        let level = Level::variance_preserving(1.0 - strength * strength);
        Ok(self.process.features()[0].levels.time_of_lambda(level.lambda()))
    }

    /// The wanted properties, normalised, in the order of the model's; empty where none is.
    pub fn conditions(&self) -> Result<Vec<Option<f32>>> {
        self.guidance().check()?;
        if self.request.guidance_interval.is_some() && self.guidance().scale == 1.0 {
            return Err(Error::field(
                "guidance_interval",
                "there is no guidance, so an interval of it changes nothing; leave it out",
            ));
        }
        if self.request.targets.is_empty() {
            return Ok(Vec::new());
        }
        let properties = self.model.properties();
        let mut conditions = vec![None; properties.len()];
        for (name, value) in &self.request.targets {
            let Some(k) = properties.iter().position(|p| p.is_named(name)) else {
                let known: Vec<&str> = properties.iter().map(|p| p.source.name.as_str()).collect();
                let known = match known.is_empty() {
                    true => "it was trained on none".into(),
                    false => format!("it knows {}", known.join(", ")),
                };
                return Err(Error::field(
                    "targets",
                    format!("the model knows no property \"{name}\"; {known}"),
                ));
            };
            let name = &properties[k].source.name;
            let normalised = properties[k].normalised(*value);
            if !normalised.is_finite() || normalised.abs() > FARTHEST_CONDITION {
                return Err(Error::field(
                    "targets",
                    format!(
                        "the target of {name} must be a number within reach of the model's data, {:.3} to {:.3}, but it is \
                     {value}",
                        properties[k].range[0], properties[k].range[1]
                    ),
                ));
            }
            if conditions[k].replace(normalised).is_some() {
                return Err(Error::field("targets", format!("the property {name} is named twice")));
            }
        }
        Ok(conditions)
    }

    /// The sample with this number, and where its origin lies in space.
    pub fn draw(&self, number: u64) -> Result<(SampleSpec, Vector3<f64>)> {
        let model = self.model;
        let here = Vector3::zeros();
        let fixed = |n: usize, what: &str| match self.request.atoms {
            Some(atoms) if atoms != n => {
                Err(Error::field("atoms", format!("{what} has {n} atoms, but {atoms} were asked for")))
            }
            _ => check_atoms(n),
        };
        match &self.request.beginning {
            Beginning::Noise => {
                let n = self.request.atoms.map_or_else(|| self.size(number, 0), Ok)?;
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
                let n = self.request.atoms.map_or_else(|| self.size(number, given), Ok)?;
                if n <= given {
                    return Err(Error::field(
                        "atoms",
                        format!(
                            "the fragments have {given} atoms already, so {n} atoms leave nothing to grow; ask for more atoms"
                        ),
                    ));
                }
                Ok((self.around(fragments, n, number)?, middle(fragments.molecule().atoms())))
            }
        }
    }

    /// A number of atoms as in the training data, above `given`.
    fn size(&self, number: u64, given: usize) -> Result<usize> {
        let u = Noise::new(self.request.seed).uniform_one(Stream::new(number, SIZE, 0));
        let sizes = self.model.sizes();
        draw_size_above(sizes, given, u).ok_or_else(|| match sizes.is_empty() {
            true => Error::field("atoms",
                "the model does not say how large the molecules of its training were; say how many atoms there should be",
            ),
            false => Error::field("atoms", format!(
                "the fragments have {given} atoms, as many as the largest molecules that the model has seen; say how many \
                 atoms there should be"
            )),
        })
    }

    fn formula(&self, formula: &Formula, number: u64) -> Result<SampleSpec> {
        let model = self.graph()?;
        let n = formula.atoms();
        let mut classes = Vec::with_capacity(n);
        for (element, count) in formula.counts() {
            let class = model.vocabulary.element_class(element).ok_or_else(|| {
                Error::field(
                    "beginning",
                    format!(
                        "the model does not know the element {element}, which the formula names; it knows {}",
                        conditions::known(self.model)
                    ),
                )
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
        let model = self.graph()?;
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
}

/// Checks the number of atoms of a molecule to generate; the network's memory grows with its square.
fn check_atoms(n: usize) -> Result<()> {
    match n {
        0 => Err(Error::field("atoms", "a molecule must have at least 1 atom, but 0 were asked for")),
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
