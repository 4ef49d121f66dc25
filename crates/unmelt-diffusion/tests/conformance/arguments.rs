//! What the producer was called with must say the same as the words of the configuration. An argument that no rule
//! here knows is an error: it could be one that changes the numbers.

use serde_json::Value;
use unmelt_diffusion::grid::shift_flow_sigma;

use crate::case::{Case, close};

/// Checks and so reads every argument.
pub fn check(case: &Case) {
    for name in case.below("arguments") {
        let path = format!("arguments/{name}");
        match name.as_str() {
            "constructor" | "set_timesteps" | "step" => {
                for name in case.below(&path) {
                    check_argument(case, &name, &format!("{path}/{name}"));
                }
            }
            _ => check_argument(case, &name, &path),
        }
    }
}

fn check_argument(case: &Case, name: &str, path: &str) {
    let Some(value) = case.find(path) else { return };
    // Comparing is not using: a setting that only an argument repeats is still unused.
    let config = |key: &str| {
        case.peek(&format!("config/{key}")).unwrap_or_else(|| panic!("{path} has no counterpart {key}"))
    };
    let config_word = |key: &str| config(key).as_str().unwrap_or_else(|| panic!("{key} is a word"));
    let number = || value.as_f64().unwrap_or_else(|| panic!("{path} is a number, not {value}"));
    let word = || value.as_str().unwrap_or_else(|| panic!("{path} is a word, not {value}"));
    let yes = || value.as_bool().unwrap_or_else(|| panic!("{path} is yes or no, not {value}"));
    let same_number = |key: &str| {
        let want = config(key).as_f64().unwrap_or_else(|| panic!("{key} is a number"));
        assert!(number() == want, "{path} is {value}, and config says {want} of {key}");
    };
    let same_word = |key: &str, given: &str| {
        let want = config(key).as_str().unwrap_or_else(|| panic!("{key} is a word"));
        assert!(given == want, "{path} is {value}, and config says {want} of {key}");
    };
    let same_flag = |key: &str, given: bool| {
        let want = case.peek(&format!("config/{key}")).is_some_and(|v| v == true);
        assert!(given == want, "{path} is {value}, and config says {want} of {key}");
    };
    let grid = |begins: &str| {
        let words = config_word("sigma_grid");
        let same = words.starts_with(begins) == yes();
        assert!(same, "{path} is {value}, and config says {words} of sigma_grid");
    };
    match name {
        "num_train_timesteps" => same_number("train_timesteps"),
        "num_inference_steps" | "n" => same_number("inference_steps"),
        // A class that is given its betas, or works in a flow's sigma, passes these over.
        "beta_schedule" | "beta_start" | "beta_end" if !has_own_betas(case) => {}
        "beta_schedule" => match word() {
            "squaredcos_cap_v2" => same_word("beta_schedule", "cosine"),
            other => same_word("beta_schedule", other),
        },
        "beta_start" | "beta_end" if !case.has(&format!("config/{name}")) => {
            assert_eq!(config_word("beta_schedule"), "cosine", "{path} has no counterpart");
        }
        "trained_betas" => {
            assert!(word().starts_with("the betas of the schedule in config"), "{path}: {value}")
        }
        "prediction_type" => same_word(
            "prediction",
            match word() {
                "v_prediction" => "v",
                "flow_prediction" => "flow",
                other => other,
            },
        ),
        "rescale_betas_zero_snr" => same_flag("zero_terminal_snr", yes()),
        "clip_sample" => {
            assert_eq!(yes(), case.has("config/clip_denoised"), "{path} and clip_denoised");
        }
        "clip_sample_range" => same_number("clip_denoised"),
        "thresholding" => {
            assert_eq!(yes(), case.has("config/dynamic_thresholding"), "{path} and dynamic_thresholding");
        }
        "dynamic_thresholding_ratio" => same_number("dynamic_thresholding/ratio"),
        "sample_max_value" => same_number("dynamic_thresholding/max"),
        "set_alpha_to_one" => {
            same_word("final_alpha_cumprod", if yes() { "1" } else { "alphas_cumprod[0]" });
        }
        "variance_type" => same_word("variance", word()),
        "solver_order" => same_number("order"),
        "solver_type" => {
            let key = if word().starts_with("bh") { "b_function" } else { "second_order_form" };
            // A form of second-order steps says nothing where the order is 1.
            if case.has(&format!("config/{key}")) || config("order").as_f64() > Some(1.0) {
                same_word(key, word());
            }
            if case.has("config/solver_type") {
                same_word("solver_type", word());
            }
        }
        "algorithm_type" => same_word("sampler", word()),
        "final_sigmas_type" => same_word("final_sigma", word()),
        "lower_order_final" => same_flag("lower_order_at_end", yes()),
        "euler_at_final" => same_flag("first_order_at_last_step", yes()),
        "use_karras_sigmas" => grid("karras"),
        "use_exponential_sigmas" => grid("exponential"),
        "use_lu_lambdas" => grid("uniform in log sigma"),
        "use_flow_sigmas" => grid("flow"),
        "flow_shift" => {
            let words = config_word("sigma_grid");
            let shift = words.strip_prefix("flow, shift ").and_then(|s| s.parse::<f64>().ok());
            assert_eq!(shift, Some(number()), "{path} and the words {words}");
        }
        "sigma_schedule" => {
            let words = config_word("sigma_grid");
            assert!(words.starts_with(word()), "{path} is {value}, and config says {words} of sigma_grid");
        }
        "skip_prk_steps" => same_flag("runge_kutta_start", !yes()),
        "use_dynamic_shifting" => assert_eq!(yes(), case.has("config/mu"), "{path} and mu"),
        "stochastic_sampling" => {
            assert_eq!(yes(), config_word("sampler").starts_with("x0 = x - sigma*v"), "{path} and sampler");
        }
        "sigmas" => check_given_sigmas(case, value),
        "eps_s" => same_number("eps"),
        "timestep_spacing" => same_word("timestep_spacing", word()),
        "beta_start" | "beta_end" | "steps_offset" | "lambda_min_clipped" | "sigma_min" | "sigma_max"
        | "sigma_data" | "rho" | "beta_d" | "beta_min" | "shift" | "mu" | "eta" | "order" | "s_churn"
        | "s_tmin" | "s_tmax" | "s_noise" => {
            same_number(name);
        }
        other => panic!("unknown argument {other} = {value}"),
    }
}

fn has_own_betas(case: &Case) -> bool {
    case.has("config/beta_schedule") && !case.has("arguments/constructor/trained_betas")
}

/// Sigmas that were given are those before the shift.
fn check_given_sigmas(case: &Case, value: &Value) {
    let given: Vec<f64> =
        value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect();
    let number = |key: &str| case.peek(&format!("config/{key}")).and_then(Value::as_f64);
    let shift = number("mu").map_or(number("shift"), |mu| Some(mu.exp())).expect("a shift or mu");
    let shifted: Vec<f64> = given.into_iter().map(|s| shift_flow_sigma(s, shift)).collect();
    let sigmas = case.list("sigmas");
    close(&shifted, &sigmas[..sigmas.len() - 1], "the shifted sigmas of the arguments");
}
