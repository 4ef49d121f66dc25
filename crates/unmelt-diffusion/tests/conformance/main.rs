//! Third-party numbers, reproduced in f64 to 1e-9. `UNMELT_CONFORMANCE` names another folder of such files.

mod case;
mod grids;
mod sampling;

use case::{Case, cases, close};
use serde_json::Value;
use unmelt_diffusion::{Level, Target, betas_of_alphas_cumprod, combine};

/// Every case of the files that are there goes through exactly one check.
fn check_file(file: &str, check: impl Fn(&Case)) {
    let mut failures = Vec::new();
    let all = cases(file);
    for case in &all {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(case)));
        if let Err(panic) = result {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            failures.push(format!("{}: {}", case.name(), text.unwrap_or_default()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases of {file}:\n{}",
        failures.len(),
        all.len(),
        failures.join("\n")
    );
}

#[test]
fn conformance_schedules() {
    check_file("schedules", |case| {
        let table = case.alphas_cumprod_table().expect("a schedule");
        if !case.json["betas"].is_null() {
            let betas = match case.flag("zero_terminal_snr") {
                true => betas_of_alphas_cumprod(&table),
                false => case.schedule().betas().expect("a schedule by betas"),
            };
            case.check_entries("betas", &betas);
            close(&[betas.iter().sum()], &[case.number("betas_sum")], "betas_sum");
        }
        case.check_entries("alphas_cumprod", &table);
        close(&[table.iter().sum()], &[case.number("alphas_cumprod_sum")], "alphas_cumprod_sum");
        let of = |f: fn(Level) -> f64| -> Vec<f64> {
            table.iter().map(|&a| f(Level::variance_preserving(a))).collect()
        };
        for (key, values) in [
            ("log_snr", of(Level::log_snr)),
            ("gamma", of(|l| -l.log_snr())),
            ("alpha", of(|l| l.alpha)),
            ("sigma", of(|l| l.sigma)),
        ] {
            if !case.json[key].is_null() {
                case.check_entries(key, &values);
            }
        }
    });
}

#[test]
fn conformance_forward() {
    check_file("forward", |case| {
        let (x0, eps) = (case.list("x0"), case.list("eps"));
        let flow = case.config("state") == Some("flow");
        for at in case.json["at"].as_array().expect("a list") {
            let number = |key: &str| at[key].as_f64().expect("a number");
            let level = if flow {
                Level::flow(number("sigma"))
            } else {
                let table = case.alphas_cumprod_table().expect("a schedule");
                let a = table[number("t") as usize];
                close(&[a], &[number("alphas_cumprod")], "alphas_cumprod");
                Level::variance_preserving(a)
            };
            let x = combine(&[(level.alpha, &x0), (level.sigma, &eps)]);
            close(&x, &case::numbers(&at["x_t"]), "x_t");
            let target = if flow { Target::Flow } else { Target::V };
            if level.sigma > 0.0 {
                let want = case::numbers(&at["v"]);
                // The definition, and the conversion from it.
                let v = match target {
                    Target::Flow => combine(&[(1.0, &eps[..]), (-1.0, &x0[..])]),
                    _ => combine(&[(level.alpha, &eps[..]), (-level.sigma, &x0[..])]),
                };
                close(&v, &want, "v");
                close(&target.clean(&x, &want, level), &x0, "x0 from v");
            }
        }
    });
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
    check_file("oracle", sampling::check_oracle);
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
