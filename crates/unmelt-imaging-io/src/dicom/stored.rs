//! How values become the whole numbers of a DICOM image.

use unmelt_imaging::intensity::percentiles;

use super::decimal::ds;

/// Slope, sign and window of the values of a series.
pub(super) struct Stored {
    /// What a whole number stands for.
    pub slope: f64,
    /// Whether the numbers may be negative.
    pub signed: bool,
    /// Centre and width of the grey scale, in values.
    pub window: [f64; 2],
}

impl Stored {
    /// For these values: whole numbers as they are where they are whole or fine enough, as Hounsfield units and most
    /// signals are; otherwise in steps of a 32,000th of the largest. `window` is what the source had, if it still holds;
    /// `exact` lets no fraction be rounded to a whole number.
    pub fn of(voxels: &[f32], window: Option<[f64; 2]>, exact: bool) -> Self {
        let (low, high) = voxels.iter().fold((0.0f32, 0.0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        let whole = voxels.iter().all(|v| v.fract() == 0.0);
        let fits = |from: f32, to: f32| low >= from && high <= to;
        let signed = !(low >= 0.0 && high > 32_767.0 && fits(0.0, 65_535.0));
        let (from, to) = if signed { (-32_768.0, 32_767.0) } else { (0.0, 65_535.0) };
        let as_they_are = fits(from, to) && (whole || !exact && high - low >= 500.0);
        let (slope, signed) = match as_they_are {
            true => (1.0, signed),
            false => {
                let slope = f64::from(high.max(-low)).max(1e-30) / 32_000.0;
                // As it is written, or values would drift.
                (ds(slope).parse().unwrap_or(slope), true)
            }
        };
        let usual = || {
            let (low, high) = percentiles(voxels, 0.5, 99.5).unwrap_or((0.0, 1.0));
            let width = if high > low { high - low } else { slope };
            [0.5 * (low + high), width]
        };
        Self { slope, signed, window: window.unwrap_or_else(usual) }
    }

    /// For each slice by itself, of so many values: in steps of a 65,000th of its own largest, or a 32,000th where values of the
    /// series may be negative; in the steps of `slopes`, those of the source, where its values are such numbers still.
    pub fn of_slices(
        voxels: &[f32],
        plane: usize,
        window: [f64; 2],
        slopes: impl Fn(usize) -> f64,
    ) -> Vec<Self> {
        let signed = voxels.iter().any(|v| *v < 0.0);
        let most = if signed { f64::from(i16::MAX) } else { f64::from(u16::MAX) };
        let of = |k: usize, values: &[f32]| {
            let largest = values.iter().fold(0.0f32, |l, v| l.max(v.abs()));
            let given = slopes(k);
            let is_number = |v: &f32| {
                let number = f64::from(*v) / given;
                (number - number.round()).abs() <= 0.02 && number.abs() <= most
            };
            let slope = match () {
                () if given > 0.0 && values.iter().all(is_number) => given,
                () if largest == 0.0 => 1.0,
                () => f64::from(largest).max(1e-30) / most,
            };
            Self { slope: ds(slope).parse().unwrap_or(slope), signed, window }
        };
        voxels.chunks(plane.max(1)).enumerate().map(|(k, values)| of(k, values)).collect()
    }

    /// The number that stands for a value.
    pub fn word(&self, value: f32) -> u16 {
        let number = (f64::from(value) / self.slope).round();
        if self.signed {
            number.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16 as u16
        } else {
            number.clamp(0.0, f64::from(u16::MAX)) as u16
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_numbers() {
        for voxels in [
            vec![-1024.0, 0.0, 3071.0],
            vec![0.0, 1.0, 200.0],
            vec![0.0, 65_535.0],
            vec![-32_768.0, 32_767.0],
            vec![0.001, 0.25, 0.75],
            vec![0.0, 100_000.0, 250_000.0],
            vec![-70_000.0, 70_000.0],
        ] {
            let stored = Stored::of(&voxels, None, true);
            for v in &voxels {
                let word = stored.word(*v);
                let number = if stored.signed { f64::from(word as i16) } else { f64::from(word) };
                let error = (number * stored.slope - f64::from(*v)).abs();
                assert!(error <= 0.5 * stored.slope && (stored.slope != 1.0 || error == 0.0), "{v} {error}");
            }
        }
        let stored = Stored::of(&[0.0, 0.0], None, true);
        assert_eq!((stored.slope, stored.signed), (1.0, true));
        assert!(stored.window[1] > 0.0);
    }
}
