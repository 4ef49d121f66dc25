//! Gaussian noise, in the whole space or in one without centre of mass.

use serde::{Deserialize, Serialize};

use crate::{Level, Real};

/// The space that a Gaussian feature lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subspace {
    /// Every value is free.
    #[default]
    Full,
    /// Points in three dimensions whose mean is zero (Hoogeboom et al. 2022, section 3.1).
    CentredPoints,
}

impl Subspace {
    /// Projects `x` onto the space; points are `[…, 3]`, row by row.
    pub fn project<T: Real>(self, x: &mut [T]) {
        if self == Self::Full || x.is_empty() {
            return;
        }
        let count = (x.len() / 3) as f64;
        for k in 0..3 {
            let mean = x.iter().skip(k).step_by(3).map(|v| v.f64()).sum::<f64>() / count;
            x.iter_mut().skip(k).step_by(3).for_each(|v| *v = T::of(v.f64() - mean));
        }
    }
}

/// A Gaussian process: x_t = α·x₀ + σ·ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gaussian {
    /// The space of data and noise.
    pub subspace: Subspace,
}

impl Gaussian {
    /// α·x₀ + σ·ε; both are taken to lie in the subspace already.
    pub fn noise<T: Real>(&self, clean: &[T], epsilon: &[T], level: Level) -> Vec<T> {
        clean.iter().zip(epsilon).map(|(x, e)| T::of(level.alpha * x.f64() + level.sigma * e.f64())).collect()
    }
}

impl Gaussian {
    /// The process where some values are given: they say where the points are, so every other value is free.
    pub fn around(self, given: Option<&[bool]>) -> Self {
        match given {
            Some(mask) if mask.contains(&true) => Self { subspace: Subspace::Full },
            _ => self,
        }
    }

    /// Standard normal noise of a stream, in the subspace.
    pub fn draw<T: Real>(&self, noise: crate::Noise, stream: crate::Stream, count: usize) -> Vec<T> {
        let mut epsilon = vec![T::default(); count];
        noise.normal(stream, &mut epsilon);
        self.subspace.project(&mut epsilon);
        epsilon
    }
}
