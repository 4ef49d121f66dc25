//! Writing.

use std::path::Path;

use ::nifti::writer::WriterOptions;
use ::nifti::{Endianness, Extender, Extension, ExtensionSequence, NiftiHeader};
use ndarray::{ArrayView3, ShapeBuilder};
use unmelt_diffusion::files::AsideFile;

use super::header::set_grid;
use crate::{Error, Grid, Orientation, Result, Source, Volume};

/// The type of the voxels in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    Float32,
    /// 16-bit integers with slope 1: Hounsfield units.
    Int16,
}

/// Writes a volume (`.nii` or `.nii.gz`), whole or not at all, in the orientation of its source, with the
/// source's header: a grid that did not change keeps sform, qform and their codes bit for bit.
pub fn write(volume: &Volume, element: Element, path: &Path) -> Result<()> {
    let (mut header, extensions, orientation, stored) = match &volume.source {
        Source::Nifti(s) => (s.header.clone(), s.extensions.clone(), s.orientation, Some(s.grid)),
        Source::Memory(orientation) => (fresh_header(), Vec::new(), *orientation, None),
        Source::Dicom(_) => (fresh_header(), Vec::new(), Orientation::RAS, None),
    };
    let grid = orientation.from_ras(&volume.grid);
    if !stored.is_some_and(|s| s.same_as(&grid)) {
        let placed = header.sform_code > 0 || header.qform_code > 0;
        set_grid(&mut header, &grid);
        if !placed {
            // Without codes the place would be lost with the size.
            header.sform_code = 1;
        }
    }
    header.endianness = Endianness::Little;
    (header.cal_min, header.cal_max) = (0.0, 0.0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let suffix = if name.ends_with(".gz") { ".nii.gz" } else { ".nii" };
    let aside = AsideFile::with_ending(path, suffix)?;
    let voxels = orientation.scatter(&volume.voxels, grid.shape);
    let options = WriterOptions::new(aside.temporary_path()).reference_header(&header);
    let options = match extensions.is_empty() {
        true => options,
        false => options.with_extensions(sequence(extensions)),
    };
    let failed = |e: ::nifti::NiftiError| {
        let kind = match e {
            ::nifti::NiftiError::Io(e) => e.kind().into(),
            other => std::io::Error::other(other.to_string()),
        };
        Error::file("write", path)(kind)
    };
    match element {
        Element::Float32 => options.write_nifti(&view(&voxels, &grid)).map_err(failed)?,
        Element::Int16 => {
            let bound = |v: f32| v.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
            let voxels: Vec<i16> = voxels.iter().map(|v| bound(*v)).collect();
            options.write_nifti(&view(&voxels, &grid)).map_err(failed)?;
        }
    }
    Ok(aside.finish()?)
}

fn view<'a, T>(voxels: &'a [T], grid: &Grid) -> ArrayView3<'a, T> {
    let [x, y, z] = grid.shape;
    ArrayView3::from_shape((x, y, z).f(), voxels).expect("one value per voxel")
}

fn sequence(extensions: Vec<Extension>) -> ExtensionSequence {
    ExtensionSequence::new(Extender::from([1, 0, 0, 0]), extensions)
}

/// The header of a volume without one: millimetres, scanner coordinates.
fn fresh_header() -> NiftiHeader {
    NiftiHeader { xyzt_units: 2, sform_code: 1, qform_code: 1, ..NiftiHeader::default() }
}
