//! A state is a product of named features, each with its own process and its own schedule.

use serde::{Deserialize, Serialize};

use super::given::{Mask, hold};
use super::{Categorical, CategoricalKind, Gaussian, Subspace};
use crate::error::Result;
use crate::noise::{Noise, Stream};
use crate::{Level, Levels, Real, Schedule};

/// One feature of a state, as it stands on a model card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// Name: "positions", "atoms", "voxels", …
    pub name: String,
    /// Its schedule.
    pub schedule: Schedule,
    /// Its process.
    pub process: ProcessSpec,
}

/// A process by name and parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessSpec {
    /// Gaussian noise in a space.
    Gaussian(Subspace),
    /// Categories; kept with probability α² of the schedule.
    Categorical(CategoricalKind),
}

/// A feature's process, ready for use.
#[derive(Clone, Debug)]
pub enum FeatureProcess {
    /// Gaussian noise.
    Gaussian(Gaussian),
    /// Categories.
    Categorical(Categorical),
}

/// A feature, ready for use.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its levels over time.
    pub levels: Levels,
    /// Its process.
    pub process: FeatureProcess,
}

/// The values of one feature of one sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<T> {
    /// Numbers.
    Continuous(Vec<T>),
    /// Class numbers.
    Classes(Vec<u8>),
}

/// What a network predicts of the clean values of one feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction<T> {
    /// The clean numbers, x̂₀.
    Continuous(Vec<T>),
    /// Probabilities of the clean classes, `[elements, classes]`.
    Probabilities(Vec<f32>),
}

/// One sample's values, in the order of the features.
pub type State<T> = Vec<Value<T>>;

impl<T> Value<T> {
    /// The numbers.
    ///
    /// # Panics
    /// If it holds classes.
    pub fn continuous(&self) -> &[T] {
        match self {
            Self::Continuous(x) => x,
            Self::Classes(_) => panic!("the feature holds classes, not numbers"),
        }
    }

    /// The classes.
    ///
    /// # Panics
    /// If it holds numbers.
    pub fn classes(&self) -> &[u8] {
        match self {
            Self::Classes(x) => x,
            Self::Continuous(_) => panic!("the feature holds numbers, not classes"),
        }
    }
}

/// The features of a model, in order.
#[derive(Clone, Debug)]
pub struct ProductProcess {
    features: Vec<Feature>,
}

impl ProductProcess {
    /// Checks and builds all features.
    pub fn new(specs: &[FeatureSpec]) -> Result<Self> {
        let feature = |spec: &FeatureSpec| {
            let process = match &spec.process {
                ProcessSpec::Gaussian(subspace) => FeatureProcess::Gaussian(Gaussian { subspace: *subspace }),
                ProcessSpec::Categorical(kind) => FeatureProcess::Categorical(Categorical::new(kind)?),
            };
            Ok(Feature { name: spec.name.clone(), levels: spec.schedule.build()?, process })
        };
        Ok(Self { features: specs.iter().map(feature).collect::<Result<_>>()? })
    }

    /// The features.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The level of every feature at time t.
    pub fn levels_at(&self, t: f64) -> Vec<Level> {
        self.features.iter().map(|f| f.levels.at(t)).collect()
    }

    /// A clean state, noised to time t but for what is given, with the streams (sample, feature, step).
    pub fn noise<T: Real>(
        &self,
        clean: &State<T>,
        given: Option<&Mask>,
        t: f64,
        noise: Noise,
        stream: (u64, u32),
    ) -> State<T> {
        self.noised(clean, given, &self.levels_at(t), noise, stream)
    }

    /// A state of time `from`, noised on to the later time `to` but for what is given: the forward process between them.
    pub fn noise_on<T: Real>(
        &self,
        state: &State<T>,
        given: Option<&Mask>,
        (from, to): (f64, f64),
        noise: Noise,
        stream: (u64, u32),
    ) -> State<T> {
        let between = self.features.iter().map(|f| f.levels.at(from).to(f.levels.at(to)));
        self.noised(state, given, &between.collect::<Vec<_>>(), noise, stream)
    }

    fn noised<T: Real>(
        &self,
        state: &State<T>,
        given: Option<&Mask>,
        levels: &[Level],
        noise: Noise,
        (sample, step): (u64, u32),
    ) -> State<T> {
        let noised = |(k, (feature, value)): (usize, (&Feature, &Value<T>))| {
            let stream = Stream::new(sample, k as u16, step);
            match (&feature.process, value) {
                (FeatureProcess::Gaussian(g), Value::Continuous(x)) => {
                    let g = g.around(given.map(|m| m[k].as_slice()));
                    Value::Continuous(g.noise(x, &g.draw(noise, stream, x.len()), levels[k]))
                }
                (FeatureProcess::Categorical(c), Value::Classes(x)) => {
                    let keep = levels[k].alpha.powi(2);
                    let mut u = vec![0.0f64; x.len()];
                    noise.uniform(stream, &mut u);
                    let draw = |(&class, &u): (&u8, &f64)| c.noise(class.into(), keep, u) as u8;
                    Value::Classes(x.iter().zip(&u).map(draw).collect())
                }
                _ => panic!("the values of {} are not of its process", feature.name),
            }
        };
        let mut noisy = self.features.iter().zip(state).enumerate().map(noised).collect();
        if let Some(mask) = given {
            hold(&mut noisy, state, mask);
        }
        noisy
    }

    /// A state of pure noise with `lengths` elements per feature, of the noise level at t, for a sample of a seed.
    /// Where something is given, its values are still to be put in.
    pub fn draw_prior<T: Real>(
        &self,
        lengths: &[usize],
        given: Option<&Mask>,
        t: f64,
        noise: Noise,
        sample: u64,
    ) -> State<T> {
        let drawn = |(k, (feature, &length)): (usize, (&Feature, &usize))| {
            let stream = Stream::new(sample, k as u16, Stream::INITIAL);
            match &feature.process {
                FeatureProcess::Gaussian(g) => {
                    let sigma = feature.levels.at(t).sigma;
                    let g = g.around(given.map(|m| m[k].as_slice()));
                    let mut x: Vec<T> = g.draw(noise, stream, length);
                    x.iter_mut().for_each(|v| *v = T::of(v.f64() * sigma));
                    Value::Continuous(x)
                }
                FeatureProcess::Categorical(c) => {
                    let mut u = vec![0.0f64; length];
                    noise.uniform(stream, &mut u);
                    Value::Classes(u.into_iter().map(|u| c.draw_prior(u) as u8).collect())
                }
            }
        };
        self.features.iter().zip(lengths).enumerate().map(drawn).collect()
    }
}
