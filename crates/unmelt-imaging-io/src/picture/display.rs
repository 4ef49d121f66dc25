//! Pictures out: a slice as radiologists look at it, in 8 or 16 bits or in floats.

use std::io::{BufWriter, Write};
use std::path::Path;

use unmelt_diffusion::files::AsideFile;
use unmelt_imaging::{Lattice, Orientation, Series};

use super::kind::{Depth, PictureKind};
use super::samples::Samples;
use super::{png, tiff};
use crate::scan_series::ScanSeries;
use crate::{Error, Result, Source};

/// The columns and the rows of the picture of a slice, as axes of a RAS grid, each of which is run through from its far end: to the
/// left or, of a sagittal slice, to the back, and to the back or downwards.
fn axes_of(lattice: &Lattice) -> Option<[usize; 2]> {
    match lattice.shape() {
        [_, _, 1] => Some([0, 1]),
        [_, 1, _] => Some([0, 2]),
        [1, _, _] => Some([1, 2]),
        _ => None,
    }
}

/// Writes an image, or the frames of a series of images as the pages of a TIFF. What had to be changed to fit the picture's numbers is
/// returned, a sentence each.
///
/// # Errors
/// A volume, several frames in a PNG, colours that are not three, a name that asks for JPEG.
pub(crate) fn write(scan: &ScanSeries, kind: PictureKind, path: &Path) -> Result<Vec<String>> {
    let series = &scan.series;
    let axes = check(scan, kind, path)?;
    let lattice = series.lattice();
    let size = axes.map(|a| lattice.shape()[a]);
    let too_large =
        || Error::Request(format!("{}: a picture of {size:?} pixels is too large", path.display()));
    let [columns, rows] = size.map(u32::try_from);
    let size = [columns.map_err(|_| too_large())?, rows.map_err(|_| too_large())?];
    let (depth, scale, warnings) = fitted(scan, kind, path);
    let mut pages = Vec::with_capacity(lattice.frames);
    for frame in 0..lattice.frames {
        let shown = shown(series, frame, axes);
        pages.push(samples(&shown, depth, scale));
    }
    let mut file = AsideFile::create(path)?;
    if let Source::Picture(source) = &scan.source {
        file.no_more_readable_than(&source.path);
    }
    let written = match kind {
        PictureKind::Png => {
            let mut out = BufWriter::new(&mut file);
            png::encode(&mut out, size, lattice.channels, &pages[0]).and_then(|()| out.flush())
        }
        _ => {
            // TIFF goes back to fill in where its pages lie.
            let mut bytes = std::io::Cursor::new(Vec::new());
            tiff::encode(&mut bytes, size, lattice.channels, &pages)
                .and_then(|()| file.write_all(&bytes.into_inner()))
        }
    };
    written.map_err(Error::file("write", path))?;
    file.finish()?;
    Ok(warnings)
}

/// Whether a series can be written as a picture, known before the work; the axes of its columns and rows.
pub(crate) fn check(scan: &ScanSeries, kind: PictureKind, path: &Path) -> Result<[usize; 2]> {
    let lattice = scan.series.lattice();
    let refuse = |text: String| Error::Request(format!("could not write {}: {text}", path.display()));
    if kind == PictureKind::Jpeg {
        return Err(refuse("JPEG changes values; give a name ending in .png or .tif".into()));
    }
    let axes = axes_of(lattice).ok_or_else(|| {
        refuse(format!("a picture holds one slice, and this is a volume ({})", lattice.grid))
    })?;
    if kind == PictureKind::Png && lattice.frames > 1 {
        let frames = lattice.frames;
        return Err(refuse(format!(
            "a PNG holds one image, and there are {frames} frames; give a name ending in .tif, whose pages they become"
        )));
    }
    if !matches!(lattice.channels, 1 | 3) {
        return Err(refuse(format!("a picture has 1 or 3 channels, and there are {}", lattice.channels)));
    }
    Ok(axes)
}

/// How values become the numbers of a picture: number = (value − low) · factor.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    factor: f64,
}

/// The depth that holds the values: that of the picture that they come from, whole numbers where they are such, floats in a TIFF, and
/// otherwise 16 bits over the range of the values, which is said.
fn fitted(scan: &ScanSeries, kind: PictureKind, path: &Path) -> (Depth, Scale, Vec<String>) {
    let as_they_are = Scale { low: 0.0, factor: 1.0 };
    if let Source::Picture(source) = &scan.source
        && (source.depth != Depth::Float || kind == PictureKind::Tiff)
    {
        return (source.depth, as_they_are, Vec::new());
    }
    let values = scan.series.values();
    let (low, high) =
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let whole = low >= 0.0 && values.iter().all(|v| v.fract() == 0.0);
    match () {
        () if whole && high <= 255.0 => (Depth::Eight, as_they_are, Vec::new()),
        () if whole && high <= 65_535.0 => (Depth::Sixteen, as_they_are, Vec::new()),
        () if kind == PictureKind::Tiff => (Depth::Float, as_they_are, Vec::new()),
        () => {
            let range = f64::from(high) - f64::from(low);
            let factor = if range > 0.0 { 65_535.0 / range } else { 1.0 };
            let text = format!(
                "{} holds whole numbers from 0 to 65535: 0 stands for {low} and 65535 for {high}; a TIFF keeps the values",
                path.display()
            );
            (Depth::Sixteen, Scale { low: low.into(), factor }, vec![text])
        }
    }
}

fn samples(shown: &[f32], depth: Depth, scale: Scale) -> Samples {
    let number = |v: &f32, most: f64| ((f64::from(*v) - scale.low) * scale.factor).round().clamp(0.0, most);
    match depth {
        Depth::Eight => Samples::Eight(shown.iter().map(|v| number(v, 255.0) as u8).collect()),
        Depth::Sixteen => Samples::Sixteen(shown.iter().map(|v| number(v, 65_535.0) as u16).collect()),
        Depth::Float => Samples::Float(shown.to_vec()),
    }
}

/// The values of a frame as they are shown, `[row, column, channel]`.
fn shown(series: &Series, frame: usize, [columns, rows]: [usize; 2]) -> Vec<f32> {
    let lattice = series.lattice();
    let thin = 3 - columns - rows;
    // The picture's columns, its rows, and the axis of one voxel, as stored axes of each axis of the world.
    let mut orientation = Orientation { axes: [0; 3], flips: [false; 3] };
    (orientation.axes[columns], orientation.axes[rows], orientation.axes[thin]) = (0, 1, 2);
    (orientation.flips[columns], orientation.flips[rows]) = (true, true);
    let shape = [lattice.shape()[columns], lattice.shape()[rows], 1];
    let planes: Vec<Vec<f32>> = (0..lattice.channels)
        .map(|channel| orientation.scatter(series.part(channel, frame), shape))
        .collect();
    (0..shape[0] * shape[1]).flat_map(|k| planes.iter().map(move |plane| plane[k])).collect()
}

#[cfg(test)]
mod tests {
    use unmelt_imaging::Grid;

    use super::*;

    #[test]
    fn slices_are_shown_with_the_left_of_the_patient_on_the_right() {
        // The brightest voxel is at the right, the front and the top of the patient.
        for (shape, wanted) in [([3, 4, 1], 0), ([3, 1, 4], 0), ([1, 3, 4], 0)] {
            let lattice = Lattice::scalar(Grid::centred(shape, [1.0; 3]));
            let series = Series::new((0..12).map(|k| k as f32).collect(), lattice);
            let axes = axes_of(series.lattice()).expect("a slice");
            let shown = shown(&series, 0, axes);
            // Columns run to the left or the back, rows to the back or downwards: it is the first.
            assert_eq!(shown[wanted], 11.0, "{shape:?}");
            assert_eq!(shown[11], 0.0);
            assert_eq!(shown[1], 10.0);
        }
    }
}
