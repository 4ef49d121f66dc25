//! Devices by the names that users type.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::{Error, Result};
use crate::fault::ErrorKind;

/// A device as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// The processor, through burn's Flex backend.
    Cpu,
    /// An NVIDIA GPU.
    Cuda(usize),
    /// A GPU through WebGPU.
    Wgpu,
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("\"{text}\" is no device; use cpu, cuda, cuda:N or wgpu");
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "wgpu" => Ok(Self::Wgpu),
            Some(("cuda", n)) => n.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Wgpu => f.write_str("wgpu"),
        }
    }
}

impl DeviceName {
    /// The device, or a sentence that says which feature the program was built without.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(n) => open_cuda(n),
            Self::Wgpu => open_wgpu(),
        }
    }
}

/// Threads that the processor works with.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Sets how many threads the processor works with; once, before any work.
///
/// # Errors
/// Work has begun already, or the system gives no threads.
pub fn set_threads(count: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build_global()
        .map_err(|e| Error::plain(ErrorKind::Unsupported, format!("{count} threads cannot be used: {e}")))
}

/// The kinds of devices that the program was built for. Unlike [`compiled`] it starts no thread.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    let built = [("cpu", true), ("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))];
    built.into_iter().filter(|(_, is_built)| *is_built).map(|(kind, _)| kind)
}

/// The devices that the program was built for, with what each is.
pub fn compiled() -> Vec<(&'static str, String)> {
    let description = |kind| match kind {
        "cuda" => "NVIDIA GPUs, cuda:N for the N-th".into(),
        "wgpu" => "GPUs through WebGPU".into(),
        _ => format!("{} threads", threads()),
    };
    kinds().map(|kind| (kind, description(kind))).collect()
}

#[cfg(feature = "cuda")]
fn open_cuda(n: usize) -> Result<Device> {
    // The driver is loaded lazily; a machine without one must get a sentence, not a panic.
    std::panic::catch_unwind(|| {
        let device = Device::cuda(n);
        burn::tensor::Tensor::<1>::ones([1], &device).into_data();
        device
    })
    .map_err(|_| {
        Error::plain(
            ErrorKind::Unsupported,
            format!("cuda:{n} cannot be used: there is no such GPU or no NVIDIA driver"),
        )
    })
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<Device> {
    Err(not_compiled("cuda"))
}

#[cfg(feature = "wgpu")]
fn open_wgpu() -> Result<Device> {
    std::panic::catch_unwind(|| {
        let device = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
        burn::tensor::Tensor::<1>::ones([1], &device).into_data();
        device
    })
    .map_err(|_| {
        Error::plain(
            ErrorKind::Unsupported,
            "wgpu cannot be used: there is no GPU that WebGPU can open".into(),
        )
    })
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu() -> Result<Device> {
    Err(not_compiled("wgpu"))
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_compiled(feature: &str) -> Error {
    Error::plain(
        ErrorKind::Unsupported,
        format!("this program was built without {feature}; build it from source with --features {feature}"),
    )
}
