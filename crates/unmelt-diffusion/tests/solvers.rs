//! Solvers against closed forms: a Gaussian target, whose exact posterior mean and ODE solution are known.

use unmelt_diffusion::solver::{Churn, DpmPlusPlus, Solver, ThirdOrder, UniPcB, Walk};
use unmelt_diffusion::{Level, Levels, Noise, Schedule, Stream};

const MEAN: f64 = 0.7;
const STD: f64 = 0.4;

/// E[x₀ | x] for x₀ ~ N(MEAN, STD²).
fn posterior_mean(x: f64, Level { alpha, sigma }: Level) -> f64 {
    let v = (alpha * STD).powi(2) + sigma * sigma;
    MEAN + alpha * STD * STD / v * (x - alpha * MEAN)
}

/// Where the exact probability-flow ODE takes x from one level to another.
fn exact(x: f64, from: Level, to: Level) -> f64 {
    let spread = |l: Level| ((l.alpha * STD).powi(2) + l.sigma * l.sigma).sqrt();
    to.alpha * MEAN + (x - from.alpha * MEAN) * spread(to) / spread(from)
}

fn run(solver: Solver, levels: Vec<Level>, start: f64) -> f64 {
    let mut walk = Walk::new(solver, levels).expect("valid");
    let mut state = vec![start];
    let mut none = |_: usize| -> Vec<f64> { panic!("a deterministic solver wants no noise") };
    while !walk.is_finished() {
        let level = walk.query(&mut state, &mut none).level;
        let clean = vec![posterior_mean(state[0], level)];
        walk.answer(&mut state, &clean, &mut none);
    }
    state[0]
}

fn levels(schedule: &Levels, n: usize, family: &str) -> Vec<Level> {
    // Steps even in log signal-to-noise for preserving and exploding states, in time for flows.
    let (high, low) = (schedule.at(0.95).lambda(), schedule.at(0.05).lambda());
    (0..=n)
        .map(|i| {
            let u = i as f64 / n as f64;
            match family {
                "flow" => schedule.at(0.95 - 0.9 * u),
                _ => schedule.at(schedule.time_of_lambda(high + (low - high) * u)),
            }
        })
        .collect()
}

fn observed_order(solver: Solver, schedule: &Schedule, family: &str, n: [usize; 2]) -> f64 {
    let schedule = schedule.build().expect("valid");
    let error = |n: usize| {
        let levels = levels(&schedule, n, family);
        let want = exact(1.3, levels[0], levels[n]);
        (run(solver, levels, 1.3) - want).abs()
    };
    (error(n[0]) / error(n[1])).ln() / (n[1] as f64 / n[0] as f64).ln()
}

#[test]
fn observed_orders() {
    let dpm = |order| Solver::DpmPlusPlus(DpmPlusPlus::multistep(order));
    let published =
        Solver::DpmPlusPlus(DpmPlusPlus { third: ThirdOrder::Published, ..DpmPlusPlus::multistep(3) });
    let schedules = [
        ("preserving", Schedule::COSINE),
        ("exploding", Schedule::VarianceExploding { sigma_min: 0.02, sigma_max: 20.0 }),
        ("flow", Schedule::Flow { shift: 1.0 }),
    ];
    for (family, schedule) in schedules {
        for (name, solver, order) in [
            ("euler", Solver::Euler { churn: Churn::NONE }, 1.0),
            ("ddim", Solver::Ddim { eta: 0.0 }, 1.0),
            ("dpm++1", dpm(1), 1.0),
            ("heun", Solver::Heun { churn: Churn::NONE }, 2.0),
            ("dpm++2m", dpm(2), 2.0),
            ("dpm-solver 2", Solver::DpmSolver2 { churn: Churn::NONE }, 2.0),
            ("dpm++2s", Solver::DpmPlusPlus2S { eta: 0.0 }, 2.0),
            ("dpm++3m as published", published, 2.0),
            ("dpm++3m", dpm(3), 3.0),
        ] {
            // High orders reach the limit of rounding soon.
            let got =
                observed_order(solver, &schedule, family, if order > 2.0 { [64, 128] } else { [256, 512] });
            let fits = got > order - 0.3 && (order > 2.0 || got < order + 0.3);
            assert!(fits, "{name} on {family} states: observed order {got:.2}");
        }
        // The first and the last step are of first order, so the whole is of second, whatever the order of the others;
        // their errors have opposite signs, so the order shows only with many steps.
        for (order, b) in [(2, UniPcB::Bh2), (2, UniPcB::Bh1), (3, UniPcB::Bh2)] {
            let got = observed_order(Solver::UniPc { order, b }, &schedule, family, [4096, 16384]);
            assert!(got > 1.9, "unipc {order} on {family} states: observed order {got:.2}");
        }
    }
}

#[test]
fn stochastic_solvers_end_in_the_target_distribution() {
    let schedule = Schedule::COSINE.build().expect("valid");
    let steps = 200;
    let mut levels: Vec<Level> = (0..steps).map(|i| schedule.at(1.0 - i as f64 / steps as f64)).collect();
    levels.push(Level::CLEAN);
    let noise = Noise::new(11);
    let count = 20_000;
    for solver in [
        Solver::ANCESTRAL,
        Solver::Ddim { eta: 0.5 },
        Solver::from_name("sde-dpm++2m").expect("known"),
        Solver::from_name("euler-ancestral").expect("known"),
    ] {
        // Euler ancestral works in σ/α, which is infinite at t = 1.
        let levels = if matches!(solver, Solver::EulerAncestral { .. }) {
            levels[2..].to_vec()
        } else {
            levels.clone()
        };
        let mut state = vec![0.0f64; count];
        noise.normal(Stream::new(0, 0, Stream::INITIAL), &mut state);
        let first = levels[0];
        state.iter_mut().for_each(|x| {
            *x = first.alpha * MEAN + *x * ((first.alpha * STD).powi(2) + first.sigma.powi(2)).sqrt()
        });
        let mut walk = Walk::new(solver, levels).expect("valid");
        let mut draw = |step: usize| {
            let mut z = vec![0.0f64; count];
            noise.normal(Stream::new(1, 0, step as u32), &mut z);
            z
        };
        while !walk.is_finished() {
            let level = walk.query(&mut state, &mut draw).level;
            let clean: Vec<f64> = state.iter().map(|&x| posterior_mean(x, level)).collect();
            walk.answer(&mut state, &clean, &mut draw);
        }
        let mean = state.iter().sum::<f64>() / count as f64;
        let std = (state.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
        assert!((mean - MEAN).abs() < 0.02, "{solver:?}: mean {mean}");
        assert!((std - STD).abs() < 0.02, "{solver:?}: std {std}");
    }
}

#[test]
fn f32_follows_f64() {
    let schedule = Schedule::COSINE.build().expect("valid");
    for name in Solver::NAMES {
        let solver = Solver::from_name(name).expect("known");
        let mut levels: Vec<Level> = (0..20).map(|i| schedule.at(0.99 - i as f64 / 21.0)).collect();
        levels.push(Level::CLEAN);
        fn walk<T: unmelt_diffusion::Real>(solver: Solver, levels: Vec<Level>) -> f64 {
            let mut walk = Walk::new(solver, levels).expect("valid");
            let mut state = vec![T::of(0.8)];
            let mut draw = |step: usize| vec![T::of((step as f64).sin())];
            while !walk.is_finished() {
                let level = walk.query(&mut state, &mut draw).level;
                let clean = vec![T::of(posterior_mean(state[0].f64(), level))];
                walk.answer(&mut state, &clean, &mut draw);
            }
            state[0].f64()
        }
        let (single, double) = (walk::<f32>(solver, levels.clone()), walk::<f64>(solver, levels));
        assert!((single - double).abs() < 1e-4, "{name}: {single} and {double}");
    }
}

#[test]
fn walks_that_make_no_sense_are_rejected() {
    let two = vec![Level::variance_preserving(0.1), Level::CLEAN];
    for bad in [
        Walk::<f64>::new(Solver::ANCESTRAL, vec![Level::CLEAN]),
        Walk::new(Solver::ANCESTRAL, vec![Level::CLEAN, Level::CLEAN]),
        Walk::new(Solver::Ddim { eta: 2.0 }, two.clone()),
        Walk::new(Solver::DpmPlusPlus(DpmPlusPlus::multistep(7)), two.clone()),
        Walk::new(Solver::ANCESTRAL, vec![Level { alpha: f64::NAN, sigma: 1.0 }, Level::CLEAN]),
    ] {
        assert!(bad.is_err());
    }
    assert!(Walk::<f64>::new(Solver::ANCESTRAL, two).is_ok());
}
