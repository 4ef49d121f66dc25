//! Observed orders of convergence on a target whose exact posterior mean is known.

use unmelt_diffusion::Level;
use unmelt_diffusion::grid::karras_sigmas;
use unmelt_diffusion::solver::{Churn, DpmPlusPlus, SecondOrder, Solver, ThirdOrder, Walk};

use crate::case::{Case, close};
use crate::grids::{Spread, ends_at_sigma_min, spread};

fn solver(name: &str) -> Solver {
    let dpm = |order, second, third| {
        Solver::DpmPlusPlus(DpmPlusPlus { second, third, ..DpmPlusPlus::multistep(order) })
    };
    match name {
        "euler" => Solver::Euler { churn: Churn::NONE },
        "heun" => Solver::Heun { churn: Churn::NONE },
        "dpm-solver++ 2M (midpoint)" => dpm(2, SecondOrder::Midpoint, ThirdOrder::Taylor),
        "dpm-solver++ 2M (heun form)" => dpm(2, SecondOrder::Heun, ThirdOrder::Taylor),
        "dpm-solver++ 3M as published in the libraries (second step in heun form)" => {
            dpm(3, SecondOrder::Heun, ThirdOrder::Published)
        }
        "dpm-solver++ 3M with the second difference at its Taylor weight (doubled; second step in heun form)" => {
            dpm(3, SecondOrder::Heun, ThirdOrder::Taylor)
        }
        other => panic!("unknown method {other}"),
    }
}

pub fn check(case: &Case) {
    let number = |key: &str| case.number(&format!("config/{key}"));
    let (std, start) = (number("std"), number("start"));
    let (min, max) = (number("sigma_min"), number("sigma_max"));
    let Spread::Karras(rho) = spread(case) else { panic!("a Karras grid") };
    assert!(ends_at_sigma_min(case), "a grid that ends at sigma_min");
    let sigmas = |n| karras_sigmas(n, min, max, rho);
    let points = case.count("config/points");
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
    let exact = start * ratio(min) / ratio(max);
    close(&[exact], &[case.number("exact")], "exact");
    for name in case.below("methods") {
        let solver = solver(&name);
        let path = |key: &str| format!("methods/{name}/{key}");
        close(&[run(solver, points)], &[case.number(&path("value"))], &name);
        let mut counts: Vec<usize> =
            case.below(&path("relative_error_at")).iter().map(|n| n.parse().expect("a count")).collect();
        counts.sort_unstable();
        let errors: Vec<f64> = counts.iter().map(|&n| (run(solver, n) - exact).abs() / exact.abs()).collect();
        for (n, got) in counts.iter().zip(&errors) {
            let want = case.number(&format!("{}/{n}", path("relative_error_at")));
            assert!((got - want).abs() < 1e-6 * want.abs() + 1e-10, "{name}: error {got:e}, want {want:e}");
        }
        let orders = case.list(&path("observed_orders"));
        assert_eq!(orders.len() + 1, errors.len(), "an order between each two errors");
        for (k, want) in orders.iter().enumerate() {
            let got = (errors[k] / errors[k + 1]).log2();
            assert!((got - want).abs() < 2e-3, "{name}: observed order {got}, want {want}");
        }
    }
}
