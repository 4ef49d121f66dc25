//! Arrays of Python, checked.

use numpy::{Complex32, Element, PyArrayDescrMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods, dtype};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::bad_argument;

/// Real numbers as an array of `T`, with so many axes if that is said. Booleans and integers are numbers.
pub fn real<'py, T: Element>(
    object: &Bound<'py, PyAny>,
    name: &str,
    axes: Option<usize>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let array = converted::<T>(object, name, b"biuf", "real numbers")?;
    match axes {
        Some(axes) if array.ndim() != axes => Err(bad_argument(
            name,
            format!("must have {axes} axes, but it has {}: {:?}", array.ndim(), array.shape()),
        )),
        _ => Ok(array),
    }
}

/// Complex numbers as an array.
pub fn complex<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<PyReadonlyArrayDyn<'py, Complex32>> {
    converted(object, name, b"biufc", "complex numbers")
}

fn converted<'py, T: Element>(
    object: &Bound<'py, PyAny>,
    name: &str,
    kinds: &[u8],
    what: &str,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let py = object.py();
    let wrong =
        |found: String| PyTypeError::new_err(format!("{name} must be an array of {what}, but it is {found}"));
    let array = py.import("numpy")?.call_method1("asarray", (object,)).map_err(|e| wrong(e.to_string()))?;
    let found = array.cast::<numpy::PyUntypedArray>()?.dtype();
    if !kinds.contains(&found.kind()) {
        return Err(wrong(format!("of dtype {found}")));
    }
    let array = array.call_method1("astype", (dtype::<T>(py),))?;
    Ok(array.extract()?)
}
