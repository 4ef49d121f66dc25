//! Timesteps and noise levels of the samplers, rebuilt from the words of a case.

use unmelt_diffusion::grid::{
    Spacing, TimestepGrid, exponential_sigmas, karras_sigmas, linspace, polyexponential_sigmas,
    shift_flow_sigma, vp_sigmas,
};

use crate::case::{Case, close};

fn spacing(case: &Case) -> Spacing {
    match case.word("config/timestep_spacing") {
        "leading" => Spacing::Leading,
        "linspace" => Spacing::Linspace,
        "trailing" => Spacing::Trailing,
        other => panic!("unknown spacing {other}"),
    }
}

/// The timestep grid of a case.
pub fn timestep_grid(case: &Case, drop_last: bool) -> TimestepGrid {
    let offset = case.maybe_number("config/steps_offset").unwrap_or(0.0);
    assert_eq!(offset.fract(), 0.0, "steps_offset is a whole number");
    TimestepGrid {
        train_steps: case.count("config/train_timesteps"),
        steps: case.count("config/inference_steps"),
        spacing: spacing(case),
        offset: offset as i64,
        drop_last,
    }
}

pub fn check_timesteps(case: &Case) {
    let drop_last = match case.word("config/grid_points") {
        "n" => false,
        "n+1, the last (t=0) dropped; trailing uses n" => true,
        other => panic!("unknown grid points {other}"),
    };
    let got: Vec<f64> = timestep_grid(case, drop_last).rounded().into_iter().map(|t| t as f64).collect();
    assert_eq!(got, case.list("timesteps"));
}

pub fn check_sigmas(case: &Case) {
    let want = case.list("sigmas");
    close(&sigmas_of_words(case), &want, "sigmas");
    if let Some(timesteps) = case.maybe_list("timesteps") {
        let train = case.maybe_number("config/train_timesteps").unwrap_or(1000.0);
        let got: Vec<f64> = want[..want.len() - 1].iter().map(|s| s * train).collect();
        close(&got, &timesteps, "timesteps");
    }
}

/// How noise levels are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// The training sigmas at the timesteps.
    Interpolated,
    /// σ^(1/ρ) evenly.
    Karras(f64),
    /// ln σ evenly.
    Exponential,
    /// ln σ evenly, by a class that keeps its timesteps in another way.
    Lambda,
    /// ln σ along a ramp to a power.
    Polyexponential(f64),
    /// √(exp(β_d·t²/2 + β_min·t) − 1) on even t.
    VariancePreserving,
    /// A multistep sampler's own flow grid with this shift.
    MultistepFlow(f64),
    /// From 1 to 1/n.
    FlowToStep,
    /// From 1 to 1/T.
    FlowToTraining,
    /// From 1 to 1/T shifted, which is then shifted again.
    FlowTwice,
    /// From 1 to 1/n, shifted by exp(μ).
    FlowDynamic,
    /// Listed in the words.
    Given,
}

/// The spread that the words of a case name. A ρ stands in the words or in the configuration, and if in both it is the same.
pub fn spread(case: &Case) -> Spread {
    let words = case.word("config/sigma_grid");
    let rho = |rest: &str| -> f64 {
        let own = case.maybe_number("config/rho");
        if rest.is_empty() {
            return own.unwrap_or_else(|| panic!("no rho with {words}"));
        }
        let rho = rest.strip_prefix(", rho ").and_then(|r| r.parse().ok());
        let rho = rho.unwrap_or_else(|| panic!("unknown grid {words}"));
        assert!(own.is_none_or(|r| r == rho), "two values of rho");
        rho
    };
    if let Some(rest) = words.strip_prefix("karras") {
        return Spread::Karras(rho(rest));
    }
    if let Some(rest) = words.strip_prefix("polyexponential") {
        return Spread::Polyexponential(rho(rest));
    }
    if let Some(shift) = words.strip_prefix("flow, shift ") {
        return Spread::MultistepFlow(shift.parse().expect("a shift"));
    }
    if words.starts_with("given: ") {
        return Spread::Given;
    }
    match words {
        "linear interpolation of the training sigmas at the timesteps" => Spread::Interpolated,
        "exponential" | "exponential (uniform in log sigma)" => Spread::Exponential,
        "uniform in log sigma (lambda)" => Spread::Lambda,
        "continuous variance preserving: sqrt(exp(beta_d t^2/2 + beta_min t) - 1) on t = linspace(1, eps, n)" => {
            Spread::VariancePreserving
        }
        "linspace(1, 1/n, n), shifted once"
        | "flow: linspace(1, 1/n, n), then shift*s/(1+(shift-1)*s) once" => Spread::FlowToStep,
        "linspace(1, 1/T, n), shifted once" | "linspace(1, 1/T, n)" => Spread::FlowToTraining,
        "linspace(sigma_max, sigma_min, n) with sigma_min = 1/T already shifted, then shifted again" => {
            Spread::FlowTwice
        }
        "linspace(1, 1/n, n), then exp(mu)/(exp(mu) + 1/sigma - 1)"
        | "flow: exp(mu)/(exp(mu) + 1/s - 1) on linspace(1, 1/n, n)" => Spread::FlowDynamic,
        other => panic!("unknown grid {other}"),
    }
}

/// Whether the last entry is the lowest noise level and not zero.
pub fn ends_at_sigma_min(case: &Case) -> bool {
    match case.word("config/final_sigma") {
        "zero" => false,
        "sigma_min" => true,
        other => panic!("unknown end {other}"),
    }
}

/// Noise levels of a case that names bounds or a flow, the end included.
pub fn sigmas_of_words(case: &Case) -> Vec<f64> {
    let n = case.count("config/inference_steps");
    let min = || case.number("config/sigma_min");
    let max = || case.number("config/sigma_max");
    let train = || case.maybe_number("config/train_timesteps").unwrap_or(1000.0);
    let shift = || case.number("config/shift");
    let shifted = |sigmas: Vec<f64>, shift: f64| -> Vec<f64> {
        sigmas.into_iter().map(|s| shift_flow_sigma(s, shift)).collect()
    };
    let mut sigmas = match spread(case) {
        Spread::Karras(rho) => karras_sigmas(n, min(), max(), rho),
        Spread::Exponential | Spread::Lambda => exponential_sigmas(n, min(), max()),
        Spread::Polyexponential(rho) => polyexponential_sigmas(n, min(), max(), rho),
        Spread::VariancePreserving => {
            let number = |key: &str| case.number(&format!("config/{key}"));
            vp_sigmas(n, number("beta_d"), number("beta_min"), number("eps"))
        }
        // exp(μ)/(exp(μ) + 1/σ − 1) is a shift by exp(μ).
        Spread::FlowDynamic => {
            assert!(case.find("config/shift").is_none(), "a shift beside mu");
            shifted(linspace(1.0, 1.0 / n as f64, n), case.number("config/mu").exp())
        }
        Spread::FlowTwice => shifted(linspace(1.0, shift_flow_sigma(1.0 / train(), shift()), n), shift()),
        Spread::FlowToTraining => shifted(linspace(1.0, 1.0 / train(), n), shift()),
        Spread::FlowToStep => shifted(linspace(1.0, 1.0 / n as f64, n), shift()),
        Spread::Given => {
            let list = case.word("config/sigma_grid").trim_start_matches("given: ").split(',');
            let given: Vec<f64> = list.map(|s| s.trim().parse().expect("a number")).collect();
            assert_eq!(given.len(), n, "as many sigmas as steps");
            shifted(given, case.maybe_number("config/shift").unwrap_or(1.0))
        }
        other @ (Spread::Interpolated | Spread::MultistepFlow(_)) => panic!("{other:?} needs a schedule"),
    };
    sigmas.push(if ends_at_sigma_min(case) { sigmas[sigmas.len() - 1] } else { 0.0 });
    sigmas
}
