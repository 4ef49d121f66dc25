//! Devices, solvers and grids by the names that Python gives them.

use burn::tensor::Device;
use pyo3::prelude::*;
use unmelt_diffusion::Grid;
use unmelt_diffusion::device::DeviceName;
use unmelt_diffusion::solver::Solver;

use crate::errors::{OrRaise, bad_argument};

/// The device of this name.
pub fn device(name: &str) -> PyResult<Device> {
    device_name(name)?.open().or_raise()
}

/// The name of a device.
pub fn device_name(name: &str) -> PyResult<DeviceName> {
    name.parse().map_err(|e: String| bad_argument("device:", e))
}

/// The solver of this name.
pub fn solver(name: &str) -> PyResult<Solver> {
    name.parse().map_err(|e: String| bad_argument("solver:", e))
}

/// The grid of this name.
pub fn grid(name: &str) -> PyResult<Grid> {
    name.parse().map_err(|e: String| bad_argument("grid:", e))
}
