//! The harness itself: a setting it does not know, or reads otherwise, must fail.

use serde_json::{Value, json};
use unmelt_diffusion::grid::karras_sigmas;

use crate::case::{Case, cases};
use crate::{check_case, check_forward, check_schedule, grids, oracle, sampling};

type Check = fn(&Case);

/// Every file and its check.
const FILES: [(&str, Check); 17] = [
    ("ddim", sampling::check),
    ("ddpm", sampling::check),
    ("dpmsolver", sampling::check),
    ("edm", sampling::check),
    ("edm_molecule", sampling::check),
    ("euler", sampling::check),
    ("euler_ancestral", sampling::check),
    ("flow", sampling::check),
    ("forward", check_forward),
    ("heun", sampling::check),
    ("k_diffusion", sampling::check),
    ("oracle", oracle::check),
    ("pndm", sampling::check),
    ("schedules", check_schedule),
    ("sigma_grids", grids::check_sigmas),
    ("timestep_grids", grids::check_timesteps),
    ("unipc", sampling::check),
];

/// Does some work whose panics are told in another way than by a message for each.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: std::sync::Once = std::sync::Once::new();
    thread_local!(static QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    QUIET.set(true);
    let result = work();
    QUIET.set(false);
    result
}

/// Another value of the same kind.
fn altered(value: &Value) -> Value {
    match value {
        Value::Bool(yes) => json!(!yes),
        Value::Number(n) if n.is_u64() => json!(n.as_u64().expect("whole") + 1),
        Value::Number(n) => json!(n.as_f64().expect("a number") * 0.9 + 0.011),
        Value::String(words) if words.contains("rho 7") => json!(words.replace("rho 7", "rho 5")),
        Value::String(words) if words.contains("shift 3") => json!(words.replace("shift 3", "shift 2")),
        Value::String(words) => json!(format!("{words}, otherwise")),
        Value::Array(entries) => json!(entries.iter().map(altered).collect::<Vec<_>>()),
        _ => json!(0.5),
    }
}

#[test]
fn conformance_fails_on_a_field_that_it_does_not_use() {
    for (file, check) in FILES {
        for case in cases(file).iter().take(2) {
            for parent in ["", "/config", "/arguments", "/model"] {
                let mut json = case.json.clone();
                let Some(Value::Object(fields)) = json.pointer_mut(parent) else { continue };
                fields.insert("unheard_of".into(), json!(1));
                let result = check_case(&Case::new(json), check);
                let text = result.expect_err("an unknown field passed");
                assert!(text.contains("unheard_of"), "{file}: {text}");
            }
        }
    }
}

/// Whether another value of a setting may rightly give the same numbers.
fn may_change_nothing(case: &Case, key: &str) -> bool {
    let is = |path: &str, want: &str| case.peek(path).is_some_and(|v| v == want);
    match key {
        // A remark; and what matters only where a bound is met, or where a step is not of first order in any case.
        "library_quirk" | "clip_denoised" | "lower_order_at_end" | "first_order_at_last_step" => true,
        "steps_offset" => !is("config/timestep_spacing", "leading"),
        // An oracle answers the same, whatever its answer is wrapped in.
        "sigma_data" => !is("model/kind", "ratio"),
        _ => case.peek("config/inference_steps").is_some_and(|n| n == 1),
    }
}

#[test]
fn conformance_fails_on_another_setting() {
    let mut passed = Vec::new();
    for (file, check) in FILES {
        for case in cases(file) {
            for key in case.below("config").into_iter().filter(|k| !may_change_nothing(&case, k)) {
                let mut json = case.json.clone();
                let value = altered(&json["config"][&key]);
                json["config"][&key] = value.clone();
                if check_case(&Case::new(json), check).is_ok() {
                    passed.push(format!("{}: {key} = {value}", case.name()));
                }
            }
        }
    }
    assert!(passed.is_empty(), "these settings change nothing:\n{}", passed.join("\n"));
}

#[test]
fn conformance_reads_rho_from_the_words() {
    let sigmas = |rho| {
        let mut sigmas = karras_sigmas(6, 0.02, 20.0, rho);
        sigmas.push(0.0);
        sigmas
    };
    let case = |words: &str, rho: f64| {
        Case::new(json!({
            "name": "rho",
            "config": {
                "sigma_grid": words, "sigma_min": 0.02, "sigma_max": 20.0, "inference_steps": 6, "final_sigma": "zero",
            },
            "sigmas": sigmas(rho),
        }))
    };
    let check = |case: &Case| check_case(case, grids::check_sigmas);
    assert_eq!(check(&case("karras, rho 5", 5.0)), Ok(()));
    assert!(check(&case("karras, rho 5", 7.0)).is_err());
    assert!(check(&case("karras, ρ 5", 5.0)).is_err());
    assert!(check(&case("karras", 7.0)).is_err());
}
