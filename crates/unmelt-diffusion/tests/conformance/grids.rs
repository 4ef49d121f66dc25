//! Timesteps and noise levels of the samplers, rebuilt from the words of a case.

use unmelt_diffusion::grid::{
    Spacing, TimestepGrid, exponential_sigmas, karras_sigmas, linspace, polyexponential_sigmas,
    shift_flow_sigma, vp_sigmas,
};

use crate::case::{Case, close};

fn spacing(case: &Case) -> Spacing {
    match case.config("timestep_spacing").expect("a spacing") {
        "leading" => Spacing::Leading,
        "linspace" => Spacing::Linspace,
        "trailing" => Spacing::Trailing,
        other => panic!("unknown spacing {other}"),
    }
}

/// The timestep grid of a case.
pub fn timestep_grid(case: &Case, drop_last: bool) -> TimestepGrid {
    TimestepGrid {
        train_steps: case.setting("train_timesteps").expect("T") as usize,
        steps: case.setting("inference_steps").expect("n") as usize,
        spacing: spacing(case),
        offset: case.setting("steps_offset").unwrap_or(0.0) as i64,
        drop_last,
    }
}

pub fn check_timesteps(case: &Case) {
    let drop_last = case.config("grid_points").is_some_and(|p| p.starts_with("n+1"));
    let got: Vec<f64> = timestep_grid(case, drop_last).rounded().into_iter().map(|t| t as f64).collect();
    assert_eq!(got, case.list("timesteps"));
}

pub fn check_sigmas(case: &Case) {
    let want = case.list("sigmas");
    close(&sigmas_of_words(case), &want, "sigmas");
    if case.json["timesteps"].is_array() {
        let got: Vec<f64> = want[..want.len() - 1].iter().map(|s| s * 1000.0).collect();
        close(&got, &case.list("timesteps"), "timesteps");
    }
}

/// Noise levels of a case that names bounds or a flow, the end included.
pub fn sigmas_of_words(case: &Case) -> Vec<f64> {
    let number = |key: &str| case.setting(key).unwrap_or_else(|| panic!("config has {key}"));
    let n = number("inference_steps") as usize;
    let words = case.config("sigma_grid").expect("a grid");
    let bounds = || (number("sigma_min"), number("sigma_max"));
    let shifted = |sigmas: Vec<f64>, shift: f64| -> Vec<f64> {
        sigmas.into_iter().map(|s| shift_flow_sigma(s, shift)).collect()
    };
    let train = case.setting("train_timesteps").unwrap_or(1000.0);
    let shift = || case.setting("shift").unwrap_or(1.0);
    let mut sigmas = if words.starts_with("karras") {
        karras_sigmas(n, bounds().0, bounds().1, case.setting("rho").unwrap_or(7.0))
    } else if words.starts_with("exponential") {
        exponential_sigmas(n, bounds().0, bounds().1)
    } else if words.starts_with("polyexponential") {
        polyexponential_sigmas(n, bounds().0, bounds().1, number("rho"))
    } else if words.starts_with("continuous variance preserving") {
        vp_sigmas(n, number("beta_d"), number("beta_min"), number("eps"))
    } else if words.contains("exp(mu)") {
        // exp(μ)/(exp(μ) + 1/σ − 1) is a shift by exp(μ).
        shifted(linspace(1.0, 1.0 / n as f64, n), number("mu").exp())
    } else if words.contains("already shifted") {
        let low = shift_flow_sigma(1.0 / train, shift());
        shifted(linspace(1.0, low, n), shift())
    } else if words.contains("linspace(1, 1/T, n)") {
        shifted(linspace(1.0, 1.0 / train, n), shift())
    } else if words.contains("linspace(1, 1/n, n)") {
        shifted(linspace(1.0, 1.0 / n as f64, n), shift())
    } else if let Some(given) = words.strip_prefix("given: ") {
        given.split(',').map(|s| s.trim().parse().expect("a number")).collect()
    } else {
        panic!("unknown grid {words}")
    };
    match case.config("final_sigma") {
        Some("sigma_min") => sigmas.push(sigmas[sigmas.len() - 1]),
        _ => sigmas.push(0.0),
    }
    sigmas
}
