//! Whole walks: grid, model and solver rebuilt from the words of a case.

use unmelt_diffusion::grid::{exponential_sigmas, karras_sigmas, linspace, shift_flow_sigma};
use unmelt_diffusion::solver::{
    Churn, DpmPlusPlus, EndOrder, Pndm, SecondOrder, Solver, ThirdOrder, UniPcB, Variance, Walk,
};
use unmelt_diffusion::{Level, Subspace, Target, Threshold, combine};

use crate::case::{Case, close, numbers};
use crate::grids::{sigmas_of_words, timestep_grid};

/// How a state is written.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Preserving,
    Exploding,
    Flow,
}

fn family(case: &Case) -> Family {
    match case.config("state").expect("a state") {
        "variance preserving" => Family::Preserving,
        "variance exploding" => Family::Exploding,
        "flow" => Family::Flow,
        other => panic!("unknown state {other}"),
    }
}

/// The level of an entry of `sigmas`.
fn level_of_sigma(family: Family, sigma: f64) -> Level {
    match family {
        Family::Preserving => Level::variance_preserving(1.0 / (1.0 + sigma * sigma)),
        Family::Exploding => Level::variance_exploding(sigma),
        Family::Flow => Level::flow(sigma),
    }
}

/// The network: a formula.
struct Model<'a> {
    case: &'a Case,
}

impl Model<'_> {
    fn oracle(&self, x: &[f64], level: Level) -> Option<Vec<f64>> {
        let model = &self.case.json["model"];
        let number = |keys: &[&str]| {
            keys.iter()
                .find_map(|k| model[*k].as_f64())
                .unwrap_or_else(|| panic!("the model has one of {keys:?}"))
        };
        let Level { alpha, sigma } = level;
        match model["kind"].as_str().expect("a kind") {
            "ratio" => None,
            "gaussian_oracle" => {
                let (m, s) = (number(&["mean"]), number(&["std"]));
                let gain = alpha * s * s / (alpha * alpha * s * s + sigma * sigma);
                Some(x.iter().map(|x| m + gain * (x - alpha * m)).collect())
            }
            "mixture_oracle" => {
                let (d, s) = (number(&["mode"]), number(&["std"]));
                let v = alpha * alpha * s * s + sigma * sigma;
                Some(
                    x.iter()
                        .map(|x| alpha * s * s * x / v + d * sigma * sigma / v * (alpha * d * x / v).tanh())
                        .collect(),
                )
            }
            other => panic!("unknown model {other}"),
        }
    }

    /// The predicted clean sample at a state.
    fn clean(&self, x: &[f64], level: Level, timestep: f64) -> Vec<f64> {
        if let Some(clean) = self.oracle(x, level) {
            return clean;
        }
        let ratio = timestep / (timestep + 1.0);
        let output = |input: &[f64]| -> Vec<f64> { input.iter().map(|v| v * ratio).collect() };
        let target = self.case.target();
        let words = self.case.config("model_input").expect("a model input");
        if words.contains("sigma_data") {
            let sd = self.case.setting("sigma_data").expect("sigma_data");
            let s = level.sigma;
            let total = s * s + sd * sd;
            let sign = if target == Target::V { -1.0 } else { 1.0 };
            let input: Vec<f64> = x.iter().map(|v| v / total.sqrt()).collect();
            return combine(&[(sd * sd / total, x), (sign * s * sd / total.sqrt(), &output(&input))]);
        }
        if words.contains("sqrt(1 + sigma^2)") {
            let scaled = Level::variance_preserving(1.0 / (1.0 + level.sigma * level.sigma));
            let input: Vec<f64> = x.iter().map(|v| v * scaled.alpha).collect();
            return target.clean(&input, &output(&input), scaled);
        }
        target.clean(x, &output(x), level)
    }
}

fn initial(case: &Case) -> (Vec<f64>, usize) {
    let json = &case.json["initial"];
    let shape: Vec<usize> = numbers(&json["shape"]).into_iter().map(|n| n as usize).collect();
    let scale = json["scale"].as_f64().expect("a scale");
    let values = if json["values"].is_array() {
        numbers(&json["values"])
    } else {
        // scale · (((c·8 + h)·8 + w)·4 + b)/768 at [b, c, h, w]
        let [b, c, h, w] = shape[..] else { panic!("a formula for four dimensions") };
        let count = (b * c * h * w) as f64;
        let mut all = Vec::new();
        for b_ in 0..b {
            for k in 0..c * h * w {
                all.push((k * b + b_) as f64 / count);
            }
        }
        all
    };
    (values.into_iter().map(|v| v * scale).collect(), shape[0])
}

/// The noise of entry k.
fn noise_of(case: &Case, k: usize) -> Vec<f64> {
    let entry = &case.json["noise"][k];
    assert!(entry.is_array(), "noise was wanted for entry {k}, and there is none");
    numbers(entry)
}

fn check_final(case: &Case, state: &[f64]) {
    let json = &case.json["final"];
    let want = numbers(&json["values"]);
    let got = match json["indices"].as_array() {
        Some(_) => numbers(&json["indices"]).iter().map(|&i| state[i as usize]).collect(),
        None => state.to_vec(),
    };
    close(&got, &want, "final");
    close(&[abs_sum(state)], &[case.number("abs_sum")], "abs_sum");
    close(&[abs_sum(state) / state.len() as f64], &[case.number("abs_mean")], "abs_mean");
}

fn abs_sum(x: &[f64]) -> f64 {
    x.iter().map(|v| v.abs()).sum()
}

pub fn check(case: &Case) {
    let sampler = case.config("sampler").expect("a sampler");
    match sampler {
        "ddim" | "ddpm ancestral" => check_discrete(case),
        "pndm" => check_pndm(case),
        s if s.starts_with("ancestral from t") => check_molecule(case),
        _ => check_by_sigma(case),
    }
}

/// DDIM and DDPM: step by step between entries of ᾱ.
fn check_discrete(case: &Case) {
    let table = case.alphas_cumprod_table().expect("a schedule");
    case.check_entries("alphas_cumprod", &table);
    let timesteps = timestep_grid(case, false).rounded();
    let as_floats = |x: &[i64]| x.iter().map(|&t| t as f64).collect::<Vec<_>>();
    assert_eq!(as_floats(&timesteps), case.list("timesteps"), "timesteps");
    let stride = timestep_grid(case, false).train_steps as i64 / timesteps.len() as i64;
    let next_entry = case.config("previous_timestep").is_none_or(|w| w.starts_with("next entry"));
    let previous: Vec<i64> = (0..timesteps.len())
        .map(|k| match next_entry {
            true => timesteps.get(k + 1).copied().unwrap_or(-1),
            false => (timesteps[k] - stride).max(-1),
        })
        .collect();
    if case.json["previous_timesteps"].is_array() {
        assert_eq!(as_floats(&previous), case.list("previous_timesteps"), "previous timesteps");
    }
    let end = match case.config("final_alpha_cumprod") {
        Some("alphas_cumprod[0]") => table[0],
        _ => 1.0,
    };
    let level = |t: i64| Level::variance_preserving(if t < 0 { end } else { table[t as usize] });
    let solver = match case.config("variance") {
        Some("fixed_large") => Solver::Ancestral { variance: Variance::Forward, final_noise: false },
        Some(_) => Solver::ANCESTRAL,
        None => Solver::Ddim { eta: case.setting("eta").unwrap_or(0.0) },
    };
    let (mut state, samples) = initial(case);
    let model = Model { case };
    let mut trajectory = Vec::new();
    for (k, (&t, &s)) in timesteps.iter().zip(&previous).enumerate() {
        let clean = model.clean(&state, level(t), t as f64);
        state = per_sample(case, &state, &clean, samples, solver, [level(t), level(s)], k);
        trajectory.push(abs_sum(&state));
    }
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
}

/// One step of every sample of a batch, with the bound of the case.
fn per_sample(
    case: &Case,
    state: &[f64],
    clean: &[f64],
    samples: usize,
    solver: Solver,
    ends: [Level; 2],
    k: usize,
) -> Vec<f64> {
    let dynamic = case.value("dynamic_thresholding");
    let threshold = match (case.setting("clip_denoised"), dynamic["ratio"].as_f64()) {
        (_, Some(ratio)) => Threshold::Dynamic { ratio, max: dynamic["max"].as_f64().expect("max") },
        (Some(bound), _) => Threshold::Clip(bound),
        _ => Threshold::None,
    };
    let length = state.len() / samples;
    let parts = state.chunks(length).zip(clean.chunks(length)).enumerate();
    parts
        .flat_map(|(b, (x, clean))| {
            let mut walk = Walk::new(solver, ends.to_vec()).expect("a valid step").with_threshold(threshold);
            let mut x = x.to_vec();
            let mut noise = |_: usize| noise_of(case, k)[b * length..(b + 1) * length].to_vec();
            walk.query(&mut x, &mut noise);
            walk.answer(&mut x, clean, &mut noise);
            x
        })
        .collect()
}

fn check_pndm(case: &Case) {
    let table = case.alphas_cumprod_table().expect("a schedule");
    let timesteps = timestep_grid(case, false).rounded();
    let stride = timestep_grid(case, false).train_steps as i64 / timesteps.len() as i64;
    let end = match case.config("final_alpha_cumprod") {
        Some("alphas_cumprod[0]") => table[0],
        _ => 1.0,
    };
    let level = move |t: i64| Level::variance_preserving(if t < 0 { end } else { table[t as usize] });
    let (mut state, _) = initial(case);
    let (model, target) = (Model { case }, case.target());
    let mut run = Pndm::new(&timesteps, stride, case.flag("runge_kutta_start"), target, level);
    let (mut trajectory, mut asked) = (Vec::new(), Vec::new());
    while !run.is_finished() {
        let (t, level) = run.query();
        asked.push(t as f64);
        let clean = model.clean(&state, level, t as f64);
        let output = target.output(&state, &clean, level);
        run.answer(&mut state, &output);
        trajectory.push(abs_sum(&state));
    }
    assert_eq!(asked, case.list("timesteps"), "timesteps");
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
}

/// EDM's sampler for molecules: T steps and a last draw, perhaps without centre of mass.
fn check_molecule(case: &Case) {
    let table = case.alphas_cumprod_table().expect("a schedule");
    case.check_entries("alphas_cumprod", &table);
    let gamma: Vec<f64> = table.iter().map(|&a| -Level::variance_preserving(a).log_snr()).collect();
    case.check_entries("gamma", &gamma);
    let mut levels: Vec<Level> = table.iter().rev().map(|&a| Level::variance_preserving(a)).collect();
    levels.push(Level::CLEAN);
    let solver = Solver::Ancestral { variance: Variance::Posterior, final_noise: true };
    let centred = case.config("centre_of_mass").is_some_and(|w| w.contains("subtracted"));
    let shape = numbers(&case.json["initial"]["shape"]);
    let (samples, width) = (shape[0] as usize, shape[2] as usize);
    let project = |x: &mut [f64]| {
        if centred {
            x.chunks_mut(x.len() / samples).for_each(|s| project_columns(s, width));
        }
    };
    let (mut state, _) = initial(case);
    project(&mut state);
    let model = Model { case };
    let mut walk = Walk::new(solver, levels).expect("valid");
    let timesteps = case.list("timesteps");
    let mut trajectory = Vec::new();
    while !walk.is_finished() {
        let mut noise = |k: usize| {
            let mut noise = noise_of(case, k);
            project(&mut noise);
            noise
        };
        let query = walk.query(&mut state, &mut noise);
        let clean = model.clean(&state, query.level, timesteps[query.step]);
        walk.answer(&mut state, &clean, &mut noise);
        if !walk.is_finished() {
            project(&mut state);
        }
        trajectory.push(abs_sum(&state));
    }
    let want = case.list("trajectory");
    close(&trajectory[..want.len()], &want, "trajectory");
    check_final(case, &state);
}

/// Subtracts the mean over the rows of each sample, column by column; points in space through the core.
fn project_columns(x: &mut [f64], width: usize) {
    if width == 3 {
        return Subspace::CentredPoints.project(x);
    }
    let rows = x.len() / width;
    for c in 0..width {
        let mean = x.iter().skip(c).step_by(width).sum::<f64>() / rows as f64;
        x.iter_mut().skip(c).step_by(width).for_each(|v| *v -= mean);
    }
}

fn churn(case: &Case) -> Churn {
    let number = |key: &str, default: f64| case.setting(key).unwrap_or(default);
    Churn {
        amount: number("s_churn", 0.0),
        from: number("s_tmin", 0.0),
        to: number("s_tmax", f64::INFINITY),
        noise: number("s_noise", 1.0),
    }
}

fn solver_of(case: &Case) -> Solver {
    let order = case.setting("order").unwrap_or(2.0) as usize;
    let n = case.setting("inference_steps").expect("n") as usize;
    match case.config("sampler").expect("a sampler") {
        "euler" => Solver::Euler { churn: churn(case) },
        "heun" => Solver::Heun { churn: churn(case) },
        "euler ancestral" => Solver::EulerAncestral { eta: case.setting("eta").unwrap_or(1.0) },
        "linear multistep" => Solver::LinearMultistep { order },
        "dpmsolver++ 2S ancestral" => Solver::DpmPlusPlus2S { eta: case.setting("eta").unwrap_or(1.0) },
        s if s.starts_with("dpm-solver 2") => Solver::DpmSolver2 { churn: churn(case) },
        s if s.starts_with("x0 = x - sigma*v") => Solver::Renoise,
        "unipc" => {
            let b = if case.config("b_function") == Some("bh1") { UniPcB::Bh1 } else { UniPcB::Bh2 };
            Solver::UniPc { order, b }
        }
        s @ ("dpmsolver++" | "sde-dpmsolver++") => Solver::DpmPlusPlus(DpmPlusPlus {
            order,
            second: match case.config("second_order_form") {
                Some("heun") => SecondOrder::Heun,
                _ => SecondOrder::Midpoint,
            },
            third: ThirdOrder::Published,
            eta: if s == "dpmsolver++" { 0.0 } else { case.setting("eta").unwrap_or(1.0) },
            end: if case.flag("lower_order_at_end") && n < 15 {
                EndOrder::Lower
            } else if case.flag("first_order_at_last_step") {
                EndOrder::LastFirst
            } else {
                EndOrder::Full
            },
        }),
        other => panic!("unknown sampler {other}"),
    }
}

/// Noise levels (the end included) and, where the words fix them, timesteps of a case.
fn sigma_grid(case: &Case) -> (Vec<f64>, Option<Vec<f64>>) {
    let sampler = case.config("sampler").unwrap_or_default();
    let words = case.config("sigma_grid").expect("a grid");
    let n = case.setting("inference_steps").expect("n") as usize;
    if words.starts_with("flow, shift") {
        // The multistep samplers' own flow grids: DPM-Solver++ leaves out pure noise, UniPC keeps away from it.
        let shift: f64 = words["flow, shift ".len()..].parse().expect("a shift");
        let t = case.setting("train_timesteps").expect("T");
        let mut sigmas: Vec<f64> = if sampler == "unipc" {
            linspace(1.0, 1.0 / t, n + 1)[..n].iter().map(|s| shift_flow_sigma(*s, shift)).collect()
        } else {
            let alphas = linspace(1.0, 1.0 / t, n + 1);
            alphas[1..].iter().rev().map(|a| shift_flow_sigma(1.0 - a, shift)).collect()
        };
        if sampler == "unipc" {
            sigmas[0] = sigmas[0].min(1.0 - 1e-6);
        }
        sigmas.push(0.0);
        return (sigmas, None);
    }
    let Some(mut table) = case.alphas_cumprod_table() else {
        let sigmas = sigmas_of_words(case);
        let timesteps = match case.config("model_t") {
            Some("1000 * sigma") => Some(sigmas.iter().map(|s| 1000.0 * s).collect()),
            Some("0.25 * ln(sigma)") => Some(sigmas.iter().map(|s| 0.25 * s.ln()).collect()),
            _ => None,
        };
        return (sigmas, timesteps);
    };
    if case.flag("zero_terminal_snr") {
        *table.last_mut().expect("entries") = 2f64.powi(-24);
    }
    let train: Vec<f64> = table.iter().map(|a| ((1.0 - a) / a).sqrt()).collect();
    let multistep = sampler.contains("dpmsolver") || sampler == "unipc";
    let mut grid = timestep_grid(case, multistep);
    if let Some(clip) = case.setting("lambda_min_clipped") {
        grid.train_steps = train.iter().filter(|s| -s.ln() >= clip).count();
    }
    let exact: Vec<f64> = if multistep || case.config("timestep_spacing") != Some("linspace") {
        grid.rounded().into_iter().map(|t| t as f64).collect()
    } else {
        grid.exact()
    };
    let at = |t: &f64| interpolate(&train, *t);
    let along = |ends: (f64, f64), spread: fn(usize, f64, f64) -> Vec<f64>| {
        let sigmas = spread(n, ends.1, ends.0);
        let logs: Vec<f64> = train.iter().map(|s| s.ln()).collect();
        let timesteps = sigmas.iter().map(|s| place(&logs, s.ln())).collect::<Vec<_>>();
        let round = |t: f64| if multistep { t.round_ties_even() } else { t };
        (sigmas, timesteps.into_iter().map(round).collect::<Vec<f64>>())
    };
    let ends = if multistep {
        (train[train.len() - 1], train[0])
    } else {
        (at(&exact[0]), at(&exact[exact.len() - 1]))
    };
    let (mut sigmas, timesteps) = if words.starts_with("karras") {
        along(ends, |n, min, max| karras_sigmas(n, min, max, 7.0))
    } else if words.starts_with("exponential") || words.starts_with("uniform in log sigma") {
        along(ends, exponential_sigmas)
    } else {
        (exact.iter().map(at).collect(), exact.clone())
    };
    // A class that keeps timesteps as integers tells the model those.
    let last = match case.config("final_sigma") {
        Some("sigma_min") => {
            if multistep {
                train[0]
            } else {
                sigmas[sigmas.len() - 1].min(train[0])
            }
        }
        _ => 0.0,
    };
    sigmas.push(last);
    (sigmas, Some(timesteps))
}

/// The table at a fractional index.
fn interpolate(table: &[f64], t: f64) -> f64 {
    let t = t.clamp(0.0, (table.len() - 1) as f64);
    let k = (t.floor() as usize).min(table.len() - 2);
    let w = t - k as f64;
    table[k] * (1.0 - w) + table[k + 1] * w
}

/// The fractional index of a value in a rising table.
fn place(table: &[f64], value: f64) -> f64 {
    let k = table.partition_point(|x| *x <= value).clamp(1, table.len() - 1) - 1;
    let w = (value - table[k]) / (table[k + 1] - table[k]);
    k as f64 + w.clamp(0.0, 1.0)
}

fn check_by_sigma(case: &Case) {
    let heun = case.config("sampler") == Some("heun");
    let family = family(case);
    let (sigmas, timesteps) = sigma_grid(case);
    // The diffusers Heun cases list each inner entry twice.
    let listed = case.list("sigmas");
    let twice = heun && listed.len() > sigmas.len();
    let wanted: Vec<f64> = match twice {
        true => listed
            .iter()
            .enumerate()
            .filter(|(k, _)| k % 2 == 0)
            .map(|(_, s)| *s)
            .chain([listed[listed.len() - 1]])
            .collect(),
        false => listed.clone(),
    };
    close(&sigmas, &wanted[..sigmas.len().min(wanted.len())], "sigmas");
    let given: Option<Vec<f64>> = case.json["timesteps"].is_array().then(|| case.list("timesteps"));
    let truncated = case.config("library_quirk").is_some_and(|w| w.contains("truncates"))
        || case.config("sigma_grid").is_some_and(|w| w.starts_with("exponential"));
    if let (Some(own), Some(given), false) = (&timesteps, &given, truncated) {
        let given: Vec<f64> = match twice {
            true => given.iter().enumerate().filter(|(k, _)| k % 2 == 0).map(|(_, t)| *t).collect(),
            false => given.clone(),
        };
        close(&own[..given.len()], &given, "timesteps");
    }
    let levels = sigmas.iter().map(|&s| level_of_sigma(family, s)).collect();
    let mut walk = Walk::new(solver_of(case), levels).expect("valid");
    let (mut state, _) = initial(case);
    let model = Model { case };
    let (mut evaluations, mut trajectory) = (0, Vec::new());
    while !walk.is_finished() {
        let mut noise = |k: usize| noise_of(case, k);
        let query = walk.query(&mut state, &mut noise);
        let timestep = given.as_ref().map_or(f64::NAN, |t| t[if twice { evaluations } else { query.step }]);
        let clean = model.clean(&state, query.level, timestep);
        walk.answer(&mut state, &clean, &mut noise);
        evaluations += 1;
        if walk.is_finished() || walk_is_between(&walk, query.step) {
            trajectory.push(abs_sum(&state));
        }
    }
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
    if let Some(count) = case.setting("model_evaluations") {
        assert_eq!(evaluations, count as usize, "evaluations");
    }
}

/// Whether the step that was just worked on is done.
fn walk_is_between(walk: &Walk<f64>, step: usize) -> bool {
    walk.step() > step
}

pub fn check_oracle(case: &Case) {
    let number = |key: &str| case.setting(key).unwrap_or_else(|| panic!("config has {key}"));
    let (std, start) = (number("std"), number("start"));
    let sigmas = |n| karras_sigmas(n, number("sigma_min"), number("sigma_max"), 7.0);
    let points = number("points") as usize;
    close(&sigmas(points), &case.list("sigmas"), "sigmas");
    let run = |solver: Solver, n: usize| {
        let levels = sigmas(n).into_iter().map(Level::variance_exploding).collect();
        let mut walk = Walk::new(solver, levels).expect("valid");
        let mut state = vec![start];
        let mut none = |_: usize| -> Vec<f64> { panic!("no noise") };
        while !walk.is_finished() {
            let s = walk.query(&mut state, &mut none).level.sigma;
            let clean = vec![state[0] * std * std / (std * std + s * s)];
            walk.answer(&mut state, &clean, &mut none);
        }
        state[0]
    };
    let ratio = |s: f64| (std * std + s * s).sqrt();
    let exact = start * ratio(number("sigma_min")) / ratio(number("sigma_max"));
    close(&[exact], &[case.number("exact")], "exact");
    for (name, method) in case.json["methods"].as_object().expect("methods") {
        let dpm = |order, second, third| {
            Solver::DpmPlusPlus(DpmPlusPlus { second, third, ..DpmPlusPlus::multistep(order) })
        };
        let solver = match name.as_str() {
            "euler" => Solver::Euler { churn: Churn::NONE },
            "heun" => Solver::Heun { churn: Churn::NONE },
            n if n.contains("2M (midpoint)") => dpm(2, SecondOrder::Midpoint, ThirdOrder::Taylor),
            n if n.contains("2M (heun") => dpm(2, SecondOrder::Heun, ThirdOrder::Taylor),
            n if n.contains("Taylor") => dpm(3, SecondOrder::Heun, ThirdOrder::Taylor),
            n if n.contains("published") => dpm(3, SecondOrder::Heun, ThirdOrder::Published),
            other => panic!("unknown method {other}"),
        };
        close(&[run(solver, points)], &[method["value"].as_f64().expect("a value")], name);
        let errors: Vec<f64> =
            [65, 129, 257, 513].iter().map(|&n| (run(solver, n) - exact).abs() / exact.abs()).collect();
        let want: Vec<f64> = [65, 129, 257, 513]
            .iter()
            .map(|n| method["relative_error_at"][n.to_string()].as_f64().expect("an error"))
            .collect();
        for (got, want) in errors.iter().zip(&want) {
            assert!((got - want).abs() < 1e-6 * want.abs() + 1e-10, "{name}: error {got:e}, want {want:e}");
        }
        let orders = numbers(&method["observed_orders"]);
        for (k, want) in orders.iter().enumerate() {
            let got = (errors[k] / errors[k + 1]).log2();
            assert!((got - want).abs() < 2e-3, "{name}: observed order {got}, want {want}");
        }
    }
}
