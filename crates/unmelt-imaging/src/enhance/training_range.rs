//! What a scan has that a model has not seen: said before the work, because the result cannot be trusted there.

use crate::Volume;
use crate::enhance::enhancer::Enhancer;
use crate::enhance::problem::finer_grid;
use crate::enhance::settings::{EnhanceSettings, check_settings};
use crate::prior::trained_on::{TrainedOn, is_below_zero};
use crate::task::Task;

/// Voxels may be smaller by this factor, or larger by its inverse, than those of the training.
const NEARLY: f64 = 0.75;

/// Fewest voxels along an axis of what counts as a volume.
const LEAST_VOXELS: usize = 8;

/// Thickest slices, in voxels of the result, that priors are trained on.
const THICKEST: f64 = 6.5;

impl Enhancer {
    /// What a volume and a task have that the model has not seen, one sentence each: another modality, slices in place of
    /// volumes, other voxels, thicker slices; and samples drawn with other steps than those that intervals were fitted with.
    pub fn warnings(&self, volume: &Volume, task: &Task, settings: &EnhanceSettings) -> Vec<String> {
        let (model, name) = (&self.card().model, self.name());
        // What cannot be done is refused by the work itself.
        if check_settings(settings, model).is_err() {
            return Vec::new();
        }
        let mut out = Vec::new();
        let thin = volume.grid.shape.iter().copied().min().unwrap_or(0);
        if thin == 1 {
            out.push(format!("the scan is a single slice, and {name} was trained on volumes"));
        } else if thin < LEAST_VOXELS {
            out.push(format!("the scan has {thin} voxels along one axis, and {name} was trained on volumes"));
        }
        let old = volume.grid.spacing();
        let mut spacing = old;
        if let Task::SuperResolve { spacing: wanted, .. } = task {
            let Ok(grid) = finer_grid(volume, *wanted) else { return Vec::new() };
            spacing = grid.spacing();
            let ratio = (0..3).map(|a| old[a] / spacing[a]).fold(1.0, f64::max);
            if let Some((axis, part)) =
                volume.slice_thickness().filter(|(axis, _)| old[*axis] > spacing[*axis])
            {
                let apart = old[axis];
                out.push(format!(
                    "the slices are {:.2} mm thick (SliceThickness) and lie {apart:.2} mm apart: each is taken for the mean over its \
                     thickness, and {name} was trained on slices without gaps and overlaps",
                    part * apart
                ));
            }
            if ratio > THICKEST {
                out.push(format!(
                    "slices are {ratio:.1} times thicker than what is asked for, and {name} was trained on up to 6.4 times"
                ));
            }
        }
        if let Some(trained) = &model.trained_on {
            out.extend(trained.warnings(volume, task, spacing, name));
        }
        let records = model.calibration.get(task.name()).into_iter().flatten();
        if settings.samples > 1
            && let Some(other) = records.map(|r| r.steps).find(|steps| *steps != settings.steps)
        {
            out.push(format!(
                "deviation and interval were calibrated with {other} steps, not {}: they may cover more or less",
                settings.steps
            ));
        }
        out
    }
}

impl TrainedOn {
    fn warnings(&self, volume: &Volume, task: &Task, spacing: [f64; 3], name: &str) -> Vec<String> {
        let mut out = Vec::new();
        let what = self.named();
        let modality = volume.acquisition.modality.as_str();
        let other = !modality.is_empty()
            && !self.modalities.is_empty()
            && self.modalities.iter().all(|m| m != modality);
        let has_values = !matches!(task, Task::KSpace { .. });
        if other {
            out.push(format!("the scan is of modality {modality}, and {name} was trained on {what}"));
        } else if has_values && !self.below_zero && is_below_zero(&volume.voxels) {
            out.push(format!(
                "the scan has values far below 0, as CT in Hounsfield units has, and {name} was trained on {what} without such"
            ));
        }
        let [low, high] = self.spacing;
        let far = spacing.iter().find(|s| **s < low * NEARLY || **s > high / NEARLY);
        if let Some(far) = far {
            out.push(format!(
                "the voxels have {far:.2} mm, and {name} was trained on {what} with {}",
                if low == high { format!("{low:.2} mm") } else { format!("{low:.2} to {high:.2} mm") }
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::measurement::Profile;
    use crate::{Grid, models};

    #[test]
    fn what_a_brain_prior_has_not_seen_is_said() {
        let enhancer =
            Enhancer::load(&models::find("brain-mri").expect("a model"), &Device::flex()).expect("loaded");
        let volume = |shape: [usize; 3], spacing: [f64; 3], low: f32| {
            let grid = Grid::centred(shape, spacing);
            Volume::new((0..grid.voxels()).map(|k| low + (k % 100) as f32 * 10.0).collect(), grid)
        };
        let settings = EnhanceSettings::default();
        let said = |volume: &Volume, task: &Task| enhancer.warnings(volume, task, &settings).join("; ");
        let denoise = Task::Denoise { sigma: None, rician: None };
        assert_eq!(said(&volume([20; 3], [1.0; 3], 0.0), &denoise), "");
        assert!(said(&volume([20, 20, 1], [1.0; 3], 0.0), &denoise).contains("single slice"));
        assert!(said(&volume([20, 5, 20], [1.0; 3], 0.0), &denoise).contains("5 voxels along one axis"));
        assert!(said(&volume([20; 3], [1.0; 3], -1000.0), &denoise).contains("as CT in Hounsfield units"));
        assert!(said(&volume([20; 3], [1.0, 1.0, 3.0], 0.0), &denoise).contains("3.00 mm"));
        let finer = |spacing: f64| Task::SuperResolve { spacing: [spacing; 3], profile: Profile::Box };
        assert_eq!(said(&volume([20; 3], [1.0, 1.0, 3.0], 0.0), &finer(1.0)), "");
        assert!(said(&volume([20; 3], [1.0, 1.0, 9.0], 0.0), &finer(1.0)).contains("9.0 times thicker"));
        assert!(said(&volume([20; 3], [1.0; 3], 0.0), &finer(0.4)).contains("0.40 mm"));
    }

    #[test]
    fn a_training_remembers_what_it_saw() {
        let below = |low: f32| is_below_zero(&(0..512).map(|k| low + k as f32).collect::<Vec<f32>>());
        let of = |spacing: f64, low: f32| ([1.0, 1.0, spacing], below(low));
        let first = TrainedOn::of([of(1.2, 0.0)].into_iter(), None).expect("a volume");
        assert_eq!((first.spacing, first.below_zero), ([1.0, 1.2], false));
        let named = TrainedOn { what: "brain MRI".into(), modalities: vec!["MR".into()], ..first };
        let then = TrainedOn::of([of(0.7, -300.0)].into_iter(), Some(&named)).expect("a volume");
        assert_eq!((then.spacing, then.below_zero), ([0.7, 1.2], true));
        assert!(then.what.is_empty() && then.modalities.is_empty());
        assert!(TrainedOn::of([].into_iter(), None).is_none());
    }
}
