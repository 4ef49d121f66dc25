//! `unmelt volumes info`.

use serde_json::{Value, json};
use unmelt_imaging::intensity::percentiles;
use unmelt_imaging::{FieldRef, Orientation, rician};
use unmelt_imaging_io::nifti::Version;
use unmelt_imaging_io::{Depth, ScanSeries, Source};

use super::args::Info;
use super::files;
use crate::Outcome;

/// Prints what a scan, a series or a picture is.
pub fn run(args: &Info) -> Outcome {
    let scan = files::read_series(&args.input)?;
    let (series, lattice) = (&scan.series, scan.series.lattice());
    let stored = stored(series.acquisition.orientation);
    let [x, y, z] = lattice.shape();
    let s = lattice.grid.spacing();
    println!("kind          {}", kind_of(&scan));
    println!("voxels        {x} × {y} × {z} (right, front, top)");
    println!("spacing       {:.3} × {:.3} × {:.3} mm", s[0], s[1], s[2]);
    if lattice.channels > 1 {
        println!("channels      {}", lattice.channels);
    }
    if lattice.frames > 1 {
        let step = if lattice.frame_step > 0.0 {
            format!(", {} s apart", lattice.frame_step as f32)
        } else {
            String::new()
        };
        println!("frames        {}{step}", lattice.frames);
    }
    println!("stored as     {stored}");
    let middle = lattice.grid.world([x, y, z].map(|n| 0.5 * (n as f64 - 1.0)));
    println!("middle        {:.1}, {:.1}, {:.1} mm", middle[0], middle[1], middle[2]);
    let values = series.values();
    let (low, high) = percentiles(values, 0.5, 99.5).unwrap_or_default();
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    println!("intensities   {min:.3} to {max:.3}, 0.5 to 99.5 % within {low:.3} to {high:.3}");
    let noise = rician::estimate(FieldRef::new(series.part(0, 0), lattice.shape()));
    let kind = if noise.rician { "Rician" } else { "Gaussian" };
    let of = if lattice.is_scalar() { "" } else { " in the first frame and channel" };
    println!("noise         about {:.4} ({kind}){of}", noise.sigma);
    let step = Some(lattice.frame_step).filter(|s| *s > 0.0).map_or(Value::Null, Value::from);
    Ok(json!({
        "kind": kind_of(&scan), "shape": lattice.shape(), "spacing_mm": s, "channels": lattice.channels, "frames": lattice.frames,
        "frame_step_s": step, "stored_as": stored,
        "middle_mm": [middle[0], middle[1], middle[2]], "least": min, "most": max, "percentile_0.5": low, "percentile_99.5": high,
        "noise": { "sigma": noise.sigma, "is_rician": noise.rician },
    }))
}

fn kind_of(scan: &ScanSeries) -> String {
    match &scan.source {
        Source::Nifti(s) => {
            let version = match s.header.version {
                Version::One => 1,
                Version::Two => 2,
            };
            let [sform, qform] = [s.header.sform_code, s.header.qform_code];
            format!("NIfTI-{version}, sform code {sform}, qform code {qform}")
        }
        Source::Dicom(s) => {
            let uid = unmelt_diffusion::files::plain(&s.uid);
            format!("DICOM {}, {} frames, series {uid}", s.modality, s.frames())
        }
        Source::Picture(s) => {
            let numbers = match s.depth {
                Depth::Eight => "8 bits",
                Depth::Sixteen => "16 bits",
                Depth::Float => "32-bit floats",
            };
            format!("{} picture, {numbers}", s.kind.name())
        }
        Source::Memory => "an array in memory".into(),
    }
}

/// The three letters towards which the stored axes run.
fn stored(orientation: Orientation) -> String {
    const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];
    let mut letters = [' '; 3];
    for world in 0..3 {
        letters[orientation.axes[world]] = LETTERS[world][usize::from(orientation.flips[world])];
    }
    letters.iter().collect()
}
