//! Fitting of what makes intervals honest: volumes with a known truth are degraded, enhanced, and compared with what they were.

use std::collections::BTreeMap;
use std::path::Path;

use unmelt_diffusion::checkpoint::{CARD_FILE, Card, ModelFiles, WEIGHTS_FILE};
use unmelt_diffusion::files::write_whole;
use unmelt_diffusion::job::{Event, Job, Phase, Progress};
use unmelt_diffusion::measurement::Measurement;
use unmelt_diffusion::{Noise, Stream};

use crate::enhance::{EnhanceSettings, Enhancer};
use crate::field::intensity::{Scaling, centre, foreground};
use crate::field::random_stream::RandomStream;
use crate::measurement::{Fourier, Profile, Slices, random_cartesian_lines};
use crate::prior::calibration::{Calibration, Scores, covered, fitted_factor, scores};
use crate::task::{Task, TaskKind};
use crate::{Error, FieldRef, Grid, Result, Volume, VolumeModel};

/// Purposes of the noise.
const EXAM: u16 = 320;
const QUADRATURE: u16 = 321;

/// Shortest edge of a block that is worth an exam.
const LEAST_EDGE: usize = 16;

/// A spread below this part of the range counts as this.
const LEAST_DEVIATION: f64 = 1e-4;

/// Part of the field of view that is missing at the top, for outpainting.
const MISSING_TOP: f64 = 0.2;

/// Part of k-space that is sampled in full in its middle.
const MIDDLE_OF_KSPACE: f64 = 0.08;

/// How intervals are fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationSettings {
    /// For which tasks.
    pub kinds: Vec<TaskKind>,
    /// How much is done to the volumes, in the units of [`Calibration::severity`]; what is usual for each task if empty.
    pub severities: Vec<f64>,
    /// Samples of each volume.
    pub samples: usize,
    /// Steps of each sample.
    pub steps: usize,
    /// Solver; that of samples if not given.
    pub solver: Option<String>,
    /// Edge, in voxels, of the block in the middle of each volume that is enhanced.
    pub edge: usize,
    /// Seed of what is done to the volumes, and of the samples.
    pub seed: u64,
}

impl Default for CalibrationSettings {
    fn default() -> Self {
        Self {
            kinds: TaskKind::ALL.to_vec(),
            severities: Vec::new(),
            samples: 8,
            steps: 20,
            solver: None,
            edge: 48,
            seed: 0,
        }
    }
}

/// What was fitted, by task.
pub type Calibrated = BTreeMap<TaskKind, Vec<Calibration>>;

/// How much is done to volumes, for each task: noise in units of the robust range, voxels that a slice is thick, positions of k-space
/// for each that is sampled.
fn severities(kind: TaskKind, wanted: &[f64]) -> Result<&[f64]> {
    let fits = |s: &f64| match kind {
        TaskKind::Denoise => *s > 0.0 && *s <= 1.0,
        TaskKind::SuperResolve => *s >= 2.0 && *s <= 16.0 && s.fract() == 0.0,
        TaskKind::Inpaint | TaskKind::Outpaint => *s == 1.0,
        TaskKind::KSpace => *s > 1.0 && *s <= 16.0,
    };
    if let Some(wrong) = wanted.iter().find(|s| !fits(s)) {
        return Err(Error::Request(format!(
            "{wrong} is no severity of {}: noise is up to 1 (of the range), slices are 2 to 16 whole voxels thick, of k-space one position \
             in up to 16 is sampled, and holes and fields of view have the severity 1",
            kind.name()
        )));
    }
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    Ok(match kind {
        TaskKind::Denoise => &[0.03, 0.1],
        TaskKind::SuperResolve => &[2.0, 4.0, 6.0],
        TaskKind::Inpaint | TaskKind::Outpaint => &[1.0],
        TaskKind::KSpace => &[4.0],
    })
}

/// A volume with something wrong, what to do about it, and what should come out where.
struct Exam {
    volume: Volume,
    task: Task,
    truth: Vec<f32>,
    marked: Vec<bool>,
}

impl Enhancer {
    /// Fits the factors of intervals on volumes that the model was not trained on: a block of each is degraded, enhanced with
    /// several samples, and compared with the truth. The coverage that is told of each is that of volumes which were left out of
    /// the fit, one after the other. The job hears of every evaluation of every exam (as samples) and may stop the work.
    ///
    /// # Errors
    /// Fewer than two volumes, one that is too small or constant, settings out of their range, a request to stop.
    pub fn calibrate(
        &self,
        volumes: &[Volume],
        settings: &CalibrationSettings,
        job: &Job,
    ) -> Result<Calibrated> {
        if volumes.len() < 2 {
            return Err(Error::Request(
                "intervals are calibrated on at least two volumes: each is left out once to see what the others say of it".into(),
            ));
        }
        if settings.samples < 2 {
            return Err(Error::Request("intervals are calibrated with at least two samples".into()));
        }
        let blocks = volumes.iter().map(|v| block(v, settings.edge)).collect::<Result<Vec<_>>>()?;
        let bare = self.without_calibration();
        let walk = EnhanceSettings {
            solver: settings.solver.clone(),
            steps: settings.steps,
            seed: settings.seed,
            samples: settings.samples,
            ..EnhanceSettings::default()
        };
        let solver =
            walk.solver.as_deref().unwrap_or(crate::prior::calibration::SOLVER_OF_SAMPLES).to_owned();
        let wanted = |kind: TaskKind| severities(kind, &settings.severities);
        let all = settings.kinds.iter().map(|k| wanted(*k)).collect::<Result<Vec<_>>>()?;
        let exams = blocks.len() * all.iter().map(|s| s.len()).sum::<usize>();
        let (mut done, mut fitted) = (0, Calibrated::new());
        for &kind in &settings.kinds {
            for &severity in wanted(kind)? {
                let mut all: Vec<Scores> = Vec::new();
                for (number, truth) in blocks.iter().enumerate() {
                    let exam = exam(truth, kind, severity, settings.seed, number as u64)?;
                    let listener = |event: &Event| match event {
                        Event::Progress(of) => job.report(&Event::Progress(Progress {
                            phase: Phase::Calibrating,
                            finished: done,
                            at_work: 1,
                            samples: exams as u64,
                            step: of.evaluations(),
                            steps: of.all_evaluations(),
                        })),
                        other => job.report(other),
                    };
                    all.push(bare.scores_of(&exam, &walk, &job.heard_by(&listener))?);
                    done += 1;
                }
                let record = record(&all, severity, &walk, &solver).ok_or_else(|| {
                    Error::Request(format!("there is no foreground to calibrate {} on", kind.name()))
                })?;
                // What no card could be loaded with is not written.
                record.check()?;
                fitted.entry(kind).or_default().push(record);
            }
        }
        Ok(fitted)
    }

    fn scores_of(&self, exam: &Exam, walk: &EnhanceSettings, job: &Job) -> Result<Scores> {
        let out = self.enhance(&exam.volume, &exam.task, walk, job)?;
        let range = Scaling::of(&exam.truth).map_or(1.0, |s| s.range());
        let deviation = out.deviation.unwrap_or_else(|| vec![0.0; exam.truth.len()]);
        let least = (LEAST_DEVIATION * range) as f32;
        Ok(scores(&exam.truth, &out.volume.voxels, &deviation, &exam.marked, least))
    }
}

/// What the scores of volumes say; none where there is no voxel.
fn record(all: &[Scores], severity: f64, walk: &EnhanceSettings, solver: &str) -> Option<Calibration> {
    let factor = fitted_factor(&all.iter().collect::<Vec<_>>())?;
    let left_out = (0..all.len()).filter(|k| !all[*k].is_empty()).filter_map(|k| {
        let others: Vec<&Scores> = (0..all.len()).filter(|j| *j != k).map(|j| &all[j]).collect();
        fitted_factor(&others).map(|factor| covered(&all[k], factor))
    });
    let coverages: Vec<f64> = left_out.collect();
    let rounded = |part: f64| (part * 1e4).round() / 1e4;
    Some(Calibration {
        severity,
        factor: rounded(factor),
        coverage: rounded(coverages.iter().sum::<f64>() / coverages.len().max(1) as f64),
        lowest_coverage: rounded(coverages.iter().copied().fold(1.0, f64::min)),
        voxels: all.iter().map(|s| s.len() as u64).sum(),
        volumes: all.iter().filter(|s| !s.is_empty()).count() as u64,
        samples: walk.samples,
        steps: walk.steps,
        solver: solver.into(),
    })
}

/// The cube in the middle of a volume's foreground.
fn block(volume: &Volume, edge: usize) -> Result<Volume> {
    let shape = volume.grid.shape;
    let edge = shape.into_iter().fold(edge, usize::min);
    if edge < LEAST_EDGE {
        return Err(Error::Request(format!(
            "the volume ({}) has no block of {LEAST_EDGE} voxels along each axis to calibrate on",
            volume.grid
        )));
    }
    let middle = centre(FieldRef::new(&foreground(&volume.voxels), shape));
    let start: [usize; 3] =
        std::array::from_fn(|a| (middle[a].round() as usize).saturating_sub(edge / 2).min(shape[a] - edge));
    Ok(volume.part(start, [edge; 3]))
}

/// What is done to the truth for a task; `seed` and the volume's number decide of what is random.
fn exam(truth: &Volume, kind: TaskKind, severity: f64, seed: u64, number: u64) -> Result<Exam> {
    let (noise, shape) = (Noise::new(seed), truth.grid.shape);
    let scaling = Scaling::of(&truth.voxels)
        .ok_or_else(|| Error::Request("a volume is constant: there is nothing to calibrate on".into()))?;
    let shown = |truth: &Volume| foreground(&truth.voxels);
    let [nx, ny, nz] = shape;
    Ok(match kind {
        TaskKind::Denoise => {
            let sigma = severity * scaling.range();
            let rician = truth.voxels.iter().all(|v| *v >= 0.0);
            let normal = |purpose: u16| {
                let mut x = vec![0.0f32; truth.voxels.len()];
                noise.normal(Stream::new(number, purpose, 0), &mut x);
                x.into_iter().map(move |n| n * sigma as f32)
            };
            let mut noisy: Vec<f32> = truth.voxels.iter().zip(normal(EXAM)).map(|(v, n)| v + n).collect();
            if rician {
                noisy.iter_mut().zip(normal(QUADRATURE)).for_each(|(real, other)| *real = real.hypot(other));
            }
            Exam {
                volume: truth.with_voxels(noisy),
                task: Task::Denoise { sigma: Some(sigma), rician: Some(rician) },
                marked: shown(truth),
                truth: truth.voxels.clone(),
            }
        }
        TaskKind::SuperResolve => {
            let thick = severity.round() as usize;
            let truth = truth.part([0; 3], [nx, ny, nz / thick * thick]);
            let fine = truth.grid.shape;
            let coarse = [nx, ny, fine[2] / thick];
            let spacing = truth.grid.spacing();
            let voxels = Slices::new(fine, coarse, Profile::Box, 0.0).forward(&truth.voxels);
            let grid = truth.grid.with_spacing([spacing[0], spacing[1], spacing[2] * thick as f64]);
            Exam {
                volume: Volume::new(voxels, Grid { shape: coarse, ..grid }),
                task: Task::SuperResolve { spacing, profile: Profile::Box },
                marked: shown(&truth),
                truth: truth.voxels,
            }
        }
        TaskKind::Inpaint => {
            let mut draw = RandomStream::new(noise, number, EXAM);
            let missing = crate::degradation::ellipsoids(nx, &mut draw);
            let marked = shown(truth).iter().zip(&missing).map(|(shown, m)| *shown && *m).collect();
            Exam {
                volume: truth.clone(),
                task: Task::Inpaint { missing },
                marked,
                truth: truth.voxels.clone(),
            }
        }
        TaskKind::Outpaint => {
            let added = ((MISSING_TOP * nz as f64).round() as usize).clamp(1, nz - 1);
            let kept = (nz - added) * nx * ny;
            let volume = truth.part([0; 3], [nx, ny, nz - added]);
            let marked = shown(truth).into_iter().enumerate().map(|(k, shown)| shown && k >= kept).collect();
            let task = Task::Outpaint { low: [0; 3], high: [0, 0, added] };
            Exam { volume, task, marked, truth: truth.voxels.clone() }
        }
        TaskKind::KSpace => {
            let lines = random_cartesian_lines(ny, severity, MIDDLE_OF_KSPACE, seed.wrapping_add(number));
            let sampled = (0..nx * ny).map(|k| lines[k / nx]).collect();
            let measurement = Fourier::new(shape, sampled, Vec::new(), 0.0);
            let data = measurement.forward(&truth.voxels);
            Exam {
                volume: truth.clone(),
                task: Task::KSpace { measurement, data },
                marked: shown(truth),
                truth: truth.voxels.clone(),
            }
        }
    })
}

/// Writes a model's folder with what was fitted on its card, in place of what the card said of the same task, severity and solver.
/// In the folder that the model came from only the card is written.
///
/// # Errors
/// A folder or a file that cannot be written.
pub fn write_calibrated(files: &ModelFiles, fitted: &Calibrated, folder: &Path) -> Result<()> {
    let mut card: Card<VolumeModel> = files.card()?;
    for (kind, records) in fitted {
        card.model.interval_scale.remove(kind.name());
        let known = card.model.calibration.entry(kind.name().into()).or_default();
        known.retain(|k| records.iter().all(|r| (k.severity, &k.solver) != (r.severity, &r.solver)));
        known.extend(records.iter().cloned());
        known.sort_by(|a, b| a.severity.total_cmp(&b.severity));
    }
    let path = folder.join(CARD_FILE);
    let json = serde_json::to_vec_pretty(&card)
        .map_err(|e| Error::data("model card", path.display(), e.to_string()))?;
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    if !is_same_folder(&files.origin, folder) {
        write_whole(folder.join(WEIGHTS_FILE), &files.weights)?;
    }
    Ok(write_whole(path, &json)?)
}

/// Whether two names are those of one folder.
fn is_same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::models;

    /// A ball with waves in it, another for each number.
    fn ball(number: usize) -> Volume {
        let n = 24;
        let voxels = (0..n * n * n)
            .map(|k| {
                let at = [k % n, k / n % n, k / (n * n)].map(|i| i as f32 - 11.5);
                let r2: f32 = at.iter().map(|v| v * v).sum();
                let wave = (0.9 * at[0] + number as f32).sin() * (0.7 * at[2]).cos();
                if r2 < 100.0 { 500.0 + 200.0 * wave } else { 0.0 }
            })
            .collect();
        Volume::new(voxels, Grid::centred([n; 3], [1.0; 3]))
    }

    #[test]
    fn factors_are_fitted_written_and_used() {
        let files = models::find("brain-mri").expect("a model");
        let enhancer = Enhancer::load(&files, &Device::flex()).expect("loaded");
        let settings = CalibrationSettings {
            kinds: vec![TaskKind::Denoise, TaskKind::KSpace],
            samples: 2,
            steps: 2,
            edge: 16,
            ..CalibrationSettings::default()
        };
        let seen = std::sync::Mutex::new(Vec::new());
        let listener = |event: &Event| {
            if let Event::Progress(progress) = event {
                seen.lock().expect("no panic").push(*progress);
            }
        };
        let volumes = [ball(0), ball(1)];
        let job = Job::new();
        let fitted = enhancer.calibrate(&volumes, &settings, &job.heard_by(&listener)).expect("fitted");
        let seen = seen.into_inner().expect("no panic");
        assert_eq!((seen[0].samples, seen.len(), seen[23].share()), (6, 6 * 4, 1.0));
        assert!(seen.is_sorted_by_key(Progress::evaluations));
        assert_eq!(fitted[&TaskKind::Denoise].len(), 2);
        for record in fitted.values().flatten() {
            assert!(record.check().is_ok() && record.volumes == 2 && record.voxels > 1000, "{record:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        write_calibrated(&files, &fitted, folder.path()).expect("written");
        let found = models::find(&folder.path().to_string_lossy()).expect("a model");
        let again = Enhancer::load(&found, &Device::flex()).expect("it loads");
        assert_eq!(again.card().model.calibration["kspace"], fitted[&TaskKind::KSpace]);
        // The deviation is that of the samples times the factor, and the interval is of its scale.
        let walk = EnhanceSettings { samples: 2, steps: 2, ..EnhanceSettings::default() };
        let task = Task::Denoise { sigma: Some(70.0), rician: Some(true) };
        let of =
            |enhancer: &Enhancer| enhancer.enhance(&volumes[0], &task, &walk, &Job::new()).expect("enhanced");
        let (bare, scaled) = (of(&enhancer.without_calibration()), of(&again));
        assert!(!bare.calibrated && scaled.calibrated);
        assert_eq!(bare.volume.voxels, scaled.volume.voxels);
        let (a, b) = (bare.deviation.expect("several"), scaled.deviation.expect("several"));
        let severity = 70.0 / Scaling::of(&volumes[0].voxels).expect("a range").range();
        let factor =
            again.card().model.interval_factor(TaskKind::Denoise, severity, &walk).expect("a factor");
        let half = scaled.half_interval.expect("several");
        for k in 0..a.len() {
            assert!((b[k] - factor as f32 * a[k]).abs() <= 1e-4 * b[k].abs() + 1e-6, "{} {}", b[k], a[k]);
            assert!((half[k] - 1.644_854 * b[k]).abs() <= 1e-4 * half[k] + 1e-6);
        }
        let one = enhancer.calibrate(&volumes[..1], &settings, &Job::new());
        assert!(one.expect_err("one volume").to_string().contains("at least two volumes"));
        let cancel = unmelt_diffusion::job::CancelToken::new();
        cancel.cancel();
        let stopped = enhancer.calibrate(&volumes, &settings, &Job::new().cancelled_by(&cancel));
        assert!(stopped.expect_err("stopped").is_stopped());
    }

    #[test]
    fn exams_keep_the_truth_where_they_ask_for_it() {
        let truth = block(&ball(0), 20).expect("a block");
        assert_eq!(truth.grid.shape, [20; 3]);
        assert!(truth.grid.world([0.0; 3]).iter().all(|v| (v + 9.5).abs() < 1e-9));
        for kind in TaskKind::ALL {
            for severity in severities(kind, &[]).expect("the usual ones") {
                let exam = exam(&truth, kind, *severity, 0, 1).expect("an exam");
                let voxels = exam.truth.len();
                assert!(exam.marked.len() == voxels && exam.marked.contains(&true), "{kind:?}");
                if let Task::SuperResolve { .. } = exam.task {
                    let grid = exam.volume.grid;
                    assert!((grid.spacing()[2] - severity).abs() < 1e-9, "{grid}");
                }
            }
        }
        let exam = exam(&truth, TaskKind::Inpaint, 1.0, 0, 1).expect("an exam");
        let Task::Inpaint { missing } = exam.task else { panic!("inpainting") };
        assert!(exam.marked.iter().zip(&missing).all(|(marked, missing)| *missing || !marked));
    }
}
