//! `unmelt volumes evaluate`.

use serde::Serialize;
use unmelt_volumes::metrics::{Comparison, Row, compare, coverage, write_table};
use unmelt_volumes::{Volume, intensity};

use super::args::Evaluate;
use super::files;
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
pub fn run(args: &Evaluate) -> Result<(), Failure> {
    let truth = files::read_only(&args.truth)?;
    let marked: Vec<bool> = match &args.mask {
        Some(path) => on_grid_of(&truth, path)?.voxels.iter().map(|v| *v != 0.0).collect(),
        None => intensity::foreground(&truth.voxels),
    };
    let ends = match &args.interval[..] {
        [] => None,
        [low, high] => Some((on_grid_of(&truth, low)?, on_grid_of(&truth, high)?)),
        _ => return Err(Failure::usage("--interval wants two files: LOW.nii.gz,HIGH.nii.gz")),
    };
    let covered = ends.map(|(low, high)| {
        let middle: Vec<f32> = low.voxels.iter().zip(&high.voxels).map(|(l, h)| 0.5 * (l + h)).collect();
        let half: Vec<f32> = low.voxels.iter().zip(&high.voxels).map(|(l, h)| 0.5 * (h - l)).collect();
        coverage(&truth.voxels, &middle, &half, &marked)
    });
    let mut reports = Vec::new();
    for path in &args.outputs {
        let out = on_grid_of(&truth, path)?;
        let comparison = compare(&truth.voxels, &out.voxels, truth.grid.shape, &marked);
        reports.push(Report { volume: path.display().to_string(), comparison, coverage: covered });
    }
    if let Some(path) = &args.table {
        let rows: Vec<Row> =
            reports.iter().map(|r| Row { name: r.volume.clone(), comparison: r.comparison }).collect();
        write_table(&rows, path)?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&reports).map_err(|e| Failure::failed(e.to_string()))?;
        println!("{json}");
    } else {
        print(&reports);
    }
    Ok(())
}

fn on_grid_of(truth: &Volume, path: &std::path::Path) -> Result<Volume, Failure> {
    let volume = files::read_only(path)?;
    if volume.grid.same_as(&truth.grid) {
        return Ok(volume);
    }
    Err(Failure::usage(format!("{} lies on another grid than the truth", path.display())))
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
