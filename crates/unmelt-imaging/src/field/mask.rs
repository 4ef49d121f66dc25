//! Masks: which voxels of a volume are marked, whatever the program that wrote it calls a mark.

use crate::{Error, Rescale, Result, Volume};

/// Masks may lie off a volume's grid by this part of a voxel: programs round affines.
pub const TOLERANCE: f64 = 0.1;

/// True where a mask marks a voxel, and what had to be decided, a sentence each that follows the name of the mask.
///
/// Of two values the larger marks: 0 and 1, 0 and 255, or what interpolation made of them. Where none is above 0, the
/// stored number that is not 0 marks (a mask with an intercept of −1, or with all bits set). Of more values those mark that are at least
/// half of the largest: masks that were resampled ring at their edges.
///
/// # Errors
/// A mask that marks nothing.
pub fn marked(mask: &Volume) -> Result<(Vec<bool>, Vec<String>)> {
    let mut warnings = Vec::new();
    let values = distinct(&mask.voxels);
    let marks: Vec<bool> = match values[..] {
        [] | [0.0] => return Err(Error::Request("the mask is empty: it marks no voxel".into())),
        [_] => vec![true; mask.voxels.len()],
        [low, high] => {
            let mark = if high > 0.0 { high } else { stored_not_zero(mask, low, high) };
            if low != 0.0 || high <= 0.0 {
                warnings.push(format!("holds {low} and {high}; {mark} is taken for the mark"));
            }
            mask.voxels.iter().map(|v| *v == mark).collect()
        }
        _ => {
            let largest = mask.voxels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if largest <= 0.0 {
                return Err(Error::Request("the mask holds several values, and none above 0".into()));
            }
            let half = 0.5 * largest;
            warnings.push(format!(
                "holds more than two values, as a resampled mask does; voxels of at least {half} are taken as marked, \
                 half of its largest value"
            ));
            mask.voxels.iter().map(|v| *v >= half).collect()
        }
    };
    Ok((marks, warnings))
}

/// What is odd about a mask of missing voxels that marks most of them, for a sentence that follows its name.
pub fn warning(missing: &[bool]) -> Option<String> {
    let count = missing.iter().filter(|m| **m).count();
    let share = 100.0 * count as f64 / missing.len().max(1) as f64;
    (50.0 < share && share < 100.0)
        .then(|| format!("marks {share:.1} % of all voxels as missing; is it inverted?"))
}

/// Up to three of the values that occur, in order. 0 and −0 are one.
fn distinct(voxels: &[f32]) -> Vec<f32> {
    let mut found: Vec<f32> = Vec::new();
    for v in voxels {
        if !found.contains(v) {
            found.push(*v);
            if found.len() > 2 {
                break;
            }
        }
    }
    found.sort_by(f32::total_cmp);
    found
}

/// That of two values whose stored number is not 0, if it is one alone; else the higher.
fn stored_not_zero(mask: &Volume, low: f32, high: f32) -> f32 {
    let Rescale { slope, intercept } = mask.acquisition.rescale;
    let is_zero = |v: f32| ((f64::from(v) - intercept) / slope).abs() < 1e-6;
    if is_zero(high) && !is_zero(low) { low } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;

    fn mask(values: &[f32]) -> Volume {
        Volume::new(values.to_vec(), Grid::centred([values.len(), 1, 1], [1.0; 3]))
    }

    fn marks(values: &[f32]) -> (Vec<bool>, usize) {
        let (marks, warnings) = marked(&mask(values)).expect("a mask");
        (marks, warnings.len())
    }

    #[test]
    fn of_two_values_the_larger_marks() {
        let second = vec![false, true, false, false];
        assert_eq!(marks(&[0.0, 1.0, 0.0, -0.0]), (second.clone(), 0));
        assert_eq!(marks(&[0.0, 255.0, 0.0, 0.0]), (second.clone(), 0));
        assert_eq!(marks(&[1e-7, 1.000_000_1, 1e-7, 1e-7]), (second.clone(), 1));
        // All bits of a signed number set, as some programs mark.
        assert_eq!(marks(&[0.0, -1.0, 0.0, 0.0]), (second, 1));
    }

    #[test]
    fn of_more_values_those_of_half_the_largest_mark() {
        assert_eq!(marks(&[-0.1, 0.2, 0.6, 1.2, 0.0]), (vec![false, false, true, true, false], 1));
        assert!(marked(&mask(&[-3.0, -2.0, 0.0])).is_err());
    }

    #[test]
    fn a_mask_that_marks_nothing_is_refused_and_one_that_marks_most_is_doubted() {
        assert!(marked(&mask(&[0.0; 3])).expect_err("empty").to_string().contains("is empty"));
        assert_eq!(marks(&[1.0; 3]), (vec![true; 3], 0));
        assert!(warning(&[false, true, true]).expect("odd").contains("66.7 %"));
        assert_eq!((warning(&[false, true]), warning(&[true])), (None, None));
    }
}
