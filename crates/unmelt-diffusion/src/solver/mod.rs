//! Solvers: how a state gets from one level to the next, given predictions of the clean sample.
//!
//! A [`Solver`] is a setting; a [`Walk`] is one run of it over a list of levels, and carries its own history.

mod coefficients;
mod pndm;
mod walk;

pub use pndm::Pndm;
pub use walk::{Place, Query, Walk};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};

/// Noise of the ancestral sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variance {
    /// That of the posterior given x₀, β̃ (Ho et al. 2020, "fixed small").
    Posterior,
    /// That of the forward step, β ("fixed large").
    Forward,
}

/// The form of second-order terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondOrder {
    /// Half of the first-order weight.
    Midpoint,
    /// The exact integral of the linear interpolation.
    Heun,
}

/// Weight of the second difference in third-order DPM-Solver++.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThirdOrder {
    /// As in a Taylor expansion: observed order 3.
    Taylor,
    /// Half of it, as published and in all public code (Lu et al. 2022): observed order 2.
    Published,
}

/// UniPC's B(h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UniPcB {
    /// B(h) = h.
    Bh1,
    /// B(h) = e^h − 1.
    Bh2,
}

/// Noise added before an evaluation (Karras et al. 2022, algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Amount over the whole walk.
    pub amount: f64,
    /// Lowest σ at which noise is added.
    pub from: f64,
    /// Highest σ at which noise is added; null in JSON for no bound.
    #[serde(with = "unbounded")]
    pub to: f64,
    /// Scale of the noise.
    pub noise: f64,
}

impl Churn {
    /// No noise.
    pub const NONE: Self = Self { amount: 0.0, from: 0.0, to: f64::INFINITY, noise: 1.0 };
}

/// How the last steps of a multistep walk are taken. A step to σ = 0 is of first order in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndOrder {
    /// Like the others.
    Full,
    /// The last step of order 1.
    LastFirst,
    /// The last but one of order 2, the last of order 1: steadier with few steps.
    Lower,
}

/// DPM-Solver++ in data prediction (Lu et al. 2022); with `eta` above 0 its SDE form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpmPlusPlus {
    /// 1, 2 or 3.
    pub order: usize,
    /// Form of second-order steps.
    pub second: SecondOrder,
    /// Weight in third-order steps.
    pub third: ThirdOrder,
    /// 0: the ODE; 1: the SDE.
    pub eta: f64,
    /// How the last steps are taken.
    pub end: EndOrder,
}

impl DpmPlusPlus {
    /// The ODE form of an order.
    pub fn multistep(order: usize) -> Self {
        Self {
            order,
            second: SecondOrder::Midpoint,
            third: ThirdOrder::Taylor,
            eta: 0.0,
            end: EndOrder::Full,
        }
    }
}

/// How to get from one level to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Solver {
    /// DDPM's posterior sampler (Ho et al. 2020).
    Ancestral {
        /// Its noise.
        variance: Variance,
        /// Whether the last step draws from p(x | z₀) as EDM for molecules does, instead of taking its mean.
        final_noise: bool,
    },
    /// DDIM (Song et al. 2021); η = 0 is deterministic, η = 1 the ancestral sampler.
    Ddim {
        /// η.
        eta: f64,
    },
    /// DPM-Solver++.
    DpmPlusPlus(DpmPlusPlus),
    /// DPM-Solver++ 2S with ancestral noise: two evaluations a step.
    DpmPlusPlus2S {
        /// η of the ancestral noise.
        eta: f64,
    },
    /// DPM-Solver-2: the midpoint rule in log σ, two evaluations a step.
    DpmSolver2 {
        /// Noise before evaluations.
        churn: Churn,
    },
    /// Euler's method on the probability-flow ODE.
    Euler {
        /// Noise before evaluations.
        churn: Churn,
    },
    /// Euler to a lower level, then noise up to the next.
    EulerAncestral {
        /// η.
        eta: f64,
    },
    /// Heun's method: two evaluations a step, one in a last step to σ = 0.
    Heun {
        /// Noise before evaluations.
        churn: Churn,
    },
    /// Adams–Bashforth of up to an order, in σ.
    LinearMultistep {
        /// 1 to 4.
        order: usize,
    },
    /// UniPC (Zhao et al. 2023), with its corrector. The order falls at the end, so a whole walk is of second order.
    UniPc {
        /// 1 to 3.
        order: usize,
        /// B(h).
        b: UniPcB,
    },
    /// The predicted clean sample noised anew to the next level, as consistency models do.
    Renoise,
}

impl Solver {
    /// DDPM's ancestral sampler with the posterior's variance.
    pub const ANCESTRAL: Self = Self::Ancestral { variance: Variance::Posterior, final_noise: false };

    /// DPM-Solver++ of second order in its SDE form.
    pub const SDE_DPM_PLUS_PLUS_2M: Self = Self::DpmPlusPlus(DpmPlusPlus {
        order: 2,
        second: SecondOrder::Midpoint,
        third: ThirdOrder::Taylor,
        eta: 1.0,
        end: EndOrder::Full,
    });

    /// The solver with this name, as typed on a command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ancestral" | "ddpm" => Self::ANCESTRAL,
            "ddim" => Self::Ddim { eta: 0.0 },
            "dpm++2m" => Self::DpmPlusPlus(DpmPlusPlus::multistep(2)),
            "dpm++3m" => Self::DpmPlusPlus(DpmPlusPlus::multistep(3)),
            "sde-dpm++2m" => Self::SDE_DPM_PLUS_PLUS_2M,
            "heun" => Self::Heun { churn: Churn::NONE },
            "euler" => Self::Euler { churn: Churn::NONE },
            "euler-ancestral" => Self::EulerAncestral { eta: 1.0 },
            "unipc" => Self::UniPc { order: 2, b: UniPcB::Bh2 },
            _ => return None,
        })
    }

    /// The names of [`from_name`](Self::from_name).
    pub const NAMES: [&'static str; 9] = [
        "ancestral",
        "ddim",
        "dpm++2m",
        "dpm++3m",
        "sde-dpm++2m",
        "heun",
        "euler",
        "euler-ancestral",
        "unipc",
    ];

    /// Evaluations of the network in a step that does not end at σ = 0.
    pub fn evaluations_per_step(&self) -> usize {
        match self {
            Self::Heun { .. } | Self::DpmSolver2 { .. } | Self::DpmPlusPlus2S { .. } => 2,
            _ => 1,
        }
    }

    /// Whether the solver works in σ/α, and so cannot begin where there is no signal at all.
    pub fn needs_signal(&self) -> bool {
        match self {
            Self::Euler { churn } => churn.amount > 0.0,
            Self::EulerAncestral { .. }
            | Self::Heun { .. }
            | Self::DpmSolver2 { .. }
            | Self::DpmPlusPlus2S { .. }
            | Self::LinearMultistep { .. } => true,
            _ => false,
        }
    }

    fn validate(&self) -> Result<()> {
        let order = |n: usize, max: usize| {
            if (1..=max).contains(&n) {
                Ok(())
            } else {
                Err(Error::setting("the order of the solver", "1, 2 or 3 (4 for linear multistep)", n))
            }
        };
        let eta = |x| check("eta", "at least 0", x, |x| x >= 0.0).map(drop);
        match *self {
            Self::Ddim { eta: x } => {
                check("eta", "between 0 and 1", x, |x| (0.0..=1.0).contains(&x)).map(drop)
            }
            Self::DpmPlusPlus(d) => order(d.order, 3).and_then(|()| eta(d.eta)),
            Self::DpmPlusPlus2S { eta: x } | Self::EulerAncestral { eta: x } => eta(x),
            Self::LinearMultistep { order: n } => order(n, 4),
            Self::UniPc { order: n, .. } => order(n, 3),
            _ => Ok(()),
        }
    }
}

impl std::str::FromStr for Solver {
    type Err = String;

    /// Reads a name as [`from_name`](Self::from_name) does; the error lists the names.
    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::from_name(name)
            .ok_or_else(|| format!("\"{name}\" is no solver; use one of {}", Self::NAMES.join(", ")))
    }
}

/// A bound of which infinity is written as null, which JSON has.
mod unbounded {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bound: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        bound.is_finite().then_some(*bound).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solvers_come_back_from_json() {
        for name in Solver::NAMES {
            let solver: Solver = name.parse().expect("a name");
            let text = serde_json::to_string(&solver).expect("JSON");
            assert_eq!(serde_json::from_str::<Solver>(&text).expect(&text), solver);
        }
    }
}
