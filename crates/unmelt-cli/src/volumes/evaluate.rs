//! `unmelt volumes evaluate`.

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use unmelt_imaging::intensity;
use unmelt_imaging::metrics::{Comparison, compare, coverage};
use unmelt_imaging_io::{Row, write_table};

use super::args::Evaluate;
use super::files;
use crate::Outcome;
use crate::failure::Failure;

#[derive(Serialize)]
struct Report {
    volume: String,
    #[serde(flatten)]
    comparison: Comparison,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
}

/// Compares.
pub fn run(args: &Evaluate) -> Outcome {
    if args.writing.overwrite && args.table.is_none() {
        return Err(Failure::usage("--overwrite is of the --table, and none is written"));
    }
    let inputs: Vec<&Path> = std::iter::once(args.truth.as_path())
        .chain(args.outputs.iter().chain(&args.mask).chain(&args.interval).map(|p| p.as_path()))
        .collect();
    let tables: Vec<&Path> = args.table.as_deref().into_iter().collect();
    let _claims = args.writing.claim(&inputs, &tables)?;
    let truth = files::read_only(&args.truth)?.volume;
    let on_its_grid = |path: &Path| files::read_on_grid_of((&truth, &args.truth), path);
    let marked: Vec<bool> = match &args.mask {
        Some(path) => files::read_mask_on_grid_of((&truth, &args.truth), path)?,
        None => intensity::foreground(&truth.voxels),
    };
    let ends = match &args.interval[..] {
        [] => None,
        [low, high] => Some((on_its_grid(low)?, on_its_grid(high)?)),
        _ => {
            return Err(Failure::usage(
                "--interval needs two files, separated by a comma: LOW.nii.gz,HIGH.nii.gz",
            ));
        }
    };
    let covered = ends.map(|(low, high)| {
        let middle: Vec<f32> = low.voxels.iter().zip(&high.voxels).map(|(l, h)| 0.5 * (l + h)).collect();
        let half: Vec<f32> = low.voxels.iter().zip(&high.voxels).map(|(l, h)| 0.5 * (h - l)).collect();
        coverage(&truth.voxels, &middle, &half, &marked)
    });
    let mut reports = Vec::new();
    for path in &args.outputs {
        let out = on_its_grid(path)?;
        let comparison = compare(truth.field(), out.field(), &marked);
        reports.push(Report { volume: path.display().to_string(), comparison, coverage: covered });
    }
    if let Some(path) = &args.table {
        let rows: Vec<Row> =
            reports.iter().map(|r| Row { name: r.volume.clone(), comparison: r.comparison }).collect();
        write_table(&rows, path)?;
    }
    print(&reports);
    Ok(json!(reports))
}

fn print(reports: &[Report]) {
    if let Some(first) = reports.first() {
        println!("data range {:.4} (0.5 to 99.5 % of the truth)", first.comparison.data_range);
    }
    println!("{:<28} {:<11} {:>9} {:>7} {:>10} {:>7}", "volume", "voxels", "PSNR/dB", "SSIM", "NMSE", "HFEN");
    for report in reports {
        let c = &report.comparison;
        for (name, q) in [("foreground", c.foreground), ("whole", c.whole)] {
            println!(
                "{:<28} {name:<11} {:>9.2} {:>7.4} {:>10.3e} {:>7.4}",
                report.volume, q.psnr, q.ssim, q.nmse, q.hfen
            );
        }
    }
    if let Some(covered) = reports.first().and_then(|r| r.coverage) {
        println!("truth within the interval: {:.1} % of the foreground", 100.0 * covered);
    }
}
