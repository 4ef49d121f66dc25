//! Products of features, each with its own process and schedule, walked together with a denoiser of Python.

use std::cell::RefCell;
use std::sync::Arc;

use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{
    Denoiser, DenoiserInput, Feature, FeatureProcess, FeatureSpec, Noise, Prediction, ProductProcess,
    SampleSpec, Sampler, SamplerConfig, State, Stream, Value,
};

use crate::arrays::real;
use crate::errors::{OrRaise, bad_argument};
use crate::names;

/// A product of features, numbers and classes, to which noise is added together, each by its own schedule.
///
/// Args:
///     features: From names to what `unmelt.diffusion.gaussian` and `unmelt.diffusion.categorical` return.
///
/// Raises:
///     ValueError: A setting out of its range, or no feature.
///
/// Example:
///     >>> import unmelt
///     >>> from unmelt.diffusion import Process, Schedule, categorical, gaussian
///     >>> cosine = Schedule.cosine()
///     >>> process = Process({"places": gaussian(cosine), "kinds": categorical(cosine, classes=3)})
///     >>> process.features
///     {'places': None, 'kinds': 3}
#[pyclass(frozen, module = "unmelt.diffusion", name = "Process")]
pub struct Process {
    specs: Vec<FeatureSpec>,
    process: Arc<ProductProcess>,
}

/// Sizes of a sample's features, in their order.
type Shapes = Vec<Vec<usize>>;

#[pymethods]
impl Process {
    #[new]
    fn new(features: &Bound<'_, PyDict>) -> PyResult<Self> {
        let read = |(name, text): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let (name, text): (String, String) = (name.extract()?, text.extract()?);
            let mut spec: serde_json::Value =
                serde_json::from_str(&text).map_err(|e| bad_argument("features:", e))?;
            spec["name"] = name.into();
            serde_json::from_value(spec).map_err(|e| bad_argument("features:", e))
        };
        let specs = features.iter().map(read).collect::<PyResult<Vec<FeatureSpec>>>()?;
        if specs.is_empty() {
            return Err(bad_argument("features", "must name at least one"));
        }
        Ok(Self { process: Arc::new(ProductProcess::new(&specs).or_raise()?), specs })
    }

    /// The features by name, with the number of classes of those that have classes.
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for feature in self.process.features() {
            dict.set_item(&feature.name, classes(feature))?;
        }
        Ok(dict)
    }

    /// Adds noise to samples up to a time.
    ///
    /// Args:
    ///     clean: An array a feature, with the samples along the first axis: numbers, or class numbers.
    ///     t: Time in [0, 1].
    ///     seed: Seed of the noise.
    ///     first: Number of the first sample within the seed.
    ///
    /// Returns:
    ///     The same for the noisy samples.
    ///
    /// Raises:
    ///     KeyError: A feature is missing.
    ///     ValueError: Classes that are not there, numbers of samples that differ.
    #[pyo3(signature = (clean, t, *, seed=0, first=0))]
    fn add_noise<'py>(
        &self,
        py: Python<'py>,
        clean: &Bound<'py, PyDict>,
        t: f64,
        seed: u64,
        first: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        if !(0.0..=1.0).contains(&t) {
            return Err(bad_argument("t", "must lie between 0 and 1"));
        }
        let (states, shapes) = self.states(clean)?;
        let noise = Noise::new(seed);
        let noised = |(k, state): (usize, &State<f32>)| {
            self.process.noise(state, None, t, noise, (first + k as u64, Stream::INITIAL))
        };
        let noisy: Vec<State<f32>> = states.iter().enumerate().map(noised).collect();
        self.arrays(py, &noisy.iter().collect::<Vec<_>>(), &shapes)
    }

    /// Draws samples with a denoiser of your own.
    ///
    /// Args:
    ///     denoiser: Called as `denoiser(x, t)` with a dictionary of arrays, the samples along the first axis, and the time in
    ///         [0, 1]. Returns a dictionary of the clean samples: numbers of the same shape, and for classes their probabilities,
    ///         with the classes along one more axis.
    ///     count: Samples.
    ///     shapes: The shape of each feature of a sample.
    ///     solver: Solver of the numbers; classes are drawn from their posterior.
    ///     steps: Steps.
    ///     grid: Times that the steps visit, as for `sample`.
    ///     temperature: Temperature of the classes; below 1 likelier ones are drawn more often.
    ///     seed: Seed of the noise.
    ///     first: Number of the first sample within the seed.
    ///
    /// Returns:
    ///     The samples, an array a feature.
    ///
    /// Raises:
    ///     KeyError: A feature is missing in `shapes` or in an answer.
    ///     ValueError: Shapes that do not fit, an unknown name.
    ///
    /// An exception of the denoiser is raised unchanged.
    #[pyo3(signature = (denoiser, count, shapes, *, solver="ancestral", steps=100, grid="trailing", temperature=1.0, seed=0, first=0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn sample<'py>(
        &self,
        py: Python<'py>,
        denoiser: &Bound<'py, PyAny>,
        count: u64,
        shapes: &Bound<'py, PyDict>,
        solver: &str,
        steps: usize,
        grid: &str,
        temperature: f64,
        seed: u64,
        first: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let features = self.process.features().iter();
        let shapes: Shapes =
            features.map(|f| item(shapes, "shapes", &f.name)?.extract()).collect::<PyResult<_>>()?;
        let (solver, grid) = (names::solver(solver)?, names::grid(grid)?);
        let config = SamplerConfig { solver, grid, steps, seed, begin: 1.0, temperature };
        let sampler = Sampler::new(&self.process, &config).or_raise()?;
        let lengths: Vec<usize> = shapes.iter().map(|s| s.iter().product()).collect();
        let draws: Vec<SampleSpec> =
            (first..first.saturating_add(count)).map(|k| SampleSpec::new(k, lengths.clone())).collect();
        let denoiser = PythonDenoiser { own: self, denoiser, shapes: &shapes, raised: RefCell::new(None) };
        let drawn = sampler.draw(&draws, &denoiser, &Job::new(), &mut |_| ());
        if let Some(error) = denoiser.raised.take() {
            return Err(error);
        }
        self.arrays(py, &drawn.or_raise()?.iter().collect::<Vec<_>>(), &shapes)
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> = self.specs.iter().map(|s| s.name.as_str()).collect();
        format!("Process({})", names.join(", "))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|o| o.get().specs == self.specs)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyDict>,))> {
        let dict = PyDict::new(slf.py());
        for spec in &slf.get().specs {
            let mut value = serde_json::to_value(spec).map_err(|e| PyValueError::new_err(e.to_string()))?;
            value.as_object_mut().map(|o| o.remove("name"));
            dict.set_item(&spec.name, value.to_string())?;
        }
        Ok((slf.get_type(), (dict,)))
    }
}

/// Classes of a feature's data.
fn classes(feature: &Feature) -> Option<usize> {
    match &feature.process {
        FeatureProcess::Gaussian(_) => None,
        FeatureProcess::Categorical(c) => Some(c.classes()),
    }
}

/// A feature's entry of a dictionary.
fn item<'py>(dict: &Bound<'py, PyDict>, what: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    dict.get_item(name)?
        .ok_or_else(|| PyKeyError::new_err(format!("{what} must name the feature \"{name}\"")))
}

impl Process {
    /// States as arrays.
    fn arrays<'py>(
        &self,
        py: Python<'py>,
        states: &[&State<f32>],
        shapes: &Shapes,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (k, (feature, shape)) in self.process.features().iter().zip(shapes).enumerate() {
            let shape: Vec<usize> = std::iter::once(states.len()).chain(shape.iter().copied()).collect();
            match &feature.process {
                FeatureProcess::Gaussian(_) => {
                    let flat = states.iter().flat_map(|s| s[k].continuous().iter().copied());
                    dict.set_item(&feature.name, PyArray1::from_iter(py, flat).reshape(shape)?)?;
                }
                FeatureProcess::Categorical(_) => {
                    let flat = states.iter().flat_map(|s| s[k].classes().iter().map(|c| i64::from(*c)));
                    let array: Bound<'py, PyArrayDyn<i64>> = PyArray1::from_iter(py, flat).reshape(shape)?;
                    dict.set_item(&feature.name, array)?;
                }
            }
        }
        Ok(dict)
    }

    /// Arrays as states, and the shapes of the features.
    fn states(&self, values: &Bound<'_, PyDict>) -> PyResult<(Vec<State<f32>>, Shapes)> {
        let mut states: Option<Vec<State<f32>>> = None;
        let mut shapes = Shapes::new();
        for feature in self.process.features() {
            let array = real::<f32>(&item(values, "clean", &feature.name)?, &feature.name, None)?;
            let [count, shape @ ..] = array.shape() else {
                return Err(bad_argument(&feature.name, "must have an axis of samples"));
            };
            let length: usize = shape.iter().product();
            let flat: Vec<f32> = array.as_array().iter().copied().collect();
            let rows = states.get_or_insert_with(|| vec![State::new(); *count]);
            if rows.len() != *count {
                let fault = format!("has {count} samples, but the features before it have {}", rows.len());
                return Err(bad_argument(&feature.name, fault));
            }
            for (k, row) in rows.iter_mut().enumerate() {
                row.push(value(feature, &flat[k * length..(k + 1) * length])?);
            }
            shapes.push(shape.to_vec());
        }
        Ok((states.unwrap_or_default(), shapes))
    }
}

/// Numbers as the values of a feature.
fn value(feature: &Feature, numbers: &[f32]) -> PyResult<Value<f32>> {
    let Some(count) = classes(feature) else {
        return Ok(Value::Continuous(numbers.to_vec()));
    };
    let class = |v: &f32| {
        let fits = *v >= 0.0 && (*v as usize) < count && v.fract() == 0.0;
        let fault =
            || bad_argument(&feature.name, format!("holds {v}, but its classes are 0 to {}", count - 1));
        fits.then_some(*v as u8).ok_or_else(fault)
    };
    Ok(Value::Classes(numbers.iter().map(class).collect::<PyResult<_>>()?))
}

/// A denoiser of Python.
struct PythonDenoiser<'a, 'py> {
    own: &'a Process,
    denoiser: &'a Bound<'py, PyAny>,
    shapes: &'a Shapes,
    /// What it raised.
    raised: RefCell<Option<PyErr>>,
}

impl Denoiser for PythonDenoiser<'_, '_> {
    fn predict(&self, inputs: &[DenoiserInput]) -> unmelt_diffusion::Result<Vec<Vec<Prediction<f32>>>> {
        self.call(inputs).map_err(|error| {
            self.raised.replace(Some(error));
            unmelt_diffusion::Error::Stopped
        })
    }
}

impl PythonDenoiser<'_, '_> {
    fn call(&self, inputs: &[DenoiserInput]) -> PyResult<Vec<Vec<Prediction<f32>>>> {
        self.denoiser.py().check_signals()?;
        let Some(time) = inputs.first().map(|q| q.time) else { return Ok(Vec::new()) };
        let states: Vec<&State<f32>> = inputs.iter().map(|q| q.state).collect();
        let noisy = self.own.arrays(self.denoiser.py(), &states, self.shapes)?;
        let answer = self.denoiser.call1((noisy, time))?;
        let wrong = |_| PyTypeError::new_err("the denoiser's answer must be a dictionary of arrays");
        let answer: Bound<'_, PyDict> = answer.extract().map_err(wrong)?;
        let mut predictions = vec![Vec::new(); inputs.len()];
        for (feature, shape) in self.own.process.features().iter().zip(self.shapes) {
            let array =
                real::<f32>(&item(&answer, "the denoiser's answer", &feature.name)?, &feature.name, None)?;
            let wanted: Vec<usize> =
                std::iter::once(inputs.len()).chain(shape.iter().copied()).chain(classes(feature)).collect();
            if array.shape() != wanted {
                let fault = format!(
                    "must be of shape {wanted:?} in the denoiser's answer, but it is of {:?}",
                    array.shape()
                );
                return Err(bad_argument(&feature.name, fault));
            }
            let flat: Vec<f32> = array.as_array().iter().copied().collect();
            let length = wanted[1..].iter().product::<usize>();
            for (k, list) in predictions.iter_mut().enumerate() {
                let own = flat[k * length..(k + 1) * length].to_vec();
                list.push(match classes(feature) {
                    None => Prediction::Continuous(own),
                    Some(_) => Prediction::Probabilities(own),
                });
            }
        }
        Ok(predictions)
    }
}
