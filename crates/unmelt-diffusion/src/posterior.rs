//! Sampling from a prior given a measurement, without training for it.
//!
//! The prior is a denoiser of variance-exploding states x = x₀ + σ·n (divide a variance-preserving state by its
//! α to get one). Every solver walks σ from high to low: denoise, make the estimate agree with the data, add noise
//! of the next level.

use crate::Real;
use crate::error::{At, Error, Result, check};
use crate::grid::karras_sigmas;
use crate::measurement::{Measurement, conjugate_gradients};
use crate::noise::{Noise, Stream};

/// A denoiser: E[x₀ | x₀ + σ·n = x].
pub trait Prior<T: Real> {
    /// The estimate of x₀ at step number `step` of a walk.
    fn denoise(&self, x: &[T], sigma: f64, step: usize) -> Result<Vec<T>>;

    /// Jᵀ·c, J the derivative of [`denoise`](Self::denoise) at x; needed by [`PosteriorSolver::Dps`] alone.
    fn pull_back(&self, _x: &[T], _sigma: f64, _step: usize, _cotangent: &[T]) -> Result<Vec<T>> {
        Err(Error::Combination("this prior has no gradient, which the solver dps needs"))
    }
}

/// How estimate and data are brought together.
///
/// What is said of each about a Gaussian prior, where the exact posterior is known, is what its test observes with
/// 100 steps (mean in standard deviations of the prior, spread as a part of the posterior's).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PosteriorSolver {
    /// Wang et al. 2023: the range of A from the data, its null space from the prior; with noise on the data by the
    /// scaling of their DDNM+. Gaussian prior, noisy data: the mean is off by 0.05, but the spread is a quarter of what
    /// it should be: samples agree with each other more than they ought to.
    Ddnm,
    /// Zhu et al. 2023: a proximal step of weight λ·s²/σ² (s the noise on the data), then noise of which a part ζ
    /// is new. Gaussian prior: with ζ = 1 the mean is off by 0.005, the spread is two thirds of what it should be.
    DiffPir {
        /// Weight of the prior; 1 is the posterior's own.
        lambda: f64,
        /// Part of new noise, 0 to 1.
        zeta: f64,
    },
    /// Zhang et al. 2021 (plug-and-play by half-quadratic splitting, DPIR): the same proximal steps without any noise,
    /// which is no sampler but a search for one estimate. Gaussian prior: the mean is off by 0.001; no spread.
    Hqs {
        /// Weight of the prior; 1 is the posterior's own.
        lambda: f64,
    },
    /// Chung et al. 2024 (decomposed diffusion sampling): some conjugate-gradient iterations on the proximal problem
    /// from the estimate, then a DDIM step with the noise that the prior saw. Gaussian prior: as DiffPir.
    Dds {
        /// Conjugate-gradient iterations.
        iterations: usize,
        /// Part of new noise, 0 to 1.
        eta: f64,
    },
    /// Chung et al. 2023 (diffusion posterior sampling): a step along the gradient of ‖y − A·D(x)‖ through the
    /// network. Gaussian prior, 200 steps of scale 0.3: the mean is off by 0.06, the spread 0.94 of what it should be; both
    /// depend on the scale, and the data are fitted no better than the prior's noise allows.
    Dps {
        /// Length of the step.
        scale: f64,
    },
    /// Lugmayr et al. 2022: known elements are overwritten with the data at the noise level of each step, and every
    /// step is walked several times so that the unknown ones agree. For measurements that keep elements, exact data.
    /// Gaussian prior, 50 steps of 8 walks: the mean is off by 0.02, the spread 0.7 of what it should be; kept elements are
    /// exact.
    RePaint {
        /// Times that each step is walked.
        resamples: usize,
    },
}

impl PosteriorSolver {
    /// The names on a command line.
    pub const NAMES: [&'static str; 6] = ["diffpir", "hqs", "ddnm", "dds", "dps", "repaint"];

    /// The solver of that name with its usual settings; deterministic where a single estimate is wanted.
    pub fn from_name(name: &str, single: bool) -> Option<Self> {
        let part = if single { 0.0 } else { 1.0 };
        Some(match name {
            "diffpir" => Self::DiffPir { lambda: 1.0, zeta: part },
            "hqs" => Self::Hqs { lambda: 1.0 },
            "ddnm" => Self::Ddnm,
            "dds" => Self::Dds { iterations: 5, eta: part },
            "dps" => Self::Dps { scale: 0.3 },
            "repaint" => Self::RePaint { resamples: 4 },
            _ => return None,
        })
    }

    /// Evaluations of the prior per step.
    pub fn evaluations_per_step(self) -> usize {
        match self {
            Self::RePaint { resamples } => resamples.max(1),
            _ => 1,
        }
    }
}

/// A walk: solver, levels, seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    solver: PosteriorSolver,
    sigmas: Vec<f64>,
    noise: Noise,
    /// Evaluations of the prior before this walk.
    before: usize,
}

impl Posterior {
    /// Levels by Karras' grid from `sigma_max` to `sigma_min` in `steps` steps, then 0.
    pub fn new(
        solver: PosteriorSolver,
        steps: usize,
        [sigma_min, sigma_max]: [f64; 2],
        seed: u64,
    ) -> Result<Self> {
        check("sigma_min", "above 0", sigma_min, |v| v > 0.0)?;
        check("sigma_max", "at least sigma_min", sigma_max, |v| v >= sigma_min)?;
        if steps == 0 {
            return Err(Error::setting("steps", "at least 1", steps));
        }
        let mut sigmas = karras_sigmas(steps, sigma_min, sigma_max, 5.0);
        sigmas.push(0.0);
        Ok(Self { solver, sigmas, noise: Noise::new(seed), before: 0 })
    }

    /// The walk that goes on where others ended after `evaluations` of the prior: it counts its steps from there, so that
    /// nothing that is drawn for one of them is drawn again.
    pub fn after(self, evaluations: usize) -> Self {
        Self { before: evaluations, ..self }
    }

    /// Evaluations of the prior for one sample.
    pub fn evaluations(&self) -> usize {
        (self.sigmas.len() - 1) * self.solver.evaluations_per_step()
    }

    /// Sample number `number`, from `start` (an estimate of the signal) with noise of the first level on it; `tick` is
    /// called after every evaluation of the prior and may stop the work by an error.
    pub fn sample<T: Real>(
        &self,
        prior: &dyn Prior<T>,
        measurement: &dyn Measurement<T>,
        data: &[T],
        start: &[T],
        number: u64,
        tick: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Vec<T>> {
        if matches!(self.solver, PosteriorSolver::RePaint { .. }) && measurement.kept().is_none() {
            return Err(Error::Combination("the solver repaint is for masks, whose known voxels it keeps"));
        }
        let mut walk = PosteriorWalk { of: self, prior, measurement, data, number };
        let mut x = start.to_vec();
        if !matches!(self.solver, PosteriorSolver::Hqs { .. }) {
            walk.add_noise(&mut x, self.sigmas[0], 2 * self.before);
        }
        for step in 0..self.sigmas.len() - 1 {
            for round in 0..self.solver.evaluations_per_step() {
                x = walk.step(x, step, round)?;
                tick()?;
                if x.iter().any(|v| !v.f64().is_finite()) {
                    let at = At::SamplingStep(step + 1);
                    return Err(Error::NotFinite { what: "the sample", at });
                }
            }
        }
        Ok(x)
    }
}

struct PosteriorWalk<'a, T: Real> {
    of: &'a Posterior,
    prior: &'a dyn Prior<T>,
    measurement: &'a dyn Measurement<T>,
    data: &'a [T],
    number: u64,
}

impl<T: Real> PosteriorWalk<'_, T> {
    /// Adds noise of one level; `draw` numbers the draws of a walk.
    fn add_noise(&mut self, x: &mut [T], sigma: f64, draw: usize) {
        if sigma == 0.0 {
            return;
        }
        let mut noise = vec![T::of(0.0); x.len()];
        self.of.noise.normal(Stream::new(self.number, 0, draw as u32), &mut noise);
        add(x, sigma, &noise);
    }

    fn step(&mut self, x: Vec<T>, step: usize, round: usize) -> Result<Vec<T>> {
        let (sigma, next) = (self.of.sigmas[step], self.of.sigmas[step + 1]);
        let rounds = self.of.solver.evaluations_per_step();
        let evaluation = self.of.before + step * rounds + round;
        let draw = 1 + 2 * evaluation;
        let clean = self.prior.denoise(&x, sigma, evaluation)?;
        let noise = self.measurement.noise();
        Ok(match self.of.solver {
            PosteriorSolver::Ddnm => {
                let projected = self.measurement.project(&clean, self.data);
                // The data's own noise must fit into that of the next level.
                let share = if noise > 0.0 { (next / noise).min(1.0) } else { 1.0 };
                let share = if next == 0.0 && noise > 0.0 {
                    sigma * sigma / (sigma * sigma + noise * noise)
                } else {
                    share
                };
                let mut y = blend(&clean, &projected, share);
                let left = (next * next - (share * noise).powi(2)).max(0.0).sqrt();
                self.add_noise(&mut y, if next == 0.0 { 0.0 } else { left }, draw);
                y
            }
            PosteriorSolver::DiffPir { lambda, zeta } => {
                let rho = lambda * (noise.max(MIN_NOISE) / sigma).powi(2);
                let fitted = self.measurement.prox(&clean, self.data, rho);
                drop(clean);
                self.renoised(x, fitted, [sigma, next, zeta], draw)
            }
            PosteriorSolver::Hqs { lambda } => {
                let rho = lambda * (noise.max(MIN_NOISE) / sigma).powi(2);
                self.measurement.prox(&clean, self.data, rho)
            }
            PosteriorSolver::Dds { iterations, eta } => {
                let rho = (noise.max(MIN_NOISE) / sigma).powi(2);
                let fitted = conjugate_gradients(self.measurement, &clean, self.data, rho, iterations, 0.0);
                // The noise that the prior saw, not the one behind the fitted estimate.
                let mut seen = x;
                add(&mut seen, -1.0, &clean);
                add(&mut seen, 1.0, &fitted);
                self.renoised(seen, fitted, [sigma, next, eta], draw)
            }
            PosteriorSolver::Dps { scale } => {
                self.dps_step(x, clean, [sigma, next, scale], evaluation, draw)?
            }
            PosteriorSolver::RePaint { .. } => {
                let last = round + 1 == rounds;
                let mut y = self.renoised(x, clean, [sigma, next, 1.0], draw);
                let mut known = self.measurement.adjoint(self.data);
                self.add_noise(&mut known, next, draw + 1);
                let kept = self.measurement.kept().unwrap_or_default();
                for ((y, known), kept) in y.iter_mut().zip(&known).zip(kept) {
                    if *kept {
                        *y = *known;
                    }
                }
                if !last {
                    // Back up to the level of this step, to walk it again.
                    let back = (sigma * sigma - next * next).sqrt();
                    self.add_noise(&mut y, back, draw + (1 << 20));
                }
                y
            }
        })
    }

    /// The estimate with noise of the next level: a part of it new, the rest in the direction seen.
    fn renoised(&mut self, x: Vec<T>, clean: Vec<T>, [sigma, next, part]: [f64; 3], draw: usize) -> Vec<T> {
        if next == 0.0 {
            return clean;
        }
        let old = next / sigma * (1.0 - part).max(0.0).sqrt();
        let mut y = x;
        y.iter_mut().zip(&clean).for_each(|(x, c)| {
            let c = c.f64();
            *x = T::of(c + old * (x.f64() - c));
        });
        self.add_noise(&mut y, next * part.sqrt(), draw);
        y
    }

    fn dps_step(
        &mut self,
        x: Vec<T>,
        clean: Vec<T>,
        [sigma, next, scale]: [f64; 3],
        step: usize,
        draw: usize,
    ) -> Result<Vec<T>> {
        let mut misfit = self.measurement.forward(&clean);
        misfit.iter_mut().zip(self.data).for_each(|(m, y)| *m = T::of(m.f64() - y.f64()));
        let norm = misfit.iter().map(|m| m.f64().powi(2)).sum::<f64>().sqrt();
        let cotangent = self.measurement.adjoint(&misfit);
        let slope = self.prior.pull_back(&x, sigma, step, &cotangent)?;
        let mut y = ancestral(x, &clean, sigma, next);
        let spread = next * (1.0 - (next / sigma).powi(2)).max(0.0).sqrt();
        self.add_noise(&mut y, spread, draw);
        add(&mut y, -scale / norm.max(1e-12), &slope);
        Ok(y)
    }
}

/// Exact data are treated as if they had this noise, in the units of the signal.
const MIN_NOISE: f64 = 1e-3;

/// Mean of the posterior q(x_next | x, x₀) of a variance-exploding state.
fn ancestral<T: Real>(x: Vec<T>, clean: &[T], sigma: f64, next: f64) -> Vec<T> {
    blend(clean, &x, (next / sigma).powi(2))
}

/// a + share·(b − a).
fn blend<T: Real>(a: &[T], b: &[T], share: f64) -> Vec<T> {
    a.iter().zip(b).map(|(a, b)| T::of(a.f64() + share * (b.f64() - a.f64()))).collect()
}

fn add<T: Real>(x: &mut [T], factor: f64, y: &[T]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = T::of(x.f64() + factor * y.f64()));
}
