//! Whether what a card says can be a prior of patches: no number of a card is taken on its word.

use unmelt_diffusion::files::limits::{limits, within};

use crate::network::UNetConfig;
use crate::prior::calibration::FACTORS;
use crate::prior::patches::Partition;
use crate::prior::{CONDITION_CHANNELS, FOLD, VolumeModel};
use crate::{Error, Result};

/// Voxels that a patch sees around those it answers for, unless told otherwise.
pub(crate) const HALO: usize = 4;

/// Longest edge of a patch: memory grows with its third power.
const MOST_PATCH: usize = 128;

/// Most levels of a U-Net: each halves the resolution.
const MOST_LEVELS: usize = 6;

fn fault(text: String) -> Error {
    Error::Request(text)
}

/// An error of a card's number, said as one of the card.
fn of_card(error: Error) -> Error {
    match error {
        Error::Request(text) => {
            Error::Request(format!("the model's card describes no prior of 3D patches: {text}"))
        }
        other => other,
    }
}

/// Whether a number lies within bounds, or the sentence that names it.
fn between(name: &str, value: f64, [low, high]: [f64; 2]) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(fault(format!("{name} must lie between {low} and {high}, but it is {value:?}")))
}

impl VolumeModel {
    /// Checks a card that was read, with the number of parameters that it claims.
    pub(crate) fn check_card(&self, parameters: u64) -> Result<()> {
        self.check()?;
        let count = self.layout().len() as u64;
        if count == parameters {
            return Ok(());
        }
        Err(of_card(fault(format!("its network has {count} parameters, the card says {parameters}"))))
    }

    /// Checks every number, so that none takes memory, time or a panic on its word.
    ///
    /// # Errors
    /// The first number that is out of its range, by name.
    pub fn check(&self) -> Result<()> {
        self.check_numbers().map_err(of_card)
    }

    /// The same for a model that stands on no card yet.
    pub(crate) fn check_numbers(&self) -> Result<()> {
        check_network(&self.network)?;
        between("sigma_data", self.sigma_data, [1e-3, 1e3])?;
        between("sigma_min", self.sigma_min, [1e-6, 0.3])?;
        between("sigma_max", self.sigma_max, [self.sigma_min * 2.0, 1e4])?;
        let grain = self.granularity();
        if self.patch > MOST_PATCH || !self.patch.is_multiple_of(grain) || !Partition::fits(HALO, self) {
            return Err(fault(format!(
                "patch must be a multiple of {grain} between {} and {MOST_PATCH}, but it is {}",
                2 * HALO + 1,
                self.patch
            )));
        }
        for (task, factor) in &self.interval_scale {
            between(&format!("the interval_scale of {task}"), *factor, FACTORS)?;
        }
        self.calibration.values().flatten().try_for_each(|c| c.check())?;
        self.trained_on.as_ref().map_or(Ok(()), |t| t.check())
    }
}

fn check_network(network: &UNetConfig) -> Result<()> {
    let levels = network.channels.len();
    if network.spatial_dims != 3 {
        return Err(fault(format!("spatial_dims must be 3, but it is {}", network.spatial_dims)));
    }
    let folded = FOLD.pow(3);
    for (name, found, want) in [
        ("in_channels", network.in_channels, folded + CONDITION_CHANNELS),
        ("out_channels", network.out_channels, folded),
    ] {
        if found != want {
            return Err(fault(format!("{name} must be {want}, but it is {found}")));
        }
    }
    if levels > MOST_LEVELS {
        return Err(fault(format!("channels has {levels} levels, more than {MOST_LEVELS}")));
    }
    if network.cross_attention_dim.is_some() {
        return Err(fault("cross_attention_dim must be null: there is no context to attend to".into()));
    }
    between("norm_eps", network.norm_eps, [1e-12, 1.0])?;
    let limits = limits();
    let largest = |list: &[usize]| list.iter().copied().max().unwrap_or(0) as u64;
    let subject = "the model's network";
    within(limits.width, "width", largest(&network.channels), subject)?;
    within(limits.width, "width", network.norm_num_groups as u64, subject)?;
    within(limits.width, "width", largest(&network.num_head_channels), subject)?;
    within(limits.layers, "layers", largest(&network.num_res_blocks), subject)?;
    within(limits.layers, "layers", network.transformer_num_layers as u64, subject)?;
    network.check()?;
    // Each is small by now, so that the sum is one of small numbers.
    within(limits.parameters, "parameters", network.layout().len() as u64, subject)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use burn::tensor::Device;
    use serde_json::Value;
    use unmelt_diffusion::checkpoint::ModelFiles;
    use unmelt_diffusion::job::Job;

    use super::*;
    use crate::enhance::{EnhanceSettings, Enhancer, Task};
    use crate::{Grid, Volume, models};

    /// The paths of all numbers of a card.
    fn numbers(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Number(_) => out.push(path.into()),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(k, v)| numbers(v, &format!("{path}/{k}"), out));
            }
            Value::Object(map) => map.iter().for_each(|(k, v)| {
                numbers(v, &format!("{path}/{}", k.replace('~', "~0").replace('/', "~1")), out);
            }),
            _ => {}
        }
    }

    fn used(files: &ModelFiles) -> Result<()> {
        let enhancer = Enhancer::load(files, &Device::flex())?;
        let voxels = (0..16 * 16 * 16).map(|k| (k % 16) as f32).collect();
        let volume = Volume::new(voxels, Grid::centred([16; 3], [1.0; 3]));
        let task = Task::SuperResolve { spacing: [1.0, 1.0, 0.5], profile: crate::measurement::Profile::Box };
        let settings = EnhanceSettings { steps: 1, ..EnhanceSettings::default() };
        let out = enhancer.enhance(&volume, &task, &settings, &Job::new())?;
        assert!(out.volume.voxels.iter().all(|v| v.is_finite()));
        Ok(())
    }

    #[test]
    fn no_number_of_a_card_is_taken_on_its_word() {
        let files = models::find("brain-mri").expect("the model");
        let card: Value = serde_json::from_slice(&files.card).expect("JSON");
        let mut paths = Vec::new();
        numbers(&card, "", &mut paths);
        assert!(paths.len() > 30, "{paths:?}");
        let begin = Instant::now();
        let mut refused = 0;
        for path in &paths {
            // What the card only tells of itself is no reason to refuse it.
            let told = path.starts_with("/provenance");
            for wrong in ["0", "-1", "1e18", "1000000000000000000", "1e-300", "1e300", "NaN"] {
                let mut card = card.clone();
                *card.pointer_mut(path).expect("a number") = Value::String("HERE".into());
                let text = card.to_string().replace("\"HERE\"", wrong);
                let files = ModelFiles { card: text.into_bytes(), ..files.clone() };
                if told && wrong != "NaN" {
                    let _ = files.card::<VolumeModel>().map(|card| card.model.check());
                    continue;
                }
                match used(&files) {
                    Err(error) => {
                        refused += 1;
                        assert!(
                            error.to_string().len() < 400 && !error.to_string().contains('\n'),
                            "{error}"
                        );
                    }
                    // A level without attention has no heads, and a coverage may be none.
                    Ok(()) => assert!(
                        path.contains("num_head_channels")
                            || path.contains("transformer_num_layers")
                            || path.contains("coverage") && ["0", "1e-300"].contains(&wrong),
                        "{path} = {wrong} is used"
                    ),
                }
            }
        }
        assert!(refused > 100, "{refused}");
        assert!(begin.elapsed().as_secs() < 300, "a card hangs");
        used(&files).expect("the card as it is");
    }

    #[test]
    fn wide_deep_and_odd_networks_are_sentences() {
        let model = VolumeModel::new(vec![64, 64], vec![2, 2]).expect("a model");
        let with = |change: &dyn Fn(&mut VolumeModel)| {
            let mut model = model.clone();
            change(&mut model);
            model.check().expect_err("refused").to_string()
        };
        for (said, want) in [
            (with(&|m| m.network.channels = vec![usize::MAX / 16 * 16; 2]), "width"),
            (with(&|m| m.network.num_res_blocks = vec![usize::MAX; 2]), "layers"),
            (with(&|m| m.network.channels = vec![4096; 2]), "parameters"),
            (with(&|m| m.network = UNetConfig { channels: vec![16; 70], ..m.network.clone() }), "70 levels"),
            (with(&|m| m.network.cross_attention_dim = Some(4)), "cross_attention_dim"),
            (with(&|m| m.patch = 8), "patch must be a multiple of 4 between 9 and 128"),
            (with(&|m| m.patch = 66), "patch must be a multiple"),
            (with(&|m| m.sigma_data = f64::NAN), "sigma_data"),
            (with(&|m| m.sigma_max = f64::NAN), "sigma_max"),
            (with(&|m| m.sigma_min = 20.0), "sigma_min"),
            (with(&|m| m.network.norm_eps = -1.0), "norm_eps"),
            (with(&|m| m.interval_scale = [("denoise".into(), -1.0)].into()), "interval_scale of denoise"),
            (with(&|m| m.interval_scale = [("denoise".into(), 1e-300)].into()), "between 0.001 and 1000"),
            (with(&|m| m.interval_scale = [("denoise".into(), 1e300)].into()), "between 0.001 and 1000"),
        ] {
            assert!(said.contains(want), "{said}");
        }
        model.check().expect("as it is");
    }
}
