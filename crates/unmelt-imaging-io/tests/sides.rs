//! What is on the left of a patient is on the left after every task, by sform and by qform.

use std::path::Path;

use unmelt_diffusion::device::DeviceName;
use unmelt_diffusion::job::Job;
use unmelt_imaging::enhance::{EnhanceSettings, Enhancer, Task};
use unmelt_imaging::measurement::Profile;
use unmelt_imaging::{Grid, Orientation, Volume, kspace, models};
use unmelt_imaging_io::nifti::read;
use unmelt_imaging_io::{Derivation, Scan};

const SHAPE: [usize; 3] = [14, 12, 10];
const SPACING: [f64; 3] = [1.5, 1.5, 2.0];

/// A head of sorts: a bright block at the left, the back and the bottom, a little at the others' ends.
fn head(orientation: Orientation) -> Scan {
    let grid = Grid::centred(SHAPE, SPACING);
    let voxels = (0..grid.voxels()).map(|k| {
        let [x, y, z] = [k % SHAPE[0], k / SHAPE[0] % SHAPE[1], k / SHAPE[0] / SHAPE[1]];
        let inside = (2..12).contains(&x) && (2..10).contains(&y) && (2..8).contains(&z);
        let bright = x < 6 && y < 5 && z < 5;
        (if !inside {
            0.0
        } else if bright {
            300.0
        } else {
            40.0
        }) + (k % 7) as f32
    });
    let mut volume = Volume::new(voxels.collect(), grid);
    volume.acquisition.orientation = orientation;
    Scan::new(volume)
}

/// Mean place of a file's voxels, weighed by their values, by one of its forms alone.
fn middle(path: &Path, form: &str, folder: &Path) -> [f64; 3] {
    let mut bytes = std::fs::read(path).expect("readable");
    let other = if form == "sform" { 252 } else { 254 };
    assert!(bytes[252] == 1 && bytes[254] == 1, "both forms are there");
    bytes[other] = 0;
    let alone = folder.join("alone.nii");
    std::fs::write(&alone, bytes).expect("written");
    let volume = read(&alone, None).expect("readable").scan.volume;
    let [nx, ny, _] = volume.grid.shape;
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for (k, v) in volume.voxels.iter().enumerate() {
        let place = volume.grid.world([k % nx, k / nx % ny, k / nx / ny].map(|v| v as f64));
        let v = f64::from(v.max(0.0));
        (0..3).for_each(|a| sum[a] += v * place[a]);
        weight += v;
    }
    sum.map(|s| s / weight)
}

#[test]
fn left_stays_left_in_every_task() {
    let device = "cpu".parse::<DeviceName>().expect("a device").open().expect("a device");
    let enhancer = Enhancer::load(&models::find("brain-mri").expect("a model"), &device).expect("loaded");
    let settings = EnhanceSettings { steps: 1, ..EnhanceSettings::default() };
    let dir = tempfile::tempdir().expect("a folder");
    for flips in [[false; 3], [true, false, false], [true, true, false], [false, true, true], [true; 3]] {
        for axes in [[0, 1, 2], [2, 0, 1]] {
            let scan = head(Orientation { axes, flips });
            let derivation = |task: &str| Derivation::new(task, "");
            let path = dir.path().join("in.nii");
            scan.write(&path, &derivation("convert")).expect("written");
            // From the file's header from now on.
            let scan = read(&path, None).expect("readable").scan;
            let volume = &scan.volume;
            let mut missing = vec![false; volume.voxels.len()];
            missing[800..803].fill(true);
            let sampled: Vec<bool> = (0..SHAPE[0] * SHAPE[1])
                .map(|k| !(k / SHAPE[0]).is_multiple_of(3) || k / SHAPE[0] == 6)
                .collect();
            let (measurement, data) = kspace::of_zero_filled(volume.field(), &sampled).expect("k-space");
            let tasks = [
                Task::Denoise { sigma: Some(5.0), rician: Some(false) },
                Task::SuperResolve { spacing: [1.5, 1.5, 1.0], profile: Profile::Box },
                Task::Inpaint { missing },
                Task::Outpaint { low: [2, 0, 1], high: [0, 1, 0] },
                Task::KSpace { measurement, data },
            ];
            for task in tasks {
                let out = enhancer.enhance(volume, &task, &settings, &Job::new()).expect("enhanced").volume;
                let path = dir.path().join("out.nii");
                scan.with(out).write(&path, &derivation(task.name())).expect("written");
                for form in ["sform", "qform"] {
                    let found = middle(&path, form, dir.path());
                    let what = format!("{} by its {form}, {axes:?} {flips:?}: {found:?}", task.name());
                    assert!(found.iter().all(|v| (-12.0..-0.5).contains(v)), "{what}");
                }
            }
        }
    }
}
