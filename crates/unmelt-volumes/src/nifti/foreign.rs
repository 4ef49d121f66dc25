//! Names of what is no NIfTI file, by its first bytes or by its name.

use std::path::Path;

/// First bytes, and what begins with them.
const STARTS: [(&[u8], &str); 22] = [
    (b"NRRD", "an NRRD file"),
    (b"ObjectType", "a MetaImage file (.mha, .mhd)"),
    (b"NDims", "a MetaImage file (.mha, .mhd)"),
    (b"\0\0\0\x01", "a FreeSurfer volume (.mgh, .mgz)"),
    (b"CDF", "a MINC or NetCDF file"),
    (b"\x89HDF", "an HDF5 or MINC file"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"<?xml", "an XML file, as GIFTI surfaces are"),
    (b"<GIFTI", "a GIFTI surface"),
    (b"# === DATA DESCRIPTION", "a Philips PAR file"),
];

/// Ends of names, in small letters, and what has them.
const ENDS: [(&str, &str); 14] = [
    (".mgz", "a FreeSurfer volume (.mgh, .mgz)"),
    (".mgh", "a FreeSurfer volume (.mgh, .mgz)"),
    (".mha", "a MetaImage file (.mha, .mhd)"),
    (".mhd", "a MetaImage file (.mha, .mhd)"),
    (".nrrd", "an NRRD file"),
    (".nhdr", "an NRRD file"),
    (".mnc", "a MINC file"),
    (".mnc.gz", "a MINC file"),
    (".brik", "an AFNI volume"),
    (".brik.gz", "an AFNI volume"),
    (".head", "an AFNI volume"),
    (".par", "a Philips PAR/REC volume"),
    (".rec", "a Philips PAR/REC volume"),
    (".gii", "a GIFTI surface"),
];

/// What a file is that does not begin with a NIfTI header, where that can be told, and what to do.
pub(super) fn kind(start: &[u8], path: &Path) -> Option<String> {
    let by_start = STARTS.iter().find(|(bytes, _)| start.starts_with(bytes));
    let what = by_start.map(|(_, what)| *what).or_else(|| by_name(path))?;
    let advice = match what.contains("packed") || what.contains("archive") {
        true => "unpack it first",
        false => "convert it to .nii.gz first",
    };
    Some(format!("it is {what}; {advice}"))
}

/// What a name promises that is no NIfTI.
pub(crate) fn by_name(path: &Path) -> Option<&'static str> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, what)| *what)
}
