//! Enhancement without a model: a block-matching filter, interpolation with back-projection, smooth filling. It takes signals, images
//! and volumes of any kind, because nothing was learned from one kind.

use unmelt_diffusion::job::{Event, Job, Phase, Progress};

use crate::classical::block_matching::BlockMatching;
use crate::classical::filling::{THOROUGH, fill, settled};
use crate::classical::interpolate::resample;
use crate::enhance::problem::{Problem, check_mask, finer_grid};
use crate::enhance::settings::Enhanced;
use crate::field::intensity::Scaling;
use crate::task::Task;
use crate::{Error, FieldRef, Result, Series, Volume};

/// Voxels from one block to the next.
const STEP: usize = 2;

/// Enhances one field without a model: noise is taken away by a block-matching filter, a finer grid is resolved by cubic interpolation
/// whose averages are brought to the data, and holes are filled smoothly.
///
/// ```
/// use unmelt_diffusion::job::Job;
/// use unmelt_imaging::enhance::{Task, enhance_classically};
/// use unmelt_imaging::{Grid, Volume};
///
/// let image = Volume::new((0..400).map(|k| (k % 20) as f32).collect(), Grid::centred([20, 20, 1], [1.0; 3]));
/// let mut missing = vec![false; 400];
/// missing[190..193].fill(true);
/// let filled = enhance_classically(&image, &Task::Inpaint { missing }, &Job::new())?.volume;
/// assert!((filled.voxels[191] - 11.0).abs() < 0.5);
/// # Ok::<(), unmelt_imaging::Error>(())
/// ```
///
/// # Errors
/// A task for which there is no such method (k-space), one that does not fit the volume, an image that is too small for blocks, a
/// request to stop.
pub fn enhance_classically(volume: &Volume, task: &Task, job: &Job) -> Result<Enhanced> {
    let cancel = job.cancel_token();
    let task = &within(volume, task);
    if let Task::KSpace { .. } = task {
        return Err(Error::Request("without a model k-space is not reconstructed".into()));
    }
    if matches!(task, Task::Denoise { .. }) && !BlockMatching::has_room(volume.grid.shape) {
        return Err(Error::Request(format!(
            "a block-matching filter wants at least 16 × 16 pixels or 8 × 8 × 8 voxels, and there are {}",
            volume.grid
        )));
    }
    if Scaling::of(&known(volume, task)?).is_none() {
        return constant(volume, task, job);
    }
    let problem = Problem::new(volume, task, cancel)?;
    let estimate = match (task, problem.noise) {
        (Task::Denoise { .. }, Some(noise)) => {
            let sigma = noise.sigma / problem.scaling.range();
            let filter = BlockMatching { sigma, share: 1.0, step: STEP, wanted: None, cancel };
            match sigma > 0.0 {
                true => problem.unbiased(filter.denoised(FieldRef::new(&problem.data, volume.grid.shape))),
                false => problem.data.clone(),
            }
        }
        (Task::Inpaint { .. } | Task::Outpaint { .. }, _) => {
            problem.settled(cancel).unwrap_or_else(|| problem.start.clone())
        }
        _ => problem.start.clone(),
    };
    cancel.check()?;
    Ok(problem.finish(estimate, None, None))
}

/// The same task on the axes that a field has: an image has no finer grid across itself.
fn within(volume: &Volume, task: &Task) -> Task {
    let Task::SuperResolve { spacing, profile } = task else { return task.clone() };
    let (shape, own) = (volume.grid.shape, volume.grid.spacing());
    let spacing = std::array::from_fn(|a| if shape[a] == 1 { own[a] } else { spacing[a] });
    Task::SuperResolve { spacing, profile: *profile }
}

/// The values that a task begins with.
fn known(volume: &Volume, task: &Task) -> Result<Vec<f32>> {
    let Task::Inpaint { missing } = task else { return Ok(volume.voxels.clone()) };
    check_mask(missing, volume)?;
    Ok(volume.voxels.iter().zip(missing).filter(|(_, m)| !**m).map(|(v, _)| *v).collect())
}

/// What becomes of a field without a range: an empty frame of a series, a channel without colour.
fn constant(volume: &Volume, task: &Task, job: &Job) -> Result<Enhanced> {
    let cancel = job.cancel_token();
    let mut out = volume.clone();
    match task {
        Task::Denoise { .. } | Task::KSpace { .. } => {}
        Task::SuperResolve { spacing, .. } => {
            let grid = finer_grid(volume, *spacing)?;
            out.voxels = resample(volume.field(), grid.shape).into_values();
            out.grid = grid;
        }
        Task::Inpaint { missing } => {
            let known: Vec<bool> = missing.iter().map(|m| !m).collect();
            out.voxels = fill(volume.field(), &known, cancel).into_values();
        }
        Task::Outpaint { low, high } => {
            let (wide, known) = crate::enhance::problem::extended(volume, *low, *high)?;
            out = wide.with_voxels(settled(wide.field(), &known, THOROUGH, cancel).into_values());
        }
    }
    cancel.check()?;
    Ok(Enhanced { volume: out, deviation: None, half_interval: None, calibrated: false, noise: None })
}

/// A series that was enhanced, and the noise that was assumed of each of its parts.
#[derive(Clone, Debug)]
pub struct EnhancedSeries {
    /// The series.
    pub series: Series,
    /// The noise of every channel of every frame, for denoising, in the units of the values.
    pub noise: Vec<crate::rician::Estimate>,
}

/// The same of every channel of every frame of a series, one after the other; the job hears of each as a sample.
///
/// # Errors
/// Those of [`enhance_classically`].
pub fn enhance_series_classically(series: &Series, task: &Task, job: &Job) -> Result<EnhancedSeries> {
    let lattice = *series.lattice();
    let samples = lattice.parts() as u64;
    let (mut volumes, mut noise) = (Vec::with_capacity(lattice.parts()), Vec::new());
    for (number, volume) in series.volumes().enumerate() {
        job.check()?;
        let out = enhance_classically(&volume, task, job)?;
        noise.extend(out.noise);
        volumes.push(out.volume);
        let finished = number as u64;
        let progress =
            Progress { phase: Phase::Estimating, finished, at_work: 1, samples, step: 1, steps: 1 };
        job.report(&Event::Progress(progress));
    }
    let joined = Series::joined(volumes, lattice.channels, lattice.frame_step);
    let series = joined.acquired(series.acquisition.clone());
    Ok(EnhancedSeries { series, noise })
}

#[cfg(test)]
mod tests {
    use unmelt_diffusion::{Noise, Stream};

    use super::*;
    use crate::measurement::Profile;
    use crate::{Grid, Lattice};

    /// Stripes whose brightness depends on the frame.
    fn series(shape: [usize; 3], channels: usize, frames: usize) -> Series {
        let grid = Grid::centred(shape, [1.0; 3]);
        let lattice = Lattice { channels, frames, ..Lattice::scalar(grid) };
        let points = grid.voxels();
        let value = |k: usize| {
            let (part, at) = (k / points, k % points);
            if (at % shape[0] / 6).is_multiple_of(2) { 20.0 } else { 100.0 + 10.0 * part as f32 }
        };
        Series::new((0..lattice.values()).map(value).collect(), lattice)
    }

    #[test]
    fn noise_goes_from_every_frame_and_channel() {
        let clean = series([48, 40, 1], 3, 2);
        let mut noise = vec![0.0f32; clean.values().len()];
        Noise::new(3).normal(Stream::new(0, 0, 0), &mut noise);
        let noisy: Vec<f32> = clean.values().iter().zip(&noise).map(|(v, n)| v + 8.0 * n).collect();
        let noisy = Series::new(noisy, *clean.lattice());
        let task = Task::Denoise { sigma: None, rician: Some(false) };
        let out = enhance_series_classically(&noisy, &task, &Job::new()).expect("enhanced");
        assert_eq!((out.series.lattice(), out.noise.len()), (clean.lattice(), 6));
        // An estimate is that of some 200 blocks of 2 × 2 pixels.
        assert!(out.noise.iter().all(|n| (n.sigma - 8.0).abs() < 2.0), "{:?}", out.noise);
        for frame in 0..2 {
            for channel in 0..3 {
                let error = |s: &Series| -> f32 {
                    let pairs = s.part(channel, frame).iter().zip(clean.part(channel, frame));
                    pairs.map(|(a, b)| (a - b).powi(2)).sum()
                };
                assert!(error(&out.series) < 0.3 * error(&noisy), "{frame} {channel}");
            }
        }
    }

    #[test]
    fn images_are_resolved_and_filled_and_empty_frames_stay_empty() {
        let clean = series([24, 20, 1], 1, 2);
        let mut values = clean.values().to_vec();
        values[480..].fill(7.0);
        let image = Series::new(values, *clean.lattice());
        let task = Task::SuperResolve { spacing: [0.5; 3], profile: Profile::Box };
        let out = enhance_series_classically(&image, &task, &Job::new()).expect("enhanced").series;
        assert_eq!(out.lattice().shape(), [48, 40, 1]);
        assert!(out.part(0, 1).iter().all(|v| (v - 7.0).abs() < 1e-4));
        // What a pixel was the mean of has that mean.
        let mean = (0..4).map(|k| out.part(0, 0)[k % 2 + 48 * (k / 2)]).sum::<f32>() / 4.0;
        assert!((mean - image.values()[0]).abs() < 0.5, "{mean}");
        let missing: Vec<bool> = (0..480).map(|k| k % 24 == 9).collect();
        let task = Task::Inpaint { missing: missing.clone() };
        let out = enhance_series_classically(&image, &task, &Job::new()).expect("enhanced").series;
        for k in 0..480 {
            let (got, want) = (out.part(0, 0)[k], clean.values()[k]);
            assert!(if missing[k] { (got - want).abs() < 15.0 } else { got == want }, "{k}: {got} {want}");
        }
        assert!(out.part(0, 1).iter().all(|v| (v - 7.0).abs() < 1e-4));
    }

    #[test]
    fn what_has_no_method_without_a_model_is_refused() {
        let task = Task::Denoise { sigma: Some(1.0), rician: Some(false) };
        let small = series([12, 12, 1], 1, 1);
        let said = enhance_series_classically(&small, &task, &Job::new()).expect_err("too small").to_string();
        assert!(said.contains("16 × 16"), "{said}");
        let cancel = unmelt_diffusion::job::CancelToken::new();
        cancel.cancel();
        let image = series([48, 40, 1], 1, 1);
        let stopped = enhance_series_classically(&image, &task, &Job::new().cancelled_by(&cancel));
        assert!(stopped.expect_err("stopped").is_stopped());
    }
}
