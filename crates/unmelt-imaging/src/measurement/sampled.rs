//! Which positions of k-space were sampled, in which slice and by which coil.

use rustfft::num_complex::Complex32;

use crate::{Error, Orientation, Result, Volume};

/// Part of a line that has to hold numbers for the line to count as sampled whole: a number that is 0 by chance is rare.
const MOST_OF_A_LINE: f64 = 0.95;

/// Which positions of planes `[coil, slice, y, x]` were sampled, the zero frequency anywhere. A position that holds exactly 0 was
/// not; but where the pattern is one of whole lines, a line that holds nearly all of its numbers was. A plane without any number is
/// a slice without signal where all others share one pattern, and was not sampled otherwise.
///
/// The marks are those of one plane `[y, x]` where all have them in common, of each slice `[slice, y, x]` where coils have them in
/// common, and of every plane otherwise.
pub(crate) fn sampled(data: &[Complex32], [nx, ny, nz]: [usize; 3]) -> Vec<bool> {
    let plane = nx * ny;
    let mut marks: Vec<bool> = data.iter().map(|v| v.norm_sqr() > 0.0).collect();
    complete_lines(&mut marks, [nx, ny]);
    let mut with_signal = marks.chunks_exact(plane).filter(|p| p.contains(&true));
    if let Some(first) = with_signal.next()
        && with_signal.all(|other| other == first)
    {
        return first.to_vec();
    }
    let all_coils = &marks[..nz * plane];
    if marks.chunks_exact(nz * plane).all(|coil| coil == all_coils) {
        marks.truncate(nz * plane);
    }
    marks
}

/// Marks whole lines where the pattern is one of lines along an axis.
fn complete_lines(marks: &mut [bool], [nx, ny]: [usize; 2]) {
    let plane = nx * ny;
    let position = |along_x: bool, line: usize, k: usize| if along_x { line * nx + k } else { k * nx + line };
    for along_x in [true, false] {
        let (lines, length) = if along_x { (ny, nx) } else { (nx, ny) };
        let count = |p: &[bool], line: usize| (0..length).filter(|k| p[position(along_x, line, *k)]).count();
        let enough = (MOST_OF_A_LINE * length as f64).ceil() as usize;
        let (mut some_missing, mut of_lines) = (false, true);
        for p in marks.chunks_exact(plane).filter(|p| p.contains(&true)) {
            for line in 0..lines {
                let count = count(p, line);
                some_missing |= count == 0;
                of_lines &= count == 0 || count >= enough;
            }
        }
        if !(some_missing && of_lines) {
            continue;
        }
        for p in marks.chunks_exact_mut(plane) {
            for line in (0..lines).filter(|line| count(p, *line) > 0).collect::<Vec<_>>() {
                (0..length).for_each(|k| p[position(along_x, line, k)] = true);
            }
        }
        return;
    }
}

/// Which positions of k-space a mask marks, for a volume that was made from zero-filled k-space: `[y, x]` where the mask has one
/// pattern for all slices, `[slice, y, x]` where it has one for each. The zero frequency is in the middle of the slices, which are
/// planes of the first two axes of the volume's file; the mask's axes are those of the volume's, wherever its header puts them.
///
/// # Errors
/// A mask of another size, or slices of the file that are not slices along the patient.
pub fn sampling_of(mask: &Volume, volume: &Volume) -> Result<Vec<bool>> {
    let orientation = volume.orientation();
    if orientation.axes[2] != 2 {
        let text = "the slices of the volume's file lie across the patient's axes; k-space is taken slice by slice along the \
                    third axis of the file, which must run along the patient: reorder the axes of volume and mask";
        return Err(Error::Request(text.into()));
    }
    let stored_mask = mask.orientation().from_ras(&mask.grid).shape;
    let marks = mask.orientation().scatter(&mask.voxels, stored_mask);
    let stored = orientation.from_ras(&volume.grid).shape;
    let [mx, my, mz] = stored_mask;
    if [mx, my] != stored[..2] {
        let [nx, ny, _] = stored;
        let text =
            format!("the sampling mask has {mx} × {my} positions in a slice, the volume {nx} × {ny} voxels");
        return Err(Error::Request(text));
    }
    let planes: Vec<Vec<bool>> =
        marks.chunks_exact(mx * my).map(|p| p.iter().map(|v| *v != 0.0).collect()).collect();
    let alike = planes.iter().all(|p| *p == planes[0]);
    if !alike && mz != stored[2] {
        let text = format!(
            "the sampling mask has {mz} slices that differ, the volume {} slices; give one slice, or one for each",
            stored[2]
        );
        return Err(Error::Request(text));
    }
    let planes = if alike { &planes[..1] } else { &planes[..] };
    let mut turned: Vec<Vec<bool>> = planes.iter().map(|p| as_the_voxels(p, [mx, my], orientation)).collect();
    if orientation.flips[2] {
        turned.reverse();
    }
    Ok(turned.concat())
}

/// Marks of a stored plane, the zero frequency in the middle, in the order that the volume's voxels have. An axis that is turned
/// around turns its frequencies around the zero frequency, which stays where it is.
fn as_the_voxels(plane: &[bool], [mx, my]: [usize; 2], orientation: Orientation) -> Vec<bool> {
    let stored = [mx, my];
    let [nx, ny] = [orientation.axes[0], orientation.axes[1]].map(|a| stored[a]);
    let place = |axis: usize, k: usize| {
        let n = stored[orientation.axes[axis]];
        if orientation.flips[axis] { (2 * (n / 2) + n - k) % n } else { k }
    };
    let mut out = Vec::with_capacity(plane.len());
    for y in 0..ny {
        for x in 0..nx {
            let mut at = [0; 2];
            at[orientation.axes[0]] = place(0, x);
            at[orientation.axes[1]] = place(1, y);
            out.push(plane[at[1] * mx + at[0]]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;

    fn number(is: bool) -> Complex32 {
        Complex32::new(if is { 1.0 } else { 0.0 }, 0.0)
    }

    #[test]
    fn marks_are_shared_where_they_are_alike() {
        let lines = |k: usize, odd: usize| (k / 4 + odd).is_multiple_of(2);
        let of = |planes: &[usize], nz: usize| {
            let data: Vec<Complex32> =
                planes.iter().flat_map(|odd| (0..16).map(move |k| number(lines(k, *odd)))).collect();
            sampled(&data, [4, 4, nz])
        };
        let one = |odd: usize| (0..16).map(|k| lines(k, odd)).collect::<Vec<bool>>();
        assert_eq!(of(&[0, 0, 0, 0], 2), one(0));
        // two slices, two coils alike
        assert_eq!(of(&[0, 1, 0, 1], 2), [one(0), one(1)].concat());
        // one slice, two coils that differ
        assert_eq!(of(&[0, 1], 1), [one(0), one(1)].concat());
    }

    #[test]
    fn a_zero_by_chance_is_measured_and_an_empty_slice_too() {
        let mut data: Vec<Complex32> = (0..1200).map(|k| number(k / 30 % 2 == 0)).collect();
        data[7] = number(false);
        // the second of two slices of 30 × 20 has no signal
        data[600..].fill(number(false));
        let marks = sampled(&data, [30, 20, 2]);
        assert_eq!(marks, (0..600).map(|k| k / 30 % 2 == 0).collect::<Vec<bool>>());
        // half a line is not a line: an echo that was cut
        data[..15].fill(number(false));
        assert!(!sampled(&data, [30, 20, 2])[0]);
    }

    #[test]
    fn a_mask_turns_with_the_volume_around_its_zero_frequency() {
        let orientation = Orientation { axes: [0, 1, 2], flips: [true, false, true] };
        let grid = Grid::centred([6, 4, 2], [1.0; 3]);
        let mut volume = Volume::new(vec![0.0; 48], grid);
        volume.acquisition.orientation = orientation;
        let mask = |marked: &[usize], nz: usize| {
            let mut voxels = vec![0.0; 24 * nz];
            marked.iter().for_each(|k| voxels[*k] = 1.0);
            Volume::new(voxels, Grid::centred([6, 4, nz], [1.0; 3]))
        };
        // the zero frequency, and the one behind it along x
        let marks = sampling_of(&mask(&[2 * 6 + 3, 2 * 6 + 4], 1), &volume).expect("of its size");
        let found: Vec<usize> = (0..24).filter(|k| marks[*k]).collect();
        assert_eq!(found, [2 * 6 + 2, 2 * 6 + 3]);
        // slices that differ are turned around with the volume
        let marks = sampling_of(&mask(&[2 * 6 + 3], 2), &volume).expect("of its size");
        assert_eq!((0..48).filter(|k| marks[*k]).collect::<Vec<_>>(), [24 + 2 * 6 + 3]);
        let said = sampling_of(&mask(&[0], 3), &volume).expect_err("three slices for two");
        assert!(said.to_string().contains("3 slices that differ"), "{said}");
        volume.acquisition.orientation = Orientation { axes: [2, 1, 0], flips: [false; 3] };
        assert!(sampling_of(&mask(&[0], 1), &volume).is_err());
    }
}
