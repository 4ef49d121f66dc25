//! Names of what is no NIfTI file, by its first bytes or by its name, and how it becomes one.

use std::path::Path;

/// What a file is, and how it becomes a NIfTI file.
type Kind = (&'static str, &'static str);

const ITK: &str =
    "convert it to .nii.gz first: in Python, SimpleITK.WriteImage(SimpleITK.ReadImage(name), \"x.nii.gz\")";
const UNPACK: &str = "unpack it first";
const PICTURE: &str = "a scan in NIfTI or DICOM is wanted";

const NRRD: Kind = ("an NRRD file", ITK);
const META_IMAGE: Kind = ("a MetaImage file (.mha, .mhd)", ITK);
const MRTRIX: Kind = ("an MRtrix image (.mif, .mih)", "convert it to .nii.gz first: mrconvert NAME x.nii.gz");
const FREE_SURFER: Kind =
    ("a FreeSurfer volume (.mgh, .mgz)", "convert it to .nii.gz first: mri_convert NAME x.nii.gz");
const MINC: Kind = ("a MINC file", "convert it to .nii first: mnc2nii NAME x.nii");
const AFNI: Kind = (
    "an AFNI volume",
    "convert it to .nii.gz first: 3dAFNItoNIFTI -prefix x.nii.gz NAME, with the name of its .HEAD file",
);
const PHILIPS: Kind =
    ("a Philips PAR/REC volume", "convert it to .nii.gz first: dcm2niix, with the name of its .PAR file");
const GIFTI: Kind = ("a GIFTI surface", "a volume is wanted");
const XML: Kind = ("an XML file, as GIFTI surfaces are", "a volume is wanted");
const ECAT: Kind = ("an ECAT file (.v)", "convert it to .nii.gz first: mri_convert NAME x.nii.gz");
const INTERFILE: Kind = ("an Interfile header (.hv)", "convert it to NIfTI or DICOM first");
const VTK: Kind = ("a VTK file", ITK);
const GZIP: Kind = (
    "packed by gzip twice: what is in it is a gzip file again",
    "unpack it once, as gunzip does, and give that file, whose name is to end in .nii.gz",
);
const TAR: Kind = ("a tar archive", UNPACK);

/// First bytes, and what begins with them.
const STARTS: [(&[u8], Kind); 29] = [
    (b"NRRD", NRRD),
    (b"ObjectType", META_IMAGE),
    (b"NDims", META_IMAGE),
    (b"mrtrix image", MRTRIX),
    (b"mrtrix tracks", ("an MRtrix file of streamlines (.tck)", "a volume is wanted")),
    (b"\0\0\0\x01", FREE_SURFER),
    (b"CDF", ("a MINC or NetCDF file", "convert it to .nii first: mnc2nii NAME x.nii")),
    (b"\x89HDF", ("an HDF5 or MINC file", "convert it to .nii first: mnc2nii NAME x.nii, if it is MINC")),
    (b"MATRIX7", ECAT),
    (b"!INTERFILE", INTERFILE),
    (b"# vtk DataFile", VTK),
    (b"\x93NUMPY", ("an array of NumPy", "save it with nibabel as .nii.gz first, with its affine")),
    (b"\x1f\x8b", GZIP),
    (b"\x1f\x9d", ("packed by compress (.Z)", UNPACK)),
    (b"BZh", ("packed by bzip2", UNPACK)),
    (b"\xfd7zXZ", ("packed by xz", UNPACK)),
    (b"\x28\xb5\x2f\xfd", ("packed by zstd", UNPACK)),
    (b"PK\x03\x04", ("a ZIP archive", UNPACK)),
    (b"7z\xbc\xaf", ("a 7z archive", UNPACK)),
    (b"\x89PNG", ("a PNG picture", PICTURE)),
    (b"\xff\xd8\xff", ("a JPEG picture", PICTURE)),
    (b"II*\0", ("a TIFF picture", PICTURE)),
    (b"MM\0*", ("a TIFF picture", PICTURE)),
    (b"BM", ("a BMP picture", PICTURE)),
    (b"GIF8", ("a GIF picture", PICTURE)),
    (b"%PDF", ("a PDF document", PICTURE)),
    (b"<?xml", XML),
    (b"<GIFTI", GIFTI),
    (b"# === DATA DESCRIPTION", PHILIPS),
];

/// Where "ustar" stands in a tar archive.
const USTAR: usize = 257;

/// Ends of names, in small letters, and what has them.
const ENDS: [(&str, Kind); 22] = [
    (".mgz", FREE_SURFER),
    (".mgh", FREE_SURFER),
    (".mha", META_IMAGE),
    (".mhd", META_IMAGE),
    (".nrrd", NRRD),
    (".nhdr", NRRD),
    (".mif", MRTRIX),
    (".mif.gz", MRTRIX),
    (".mih", MRTRIX),
    (".mnc", MINC),
    (".mnc.gz", MINC),
    (".brik", AFNI),
    (".brik.gz", AFNI),
    (".head", AFNI),
    (".par", PHILIPS),
    (".rec", PHILIPS),
    (".gii", GIFTI),
    (".hv", INTERFILE),
    (".vtk", VTK),
    (".tar", TAR),
    (".tgz", TAR),
    (".tar.gz", TAR),
];

/// What a file is that does not begin with a NIfTI header, where that can be told, and what to do. `start` is what it begins with
/// once it is unpacked.
pub(super) fn kind(start: &[u8], path: &Path) -> Option<String> {
    let by_start = STARTS.iter().find(|(bytes, _)| start.starts_with(bytes)).map(|(_, kind)| *kind);
    let is_tar = || start.get(USTAR..).is_some_and(|rest| rest.starts_with(b"ustar"));
    let (what, advice) = by_start.or_else(|| is_tar().then_some(TAR)).or_else(|| of_name(path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!("it is {what}; {}", advice.replace("NAME", &name)))
}

/// What a name promises that is no NIfTI.
pub(crate) fn by_name(path: &Path) -> Option<&'static str> {
    of_name(path).map(|(what, _)| what)
}

fn of_name(path: &Path) -> Option<Kind> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, kind)| *kind)
}
