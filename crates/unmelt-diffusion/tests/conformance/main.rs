//! Third-party numbers, reproduced in f64 to 1e-9. `UNMELT_CONFORMANCE` names another folder of such files. A check
//! must read every field of a case: one that nothing reads could be the one that changes the numbers.

mod arguments;
mod case;
mod grids;
mod harness;
mod model;
mod oracle;
mod sampling;

use std::panic::{AssertUnwindSafe, catch_unwind};

use case::{Case, cases, close};
use serde_json::Value;
use unmelt_diffusion::{Level, Target, betas_of_alphas_cumprod, combine};

/// The check of a case: the numbers, the arguments, the remarks, and that nothing is left.
fn check_case(case: &Case, check: impl Fn(&Case)) -> Result<(), String> {
    let all = || {
        check(case);
        arguments::check(case);
        case.read_remarks();
        let unused = case.unused();
        assert!(unused.is_empty(), "no check uses {}", unused.join(", "));
    };
    harness::quietly(|| catch_unwind(AssertUnwindSafe(all))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
    })
}

/// Every case of the files that are there goes through exactly one check.
fn check_file(file: &str, check: impl Fn(&Case)) {
    let all = cases(file);
    let failures: Vec<String> = all
        .iter()
        .filter_map(|case| check_case(case, &check).err().map(|e| format!("{}: {e}", case.name())))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases of {file}:\n{}",
        failures.len(),
        all.len(),
        failures.join("\n")
    );
}

fn check_schedule(case: &Case) {
    let table = case.alphas_cumprod_table().expect("a schedule");
    if case.has("betas") {
        let betas = match case.flag("config/zero_terminal_snr") {
            true => betas_of_alphas_cumprod(&table),
            false => case.schedule().betas().expect("a schedule by betas"),
        };
        case.check_entries("betas", &betas);
        close(&[betas.iter().sum()], &[case.number("betas_sum")], "betas_sum");
    }
    case.check_entries("alphas_cumprod", &table);
    close(&[table.iter().sum()], &[case.number("alphas_cumprod_sum")], "alphas_cumprod_sum");
    if let Some(entries) = case.maybe_number("config/entries") {
        assert_eq!(entries, table.len() as f64, "entries");
    }
    // The library's own bounds of the ratio of two entries, and where they are reached.
    if let Some(clip) = case.maybe_list("config/step_ratio_clip") {
        assert_eq!(clip, [0.001, 1.0], "bounds of the ratio");
        let precision = case.number("config/polynomial_precision");
        let plain: Vec<f64> = table.iter().map(|a| (a - precision) / (1.0 - 2.0 * precision)).collect();
        let clipped: Vec<f64> =
            (1..plain.len()).filter(|&k| plain[k] / plain[k - 1] < 0.001 * 1.01).map(|k| k as f64).collect();
        assert_eq!(clipped, case.list("clipped_at"), "clipped_at");
    }
    let of = |f: fn(Level) -> f64| -> Vec<f64> {
        table.iter().map(|&a| f(Level::variance_preserving(a))).collect()
    };
    for (key, values) in [
        ("log_snr", of(Level::log_snr)),
        ("gamma", of(|l| -l.log_snr())),
        ("alpha", of(|l| l.alpha)),
        ("sigma", of(|l| l.sigma)),
    ] {
        if case.has(key) {
            case.check_entries(key, &values);
        }
    }
}

fn check_forward(case: &Case) {
    let (x0, eps) = (case.list("x0"), case.list("eps"));
    let size: f64 = case.list("shape").iter().product();
    assert_eq!(size, x0.len() as f64, "the shape");
    let flow = match case.maybe_word("config/state") {
        None => false,
        Some("flow") => true,
        Some(other) => panic!("unknown state {other}"),
    };
    for k in case.below("at") {
        let path = |key: &str| format!("at/{k}/{key}");
        let level = if flow {
            let sigma = case.number(&path("sigma"));
            // A level of the training grid 1/1000 … 1, shifted.
            let shift = case.number("config/shift");
            let step = sigma / (shift - (shift - 1.0) * sigma) * 1000.0;
            assert!((step - step.round()).abs() < 1e-9, "{sigma} is no level of a flow with shift {shift}");
            Level::flow(sigma)
        } else {
            let table = case.alphas_cumprod_table().expect("a schedule");
            let a = table[case.count(&path("t"))];
            close(&[a], &[case.number(&path("alphas_cumprod"))], "alphas_cumprod");
            Level::variance_preserving(a)
        };
        let x = combine(&[(level.alpha, &x0), (level.sigma, &eps)]);
        close(&x, &case.list(&path("x_t")), "x_t");
        let want = case.list(&path("v"));
        // The definition, and the conversion from it.
        let (target, v) = match flow {
            true => (Target::Flow, combine(&[(1.0, &eps[..]), (-1.0, &x0[..])])),
            false => (Target::V, combine(&[(level.alpha, &eps[..]), (-level.sigma, &x0[..])])),
        };
        close(&v, &want, "v");
        close(&target.clean(&x, &want, level), &x0, "x0 from v");
    }
}

#[test]
fn conformance_schedules() {
    check_file("schedules", check_schedule);
}

#[test]
fn conformance_forward() {
    check_file("forward", check_forward);
}

#[test]
fn conformance_timestep_grids() {
    check_file("timestep_grids", grids::check_timesteps);
}

#[test]
fn conformance_sigma_grids() {
    check_file("sigma_grids", grids::check_sigmas);
}

macro_rules! sampling_tests {
    ($($name:ident: $file:literal,)*) => {
        $(#[test] fn $name() { check_file($file, sampling::check); })*
    };
}

sampling_tests! {
    conformance_ddim: "ddim",
    conformance_ddpm: "ddpm",
    conformance_dpmsolver: "dpmsolver",
    conformance_edm: "edm",
    conformance_edm_molecule: "edm_molecule",
    conformance_euler: "euler",
    conformance_euler_ancestral: "euler_ancestral",
    conformance_flow: "flow",
    conformance_heun: "heun",
    conformance_k_diffusion: "k_diffusion",
    conformance_pndm: "pndm",
    conformance_unipc: "unipc",
}

#[test]
fn conformance_oracle() {
    check_file("oracle", oracle::check);
}

#[test]
fn conformance_covers_every_file() {
    let known = [
        "ddim",
        "ddpm",
        "dpmsolver",
        "edm",
        "edm_molecule",
        "euler",
        "euler_ancestral",
        "flow",
        "forward",
        "heun",
        "k_diffusion",
        "oracle",
        "pndm",
        "schedules",
        "sigma_grids",
        "timestep_grids",
        "unipc",
    ];
    for entry in std::fs::read_dir(case::folder()).expect("the folder of conformance files") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "json") {
            assert!(known.contains(&name.as_str()), "no test reads {name}.json");
            let text = std::fs::read_to_string(&path).expect("readable");
            let _: Value = serde_json::from_str(&text).expect("JSON");
        }
    }
}
