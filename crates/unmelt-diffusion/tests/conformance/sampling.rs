//! Whole walks: grid, model and solver rebuilt from the words of a case.

use std::cell::RefCell;
use std::collections::BTreeSet;

use unmelt_diffusion::grid::{exponential_sigmas, karras_sigmas, linspace, shift_flow_sigma};
use unmelt_diffusion::solver::{
    Churn, DpmPlusPlus, EndOrder, Pndm, SecondOrder, Solver, ThirdOrder, UniPcB, Variance, Walk,
};
use unmelt_diffusion::{Level, Subspace, Threshold};

use crate::case::{Case, close};
use crate::grids::{Spread, ends_at_sigma_min, sigmas_of_words, spread, timestep_grid};
use crate::model::Model;

/// How a state is written.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Preserving,
    Exploding,
    Flow,
}

fn family(case: &Case) -> Family {
    match case.word("config/state") {
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

/// The state of all samples before the first step, and how many numbers one sample has.
fn initial(case: &Case) -> (Vec<f64>, usize) {
    let shape = case.list("initial/shape");
    let scale = case.number("initial/scale");
    let values = match case.maybe_list("initial/values") {
        Some(values) => values,
        None => {
            assert_eq!(case.word("initial/formula"), "scale * (((c*8 + h)*8 + w)*4 + b)/768 at [b,c,h,w]");
            assert_eq!(shape, [4.0, 3.0, 8.0, 8.0], "the shape of the formula");
            (0..4).flat_map(|b| (0..192).map(move |k| f64::from(k * 4 + b) / 768.0)).collect()
        }
    };
    assert_eq!(values.len() as f64, shape.iter().product::<f64>(), "the initial state fills its shape");
    let length = values.len() / shape[0] as usize;
    (values.into_iter().map(|v| v * scale).collect(), length)
}

/// The random draws of a case, and which of them were asked for.
struct Draws {
    entries: Vec<Option<Vec<f64>>>,
    scale: f64,
    asked: RefCell<BTreeSet<usize>>,
}

impl Draws {
    /// The draws of a case times `scale`.
    fn new(case: &Case, scale: f64) -> Self {
        let noise = case.get("noise");
        let entries = match noise.as_array() {
            Some(entries) => entries
                .iter()
                .map(|e| e.as_array().map(|e| e.iter().map(|x| x.as_f64().expect("a number")).collect()))
                .collect(),
            None => {
                assert_eq!(noise, "none", "noise is a list or none");
                Vec::new()
            }
        };
        Self { entries, scale, asked: RefCell::default() }
    }

    /// The draw of entry k for all samples.
    fn all(&self, k: usize) -> Vec<f64> {
        self.asked.borrow_mut().insert(k);
        let entry = self.entries.get(k).and_then(Option::as_ref);
        let entry = entry.unwrap_or_else(|| panic!("noise was wanted for entry {k}, and there is none"));
        entry.iter().map(|v| v * self.scale).collect()
    }

    /// Panics if a draw of the case was not used.
    fn check(&self) {
        let given = self.entries.iter().enumerate().filter(|(_, e)| e.is_some()).map(|(k, _)| k);
        let asked = self.asked.borrow();
        let left: Vec<usize> = given.filter(|k| !asked.contains(k)).collect();
        assert!(left.is_empty(), "the noise of entries {left:?} was not used");
    }
}

fn check_final(case: &Case, state: &[f64]) {
    let got = match case.maybe_list("final/indices") {
        Some(indices) => indices.iter().map(|&i| state[i as usize]).collect(),
        None => state.to_vec(),
    };
    close(&got, &case.list("final/values"), "final");
    assert_eq!(case.list("final/shape"), case.list("initial/shape"), "the final shape");
    close(&[abs_sum(state)], &[case.number("abs_sum")], "abs_sum");
    close(&[abs_sum(state) / state.len() as f64], &[case.number("abs_mean")], "abs_mean");
}

/// The end of the exact ODE between two levels, and how far the final state is from it.
fn check_exact_ode(case: &Case, model: &Model, from: Level, to: Level, state: &[f64]) {
    if case.has("exact_ode") {
        let exact = model.exact_ode(&initial(case).0, from, to);
        close(&[abs_sum(&exact)], &[case.number("exact_ode/abs_sum")], "exact_ode");
        let error = exact.iter().zip(state).fold(0.0f64, |m, (e, s)| m.max((e - s).abs()));
        // A difference of numbers that agree to 1e-9.
        let want = case.number("exact_ode/largest_error_of_final");
        assert!((error - want).abs() < 1e-8, "the error of the final state is {error}, want {want}");
    }
}

fn abs_sum(x: &[f64]) -> f64 {
    x.iter().map(|v| v.abs()).sum()
}

/// A bound on predicted clean samples.
fn threshold(case: &Case) -> Threshold {
    let clip = case.maybe_number("config/clip_denoised");
    if !case.has("config/dynamic_thresholding") {
        return clip.map_or(Threshold::None, Threshold::Clip);
    }
    assert!(clip.is_none(), "two bounds");
    Threshold::Dynamic {
        ratio: case.number("config/dynamic_thresholding/ratio"),
        max: case.number("config/dynamic_thresholding/max"),
    }
}

pub fn check(case: &Case) {
    match case.word("config/sampler") {
        "ddim" | "ddpm ancestral" => check_discrete(case),
        "pndm" => check_pndm(case),
        "ancestral from t to t-1 in gamma form" => check_molecule(case),
        _ => check_by_sigma(case),
    }
}

/// ᾱ at the clean end of a discrete sampler.
fn final_alpha_cumprod(case: &Case, table: &[f64]) -> f64 {
    match case.maybe_word("config/final_alpha_cumprod") {
        Some("alphas_cumprod[0]") => table[0],
        Some("1") | None => 1.0,
        Some(other) => panic!("unknown final alpha_cumprod {other}"),
    }
}

/// Whether a discrete sampler steps to the next entry of its list, and not by a stride.
fn steps_to_next_entry(case: &Case) -> bool {
    match case.maybe_word("config/previous_timestep") {
        None | Some("next entry of timesteps, -1 after the last") => true,
        Some("t - train_timesteps // inference_steps (integer division)") => false,
        Some(other) => panic!("unknown previous timestep {other}"),
    }
}

fn as_floats(x: &[i64]) -> Vec<f64> {
    x.iter().map(|&t| t as f64).collect()
}

/// Noise levels are not listed where the timesteps say all.
fn no_sigmas(case: &Case) {
    assert!(case.find("sigmas").is_none(), "sigmas of a sampler by timesteps");
}

/// DDIM and DDPM: step by step between entries of ᾱ.
fn check_discrete(case: &Case) {
    assert!(family(case) == Family::Preserving, "a state that preserves variance");
    no_sigmas(case);
    let table = case.alphas_cumprod_table().expect("a schedule");
    case.check_entries("alphas_cumprod", &table);
    let timesteps = timestep_grid(case, false).rounded();
    assert_eq!(as_floats(&timesteps), case.list("timesteps"), "timesteps");
    let stride = timestep_grid(case, false).train_steps as i64 / timesteps.len() as i64;
    let next_entry = steps_to_next_entry(case);
    let previous: Vec<i64> = (0..timesteps.len())
        .map(|k| match next_entry {
            true => timesteps.get(k + 1).copied().unwrap_or(-1),
            false => (timesteps[k] - stride).max(-1),
        })
        .collect();
    if let Some(listed) = case.maybe_list("previous_timesteps") {
        assert_eq!(as_floats(&previous), listed, "previous timesteps");
    }
    let end = final_alpha_cumprod(case, &table);
    let level = |t: i64| Level::variance_preserving(if t < 0 { end } else { table[t as usize] });
    let solver = if case.word("config/sampler") == "ddim" {
        Solver::Ddim { eta: case.number("config/eta") }
    } else {
        match case.word("config/variance") {
            "fixed_large" => Solver::Ancestral { variance: Variance::Forward, final_noise: false },
            "fixed_small" | "fixed_small_log" => Solver::ANCESTRAL,
            other => panic!("unknown variance {other}"),
        }
    };
    let threshold = threshold(case);
    let (mut state, length) = initial(case);
    let (model, draws) = (Model::new(case), Draws::new(case, 1.0));
    let mut trajectory = Vec::new();
    for (k, (&t, &s)) in timesteps.iter().zip(&previous).enumerate() {
        let clean = model.clean(&state, level(t), t as f64);
        for b in 0..state.len() / length {
            let part = b * length..(b + 1) * length;
            let walk = Walk::new(solver, vec![level(t), level(s)]).expect("a valid step");
            let mut walk = walk.with_threshold(threshold);
            let mut x = state[part.clone()].to_vec();
            let mut noise = |_: usize| draws.all(k)[part.clone()].to_vec();
            walk.query(&mut x, &mut noise);
            walk.answer(&mut x, &clean[part.clone()], &mut noise);
            state[part.clone()].copy_from_slice(&x);
        }
        trajectory.push(abs_sum(&state));
    }
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
    draws.check();
    let last = level(previous[previous.len() - 1]);
    check_exact_ode(case, &model, level(timesteps[0]), last, &state);
}

fn check_pndm(case: &Case) {
    assert!(family(case) == Family::Preserving, "a state that preserves variance");
    no_sigmas(case);
    assert!(!steps_to_next_entry(case), "PNDM steps by a stride");
    let table = case.alphas_cumprod_table().expect("a schedule");
    case.check_entries("alphas_cumprod", &table);
    let timesteps = timestep_grid(case, false).rounded();
    let stride = timestep_grid(case, false).train_steps as i64 / timesteps.len() as i64;
    let end = final_alpha_cumprod(case, &table);
    let level = move |t: i64| Level::variance_preserving(if t < 0 { end } else { table[t as usize] });
    let (mut state, _) = initial(case);
    let (model, target) = (Model::new(case), case.target());
    let first = level(timesteps[0]);
    let runge_kutta = case.flag("config/runge_kutta_start");
    let mut run = Pndm::new(&timesteps, stride, runge_kutta, target, level);
    let (mut trajectory, mut asked) = (Vec::new(), Vec::new());
    while !run.is_finished() {
        let (t, level) = run.query();
        asked.push(t as f64);
        let output = model.output(&state, level, t as f64);
        run.answer(&mut state, &output);
        trajectory.push(abs_sum(&state));
    }
    Draws::new(case, 1.0).check();
    assert_eq!(asked, case.list("timesteps"), "timesteps");
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
    check_exact_ode(case, &model, first, Level::variance_preserving(end), &state);
}

/// EDM's sampler for molecules: T steps and a last draw, perhaps without centre of mass.
fn check_molecule(case: &Case) {
    assert!(family(case) == Family::Preserving, "a state that preserves variance");
    no_sigmas(case);
    let table = case.alphas_cumprod_table().expect("a schedule");
    case.check_entries("alphas_cumprod", &table);
    let gamma: Vec<f64> = table.iter().map(|&a| -Level::variance_preserving(a).log_snr()).collect();
    case.check_entries("gamma", &gamma);
    let mut levels: Vec<Level> = table.iter().rev().map(|&a| Level::variance_preserving(a)).collect();
    levels.push(Level::CLEAN);
    assert_eq!(case.count("config/inference_steps"), levels.len() - 1, "steps");
    let timesteps = case.list("timesteps");
    let down: Vec<f64> = (0..table.len()).rev().map(|t| t as f64).collect();
    assert_eq!(timesteps, down, "timesteps");
    let solver = Solver::Ancestral { variance: Variance::Posterior, final_noise: true };
    let centred = match case.word("config/centre_of_mass") {
        "none" => false,
        "the mean over axis 1 is subtracted from the initial sample, from each noise array and from each z" => {
            true
        }
        other => panic!("unknown centre of mass {other}"),
    };
    let (mut state, length) = initial(case);
    let width = case.list("initial/shape")[2] as usize;
    let project = |x: &mut [f64]| {
        if centred {
            x.chunks_mut(length).for_each(|s| project_columns(s, width));
        }
    };
    project(&mut state);
    let (model, draws) = (Model::new(case), Draws::new(case, 1.0));
    let mut walk = Walk::new(solver, levels).expect("valid");
    let mut trajectory = Vec::new();
    while !walk.is_finished() {
        let mut noise = |k: usize| {
            let mut noise = draws.all(k);
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
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
    draws.check();
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
    let number = |key: &str, default: f64| case.maybe_number(&format!("config/{key}")).unwrap_or(default);
    Churn {
        amount: number("s_churn", 0.0),
        from: number("s_tmin", 0.0),
        to: number("s_tmax", f64::INFINITY),
        noise: number("s_noise", 1.0),
    }
}

/// The order of each step as the case lists it must be the one that its settings give.
fn check_orders(case: &Case, order: usize, end: EndOrder) {
    let n = case.count("config/inference_steps");
    let zero = !ends_at_sigma_min(case);
    let orders: Vec<f64> = (0..n)
        .map(|k| {
            let left = n - k;
            let bound = match end {
                EndOrder::Lower => left,
                EndOrder::LastFirst if left == 1 => 1,
                _ => order,
            };
            let bound = if zero && left == 1 { 1 } else { bound };
            order.min(k + 1).min(bound) as f64
        })
        .collect();
    if let Some(listed) = case.maybe_list("config/order_of_each_step") {
        assert_eq!(orders, listed, "order_of_each_step");
    }
}

/// The solver, and by how much its noise is scaled.
fn solver_of(case: &Case) -> (Solver, f64) {
    let eta = || case.maybe_number("config/eta");
    let scale = || case.maybe_number("config/s_noise").unwrap_or(1.0);
    match case.word("config/sampler") {
        "euler" => (Solver::Euler { churn: churn(case) }, 1.0),
        "heun" => (Solver::Heun { churn: churn(case) }, 1.0),
        "dpm-solver 2 (single step, midpoint in log sigma)" => {
            (Solver::DpmSolver2 { churn: churn(case) }, 1.0)
        }
        "euler ancestral" => (Solver::EulerAncestral { eta: eta().unwrap_or(1.0) }, scale()),
        "dpmsolver++ 2S ancestral" => (Solver::DpmPlusPlus2S { eta: eta().unwrap_or(1.0) }, scale()),
        "linear multistep" => (Solver::LinearMultistep { order: case.count("config/order") }, 1.0),
        "x0 = x - sigma*v; next = (1 - sigma_next)*x0 + sigma_next*noise" => (Solver::Renoise, 1.0),
        "unipc" => {
            let order = case.count("config/order");
            let b = match case.word("config/b_function") {
                "bh1" => UniPcB::Bh1,
                "bh2" => UniPcB::Bh2,
                other => panic!("unknown B function {other}"),
            };
            let corrector = case.word("config/corrector");
            assert_eq!(corrector, "at every step but the first; never after the last", "corrector");
            check_orders(case, order, EndOrder::Lower);
            (Solver::UniPc { order, b }, 1.0)
        }
        sampler @ ("dpmsolver++" | "sde-dpmsolver++") => {
            let order = case.count("config/order");
            let second = match case.maybe_word("config/second_order_form") {
                Some("heun") => SecondOrder::Heun,
                Some("midpoint") => SecondOrder::Midpoint,
                None if order == 1 => SecondOrder::Midpoint,
                other => panic!("unknown second order form {other:?}"),
            };
            if let Some(form) = case.maybe_word("config/solver_type") {
                assert_eq!(Some(form), case.maybe_word("config/second_order_form"), "two forms");
            }
            let lower = case.flag("config/lower_order_at_end");
            let last_first = case.flag("config/first_order_at_last_step");
            // Below 15 steps alone, as the producer does it.
            let end = if lower && case.count("config/inference_steps") < 15 {
                EndOrder::Lower
            } else if last_first {
                EndOrder::LastFirst
            } else {
                EndOrder::Full
            };
            check_orders(case, order, end);
            let stochastic = sampler == "sde-dpmsolver++";
            let eta = eta().unwrap_or(if stochastic { 1.0 } else { 0.0 });
            assert!(stochastic || eta == 0.0, "eta {eta} of an ODE");
            let third = ThirdOrder::Published;
            let scale = if stochastic { scale() } else { 1.0 };
            (Solver::DpmPlusPlus(DpmPlusPlus { order, second, third, eta, end }), scale)
        }
        other => panic!("unknown sampler {other}"),
    }
}

/// Noise levels with the end, the timesteps that the network is told, and how far the producer's may be from those.
struct SigmaGrid {
    sigmas: Vec<f64>,
    timesteps: Option<Vec<f64>>,
    slack: f64,
}

fn sigma_grid(case: &Case) -> SigmaGrid {
    let sampler = case.word("config/sampler");
    let multistep = ["dpmsolver++", "sde-dpmsolver++", "unipc"].contains(&sampler);
    let n = case.count("config/inference_steps");
    let spread = spread(case);
    if let Spread::MultistepFlow(shift) = spread {
        // The multistep samplers' own flow grids: DPM-Solver++ leaves out pure noise, UniPC keeps away from it. Their
        // spacing of timesteps says nothing about them.
        if case.has("config/timestep_spacing") {
            timestep_grid(case, true);
        }
        assert!(case.alphas_cumprod_table().is_none(), "a flow has no schedule");
        assert!(!ends_at_sigma_min(case), "a flow that ends at zero");
        assert!(multistep, "a flow grid of a multistep sampler");
        let t = case.number("config/train_timesteps");
        let alphas = linspace(1.0, 1.0 / t, n + 1);
        let mut sigmas: Vec<f64> = if sampler == "unipc" {
            alphas[..n].iter().map(|s| shift_flow_sigma(*s, shift)).collect()
        } else {
            alphas[1..].iter().rev().map(|a| shift_flow_sigma(1.0 - a, shift)).collect()
        };
        if sampler == "unipc" {
            sigmas[0] = sigmas[0].min(1.0 - 1e-6);
        }
        let timesteps = sigmas.iter().map(|s| s * t).collect();
        sigmas.push(0.0);
        return SigmaGrid { sigmas, timesteps: Some(timesteps), slack: 1.0 };
    }
    let Some(mut table) = case.alphas_cumprod_table() else {
        let sigmas = sigmas_of_words(case);
        let factor = |words: &str, form: &str| -> Option<f64> { words.strip_suffix(form)?.parse().ok() };
        let timesteps = case.maybe_word("config/model_t").map(|words| {
            if let Some(factor) = factor(words, " * sigma") {
                let train = case.maybe_number("config/train_timesteps");
                assert!(train.is_none_or(|t| t == factor), "another number of training steps");
                sigmas.iter().map(|s| factor * s).collect()
            } else if let Some(factor) = factor(words, " * ln(sigma)") {
                sigmas.iter().map(|s| factor * s.ln()).collect()
            } else {
                panic!("unknown timesteps {words}")
            }
        });
        return SigmaGrid { sigmas, timesteps, slack: 0.0 };
    };
    if case.flag("config/zero_terminal_snr") {
        *table.last_mut().expect("entries") = 2f64.powi(-24);
    }
    case.check_entries("alphas_cumprod", &table);
    let train: Vec<f64> = table.iter().map(|a| ((1.0 - a) / a).sqrt()).collect();
    let mut grid = timestep_grid(case, multistep);
    if let Some(clip) = case.maybe_number("config/lambda_min_clipped") {
        assert!(multistep, "a clip of a multistep sampler");
        grid.train_steps = train.iter().filter(|s| -s.ln() >= clip).count();
    }
    let exact: Vec<f64> = if multistep || case.word("config/timestep_spacing") != "linspace" {
        as_floats(&grid.rounded())
    } else {
        grid.exact()
    };
    let at = |t: &f64| interpolate(&train, *t);
    let ends = if multistep {
        (train[train.len() - 1], train[0])
    } else {
        (at(&exact[0]), at(&exact[exact.len() - 1]))
    };
    // A class that keeps timesteps as integers tells the model those.
    let along = |sigmas: Vec<f64>| {
        let logs: Vec<f64> = train.iter().map(|s| s.ln()).collect();
        let round = |t: f64| if multistep { t.round_ties_even() } else { t };
        let timesteps = sigmas.iter().map(|s| round(place(&logs, s.ln()))).collect::<Vec<_>>();
        (sigmas, timesteps)
    };
    let (mut sigmas, timesteps) = match spread {
        Spread::Interpolated => (exact.iter().map(at).collect(), exact.clone()),
        Spread::Karras(rho) => along(karras_sigmas(n, ends.1, ends.0, rho)),
        Spread::Exponential | Spread::Lambda => along(exponential_sigmas(n, ends.1, ends.0)),
        other => panic!("{other:?} of a schedule through steps"),
    };
    let last = match ends_at_sigma_min(case) {
        true if multistep => train[0],
        true => sigmas[sigmas.len() - 1].min(train[0]),
        false => 0.0,
    };
    sigmas.push(last);
    // Exponential timesteps are truncated by the producer, which rounding turns by one.
    let slack = if spread == Spread::Exponential { 1.0 } else { 0.0 };
    SigmaGrid { sigmas, timesteps: Some(timesteps), slack }
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

/// The list without the second of each pair; the end stands once.
fn once(listed: &[f64]) -> Vec<f64> {
    let pairs = listed[..listed.len() - 1].iter().enumerate().filter(|(k, _)| k % 2 == 0);
    pairs.map(|(_, s)| *s).chain(listed.last().copied()).collect()
}

fn check_by_sigma(case: &Case) {
    let family = family(case);
    let grid = sigma_grid(case);
    // The diffusers Heun cases list each inner entry twice.
    let listed = case.list("sigmas");
    let twice = case.word("config/sampler") == "heun" && listed.len() > grid.sigmas.len();
    let wanted = if twice { once(&listed) } else { listed };
    close(&grid.sigmas, &wanted, "sigmas");
    let given = case.maybe_list("timesteps");
    if let (Some(own), Some(given)) = (&grid.timesteps, &given) {
        let given: Vec<f64> = if twice { given.iter().step_by(2).copied().collect() } else { given.clone() };
        assert_eq!(given.len(), grid.sigmas.len() - 1, "as many timesteps as steps");
        if grid.slack == 0.0 {
            close(&own[..given.len()], &given, "timesteps");
        }
        for (own, given) in own.iter().zip(&given) {
            assert!((own - given).abs() <= grid.slack.max(1e-6), "timestep {own}, want {given}");
        }
    }
    let levels: Vec<Level> = grid.sigmas.iter().map(|&s| level_of_sigma(family, s)).collect();
    let (solver, scale) = solver_of(case);
    let threshold = threshold(case);
    let (mut state, length) = initial(case);
    let (model, draws) = (Model::new(case), Draws::new(case, scale));
    // A bound is one of each sample, so each has a walk of its own.
    let walk = Walk::new(solver, levels.clone()).expect("valid").with_threshold(threshold);
    let mut walks = vec![walk; state.len() / length];
    let (mut evaluations, mut trajectory) = (0, Vec::new());
    while !walks[0].is_finished() {
        let before = walks[0].step();
        for (b, walk) in walks.iter_mut().enumerate() {
            let part = b * length..(b + 1) * length;
            let mut noise = |k: usize| draws.all(k)[part.clone()].to_vec();
            let mut x = state[part.clone()].to_vec();
            let query = walk.query(&mut x, &mut noise);
            let entry = if twice { evaluations } else { query.step };
            let timestep = given.as_ref().map_or(f64::NAN, |t| t[entry]);
            let clean = model.clean(&x, query.level, timestep);
            walk.answer(&mut x, &clean, &mut noise);
            state[part].copy_from_slice(&x);
        }
        evaluations += 1;
        if walks[0].step() > before {
            trajectory.push(abs_sum(&state));
        }
    }
    close(&trajectory, &case.list("trajectory"), "trajectory");
    check_final(case, &state);
    draws.check();
    check_exact_ode(case, &model, levels[0], levels[levels.len() - 1], &state);
    if let Some(count) = case.maybe_number("config/model_evaluations") {
        assert_eq!(evaluations as f64, count, "evaluations");
    }
}
