//! New molecules from a trained model.

use std::path::Path;

use burn::tensor::Device;
use nalgebra::Vector3;
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::guidance::Guided;
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{ProductProcess, State, Step};
use unmelt_kernels::pair_count;

use crate::conditions;
use crate::predictor::{self, Conditioned, Predictor};
use crate::requested::Requested;
use crate::wanted::{CANDIDATE_BITS, END_OF_NUMBERS, numbers_ended};
use crate::{
    Atom, Beginning, ElementLimit, GenerateRequest, Molecule, MoleculeModel, Property, Result, is_valid,
};

/// A loaded model, ready to generate.
pub struct Generator {
    card: Card<MoleculeModel>,
    process: ProductProcess,
    predictor: Box<dyn Predictor>,
}

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
        self.requested(request).evaluations()
    }

    /// Checks everything about a request that can be known before the work begins.
    pub fn check(&self, request: &GenerateRequest) -> Result<()> {
        self.requested(request).check()
    }

    /// A request as the model understands it.
    pub(crate) fn requested<'a>(&'a self, request: &'a GenerateRequest) -> Requested<'a> {
        Requested { model: &self.card.model, process: &self.process, request }
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

    /// Generates the samples with these numbers; each is the same whatever it is generated with. The job
    /// hears of every evaluation and may stop the work; `watch` sees the molecules after each.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        numbers: std::ops::Range<u64>,
        job: &Job,
        watch: &mut dyn FnMut(&Frame),
    ) -> Result<Vec<Molecule>> {
        Ok(self.generated(request, numbers, job, watch)?.molecules)
    }

    /// What [`generate`](Self::generate) generates, with what the network estimates of the properties that are wanted.
    pub(crate) fn generated(
        &self,
        request: &GenerateRequest,
        numbers: std::ops::Range<u64>,
        job: &Job,
        watch: &mut dyn FnMut(&Frame),
    ) -> Result<Generated> {
        let requested = self.requested(request);
        let sampler = requested.sampler()?;
        let each = requested.candidates() as u64;
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
            let (draw, place) = requested.draw(number)?;
            pairs += pair_count(draw.lengths[0] / 3) as u64;
            within(limits().pairs, "pairs", pairs, AT_A_TIME)?;
            draws.push(draw);
            places.push(place);
        }
        if draws.is_empty() {
            return Ok(Generated::default());
        }
        let conditions = requested.conditions()?;
        let predictor = self.predictor.as_ref();
        let classes = predictor.guidable().unwrap_or_default();
        let denoiser = Guided {
            wanted: &Conditioned { predictor, conditions: &conditions },
            free: &Conditioned { predictor, conditions: &[] },
            guidance: requested.guidance(),
            levels: &self.process.features()[0].levels,
            classes: &classes,
        };
        let mut on_step = |step: &Step| watch(&Frame { generator: self, step, places: &places });
        let states = sampler.draw(&draws, &denoiser, job, &mut on_step)?;
        let wants_estimates = !request.targets.is_empty() && self.card.model.estimates_properties();
        let estimates = if wants_estimates { self.predictor.estimates(&states) } else { Vec::new() };
        let kept = self.nearest(&states, &conditions, &estimates, each as usize);
        let estimates = estimates_of(&kept, &estimates, &request.targets, self.card.model.properties());
        let molecules = kept.into_iter().map(|k| {
            let molecule = moved(&self.card.model.decode(&states[k])?, &places[k])?;
            match &request.beginning {
                Beginning::Fragments(fragments) => restored(&molecule, fragments.molecule()),
                Beginning::Molecule { molecule: before, .. } => marked(&molecule, before),
                _ => Ok(molecule),
            }
        });
        Ok(Generated { molecules: molecules.collect::<Result<_>>()?, estimates })
    }

    /// Of every `each` states the one whose properties, as they are estimated, are nearest to the conditions, valid ones before others.
    fn nearest(
        &self,
        states: &[State<f32>],
        conditions: &[Option<f32>],
        estimates: &[Vec<f32>],
        each: usize,
    ) -> Vec<usize> {
        if each == 1 {
            return (0..states.len()).collect();
        }
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

/// Generated molecules, and what the network estimates of them.
#[derive(Default)]
pub(crate) struct Generated {
    /// The molecules.
    pub molecules: Vec<Molecule>,
    /// Names and values, in the model's units, of the properties that are wanted, of each molecule; empty where none is or the model
    /// estimates none.
    pub estimates: Vec<Vec<(String, f64)>>,
}

/// The estimates of the states that are kept, of the properties that are wanted.
fn estimates_of(
    kept: &[usize],
    estimates: &[Vec<f32>],
    targets: &[(String, f64)],
    properties: &[Property],
) -> Vec<Vec<(String, f64)>> {
    let wanted: Vec<usize> =
        targets.iter().filter_map(|(name, _)| properties.iter().position(|p| p.is_named(name))).collect();
    let of_state = |k: &usize| {
        let estimates = estimates.get(*k)?;
        let value =
            |&p: &usize| Some((properties[p].source.name.clone(), properties[p].value(*estimates.get(p)?)));
        wanted.iter().map(value).collect::<Option<Vec<_>>>()
    };
    kept.iter().map(|k| of_state(k).unwrap_or_default()).collect()
}

/// What the limits on the work at a time are about.
const AT_A_TIME: &str = "the molecules worked on at a time, candidates included";

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
