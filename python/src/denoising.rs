//! The core by itself: walks from noise to data with a denoiser of Python.

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use unmelt_diffusion::solver::{Solver, Walk};
use unmelt_diffusion::{Level, Noise, Stream, Target};

use crate::arrays::real;
use crate::errors::{NumericalError, OrRaise, bad_argument};
use crate::names;
use crate::schedule::Schedule;

/// The names of the solvers.
#[pyfunction]
pub fn solvers() -> Vec<&'static str> {
    Solver::NAMES.to_vec()
}

/// Standard normal noise as the samplers draw it: row `k` of the result belongs to sample `first + k` of the seed, whatever the
/// other rows are.
#[pyfunction]
#[pyo3(signature = (shape, seed=0, *, first=0, step=None))]
pub fn noise<'py>(
    py: Python<'py>,
    shape: Vec<usize>,
    seed: u64,
    first: u64,
    step: Option<u32>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let rows = Rows::new(&shape, seed, first)?;
    numpy::PyArray1::from_vec(py, rows.noise(step.unwrap_or(Stream::INITIAL))).reshape(shape)
}

/// Draws samples; see `unmelt.diffusion.sample`.
#[pyfunction]
#[pyo3(signature = (denoiser, schedule, shape, *, solver="dpm++2m", times, seed=0, first=0, target="sample", initial=None,
    callback=None))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
pub fn sample<'py>(
    py: Python<'py>,
    denoiser: &Bound<'py, PyAny>,
    schedule: &Bound<'py, Schedule>,
    shape: Vec<usize>,
    solver: &str,
    times: Vec<f64>,
    seed: u64,
    first: u64,
    target: &str,
    initial: Option<&Bound<'py, PyAny>>,
    callback: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let levels = &schedule.get().levels;
    let solver = names::solver(solver)?;
    let target = meaning(target)?;
    target.check(levels).or_raise()?;
    if times.len() < 2
        || times.windows(2).any(|w| w[1] >= w[0])
        || times.iter().any(|t| !(0.0..=1.0).contains(t))
    {
        return Err(bad_argument("times", "must be at least two numbers that fall, between 1 and 0"));
    }
    let rows = Rows::new(&shape, seed, first)?;
    let visited: Vec<_> = times.iter().map(|&t| if t == 0.0 { Level::CLEAN } else { levels.at(t) }).collect();
    let initial = initial.map(|x| real::<f64>(x, "initial", None)).transpose()?;
    let mut state: Vec<f64> = match initial {
        Some(x) if x.shape() != shape => {
            return Err(bad_argument(
                "initial",
                format!("must be of shape {shape:?}, but it is of {:?}", x.shape()),
            ));
        }
        Some(x) => x.as_array().iter().copied().collect(),
        None => rows.noise(Stream::INITIAL).iter().map(|e| e * visited[0].sigma).collect(),
    };
    let mut walk = Walk::<f64>::new(solver, visited).or_raise()?;
    let mut draw = |step: usize| rows.noise(step as u32);
    let array = |x: &[f64]| numpy::PyArray1::from_slice(py, x).reshape(shape.clone());
    while !walk.is_finished() {
        py.check_signals()?;
        let query = walk.query(&mut state, &mut draw);
        let time = query.time(&times, levels);
        let answer = denoiser.call1((array(&state)?, time))?;
        let output = numbers(&answer, &shape)?;
        let clean = target.clean(&state, &output, query.level);
        if !clean.iter().all(|v| v.is_finite()) {
            let text =
                format!("the denoiser's answer is not finite at step {}, time {time:.4}", query.step + 1);
            return Err(NumericalError::new_err(text));
        }
        walk.answer(&mut state, &clean, &mut draw);
        if let Some(callback) = callback {
            callback.call1((query.step, time, array(&state)?))?;
        }
    }
    array(&state)
}

/// What a denoiser's answer means, by name.
fn meaning(name: &str) -> PyResult<Target> {
    Ok(match name {
        "sample" => Target::Sample,
        "epsilon" => Target::Epsilon,
        "v" => Target::V,
        "score" => Target::Score,
        "flow" => Target::Flow,
        _ => return Err(bad_argument("target", "is unknown; use sample, epsilon, v, score or flow")),
    })
}

/// A denoiser's answer as numbers.
fn numbers(answer: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Vec<f64>> {
    let array = real::<f64>(answer, "the denoiser's answer", None)?;
    if array.shape() != shape {
        let fault = format!("must return an array of shape {shape:?}, but it returned {:?}", array.shape());
        return Err(bad_argument("denoiser", fault));
    }
    Ok(array.as_array().iter().copied().collect())
}

/// Rows of a batch, each a sample with a number.
struct Rows {
    count: usize,
    length: usize,
    noise: Noise,
    first: u64,
}

impl Rows {
    fn new(shape: &[usize], seed: u64, first: u64) -> PyResult<Self> {
        match shape {
            [] => Err(bad_argument("shape", "must have at least one axis, that of the samples")),
            [count, rest @ ..] => {
                Ok(Self { count: *count, length: rest.iter().product(), noise: Noise::new(seed), first })
            }
        }
    }

    fn noise(&self, step: u32) -> Vec<f64> {
        let mut all = vec![0.0; self.count * self.length];
        for (k, row) in all.chunks_exact_mut(self.length.max(1)).enumerate() {
            self.noise.normal(Stream::new(self.first + k as u64, 0, step), row);
        }
        all
    }
}
