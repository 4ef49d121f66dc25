//! `unmelt volumes info`.

use serde_json::json;
use unmelt_imaging::intensity::percentiles;
use unmelt_imaging::{Volume, rician};
use unmelt_imaging_io::nifti::Version;
use unmelt_imaging_io::{Scan, Source};

use super::args::Info;
use super::files;
use crate::Outcome;

/// Prints what a volume is.
pub fn run(args: &Info) -> Outcome {
    let scan = files::read(&args.input)?;
    let volume = &scan.volume;
    let [x, y, z] = volume.grid.shape;
    let s = volume.grid.spacing();
    println!("kind          {}", kind_of(&scan));
    println!("voxels        {x} × {y} × {z} (right, front, top)");
    println!("spacing       {:.3} × {:.3} × {:.3} mm", s[0], s[1], s[2]);
    println!("stored as     {}", stored(volume));
    let middle = volume.grid.world([x, y, z].map(|n| 0.5 * (n as f64 - 1.0)));
    println!("middle        {:.1}, {:.1}, {:.1} mm", middle[0], middle[1], middle[2]);
    let (low, high) = percentiles(&volume.voxels, 0.5, 99.5).unwrap_or_default();
    let min = volume.voxels.iter().copied().fold(f32::INFINITY, f32::min);
    let max = volume.voxels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    println!("intensities   {min:.3} to {max:.3}, 0.5 to 99.5 % within {low:.3} to {high:.3}");
    let noise = rician::estimate(&volume.voxels, volume.grid.shape);
    let kind = if noise.rician { "Rician" } else { "Gaussian" };
    println!("noise         about {:.4} ({kind})", noise.sigma);
    Ok(json!({
        "kind": kind_of(&scan), "shape": volume.grid.shape, "spacing_mm": s, "stored_as": stored(volume),
        "middle_mm": [middle[0], middle[1], middle[2]], "least": min, "most": max, "percentile_0.5": low, "percentile_99.5": high,
        "noise": { "sigma": noise.sigma, "is_rician": noise.rician },
    }))
}

fn kind_of(scan: &Scan) -> String {
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
        Source::Memory => "an array in memory".into(),
    }
}

/// The three letters towards which the stored axes run.
fn stored(volume: &Volume) -> String {
    let orientation = volume.orientation();
    const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];
    let mut letters = [' '; 3];
    for world in 0..3 {
        letters[orientation.axes[world]] = LETTERS[world][usize::from(orientation.flips[world])];
    }
    letters.iter().collect()
}
