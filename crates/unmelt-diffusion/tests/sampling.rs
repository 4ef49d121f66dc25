//! The loop over a product of features: reproducible whatever the batch, and right where the answer is known.

use unmelt_diffusion::job::{CancelToken, Event, Job, Progress};
use unmelt_diffusion::solver::Solver;
use unmelt_diffusion::{
    CategoricalKind, Denoiser, DenoiserInput, FeatureSpec, Given, Grid, Prediction, ProcessSpec,
    ProductProcess, Result, SampleSpec, Sampler, SamplerConfig, Schedule, State, Subspace, Value,
};

/// Knows the distribution: numbers N(0.5, 0.3²), classes with fixed probabilities.
struct Oracle<'a> {
    process: &'a ProductProcess,
}

const PROBABILITIES: [f64; 3] = [0.6, 0.3, 0.1];

impl Denoiser for Oracle<'_> {
    fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>> {
        Ok(inputs.iter().map(|q| self.one(q)).collect())
    }
}

impl Oracle<'_> {
    fn one(&self, q: &DenoiserInput) -> Vec<Prediction<f32>> {
        let levels = self.process.levels_at(q.time);
        let (alpha, sigma) = (levels[0].alpha, levels[0].sigma);
        let gain = alpha * 0.09 / (alpha * alpha * 0.09 + sigma * sigma);
        let x = q.state[0].continuous().iter();
        let clean = x.map(|x| (0.5 + gain * (f64::from(*x) - alpha * 0.5)) as f32).collect();
        // Bayes: p(z₀ | z_t) ∝ p(z₀)·(keep·[z₀ = z_t] + (1 − keep)/3).
        let keep = levels[1].alpha.powi(2);
        let rows = q.state[1].classes().iter().flat_map(|&state| {
            let weight = |k: usize| {
                let kept = if k == usize::from(state) { keep } else { 0.0 };
                PROBABILITIES[k] * (kept + (1.0 - keep) / 3.0)
            };
            let total: f64 = (0..3).map(weight).sum();
            (0..3).map(|k| (weight(k) / total) as f32).collect::<Vec<_>>()
        });
        vec![Prediction::Continuous(clean), Prediction::Probabilities(rows.collect())]
    }
}

fn process() -> ProductProcess {
    ProductProcess::new(&[
        FeatureSpec {
            name: "numbers".into(),
            schedule: Schedule::COSINE,
            process: ProcessSpec::Gaussian(Subspace::Full),
        },
        // A schedule of its own.
        FeatureSpec {
            name: "classes".into(),
            schedule: Schedule::Cosine { offset: 0.008 },
            process: ProcessSpec::Categorical(CategoricalKind::Uniform { classes: 3 }),
        },
    ])
    .expect("valid")
}

fn draw(solver: &str, steps: usize, numbers: std::ops::Range<u64>, elements: usize) -> Vec<State<f32>> {
    let process = process();
    let solver = Solver::from_name(solver).expect("known");
    let grid = Grid::Linspace { end: 0.01 };
    let config = SamplerConfig { solver, grid, steps, seed: 7, begin: 1.0, temperature: 1.0 };
    let sampler = Sampler::new(&process, &config).expect("valid");
    let draws: Vec<SampleSpec> =
        numbers.map(|number| SampleSpec::new(number, vec![elements, elements])).collect();
    sampler.draw(&draws, &Oracle { process: &process }, &Job::new(), &mut |_| ()).expect("samples")
}

#[test]
fn a_sample_is_the_same_in_any_batch() {
    for solver in Solver::NAMES {
        let all = draw(solver, 12, 0..9, 5);
        assert_eq!(draw(solver, 12, 3..4, 5)[0], all[3], "{solver} alone");
        assert_eq!(draw(solver, 12, 5..9, 5), all[5..], "{solver} after a resume");
        assert_ne!(all[0], all[1], "{solver}");
    }
}

#[test]
fn samples_follow_the_distribution() {
    for solver in Solver::NAMES {
        // First-order samplers with noise are narrow by a share that falls with the number of steps.
        let tolerance = 0.02;
        let states = draw(solver, 150, 0..40, 500);
        let numbers: Vec<f64> =
            states.iter().flat_map(|s| s[0].continuous()).map(|x| f64::from(*x)).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let std = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / numbers.len() as f64).sqrt();
        assert!((mean - 0.5).abs() < tolerance && (std - 0.3).abs() < tolerance, "{solver}: {mean} {std}");
        for (k, want) in PROBABILITIES.iter().enumerate() {
            let count = states.iter().flat_map(|s| s[1].classes()).filter(|c| usize::from(**c) == k).count();
            let share = count as f64 / numbers.len() as f64;
            assert!((share - want).abs() < tolerance, "{solver}, class {k}: {share}");
        }
    }
}

#[test]
fn what_is_given_stays_and_a_sample_can_begin_anywhere() {
    let process = process();
    let sampler = |begin: f64| {
        let grid = Grid::Linspace { end: 0.01 };
        let config =
            SamplerConfig { solver: Solver::ANCESTRAL, grid, steps: 20, seed: 3, begin, temperature: 1.0 };
        Sampler::new(&process, &config)
    };
    let values = vec![Value::Continuous(vec![2.5; 4]), Value::Classes(vec![2; 4])];
    let mask = vec![vec![true, false, true, false], vec![false, true, false, true]];
    let given = Some(Given { values: values.clone(), mask: mask.clone() });
    let draws = [SampleSpec { given, ..SampleSpec::new(0, vec![4, 4]) }];
    let check = |states: &State<f32>| {
        for k in 0..4 {
            assert!(!mask[0][k] || states[0].continuous()[k] == 2.5);
            assert!(!mask[1][k] || states[1].classes()[k] == 2);
        }
    };
    let mut seen = 0;
    let oracle = Oracle { process: &process };
    let mut watch = |step: &unmelt_diffusion::Step| {
        step.states().for_each(check);
        seen += 1;
    };
    let all = sampler(1.0).expect("valid").draw(&draws, &oracle, &Job::new(), &mut watch).expect("samples");
    assert_eq!(seen, 20);
    assert!(all[0][0].continuous()[1] < 2.0, "what is free follows the distribution");
    // With hardly any noise a sample stays what it was.
    let draws = [SampleSpec { origin: Some(values.clone()), ..SampleSpec::new(0, vec![4, 4]) }];
    let near =
        sampler(0.001).expect("valid").draw(&draws, &oracle, &Job::new(), &mut |_| ()).expect("samples");
    assert_eq!(near[0][1], values[1]);
    assert!(near[0][0].continuous().iter().all(|x| (x - 2.5).abs() < 0.02));
    assert!(sampler(0.0).is_err() && sampler(1.5).is_err() && sampler(f64::NAN).is_err());
}

const FIVE_STEPS: SamplerConfig = SamplerConfig {
    solver: Solver::ANCESTRAL,
    grid: Grid::Trailing,
    steps: 5,
    seed: 0,
    begin: 1.0,
    temperature: 1.0,
};

#[test]
fn stopping_is_an_error_of_its_own() {
    let process = process();
    let sampler = Sampler::new(&process, &FIVE_STEPS).expect("valid");
    let draws = [SampleSpec::new(0, vec![1, 1]), SampleSpec::new(1, vec![1, 1])];
    let (cancel, seen) = (CancelToken::new(), std::sync::Mutex::new(Vec::new()));
    let second = |event: &Event| {
        let Event::Progress(progress) = event else { panic!("{event:?}") };
        let mut seen = seen.lock().expect("no panic");
        seen.push(*progress);
        if seen.len() == 2 {
            cancel.cancel();
        }
    };
    let job = Job::new().cancelled_by(&cancel).heard_by(&second);
    let error = sampler.draw(&draws, &Oracle { process: &process }, &job, &mut |_| ()).expect_err("stopped");
    assert!(error.is_stopped());
    let seen: Vec<Progress> = seen.into_inner().expect("no panic");
    assert_eq!(seen.iter().map(|p| (p.step, p.steps, p.at_work)).collect::<Vec<_>>(), [(1, 5, 2), (2, 5, 2)]);
    assert_eq!(seen[1].share(), 0.4);
}

#[test]
fn noise_on_noise_is_noise_at_once() {
    let process = process();
    let clean: State<f32> = vec![Value::Continuous(vec![2.0; 4000]), Value::Classes(vec![1; 4000])];
    let noise = unmelt_diffusion::Noise::new(8);
    let (from, to) = (0.3, 0.6);
    let first = process.noise(&clean, None, from, noise, (0, 0));
    let on = process.noise_on(&first, None, (from, to), noise, (0, 1));
    let at_once = process.noise(&clean, None, to, noise, (1, 0));
    let moments = |s: &State<f32>| {
        let x = s[0].continuous();
        let mean = x.iter().sum::<f32>() / 4000.0;
        let spread = (x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 4000.0).sqrt();
        [mean, spread, s[1].classes().iter().filter(|c| **c == 1).count() as f32 / 4000.0]
    };
    for (a, b) in moments(&on).into_iter().zip(moments(&at_once)) {
        assert!((a - b).abs() < 0.06, "{a} {b}");
    }
    // It is the first noise that goes on: both are alike where nothing was added.
    assert_eq!(process.noise_on(&first, None, (from, from), noise, (0, 1)), first);
}

/// Says of every class the same, whatever it sees.
struct Undecided;

impl Denoiser for Undecided {
    fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>> {
        let one =
            vec![Prediction::Continuous(vec![0.0]), Prediction::Probabilities([0.2, 0.5, 0.3].repeat(400))];
        Ok(vec![one; inputs.len()])
    }
}

#[test]
fn low_temperatures_take_the_likeliest_class() {
    let process = process();
    // After the first of two steps, of the classes that are kept at t = 1/2.
    let share = |temperature: f64| {
        let (solver, grid) = (Solver::ANCESTRAL, Grid::Trailing);
        let config = SamplerConfig { solver, grid, steps: 2, seed: 4, begin: 1.0, temperature };
        let sampler = Sampler::new(&process, &config)?;
        let mut shares = Vec::new();
        let mut watch = |step: &unmelt_diffusion::Step| {
            let first = step.states().next().expect("a sample")[1].classes().to_vec();
            shares.push(first.iter().filter(|c| **c == 1).count() as f64 / 400.0);
        };
        sampler.draw(&[SampleSpec::new(0, vec![1, 400])], &Undecided, &Job::new(), &mut watch)?;
        let keep = process.levels_at(0.5)[1].alpha.powi(2);
        Ok::<_, unmelt_diffusion::Error>((shares[0] - (1.0 - keep) / 3.0) / keep)
    };
    let close = |temperature: f64, wanted: f64| {
        let found = share(temperature).expect("valid");
        assert!((found - wanted).abs() < 0.12, "{temperature}: {found}, not {wanted}");
    };
    close(1.0, 0.5);
    close(0.5, 0.25 / (0.04 + 0.25 + 0.09));
    close(0.01, 1.0);
    assert!(share(0.0).is_err() && share(f64::NAN).is_err());
}

struct Broken;

impl Denoiser for Broken {
    fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>> {
        let one =
            vec![Prediction::Continuous(vec![f32::NAN]), Prediction::Probabilities(vec![1.0, 0.0, 0.0])];
        Ok(vec![one; inputs.len()])
    }
}

#[test]
fn a_network_that_says_nan_is_stopped() {
    let process = process();
    let sampler = Sampler::new(&process, &FIVE_STEPS).expect("valid");
    let draws = [SampleSpec::new(0, vec![1, 1])];
    let error = sampler.draw(&draws, &Broken, &Job::new(), &mut |_| ()).expect_err("stopped").to_string();
    assert!(error.contains("not finite at sampling step 1"), "{error}");
}
