//! The one loop: all features of all samples of a batch walk from noise to clean together.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::error::{At, Error, Result, check};
use crate::grid::Grid;
use crate::job::{Event, Job, Phase, Progress};
use crate::noise::{Noise, Stream};
use crate::process::{
    Categorical, FeatureProcess, Gaussian, Given, Mask, Prediction, ProductProcess, State, Value,
};
use crate::solver::{Solver, Walk};
use crate::{Level, Levels};

/// Where solvers that work in σ/α begin at the latest: data of unit variance are a thousandth of the variance there. From
/// further away a first step would be so long that a second-order correction of it throws the sample out of the noise.
const MAX_RELATIVE_SIGMA: f64 = 30.0;

/// What was predicted of a sample at an earlier evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// The prediction of every feature.
    pub prediction: &'a [Prediction<f32>],
    /// The time of the state that it was made from; at or before the present one in a walk, so at least as large.
    pub time: f64,
}

/// What a denoiser is given of one sample.
#[derive(Clone, Copy, Debug)]
pub struct DenoiserInput<'a> {
    /// The noisy values of every feature.
    pub state: &'a State<f32>,
    /// The prediction of the evaluation before, if there was one.
    pub previous: Option<Previous<'a>>,
    /// What of the state is given, if anything is.
    pub given: Option<&'a Mask>,
    /// Time in [0, 1].
    pub time: f64,
}

/// Predicts clean samples from noisy ones.
pub trait Denoiser {
    /// The prediction of every feature of every sample. A sample's prediction must not depend on the others.
    fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>>;
}

/// How to sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Solver of the Gaussian features.
    pub solver: Solver,
    /// Times to visit.
    pub grid: Grid,
    /// Steps; the evaluations are as many, or twice that with a solver of two evaluations a step.
    pub steps: usize,
    /// Seed of the noise.
    pub seed: u64,
    /// The time to begin at, 1 for pure noise. The grid's times are shrunk to it.
    pub begin: f64,
    /// Temperature of the classes: predicted probabilities are taken to the power 1/temperature. Below 1 likelier classes
    /// are drawn more often, which makes up for few steps, where many are drawn at once without knowing of each other.
    pub temperature: f64,
}

/// A sample to draw: its number within the seed, the elements of each of its features, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSpec {
    /// Number; it fixes the noise, whatever batch the sample is drawn in.
    pub number: u64,
    /// Elements per feature.
    pub lengths: Vec<usize>,
    /// What is given, and stays as it is.
    pub given: Option<Given<f32>>,
    /// A clean state that is noised up to the time that the sampler begins at; pure noise where there is none.
    pub origin: Option<State<f32>>,
}

impl SampleSpec {
    /// A sample of which nothing is known.
    pub fn new(number: u64, lengths: Vec<usize>) -> Self {
        Self { number, lengths, given: None, origin: None }
    }
}

/// A batch after an evaluation of the network.
pub struct Step<'a> {
    /// The time of the evaluation.
    pub time: f64,
    runs: &'a [Run],
}

impl Step<'_> {
    /// The samples as they are now, in order.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &State<f32>> {
        self.runs.iter().map(|r| &r.state)
    }
}

/// Draws samples of a process.
#[derive(Clone, Debug)]
pub struct Sampler<'a> {
    process: &'a ProductProcess,
    solver: Solver,
    times: Vec<f64>,
    noise: Noise,
    temperature: f64,
}

impl<'a> Sampler<'a> {
    /// Checks the settings.
    pub fn new(process: &'a ProductProcess, config: &SamplerConfig) -> Result<Self> {
        let Some(first) = process.features().first() else {
            return Err(Error::Combination("a process needs at least one feature"));
        };
        check("begin", "between 0 and 1", config.begin, |t| t > 0.0 && t <= 1.0)?;
        let temperature = check("the temperature", "above 0", config.temperature, |t| t > 0.0)?;
        let mut begin = config.begin;
        if config.solver.needs_signal() {
            let gaussian =
                process.features().iter().filter(|f| matches!(f.process, FeatureProcess::Gaussian(_)));
            let latest = gaussian.map(|f| f.levels.time_of_lambda(-MAX_RELATIVE_SIGMA.ln()));
            begin = latest.fold(begin, f64::min);
        }
        let mut times = config.grid.times(config.steps, &first.levels)?;
        times.iter_mut().for_each(|t| *t *= begin);
        Ok(Self { process, solver: config.solver, times, noise: Noise::new(config.seed), temperature })
    }

    /// Evaluations of the network per sample.
    pub fn evaluations(&self) -> usize {
        let per_step = self.solver.evaluations_per_step();
        (self.times.len() - 1) * per_step + 1 - per_step
    }

    /// The times of all evaluations, in order.
    ///
    /// # Errors
    /// A solver that cannot walk along the levels.
    pub fn times_of_evaluations(&self) -> Result<Vec<f64>> {
        let levels = &self.process.features()[0].levels;
        let mut clock = Walk::<f32>::new(self.solver, self.levels(levels))?;
        let mut nothing = |_: usize| Vec::new();
        let mut times = Vec::with_capacity(self.evaluations());
        while !clock.is_finished() {
            times.push(clock.query(&mut Vec::new(), &mut nothing).time(&self.times, levels));
            clock.answer(&mut Vec::new(), &[], &mut nothing);
        }
        Ok(times)
    }

    /// Draws a batch. The job hears of every evaluation and may stop the work; `watch` sees the samples after each.
    pub fn draw(
        &self,
        draws: &[SampleSpec],
        denoiser: &dyn Denoiser,
        job: &Job,
        watch: &mut dyn FnMut(&Step),
    ) -> Result<Vec<State<f32>>> {
        let mut runs = draws.iter().map(|d| Run::new(self, d)).collect::<Result<Vec<_>>>()?;
        let mut clock = Walk::<f32>::new(self.solver, self.levels(&self.process.features()[0].levels))?;
        let mut asked = None;
        let samples = draws.len() as u64;
        let begin = Progress {
            phase: Phase::Sampling,
            finished: 0,
            at_work: samples,
            samples,
            step: 0,
            steps: self.evaluations() as u64,
        };
        let mut evaluations = 0;
        while !clock.is_finished() {
            let mut nothing = |_: usize| Vec::new();
            let query = clock.query(&mut Vec::new(), &mut nothing);
            let time = query.time(&self.times, &self.process.features()[0].levels);
            runs.par_iter_mut().for_each(|run| run.query(self.noise));
            let inputs: Vec<DenoiserInput> = runs
                .iter()
                .map(|r| DenoiserInput {
                    state: &r.state,
                    previous: r
                        .previous
                        .as_ref()
                        .map(|(prediction, time)| Previous { prediction, time: *time }),
                    given: r.given.as_ref().map(|g| &g.mask),
                    time,
                })
                .collect();
            let predictions = denoiser.predict(&inputs)?;
            check_finite(&predictions, query.step)?;
            clock.answer(&mut Vec::new(), &[], &mut nothing);
            let first = asked.replace(query.step) != Some(query.step);
            let asked = Evaluation { step: query.step, first, time };
            runs.par_iter_mut()
                .zip(predictions)
                .for_each(|(run, prediction)| run.answer(self, &asked, prediction));
            watch(&Step { time, runs: &runs });
            evaluations += 1;
            job.report(&Event::Progress(Progress { step: evaluations, ..begin }));
            job.check()?;
        }
        Ok(runs.into_iter().map(|r| r.state).collect())
    }

    /// The levels of a feature at the times; the last one is clean, whatever is left of noise at t = 0.
    fn levels(&self, levels: &Levels) -> Vec<Level> {
        let inner = self.times[..self.times.len() - 1].iter().map(|&t| levels.at(t));
        inner.chain([Level::CLEAN]).collect()
    }
}

fn check_finite(predictions: &[Vec<Prediction<f32>>], step: usize) -> Result<()> {
    let finite = |p: &Prediction<f32>| match p {
        Prediction::Continuous(x) | Prediction::Probabilities(x) => x.iter().all(|v| v.is_finite()),
    };
    if predictions.iter().flatten().all(finite) {
        return Ok(());
    }
    Err(Error::NotFinite { what: "the network's prediction", at: At::SamplingStep(step + 1) })
}

/// An evaluation that was asked for.
struct Evaluation {
    step: usize,
    /// Whether it is the first of its step.
    first: bool,
    time: f64,
}

/// One sample on its way.
struct Run {
    number: u64,
    state: State<f32>,
    walks: Vec<FeatureWalk>,
    /// The last prediction, and the time that it was made at.
    previous: Option<(Vec<Prediction<f32>>, f64)>,
    given: Option<Given<f32>>,
}

/// One feature of one sample on its way.
enum FeatureWalk {
    Gaussian { walk: Walk<f32>, process: Gaussian },
    Categorical { process: Categorical, keep: Vec<f64> },
}

impl Run {
    fn new(sampler: &Sampler, draw: &SampleSpec) -> Result<Self> {
        let walks = sampler
            .process
            .features()
            .iter()
            .enumerate()
            .map(|(k, feature)| {
                let levels = sampler.levels(&feature.levels);
                let mask = draw.given.as_ref().map(|g| g.mask[k].as_slice());
                Ok(match &feature.process {
                    FeatureProcess::Gaussian(process) => FeatureWalk::Gaussian {
                        walk: Walk::new(sampler.solver, levels)?,
                        process: process.around(mask),
                    },
                    FeatureProcess::Categorical(process) => FeatureWalk::Categorical {
                        process: process.clone(),
                        keep: levels.iter().map(|l| l.alpha.powi(2)).collect(),
                    },
                })
            })
            .collect::<Result<_>>()?;
        let mask = draw.given.as_ref().map(|g| &g.mask);
        let (process, time, noise) = (sampler.process, sampler.times[0], sampler.noise);
        let mut state = match &draw.origin {
            Some(clean) => process.noise(clean, mask, time, noise, (draw.number, Stream::INITIAL)),
            None => process.draw_prior(&draw.lengths, mask, time, noise, draw.number),
        };
        if let Some(given) = &draw.given {
            given.hold(&mut state);
        }
        Ok(Self { number: draw.number, state, walks, previous: None, given: draw.given.clone() })
    }

    fn query(&mut self, noise: Noise) {
        let number = self.number;
        for (k, (walk, value)) in self.walks.iter_mut().zip(&mut self.state).enumerate() {
            if let (FeatureWalk::Gaussian { walk, process }, Value::Continuous(x)) = (walk, value) {
                let count = x.len();
                let mut draw =
                    |step: usize| process.draw(noise, Stream::new(number, k as u16, step as u32), count);
                walk.query(x, &mut draw);
            }
        }
        self.hold();
    }

    fn hold(&mut self) {
        if let Some(given) = &self.given {
            given.hold(&mut self.state);
        }
    }

    /// Moves every feature on.
    fn answer(&mut self, sampler: &Sampler, asked: &Evaluation, mut prediction: Vec<Prediction<f32>>) {
        let step = asked.step;
        if let Some(given) = &self.given {
            given.hold_prediction(&mut prediction);
        }
        let features = self.walks.iter_mut().zip(&mut self.state).zip(&prediction).enumerate();
        for (k, ((walk, value), predicted)) in features {
            let stream = |step: usize| Stream::new(self.number, k as u16, step as u32);
            match (walk, value, predicted) {
                (
                    FeatureWalk::Gaussian { walk, process },
                    Value::Continuous(x),
                    Prediction::Continuous(clean),
                ) => {
                    let mut draw = |step: usize| process.draw(sampler.noise, stream(step), clean.len());
                    walk.answer(x, clean, &mut draw);
                    process.subspace.project(x);
                }
                (
                    FeatureWalk::Categorical { process, keep },
                    Value::Classes(x),
                    Prediction::Probabilities(p),
                ) => {
                    // A posterior step is exact given the prediction at its start; a second evaluation, made at
                    // a state that has already moved, has nothing to add to it.
                    if asked.first {
                        let p = tempered(p, process.classes(), sampler.temperature);
                        *x = categorical_step(process, x, &p, [keep[step], keep[step + 1]], |u| {
                            sampler.noise.uniform(stream(step), u);
                        });
                    }
                }
                _ => panic!("the prediction of feature {k} is not of its process"),
            }
        }
        self.previous = Some((prediction, asked.time));
        self.hold();
    }
}

/// Probabilities to the power 1/temperature, row by row.
fn tempered(predicted: &[f32], classes: usize, temperature: f64) -> Cow<'_, [f32]> {
    if temperature == 1.0 {
        return predicted.into();
    }
    let power = (1.0 / temperature) as f32;
    let mut p = predicted.to_vec();
    for row in p.chunks_exact_mut(classes) {
        // Relative to the likeliest class, so that low temperatures leave something.
        let most = row.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        row.iter_mut().for_each(|v| *v = (*v / most).powf(power));
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|v| *v /= sum);
    }
    p.into()
}

fn categorical_step(
    process: &Categorical,
    from: &[u8],
    predicted: &[f32],
    keep: [f64; 2],
    draw: impl FnOnce(&mut [f64]),
) -> Vec<u8> {
    let mut u = vec![0.0f64; from.len()];
    draw(&mut u);
    let mut p = vec![0.0f64; process.classes()];
    from.iter()
        .zip(predicted.chunks_exact(process.classes()))
        .zip(u)
        .map(|((&class, row), u)| {
            p.iter_mut().zip(row).for_each(|(a, b)| *a = f64::from(*b));
            process.step(class.into(), &p, keep[0], keep[1], u) as u8
        })
        .collect()
}
