//! One side of a contest: loads, answers, and runs when it is told to.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::{Arrays, read_arrays};

use crate::Failure;
use crate::work::{Work, sample};

/// What a side says after its first runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Memory before the first run, in MB.
    pub idle_mb: f64,
    /// The output of the first run, or the losses of the first two.
    pub check: Vec<f32>,
}

/// What a side says after each line "run", and, with the memory, at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timed {
    /// Milliseconds.
    pub ms: f64,
    /// The most memory that the process has held, in MB.
    pub peak_mb: f64,
}

/// Serves standard input.
pub fn serve(name: &str, folder: &Path, device: &str) -> Result<(), Failure> {
    let device = open(device)?;
    let mut work = Work::new(name, &arrays(folder, "weights")?, arrays(folder, "inputs")?, &device)?;
    let idle_mb = status("VmRSS:");
    let mut check = sample(work.run()?);
    if name.ends_with("-train") {
        check.extend(sample(work.run()?));
    }
    say(&Ready { idle_mb, check })?;
    for line in std::io::stdin().lock().lines() {
        if line.map_err(Failure::system("standard input"))?.trim() != "run" {
            break;
        }
        let begin = Instant::now();
        let output = work.run()?;
        // A device that works on its own is done once something of the output has arrived.
        sample(output.slice(0..1));
        say(&Timed { ms: begin.elapsed().as_secs_f64() * 1e3, peak_mb: status("VmHWM:") })?;
    }
    Ok(())
}

fn arrays(folder: &Path, name: &str) -> Result<Arrays, Failure> {
    let path = folder.join(format!("{name}.safetensors"));
    let bytes = std::fs::read(&path).map_err(Failure::system(path.display().to_string()))?;
    Ok(read_arrays(&bytes, &path)?)
}

fn open(name: &str) -> Result<Device, Failure> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        _ => Err(Failure::Said(format!(
            "the device \"{name}\" is not built in; cpu is, and cuda by its feature"
        ))),
    }
}

fn say<T: Serialize>(what: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(what).map_err(|e| Failure::Said(e.to_string()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::system("standard output"))
}

/// A line of /proc/self/status in MB; 0 where there is no such file.
fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
