//! Pictures in.

use std::path::Path;
use std::sync::Arc;

use nalgebra::Matrix4;
use unmelt_diffusion::files::contained;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::{Acquisition, Grid, Lattice, Orientation, Series};

use super::kind::{PictureKind, PictureSource};
use super::pixels::{Pixels, Room};
use super::{jpeg, png, tiff};
use crate::finite::make_finite;
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Error, Result, Source};

/// Reads a picture; pages of a TIFF are frames, and red, green and blue are channels.
///
/// # Errors
/// A file that is no picture or a broken one, one with more values than the limits allow, colours that are not red, green and blue.
pub fn read(path: &Path) -> Result<SeriesReading> {
    let kind = PictureKind::of_file(path)
        .ok_or_else(|| Error::format("picture", path, "it does not begin as PNG, TIFF or JPEG"))?;
    let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
    within(limits().input_bytes, "input_bytes", metadata.len(), &path.display().to_string())?;
    let file = std::fs::File::open(path).map_err(Error::file("read", path))?;
    let mut room = Room { path, kind, used: 0 };
    let decoded = contained(&path.display().to_string(), || match kind {
        PictureKind::Png => png::decode(file, &mut room),
        PictureKind::Tiff => tiff::decode(file, &mut room),
        // The first bytes say that it is none of the others.
        PictureKind::Jpeg | PictureKind::Dicom => jpeg::decode(file, &mut room),
    })?;
    let Pixels { size, channels, depth, pages, mut warnings } = decoded?;
    let orientation = Orientation { axes: [0, 1, 2], flips: [true, true, false] };
    let stored = stored_grid(size, [1.0; 2]);
    let points = stored.voxels();
    let frames = pages.len();
    let mut values = Vec::with_capacity(points * channels * frames);
    for page in pages {
        for channel in 0..channels {
            let plane: Vec<f32> = page.iter().skip(channel).step_by(channels).copied().collect();
            values.extend(orientation.gather(&plane, stored.shape));
        }
    }
    let broken = make_finite(&mut values);
    if broken > 0 {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        warnings.push(format!("{broken} values of {name} are NaN or infinite and are taken as 0"));
    }
    let lattice = Lattice { grid: orientation.to_ras(&stored), channels, frames, frame_step: 0.0 };
    let acquisition = Acquisition { orientation, ..Acquisition::default() };
    let series = Series::new(values, lattice).acquired(acquisition);
    let source = Source::Picture(Arc::new(PictureSource { kind, depth, path: path.into() }));
    Ok(SeriesReading { scan: ScanSeries { series, source }, warnings })
}

/// Where pixels lie whose columns and rows are so many mm apart: columns to the left, rows to the back, the middle at the origin.
pub(crate) fn stored_grid([columns, rows]: [usize; 2], [between_columns, between_rows]: [f64; 2]) -> Grid {
    let shape = [columns, rows, 1];
    let mut turned = Matrix4::identity();
    (turned[(0, 0)], turned[(1, 1)]) = (-1.0, -1.0);
    Grid { shape, affine: turned * Grid::centred(shape, [between_columns, between_rows, 1.0]).affine }
}
