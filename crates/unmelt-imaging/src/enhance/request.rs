//! What is asked of an enhancement, as data: a record of it makes the result again from the same scan.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::sha256;
use unmelt_diffusion::measurement::Measurement;

use super::settings::EnhanceSettings;
use crate::measurement::{Fourier, Profile};
use crate::task::{Task, TaskKind};
use crate::{Error, Result, Volume};

/// What was done to make a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeRequest {
    /// An enhancement of a scan.
    Enhance(EnhanceRequest),
    /// A volume drawn from a prior alone.
    Generate(GenerateRequest),
}

/// What is asked of an enhancement. It names no file: scans, masks and k-space are known by digests of their values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnhanceRequest {
    /// What to do.
    pub task: TaskRequest,
    /// SHA-256 of the values that it is done to, as [`digest_of_values`] has it.
    pub input: String,
    /// How to do it; nothing where it is done without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<EnhanceSettings>,
}

/// What is asked of a prior that draws a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateRequest {
    /// Voxels along right, front and top.
    pub shape: [usize; 3],
    /// Distance between voxels in mm.
    pub spacing: [f64; 3],
    /// How to do it.
    pub settings: EnhanceSettings,
}

/// A task without its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TaskRequest {
    /// [`Task::Denoise`].
    Denoise {
        /// Standard deviation of the noise, in the units of the values; estimated if not given.
        sigma: Option<f64>,
        /// Whether it is Rician; estimated if not given.
        rician: Option<bool>,
    },
    /// [`Task::SuperResolve`].
    SuperResolve {
        /// Wanted spacing in mm.
        spacing: [f64; 3],
        /// How voxels weigh what they cover.
        profile: Profile,
    },
    /// [`Task::Inpaint`].
    Inpaint {
        /// SHA-256 of the mask.
        mask: String,
    },
    /// [`Task::Outpaint`].
    Outpaint {
        /// Voxels added at the left, the back and the bottom.
        low: [usize; 3],
        /// Voxels added at the right, the front and the top.
        high: [usize; 3],
    },
    /// [`Task::KSpace`].
    Kspace {
        /// SHA-256 of the data, and of what the adjoint of the measurement makes of them.
        data: String,
    },
}

/// What a task is done with beside the scan.
#[derive(Clone, Default)]
pub struct TaskData {
    /// True where a voxel is missing.
    pub missing: Option<Vec<bool>>,
    /// k-space: the measurement and what was measured.
    pub kspace: Option<(Fourier, Vec<f32>)>,
}

/// SHA-256 of values, in hexadecimal: of their bytes as 32-bit floats, little-endian, in RAS order.
pub fn digest_of_values(values: &[f32]) -> String {
    sha256(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

fn digest_of_mask(missing: &[bool]) -> String {
    sha256(&missing.iter().map(|m| u8::from(*m)).collect::<Vec<u8>>())
}

fn digest_of_kspace(measurement: &Fourier, data: &[f32]) -> String {
    digest_of_values(&[data, &measurement.adjoint(data)].concat())
}

impl TaskRequest {
    /// The task without its data.
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Denoise { sigma, rician } => Self::Denoise { sigma: *sigma, rician: *rician },
            Task::SuperResolve { spacing, profile } => {
                Self::SuperResolve { spacing: *spacing, profile: *profile }
            }
            Task::Inpaint { missing } => Self::Inpaint { mask: digest_of_mask(missing) },
            Task::Outpaint { low, high } => Self::Outpaint { low: *low, high: *high },
            Task::KSpace { measurement, data } => Self::Kspace { data: digest_of_kspace(measurement, data) },
        }
    }

    /// What kind of task it is.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Denoise { .. } => TaskKind::Denoise,
            Self::SuperResolve { .. } => TaskKind::SuperResolve,
            Self::Inpaint { .. } => TaskKind::Inpaint,
            Self::Outpaint { .. } => TaskKind::Outpaint,
            Self::Kspace { .. } => TaskKind::KSpace,
        }
    }

    /// The task with its data.
    ///
    /// # Errors
    /// Data that are missing, or others than the request was made with.
    pub fn with(&self, data: TaskData) -> Result<Task> {
        let missing =
            |what: &str| Error::Request(format!("the task was done with {what}, which is not given"));
        let other = |what: &str| Error::Request(format!("the task was done with another {what}"));
        Ok(match self {
            Self::Denoise { sigma, rician } => Task::Denoise { sigma: *sigma, rician: *rician },
            Self::SuperResolve { spacing, profile } => {
                Task::SuperResolve { spacing: *spacing, profile: *profile }
            }
            Self::Outpaint { low, high } => Task::Outpaint { low: *low, high: *high },
            Self::Inpaint { mask } => {
                let marks = data.missing.ok_or_else(|| missing("a mask"))?;
                if digest_of_mask(&marks) != *mask {
                    return Err(other("mask"));
                }
                Task::Inpaint { missing: marks }
            }
            Self::Kspace { data: digest } => {
                let (measurement, data) = data.kspace.ok_or_else(|| missing("k-space"))?;
                if digest_of_kspace(&measurement, &data) != *digest {
                    return Err(other("k-space"));
                }
                Task::KSpace { measurement, data }
            }
        })
    }
}

impl EnhanceRequest {
    /// A request to enhance a volume by a model.
    pub fn new(volume: &Volume, task: &Task, settings: &EnhanceSettings) -> Self {
        let input = digest_of_values(&volume.voxels);
        Self { task: TaskRequest::of(task), input, settings: Some(settings.clone()) }
    }

    /// A request to enhance values without a model.
    pub fn classical(values: &[f32], task: &Task) -> Self {
        Self { task: TaskRequest::of(task), input: digest_of_values(values), settings: None }
    }

    /// Whether values are those that the request was made with; if not, a sentence.
    pub fn check_input(&self, values: &[f32]) -> Result<()> {
        match digest_of_values(values) == self.input {
            true => Ok(()),
            false => Err(Error::Request("the scan has other values than the one that was enhanced".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;
    use crate::measurement::random_cartesian_lines;

    #[test]
    fn a_request_is_data_that_finds_its_task_again() {
        let shape = [6, 8, 2];
        let volume = Volume::new((0..96).map(|k| k as f32 * 0.1).collect(), Grid::centred(shape, [1.0; 3]));
        let lines = random_cartesian_lines(8, 2.0, 0.25, 1);
        let measurement = Fourier::new(shape, (0..48).map(|k| lines[k / 6]).collect(), Vec::new(), 0.0);
        let data = measurement.forward(&volume.voxels);
        let missing: Vec<bool> = (0..96).map(|k| k % 7 == 0).collect();
        let settings = EnhanceSettings { sigma_max: Some(0.1), seed: 5, ..EnhanceSettings::default() };
        let given =
            TaskData { missing: Some(missing.clone()), kspace: Some((measurement.clone(), data.clone())) };
        for task in [
            Task::Denoise { sigma: Some(0.3), rician: None },
            Task::SuperResolve { spacing: [1.0, 1.0, 0.5], profile: Profile::Gaussian },
            Task::Inpaint { missing },
            Task::Outpaint { low: [0, 1, 0], high: [0, 0, 2] },
            Task::KSpace { measurement, data },
        ] {
            let request = VolumeRequest::Enhance(EnhanceRequest::new(&volume, &task, &settings));
            let text = serde_json::to_string(&request).expect("JSON");
            let read: VolumeRequest = serde_json::from_str(&text).expect("a request");
            assert_eq!(read, request, "{text}");
            let VolumeRequest::Enhance(read) = read else { panic!("an enhancement") };
            let again = read.task.with(given.clone()).expect("its data");
            assert_eq!((TaskRequest::of(&again), read.task.kind()), (TaskRequest::of(&task), task.kind()));
            read.check_input(&volume.voxels).expect("its scan");
            assert!(read.check_input(&[1.0]).is_err());
            let wants_data = matches!(task, Task::Inpaint { .. } | Task::KSpace { .. });
            assert_eq!(read.task.with(TaskData::default()).is_err(), wants_data, "{text}");
            let others = TaskData { missing: Some(vec![true; 96]), kspace: None };
            assert_eq!(read.task.with(others).is_err(), wants_data, "{text}");
        }
        assert!(
            serde_json::from_str::<VolumeRequest>("{\"enhance\":{\"task\":{\"kind\":\"melt\"}}}").is_err()
        );
    }
}
