//! Volumes, and files of them.

use std::path::PathBuf;
use std::sync::Arc;

use nalgebra::Matrix4;
use numpy::ndarray::{ArrayView3, ShapeBuilder};
use numpy::{PyArray2, PyArray3, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use unmelt_imaging::metrics::{self, Comparison};
use unmelt_imaging::{Grid, Orientation, intensity};
use unmelt_imaging_io::{Choice, Derivation, Scan};

use crate::arrays::real;
use crate::errors::{OrRaise, bad_argument};

/// A scalar volume with its position in space.
///
/// Args:
///     array: Voxels, shape (i, j, k), real numbers; kept as float32.
///     affine: Voxel index (i, j, k, 1) to mm in RAS (x to the right, y to the front, z to the top of the patient), shape
///         (4, 4), as nibabel has it.
///
/// Raises:
///     ValueError: A shape that does not fit, voxels that are not finite, an affine that cannot be inverted.
///
/// Example:
///     >>> import numpy as np
///     >>> import unmelt
///     >>> unmelt.Volume(np.zeros((4, 5, 6)), np.diag([1, 1, 2, 1]))
///     Volume(4 × 5 × 6 voxels, 1.00 × 1.00 × 2.00 mm)
#[pyclass(frozen, skip_from_py_object, module = "unmelt", name = "Volume")]
#[derive(Clone)]
pub struct Volume {
    pub inner: Arc<Scan>,
    /// How it came to be, for the record.
    pub derivation: Derivation,
}

impl Volume {
    /// A volume, and what was done to it.
    pub fn new(inner: Scan, task: &str, model: &str) -> Self {
        Self { inner: Arc::new(inner), derivation: Derivation::new(task, model) }
    }

    /// A volume with the record of how it was made.
    pub fn derived(inner: Scan, derivation: Derivation) -> Self {
        Self { inner: Arc::new(inner), derivation }
    }

    /// The volume without what its file said besides.
    pub fn volume(&self) -> &unmelt_imaging::Volume {
        &self.inner.volume
    }

    /// The grid in the order of the array's own axes.
    fn stored(&self) -> Grid {
        self.volume().orientation().from_ras(&self.volume().grid)
    }

    /// Shape of the array, in the order of its own axes.
    fn stored_shape(&self) -> [usize; 3] {
        self.stored().shape
    }
}

/// What makes a volume, as the constructor takes it.
type Parts<'py> = (Bound<'py, PyArray3<f32>>, Bound<'py, PyArray2<f64>>);

#[pymethods]
impl Volume {
    #[new]
    fn from_array(array: &Bound<'_, PyAny>, affine: &Bound<'_, PyAny>) -> PyResult<Self> {
        let affine = matrix(affine)?;
        let array = real::<f32>(array, "array", Some(3))?;
        let view = array.as_array();
        let shape = [view.shape()[0], view.shape()[1], view.shape()[2]];
        if shape.contains(&0) {
            return Err(bad_argument("array", format!("must hold voxels, but it is of shape {shape:?}")));
        }
        // Axis i runs fastest in memory.
        let voxels: Vec<f32> = view.t().iter().copied().collect();
        let wrong = voxels.iter().filter(|v| !v.is_finite()).count();
        if wrong > 0 {
            let fault =
                format!("holds {wrong} values that are not finite; replace them, as by numpy.nan_to_num");
            return Err(bad_argument("array", fault));
        }
        let stored = Grid { shape, affine };
        let orientation = Orientation::of(&affine)
            .ok_or_else(|| bad_argument("affine", "is singular: it cannot be inverted"))?;
        let mut volume =
            unmelt_imaging::Volume::new(orientation.gather(&voxels, shape), orientation.to_ras(&stored));
        volume.acquisition.orientation = orientation;
        Ok(Self::new(Scan::new(volume), "convert", ""))
    }

    /// Voxels as float32, shape (i, j, k) in the order of the file's axes; a read-only view of the volume's own memory.
    #[getter]
    fn array<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyArray3<f32>> {
        let inner = slf.get().volume();
        let [x, y, z] = inner.grid.shape;
        let ras = ArrayView3::from_shape((x, y, z).f(), &inner.voxels).expect("one value per voxel");
        let view = as_stored(ras, inner.orientation());
        // SAFETY: the memory belongs to the volume, which the array keeps alive and which is never changed; the array is
        // made read-only before anybody else sees it.
        unsafe {
            let array = PyArray3::borrow_from_array(&view, slf.clone().into_any());
            (*array.as_array_ptr()).flags &= !numpy::npyffi::NPY_ARRAY_WRITEABLE;
            array
        }
    }

    /// Voxel index (i, j, k, 1) to mm in RAS, shape (4, 4).
    #[getter]
    fn affine<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        let stored = self.stored().affine;
        let rows: Vec<Vec<f64>> = stored.row_iter().map(|r| r.iter().copied().collect()).collect();
        PyArray2::from_vec2(py, &rows).expect("rows of four")
    }

    /// Voxels along i, j, k.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        self.stored_shape().into()
    }

    /// Distance between neighbours along i, j, k, in mm.
    #[getter]
    fn spacing(&self) -> (f64, f64, f64) {
        self.stored().spacing().into()
    }

    /// Whether the values are Hounsfield units: the volume came from a CT series.
    #[getter]
    fn is_ct(&self) -> bool {
        self.volume().is_ct()
    }

    /// Writes the volume, whole or not at all: `.nii` and `.nii.gz` as NIfTI, a folder as a derived DICOM series if the volume
    /// came from one.
    ///
    /// Args:
    ///     path: File or folder.
    ///
    /// Raises:
    ///     ValueError: A name that says no format.
    ///     OSError: It cannot be written.
    fn save(&self, py: Python, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.inner.write(&path, &self.derivation)).or_raise()
    }

    /// Other voxels in the same place, with the same header.
    ///
    /// Args:
    ///     array: Voxels of the same shape.
    ///
    /// Raises:
    ///     ValueError: Another shape, or voxels that are not finite.
    fn with_array(slf: &Bound<'_, Self>, array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let own = slf.get();
        let array = real::<f32>(array, "array", Some(3))?;
        let shape = own.stored_shape();
        if array.shape() != shape {
            return Err(bad_argument(
                "array",
                format!("must be of shape {shape:?}, but it is of {:?}", array.shape()),
            ));
        }
        let voxels: Vec<f32> = array.as_array().t().iter().copied().collect();
        if voxels.iter().any(|v| !v.is_finite()) {
            return Err(bad_argument("array", "holds values that are not finite"));
        }
        let voxels = own.volume().orientation().gather(&voxels, shape);
        Ok(Self { inner: Arc::new(own.inner.with_voxels(voxels)), derivation: own.derivation.clone() })
    }

    /// The box from voxel `low` up to, and without, voxel `high`; each voxel keeps its place in mm, and the header stays.
    ///
    /// Args:
    ///     low: First voxel along each axis of the array; negative numbers count from the end.
    ///     high: The voxel after the last one along each axis.
    ///
    /// Raises:
    ///     ValueError: Bounds outside of the volume, an empty box.
    fn crop<'py>(
        slf: &Bound<'py, Self>,
        low: &Bound<'py, PyAny>,
        high: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt._parts")?.call_method1("crop", (slf, low, high))
    }

    /// A part by slices of the axes, with steps of at least 1.
    fn __getitem__<'py>(slf: &Bound<'py, Self>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt._parts")?.call_method1("sliced", (slf, index))
    }

    /// Voxels on a grid whose axes have the directions of this one's, with the same header.
    #[pyo3(name = "_part")]
    fn part(&self, array: &Bound<'_, PyAny>, affine: &Bound<'_, PyAny>) -> PyResult<Self> {
        let part = Arc::unwrap_or_clone(Self::from_array(array, affine)?.inner).volume;
        Ok(Self { inner: Arc::new(self.inner.with(part)), derivation: self.derivation.clone() })
    }

    fn __repr__(&self) -> String {
        let ([x, y, z], (a, b, c)) = (self.stored_shape(), self.spacing());
        format!("Volume({x} × {y} × {z} voxels, {a:.2} × {b:.2} × {c:.2} mm)")
    }

    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = Self::array(slf).into_any();
        let Some(dtype) = dtype else {
            return if copy == Some(true) { array.call_method0("copy") } else { Ok(array) };
        };
        let other = array.call_method1("astype", (dtype,))?;
        let is_same = other.getattr("dtype")?.eq(array.getattr("dtype")?)?;
        match (is_same, copy) {
            (true, Some(true)) | (false, None | Some(true)) => Ok(other),
            (true, _) => Ok(array),
            (false, Some(false)) => {
                Err(bad_argument("copy", "must not be False, because voxels of another dtype are a copy"))
            }
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let Ok(other) = other.cast::<Self>() else { return false };
        let (a, b) = (self.volume(), other.get().volume());
        a.grid.same_as(&b.grid) && a.orientation() == b.orientation() && a.voxels == b.voxels
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, Parts<'py>) {
        (slf.get_type(), (Self::array(slf), slf.get().affine(slf.py())))
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.clone()
    }

    /// The volume as a `nibabel.Nifti1Image` (`pip install unmelt[imaging]`).
    fn to_nibabel<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt._nibabel")?.call_method1("to_nibabel", (slf,))
    }

    /// The volume of an image of nibabel with three dimensions.
    ///
    /// Args:
    ///     image: A spatial image, such as `nibabel.load` returns.
    ///
    /// Raises:
    ///     ValueError: It has not three dimensions.
    #[staticmethod]
    fn from_nibabel(image: &Bound<'_, PyAny>) -> PyResult<Self> {
        let made = image.py().import("unmelt._nibabel")?.call_method1("from_nibabel", (image,))?;
        Ok(made.cast::<Self>()?.get().clone())
    }

    /// A viewer by ipyniivue (`pip install unmelt[notebook]`).
    ///
    /// Args:
    ///     overlay: Another volume on top, in colour: a standard deviation, a mask.
    #[pyo3(signature = (overlay=None))]
    fn view<'py>(slf: &Bound<'py, Self>, overlay: Option<Bound<'py, Self>>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt.views")?.call_method1("volume", (slf, overlay))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt.views")?.call_method1("volume_html", (slf,))
    }
}

/// A RAS array seen in another order of axes.
fn as_stored(ras: ArrayView3<'_, f32>, orientation: Orientation) -> ArrayView3<'_, f32> {
    let mut order = [0; 3];
    for world in 0..3 {
        order[orientation.axes[world]] = world;
    }
    let mut view = ras.permuted_axes(order);
    for world in 0..3 {
        if orientation.flips[world] {
            view.invert_axis(numpy::ndarray::Axis(orientation.axes[world]));
        }
    }
    view
}

/// An affine of Python.
fn matrix(affine: &Bound<'_, PyAny>) -> PyResult<Matrix4<f64>> {
    let affine = real::<f64>(affine, "affine", Some(2))?;
    if affine.shape() != [4, 4] {
        return Err(bad_argument(
            "affine",
            format!("must be of shape (4, 4), but it is of {:?}", affine.shape()),
        ));
    }
    let view = affine.as_array();
    let matrix = Matrix4::from_fn(|i, j| view[[i, j]]);
    let last: Vec<f64> = matrix.row(3).iter().copied().collect();
    if !matrix.iter().all(|v| v.is_finite()) || last != [0.0, 0.0, 0.0, 1.0] {
        return Err(bad_argument("affine", "must be finite, with (0, 0, 0, 1) as its last row"));
    }
    Ok(matrix)
}

/// A mask of an array in the order of a volume's axes, or of a volume on its grid, in RAS order.
pub fn mask(volume: &Volume, mask: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<bool>> {
    if let Ok(mask) = mask.cast::<Volume>() {
        let (py, mask) = (mask.py(), mask.get().volume());
        if !mask.grid.near(&volume.volume().grid, unmelt_imaging::mask::TOLERANCE) {
            return Err(bad_argument(
                name,
                "lies on another grid than the volume; resample it onto that grid with nearest neighbours, as \
                 nilearn.image.resample_to_img and SimpleITK.Resample do",
            ));
        }
        let (marks, warnings) =
            unmelt_imaging::mask::marked(mask).map_err(|e| bad_argument(name, format!("is no mask: {e}")))?;
        for warning in warnings {
            let text = std::ffi::CString::new(format!("the {name} {warning}"))?;
            PyErr::warn(py, &py.get_type::<pyo3::exceptions::PyUserWarning>(), &text, 2)?;
        }
        return Ok(marks);
    }
    let array = real::<f32>(mask, name, Some(3))?;
    let shape = volume.stored_shape();
    if array.shape() != shape {
        return Err(bad_argument(
            name,
            format!("must be of shape {shape:?}, but it is of {:?}", array.shape()),
        ));
    }
    let stored: Vec<bool> = array.as_array().t().iter().map(|v| *v != 0.0).collect();
    Ok(volume.volume().orientation().gather(&stored, shape))
}

/// Reads a NIfTI file, a DICOM file or a folder of them; returns the volume, and a sentence for each thing that was corrected.
#[pyfunction]
#[pyo3(signature = (path, index=None, series=None, force=false))]
pub fn read_volume(
    py: Python,
    path: PathBuf,
    index: Option<usize>,
    series: Option<String>,
    force: bool,
) -> PyResult<(Volume, Vec<String>)> {
    let reading = py.detach(|| Scan::read(&path, &Choice { index, series, force })).or_raise()?;
    Ok((Volume::new(reading.scan, "convert", ""), reading.warnings))
}

/// Measures of a volume against the truth, as JSON; the foreground is found in the truth if it is not given.
#[pyfunction]
#[pyo3(signature = (truth, volume, foreground=None))]
pub fn compare_volumes(
    py: Python,
    truth: Py<Volume>,
    volume: Py<Volume>,
    foreground: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let (truth, volume) = (truth.get(), volume.get());
    if !truth.volume().grid.same_as(&volume.volume().grid) {
        return Err(bad_argument(
            "volume",
            "lies on another grid than the truth; resample it onto that grid, as nilearn.image.resample_to_img and \
             SimpleITK.Resample do",
        ));
    }
    let marked = foreground.map(|m| mask(truth, m, "foreground")).transpose()?;
    let comparison: Comparison = py.detach(|| {
        let (truth, volume) = (truth.volume(), volume.volume());
        let marked = marked.unwrap_or_else(|| intensity::foreground(&truth.voxels));
        metrics::compare(truth.field(), volume.field(), &marked)
    });
    serde_json::to_string(&comparison).map_err(|e| PyValueError::new_err(e.to_string()))
}
