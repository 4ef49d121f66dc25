//! Schedules: how much of the data and how much noise a state at time t holds.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};
use crate::files::limits::{limits, within};

/// A state at this level is α·x₀ + σ·ε, with ε standard normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Weight of the data.
    pub alpha: f64,
    /// Weight of the noise.
    pub sigma: f64,
}

impl Level {
    /// No noise at all.
    pub const CLEAN: Self = Self { alpha: 1.0, sigma: 0.0 };

    /// A variance-preserving level, from ᾱ = α² in [0, 1].
    pub fn variance_preserving(alpha_bar: f64) -> Self {
        Self { alpha: alpha_bar.sqrt(), sigma: (1.0 - alpha_bar).max(0.0).sqrt() }
    }

    /// A variance-exploding level: α = 1.
    pub fn variance_exploding(sigma: f64) -> Self {
        Self { alpha: 1.0, sigma }
    }

    /// A rectified-flow level: α = 1 − σ.
    pub fn flow(sigma: f64) -> Self {
        Self { alpha: 1.0 - sigma, sigma }
    }

    /// What leads from this level to a noisier one: x' = α·x + σ·ε with the α and σ that come out.
    pub fn to(self, later: Self) -> Self {
        let alpha = if self.alpha > 0.0 { later.alpha / self.alpha } else { 1.0 };
        let variance = later.sigma.powi(2) - (alpha * self.sigma).powi(2);
        Self { alpha, sigma: variance.max(0.0).sqrt() }
    }

    /// λ = ln(α/σ), half of the log signal-to-noise ratio; +∞ where clean, −∞ where there is no data left.
    pub fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    /// ln(α²/σ²).
    pub fn log_snr(self) -> f64 {
        2.0 * self.lambda()
    }

    /// σ/α, the noise level of the same state scaled to α = 1.
    pub fn relative_sigma(self) -> f64 {
        self.sigma / self.alpha
    }
}

/// A noise schedule by name and parameters, as it stands on a model card. Continuous in t: 0 is clean, 1 is noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// β rises linearly over the training steps (Ho et al. 2020).
    Linear {
        /// First β.
        beta_start: f64,
        /// Last β.
        beta_end: f64,
        /// Training steps T.
        steps: usize,
    },
    /// √β rises linearly (latent diffusion, Rombach et al. 2022).
    ScaledLinear {
        /// First β.
        beta_start: f64,
        /// Last β.
        beta_end: f64,
        /// Training steps T.
        steps: usize,
    },
    /// α = cos(π/2·(t+s)/(1+s)) over its value at t = 0, in closed form; s = `offset` (0.008 in Nichol & Dhariwal 2021).
    Cosine {
        /// s.
        offset: f64,
    },
    /// α = cos(π/2·t^power). Of features with several powers, those with a higher one are noised later and come back
    /// sooner (Vignac et al., "MiDi", 2023).
    WarpedCosine {
        /// The power of t.
        power: f64,
    },
    /// The cosine schedule through T steps: β_i = min(1 − f((i+1)/T)/f(i/T), `max_beta`).
    CosineSteps {
        /// s.
        offset: f64,
        /// The cap on β, 0.999 in the paper.
        max_beta: f64,
        /// Training steps T.
        steps: usize,
    },
    /// β = sigmoid(−6 … 6) between its ends (GeoDiff, Xu et al. 2022).
    Sigmoid {
        /// First β.
        beta_start: f64,
        /// Last β.
        beta_end: f64,
        /// Training steps T.
        steps: usize,
    },
    /// EDM's for molecules: α = (1 − 2s)(1 − t^power) + s in squared, clipped form through T steps (Hoogeboom et al. 2022).
    Polynomial {
        /// 2 for QM9.
        power: f64,
        /// s, 1e-5 for QM9.
        precision: f64,
        /// Training steps T; the table has T + 1 entries.
        steps: usize,
    },
    /// α = 1, σ from `sigma_min` to `sigma_max` geometrically (Song et al. 2021).
    VarianceExploding {
        /// σ at t = 0.
        sigma_min: f64,
        /// σ at t = 1.
        sigma_max: f64,
    },
    /// α = 1, σ^(1/ρ) linear in t (Karras et al. 2022).
    Karras {
        /// σ at t = 0.
        sigma_min: f64,
        /// σ at t = 1.
        sigma_max: f64,
        /// ρ, 7 in the paper.
        rho: f64,
    },
    /// Rectified flow: σ = s·t/(1 + (s−1)·t), α = 1 − σ (Esser et al. 2024).
    Flow {
        /// The shift s; 1 is the straight line.
        shift: f64,
    },
    /// ᾱ of every training step, as imported.
    Tabulated {
        /// ᾱ, least noisy first.
        alphas_cumprod: Vec<f64>,
        /// Whether the table's first entry stands at t = 0 (T + 1 entries) or at t = 1/T (T entries).
        #[serde(default)]
        starts_at_zero: bool,
    },
}

impl Schedule {
    /// Cosine in closed form without offset: α = cos(πt/2), σ = sin(πt/2).
    pub const COSINE: Self = Self::Cosine { offset: 0.0 };

    /// β of every training step, for schedules that are defined by them.
    pub fn betas(&self) -> Option<Vec<f64>> {
        let ramp = |a: f64, b: f64, n: usize| {
            (0..n).map(move |i| if n == 1 { a } else { a + (b - a) * i as f64 / (n - 1) as f64 })
        };
        Some(match *self {
            Self::Linear { beta_start, beta_end, steps } => ramp(beta_start, beta_end, steps).collect(),
            Self::ScaledLinear { beta_start, beta_end, steps } => {
                ramp(beta_start.sqrt(), beta_end.sqrt(), steps).map(|b| b * b).collect()
            }
            Self::CosineSteps { offset, max_beta, steps } => {
                let f = |i: usize| {
                    let u = i as f64 / steps as f64;
                    ((u + offset) / (1.0 + offset) * std::f64::consts::FRAC_PI_2).cos().powi(2)
                };
                (0..steps).map(|i| (1.0 - f(i + 1) / f(i)).min(max_beta)).collect()
            }
            Self::Sigmoid { beta_start, beta_end, steps } => ramp(-6.0, 6.0, steps)
                .map(|x| (beta_end - beta_start) / (1.0 + (-x).exp()) + beta_start)
                .collect(),
            _ => return None,
        })
    }

    /// ᾱ of every training step, for schedules through steps.
    pub fn alphas_cumprod(&self) -> Option<Vec<f64>> {
        match self {
            Self::Polynomial { power, precision, steps } => Some(polynomial(*power, *precision, *steps)),
            Self::Tabulated { alphas_cumprod, .. } => Some(alphas_cumprod.clone()),
            _ => Some(cumulative_product(&self.betas()?)),
        }
    }

    /// Checks the parameters and prepares the schedule for use.
    pub fn build(&self) -> Result<Levels> {
        self.validate()?;
        let table = self.alphas_cumprod();
        if let Some(table) = &table {
            check_table(table)?;
        }
        let starts_at_zero = match self {
            Self::Polynomial { .. } => true,
            Self::Tabulated { starts_at_zero, .. } => *starts_at_zero,
            _ => false,
        };
        Ok(Levels { schedule: self.clone(), table, starts_at_zero })
    }

    fn validate(&self) -> Result<()> {
        let beta = |what, x| check(what, "between 0 and 1", x, |b| b > 0.0 && b < 1.0).map(drop);
        let offset = |x| check("offset", "from 0 to 1", x, |s| (0.0..=1.0).contains(&s)).map(drop);
        // Higher and lower powers, shifts and noise than anybody trains with leave no room between clean and noise.
        let power = |what, x| check(what, "from 0.1 to 10", x, |p| (0.1..=10.0).contains(&p)).map(drop);
        let sigmas = |min, max| {
            check("sigma_min", "from 1e-9 to 1e9", min, |s| (1e-9..=1e9).contains(&s))?;
            check("sigma_max", "above sigma_min and at most 1e9", max, |s| s > min && s <= 1e9).map(drop)
        };
        match *self {
            Self::Linear { beta_start, beta_end, steps: n }
            | Self::ScaledLinear { beta_start, beta_end, steps: n }
            | Self::Sigmoid { beta_start, beta_end, steps: n } => {
                beta("beta_start", beta_start)?;
                beta("beta_end", beta_end)?;
                steps(n)
            }
            Self::Cosine { offset: s } => offset(s),
            Self::WarpedCosine { power: p } => power("power", p),
            Self::CosineSteps { offset: s, max_beta, steps: n } => {
                offset(s)?;
                check("max_beta", "between 0 and 1", max_beta, |b| b > 0.0 && b <= 1.0)?;
                steps(n)
            }
            Self::Polynomial { power: p, precision, steps: n } => {
                power("power", p)?;
                check("precision", "between 0 and 0.5", precision, |s| s > 0.0 && s < 0.5)?;
                steps(n)
            }
            Self::VarianceExploding { sigma_min, sigma_max } => sigmas(sigma_min, sigma_max),
            Self::Karras { sigma_min, sigma_max, rho } => {
                sigmas(sigma_min, sigma_max)?;
                check("rho", "from 0.1 to 100", rho, |r| (0.1..=100.0).contains(&r)).map(drop)
            }
            Self::Flow { shift } => {
                check("shift", "from 0.001 to 1000", shift, |s| (1e-3..=1e3).contains(&s)).map(drop)
            }
            Self::Tabulated { ref alphas_cumprod, .. } => match alphas_cumprod.len() {
                0 => Err(Error::setting("alphas_cumprod", "a list with entries", "empty")),
                n => steps(n),
            },
        }
    }
}

/// Checks a number of training steps, before a table of so many entries is made.
fn steps(n: usize) -> Result<()> {
    match n {
        0 => Err(Error::setting("steps", "at least 1", n)),
        n => within(limits().steps, "steps", n as u64, "the schedule"),
    }
}

fn cumulative_product(betas: &[f64]) -> Vec<f64> {
    betas
        .iter()
        .scan(1.0, |product, beta| {
            *product *= 1.0 - beta;
            Some(*product)
        })
        .collect()
}

/// EDM's polynomial schedule: α² of t = 0 … T, with each ratio clipped to at least 0.001.
fn polynomial(power: f64, precision: f64, steps: usize) -> Vec<f64> {
    let raw = |i: usize| (1.0 - (i as f64 / steps as f64).powf(power)).powi(2);
    let (mut product, mut before) = (1.0, 1.0);
    (0..=steps)
        .map(|i| {
            product *= (raw(i) / before).clamp(0.001, 1.0);
            before = raw(i);
            (1.0 - 2.0 * precision) * product + precision
        })
        .collect()
}

fn check_table(table: &[f64]) -> Result<()> {
    for &a in table {
        check("every alphas_cumprod", "between 0 and 1", a, |a| (0.0..=1.0).contains(&a))?;
    }
    if table.windows(2).any(|w| w[1] > w[0]) {
        return Err(Error::Combination("alphas_cumprod must not rise: order it from the least noisy step"));
    }
    Ok(())
}

/// ᾱ shifted and scaled in √ᾱ so that the last entry is 0 and the first is kept (Lin et al. 2024).
pub fn rescale_zero_terminal_snr(alphas_cumprod: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (alphas_cumprod.first(), alphas_cumprod.last()) else {
        return Vec::new();
    };
    let (first, last) = (first.sqrt(), last.sqrt());
    alphas_cumprod.iter().map(|a| ((a.sqrt() - last) * (first / (first - last))).powi(2)).collect()
}

/// β of every training step of a table of ᾱ: 1 − ᾱ_i/ᾱ_{i−1}.
pub fn betas_of_alphas_cumprod(alphas_cumprod: &[f64]) -> Vec<f64> {
    let before = std::iter::once(&1.0).chain(alphas_cumprod);
    alphas_cumprod.iter().zip(before).map(|(a, b)| 1.0 - a / b).collect()
}

/// A checked schedule, ready to be asked for levels.
#[derive(Clone, Debug)]
pub struct Levels {
    schedule: Schedule,
    table: Option<Vec<f64>>,
    starts_at_zero: bool,
}

impl Levels {
    /// The schedule that this was built from.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// ᾱ of the training steps, if the schedule has steps.
    pub fn alphas_cumprod(&self) -> Option<&[f64]> {
        self.table.as_deref()
    }

    /// The level at t in [0, 1]; outside it the nearest end. Between the steps of a table ln ᾱ is linear.
    pub fn at(&self, t: f64) -> Level {
        let t = t.clamp(0.0, 1.0);
        if let Some(table) = &self.table {
            return Level::variance_preserving(interpolate(table, self.starts_at_zero, t));
        }
        match self.schedule {
            Schedule::Cosine { offset } => {
                let angle = |t: f64| (t + offset) / (1.0 + offset) * std::f64::consts::FRAC_PI_2;
                if offset == 0.0 {
                    let alpha = if t == 1.0 { 0.0 } else { angle(t).cos() };
                    return Level { alpha, sigma: angle(t).sin() };
                }
                Level::variance_preserving((angle(t).cos() / angle(0.0).cos()).powi(2))
            }
            Schedule::WarpedCosine { power } => {
                let angle = t.powf(power) * std::f64::consts::FRAC_PI_2;
                Level { alpha: if t == 1.0 { 0.0 } else { angle.cos() }, sigma: angle.sin() }
            }
            Schedule::VarianceExploding { sigma_min, sigma_max } => {
                Level::variance_exploding(sigma_min * (sigma_max / sigma_min).powf(t))
            }
            Schedule::Karras { sigma_min, sigma_max, rho } => {
                let (a, b) = (sigma_min.powf(1.0 / rho), sigma_max.powf(1.0 / rho));
                Level::variance_exploding((a + t * (b - a)).powf(rho))
            }
            Schedule::Flow { shift } => Level::flow(shift * t / (1.0 + (shift - 1.0) * t)),
            _ => unreachable!("every other schedule has a table"),
        }
    }

    /// The t at which ln(α/σ) is `lambda`, by bisection; the nearest end if it is out of range.
    pub fn time_of_lambda(&self, lambda: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if self.at(middle).lambda() > lambda {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

/// ᾱ between table entries. Without an entry at t = 0, ᾱ(0) = 1.
fn interpolate(table: &[f64], starts_at_zero: bool, t: f64) -> f64 {
    let entry = |k: usize| match (starts_at_zero, k) {
        (true, k) => table[k.min(table.len() - 1)],
        (false, 0) => 1.0,
        (false, k) => table[k.min(table.len()) - 1],
    };
    let last = if starts_at_zero { table.len() - 1 } else { table.len() };
    let x = t * last as f64;
    let k = (x.floor() as usize).min(last);
    let weight = x - k as f64;
    let (a, b) = (entry(k), entry(k + 1));
    if weight == 0.0 {
        a
    } else if b == 0.0 {
        a * (1.0 - weight)
    } else {
        (a.ln() * (1.0 - weight) + b.ln() * weight).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Schedule> {
        vec![
            Schedule::Linear { beta_start: 1e-4, beta_end: 0.02, steps: 1000 },
            Schedule::ScaledLinear { beta_start: 8.5e-4, beta_end: 0.012, steps: 1000 },
            Schedule::COSINE,
            Schedule::Cosine { offset: 0.008 },
            Schedule::WarpedCosine { power: 2.5 },
            Schedule::CosineSteps { offset: 0.008, max_beta: 0.999, steps: 1000 },
            Schedule::Sigmoid { beta_start: 1e-4, beta_end: 0.02, steps: 1000 },
            Schedule::Polynomial { power: 2.0, precision: 1e-5, steps: 1000 },
            Schedule::VarianceExploding { sigma_min: 0.01, sigma_max: 50.0 },
            Schedule::Karras { sigma_min: 0.002, sigma_max: 80.0, rho: 7.0 },
            Schedule::Flow { shift: 3.0 },
            Schedule::Tabulated { alphas_cumprod: vec![0.9, 0.5, 0.1], starts_at_zero: false },
        ]
    }

    #[test]
    fn signal_to_noise_never_rises_and_inverts() {
        for schedule in all() {
            let levels = schedule.build().expect("valid");
            let mut before = f64::INFINITY;
            for i in 0..=200 {
                let lambda = levels.at(i as f64 / 200.0).lambda();
                assert!(lambda <= before, "{schedule:?} at {i}");
                before = lambda;
            }
            let lambda = levels.at(0.37).lambda();
            let back = levels.at(levels.time_of_lambda(lambda)).lambda();
            assert!((lambda - back).abs() < 1e-9, "{schedule:?}: {lambda} {back}");
        }
    }

    #[test]
    fn cards_round_trip_and_reject_unknown_keys() {
        for schedule in all() {
            let json = serde_json::to_string(&schedule).expect("json");
            assert_eq!(serde_json::from_str::<Schedule>(&json).expect("back"), schedule);
        }
        let unknown = r#"{"kind":"flow","shift":1.0,"shfit":2.0}"#;
        assert!(serde_json::from_str::<Schedule>(unknown).is_err());
    }

    #[test]
    fn nonsense_is_rejected_with_a_sentence() {
        for bad in [
            Schedule::Linear { beta_start: -1.0, beta_end: 0.02, steps: 10 },
            Schedule::Linear { beta_start: 0.1, beta_end: 0.2, steps: 0 },
            Schedule::Cosine { offset: f64::NAN },
            Schedule::Karras { sigma_min: 1.0, sigma_max: 0.5, rho: 7.0 },
            Schedule::Flow { shift: 0.0 },
            Schedule::WarpedCosine { power: 1e18 },
            Schedule::VarianceExploding { sigma_min: 0.01, sigma_max: f64::INFINITY },
            Schedule::Karras { sigma_min: 0.01, sigma_max: 80.0, rho: 1e18 },
            Schedule::Tabulated { alphas_cumprod: vec![0.1, 0.5], starts_at_zero: false },
            Schedule::Tabulated { alphas_cumprod: vec![], starts_at_zero: false },
        ] {
            let message = bad.build().expect_err("rejected").to_string();
            assert!(message.contains("must"), "{message}");
        }
    }

    #[test]
    fn no_table_is_made_on_the_word_of_a_card() {
        for bad in [
            Schedule::Linear { beta_start: 1e-4, beta_end: 0.02, steps: usize::MAX },
            Schedule::CosineSteps { offset: 0.008, max_beta: 0.999, steps: 1 << 60 },
            Schedule::Polynomial { power: 2.0, precision: 1e-5, steps: 10_000_000_000 },
        ] {
            let message = bad.build().expect_err("rejected").to_string();
            assert!(message.contains("steps"), "{message}");
        }
    }

    #[test]
    fn zero_terminal_snr_keeps_the_first_and_zeroes_the_last() {
        let table = rescale_zero_terminal_snr(&[0.99, 0.5, 0.01]);
        assert!((table[0] - 0.99).abs() < 1e-15 && table[2] == 0.0);
    }
}
