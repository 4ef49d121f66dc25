//! What makes the spread of samples an honest one: factors that were fitted on scans with a known truth.
//!
//! The score of a voxel is the distance of its truth from the mean of the samples, in standard deviations of the samples. The
//! factor is the 90 % quantile of the scores over that of a normal distribution (split conformal prediction: Papadopoulos et al.
//! 2002, "Inductive confidence machines for regression"), so that mean ± 1.645 scaled deviations hold nine voxels in ten of scans
//! like those that it was fitted on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::enhance::EnhanceSettings;
use crate::task::TaskKind;
use crate::{Error, Result, VolumeModel};

/// Part of the voxels that an interval should hold.
pub const LEVEL: f64 = 0.9;

/// Standard deviations of a normal distribution that hold that part, on either side.
pub const DEVIATIONS: f64 = 1.644_854;

/// The solver that samples are drawn by where none is named.
pub const SOLVER_OF_SAMPLES: &str = "diffpir";

/// What was fitted for a task at one severity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How much was wrong with the scans: the noise in units of the robust range, the thickness of slices in voxels of the result,
    /// the positions of k-space for each that was sampled; 1 for holes and for a field of view.
    pub severity: f64,
    /// What the standard deviation of the samples is multiplied by.
    pub factor: f64,
    /// Part of the voxels that the 90 % interval held in volumes that were left out of the fit, on average.
    pub coverage: f64,
    /// The same of the volume where it was lowest.
    pub lowest_coverage: f64,
    /// Voxels that it was fitted on.
    pub voxels: u64,
    /// Volumes that they come from.
    pub volumes: u64,
    /// Samples of each.
    pub samples: usize,
    /// Steps of each sample.
    pub steps: usize,
    /// Solver.
    pub solver: String,
}

impl Calibration {
    /// Checks a record that was read.
    pub(crate) fn check(&self) -> Result<()> {
        let whole = |n: usize| n as f64;
        for (name, value, [low, high]) in [
            ("severity", self.severity, [1e-6, 1e3]),
            ("factor", self.factor, FACTORS),
            ("coverage", self.coverage, [0.0, 1.0]),
            ("lowest_coverage", self.lowest_coverage, [0.0, 1.0]),
            ("voxels", self.voxels as f64, [1.0, 1e15]),
            ("volumes", self.volumes as f64, [1.0, 1e9]),
            ("samples", whole(self.samples), [2.0, 65_536.0]),
            ("steps", whole(self.steps), [1.0, 1e6]),
        ] {
            if !(value >= low && value <= high) {
                return Err(Error::Request(format!(
                    "the card's calibration must have a {name} between {low} and {high}, but it has {value:?}"
                )));
            }
        }
        Ok(())
    }
}

/// The least and the largest factor that a card may have: beyond them an interval says nothing.
pub(crate) const FACTORS: [f64; 2] = [1e-3, 1e3];

/// The records of a card, by task.
pub type Calibrations = BTreeMap<String, Vec<Calibration>>;

impl VolumeModel {
    /// Whether the spread of samples of a task, drawn like this, was calibrated.
    pub fn is_calibrated(&self, kind: TaskKind, settings: &EnhanceSettings) -> bool {
        self.interval_factor(kind, 1.0, settings).is_some()
    }

    /// What the standard deviation of samples is multiplied by, at a severity; none where nothing was fitted.
    ///
    /// The deviation of few samples is itself uncertain, so that the quotient has the distribution of Student: the factor is
    /// that of the number of samples that it was fitted with, times the quotient of the two quantiles.
    pub fn interval_factor(&self, kind: TaskKind, severity: f64, settings: &EnhanceSettings) -> Option<f64> {
        let solver = settings.solver.as_deref().unwrap_or(SOLVER_OF_SAMPLES);
        let fitted = self.calibration.get(kind.name()).into_iter().flatten();
        let mut records: Vec<&Calibration> = fitted.filter(|c| c.solver == solver).collect();
        if records.is_empty() {
            // Cards of before know neither severity nor samples.
            let factor = self.interval_scale.get(kind.name()).copied();
            return factor.filter(|_| solver == SOLVER_OF_SAMPLES);
        }
        records.sort_by(|a, b| a.severity.total_cmp(&b.severity));
        let of =
            |c: &Calibration| c.factor * student_quantile(settings.samples) / student_quantile(c.samples);
        let above = records.partition_point(|c| c.severity < severity);
        Some(match (above.checked_sub(1).map(|k| records[k]), records.get(above)) {
            (Some(a), Some(b)) => {
                let part = (severity / a.severity).ln() / (b.severity / a.severity).ln();
                (of(a).ln() * (1.0 - part) + of(b).ln() * part).exp()
            }
            (Some(c), None) => of(c),
            (None, Some(c)) => of(c),
            (None, None) => return None,
        })
    }

    /// Takes away what was fitted to other weights.
    pub(crate) fn forget_calibration(&mut self) {
        self.calibration.clear();
        self.interval_scale.clear();
    }
}

/// The 95 % quantile of Student's distribution with a degree of freedom less than there are samples.
fn student_quantile(samples: usize) -> f64 {
    const FEW: [f64; 10] = [
        6.313_752, 2.919_986, 2.353_363, 2.131_847, 2.015_048, 1.943_180, 1.894_579, 1.859_548, 1.833_113,
        1.812_461,
    ];
    let freedom = samples.saturating_sub(1).max(1);
    if let Some(quantile) = FEW.get(freedom - 1) {
        return *quantile;
    }
    // Cornish and Fisher's expansion.
    let (z, n) = (DEVIATIONS, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * n) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
}

/// Scores of the voxels of one volume, in standard deviations.
pub(crate) type Scores = Vec<f32>;

/// The scores of marked voxels; a spread of 0 counts as `least`.
pub(crate) fn scores(truth: &[f32], mean: &[f32], deviation: &[f32], marked: &[bool], least: f32) -> Scores {
    let voxels = truth.iter().zip(mean).zip(deviation).zip(marked);
    voxels.filter(|(_, m)| **m).map(|(((t, m), d), _)| (t - m).abs() / d.max(least)).collect()
}

/// The factor that volumes ask for, each of the same weight whatever its number of voxels. None where there is no voxel.
pub(crate) fn fitted_factor(volumes: &[&Scores]) -> Option<f64> {
    let with_voxels = volumes.iter().filter(|v| !v.is_empty());
    let mut weighted: Vec<(f32, f64)> =
        with_voxels.flat_map(|v| v.iter().map(|s| (*s, 1.0 / v.len() as f64))).collect();
    weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let count = weighted.len() as f64;
    let total: f64 = weighted.iter().map(|w| w.1).sum();
    // The next voxel counts among those that were seen: (n + 1) in place of n.
    let wanted = total * (LEVEL * (count + 1.0) / count.max(1.0)).min(1.0);
    let mut sum = 0.0;
    let found = weighted.iter().find(|(_, weight)| {
        sum += weight;
        sum >= wanted * (1.0 - 1e-12)
    });
    found.or(weighted.last()).map(|(score, _)| f64::from(*score) / DEVIATIONS)
}

/// The part of the scores that a factor covers.
pub(crate) fn covered(scores: &Scores, factor: f64) -> f64 {
    let bound = (factor * DEVIATIONS) as f32;
    scores.iter().filter(|s| **s <= bound).count() as f64 / scores.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmelt_diffusion::{Noise, Stream};

    fn normal(sample: u64, count: usize) -> Vec<f32> {
        let mut x = vec![0.0; count];
        Noise::new(11).normal(Stream::new(sample, 0, 0), &mut x);
        x
    }

    /// Samples whose spread is a third of their error: mean, deviation and truth of each voxel.
    fn overconfident(samples: usize, first: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let count = 20_000;
        let draws: Vec<Vec<f32>> = (0..samples as u64).map(|k| normal(first + k, count)).collect();
        let mean: Vec<f32> =
            (0..count).map(|v| draws.iter().map(|d| d[v]).sum::<f32>() / samples as f32).collect();
        let square = |v: usize| draws.iter().map(|d| (d[v] - mean[v]).powi(2)).sum::<f32>();
        let deviation = (0..count).map(|v| (square(v) / (samples - 1) as f32).sqrt()).collect();
        let truth = normal(first + 1000, count).iter().zip(&mean).map(|(n, m)| m + 3.0 * n).collect();
        (truth, mean, deviation)
    }

    #[test]
    fn a_fitted_factor_covers_nine_in_ten_of_what_it_has_not_seen_with_any_number_of_samples() {
        let of = |samples: usize, first: u64| {
            let (truth, mean, deviation) = overconfident(samples, first);
            scores(&truth, &mean, &deviation, &vec![true; truth.len()], 1e-6)
        };
        let (a, b) = (of(8, 0), of(8, 2000));
        let factor = fitted_factor(&[&a, &b]).expect("voxels");
        // Three times the error, and the tails of Student with seven degrees of freedom.
        assert!((factor - 3.0 * 1.894_579 / DEVIATIONS).abs() < 0.05, "{factor}");
        let mut model = VolumeModel::new(vec![16], vec![1]).expect("a model");
        let settings = |samples| EnhanceSettings { samples, ..EnhanceSettings::default() };
        assert!(!model.is_calibrated(TaskKind::Inpaint, &settings(8)));
        let record = Calibration {
            severity: 1.0,
            factor,
            coverage: 0.9,
            lowest_coverage: 0.9,
            voxels: 40_000,
            volumes: 2,
            samples: 8,
            steps: 20,
            solver: SOLVER_OF_SAMPLES.into(),
        };
        model.calibration.insert("inpaint".into(), vec![record]);
        for samples in [2, 4, 8, 16] {
            let scores = of(samples, 4000);
            let factor = model.interval_factor(TaskKind::Inpaint, 1.0, &settings(samples)).expect("a factor");
            let part = covered(&scores, factor);
            assert!((part - LEVEL).abs() < 0.012, "{samples} samples cover {part}");
        }
        let other = EnhanceSettings { solver: Some("ddnm".into()), ..settings(8) };
        assert!(!model.is_calibrated(TaskKind::Inpaint, &other), "another solver spreads otherwise");
        model.forget_calibration();
        assert!(!model.is_calibrated(TaskKind::Inpaint, &settings(8)));
    }

    #[test]
    fn volumes_count_alike_and_factors_lie_between_those_of_two_severities() {
        // One volume of a hundred voxels, one of ten: the quantile is that of the mean of both distributions.
        let (many, few) = (vec![1.0f32; 100], (1..=10).map(|k| k as f32).collect::<Vec<f32>>());
        let factor = fitted_factor(&[&many, &few]).expect("voxels") * DEVIATIONS;
        assert!((8.0..=9.0).contains(&factor), "{factor}");
        assert!(fitted_factor(&[&Vec::new()]).is_none());
        let mut model = VolumeModel::new(vec![16], vec![1]).expect("a model");
        let record = |severity: f64, factor: f64| Calibration {
            severity,
            factor,
            coverage: 0.9,
            lowest_coverage: 0.8,
            voxels: 1,
            volumes: 1,
            samples: 8,
            steps: 20,
            solver: SOLVER_OF_SAMPLES.into(),
        };
        model.calibration.insert("denoise".into(), vec![record(0.16, 4.0), record(0.04, 1.0)]);
        let settings = EnhanceSettings { samples: 8, ..EnhanceSettings::default() };
        let at = |severity| model.interval_factor(TaskKind::Denoise, severity, &settings).expect("a factor");
        for (severity, want) in [(0.001, 1.0), (0.04, 1.0), (0.08, 2.0), (0.16, 4.0), (9.0, 4.0)] {
            assert!((at(severity) - want).abs() < 1e-9, "{severity}: {}", at(severity));
        }
    }
}
