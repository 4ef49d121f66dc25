//! Where voxels lie before and after: 48 orientations, straight and oblique, by sform, by qform, by both and by neither, in every
//! operation that makes a new grid.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use nalgebra::{Matrix3, Matrix4, Rotation3, UnitQuaternion, Vector3};
use unmelt_imaging::{Grid, Orientation, Volume};
use unmelt_imaging_io::nifti::{Element, read, write};
use unmelt_imaging_io::{Scan, Source};

use crate::raw::{Fields, Raw, folder};

const SHAPE: [usize; 3] = [4, 3, 5];
const SPACING: [f64; 3] = [1.0, 1.5, 4.0];
const ORIGIN: [f64; 3] = [-31.0, 17.0, 8.5];
/// The marked voxel, as stored.
const MARK: [usize; 3] = [1, 2, 3];

/// Which of the two forms a header has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Forms {
    Sform,
    Qform,
    Both,
    Neither,
}

/// The 48 orientations: which world axis each stored axis runs along, and which way.
fn orientations() -> Vec<Matrix3<f64>> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let signs = |k: usize, stored: usize| if k >> stored & 1 == 1 { -1.0 } else { 1.0 };
    let of = |order: [usize; 3], k: usize| {
        Matrix3::from_fn(|world, stored| if order[stored] == world { signs(k, stored) } else { 0.0 })
    };
    orders.into_iter().flat_map(|order| (0..8).map(move |k| of(order, k))).collect()
}

fn affine(directions: &Matrix3<f64>) -> Matrix4<f64> {
    let mut affine = Matrix4::identity();
    let columns = directions * Matrix3::from_diagonal(&Vector3::from(SPACING));
    affine.fixed_view_mut::<3, 3>(0, 0).copy_from(&columns);
    affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&Vector3::from(ORIGIN));
    affine
}

/// A file with one marked voxel, and the affine that readers take for it.
fn file(folder: &Path, directions: &Matrix3<f64>, forms: Forms) -> (std::path::PathBuf, Matrix4<f64>) {
    let mut raw = Raw::new(&SHAPE.map(|n| n as i16), 2, 8, false);
    let affine = affine(directions);
    (0..3).for_each(|k| raw.f32(80 + 4 * k, SPACING[k] as f32));
    raw.bytes[123] = 2;
    if matches!(forms, Forms::Sform | Forms::Both) {
        raw.i16(254, 1);
        for r in 0..3 {
            (0..4).for_each(|c| raw.f32(280 + 16 * r + 4 * c, affine[(r, c)] as f32));
        }
    }
    if matches!(forms, Forms::Qform | Forms::Both) {
        raw.i16(252, 1);
        let handed = directions.determinant().signum();
        raw.f32(76, handed as f32);
        let turn = directions * Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, handed));
        let q = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(turn));
        let sign = if q.w < 0.0 { -1.0 } else { 1.0 };
        for (k, part) in [q.i, q.j, q.k].into_iter().enumerate() {
            raw.f32(256 + 4 * k, (sign * part) as f32);
            raw.f32(268 + 4 * k, ORIGIN[k] as f32);
        }
    }
    let mut voxels = vec![0; SHAPE.iter().product()];
    voxels[(MARK[2] * SHAPE[1] + MARK[1]) * SHAPE[0] + MARK[0]] = 100;
    let expected = match forms {
        // The middle at the origin, the first axis to the left.
        Forms::Neither => {
            let mut affine = Grid::centred(SHAPE, SPACING).affine;
            affine.row_mut(0).neg_mut();
            affine
        }
        _ => affine,
    };
    (raw.save(folder, "in.nii", &voxels), expected)
}

/// The place of a stored index, in mm.
fn world(affine: &Matrix4<f64>, index: [f64; 3]) -> Vector3<f64> {
    (affine * nalgebra::Vector4::new(index[0], index[1], index[2], 1.0)).xyz()
}

/// Mean place of the marked voxels of a volume.
fn mark(volume: &Volume) -> Vector3<f64> {
    let [nx, ny, _] = volume.grid.shape;
    let marked: Vec<_> = (0..volume.voxels.len())
        .filter(|k| volume.voxels[*k] == 100.0)
        .map(|k| volume.grid.world([k % nx, k / nx % ny, k / nx / ny].map(|v| v as f64)))
        .collect();
    assert!(!marked.is_empty());
    marked.iter().sum::<Vector3<f64>>() / marked.len() as f64
}

/// A volume on another grid that has, at each voxel, the value of the volume's nearest voxel, and 0 outside.
fn onto(volume: &Volume, grid: Grid) -> Volume {
    let inverse = volume.grid.affine.try_inverse().expect("a place for each voxel");
    let [nx, ny, nz] = grid.shape;
    let [ox, oy, oz] = volume.grid.shape;
    let mut voxels = Vec::new();
    for k in 0..nx * ny * nz {
        let place = grid.world([k % nx, k / nx % ny, k / nx / ny].map(|v| v as f64));
        let at = world(&inverse, place.into()).map(|v| v.round());
        let inside = (0..3).all(|a| at[a] >= 0.0 && at[a] < [ox, oy, oz][a] as f64);
        let index = || (at[2] as usize * oy + at[1] as usize) * ox + at[0] as usize;
        voxels.push(if inside { volume.voxels[index()] } else { 0.0 });
    }
    Volume::new(voxels, grid)
}

fn close(found: [[f64; 4]; 3], want: &Matrix4<f64>, tolerance: f64, what: &str) {
    for r in 0..3 {
        for c in 0..4 {
            assert!((found[r][c] - want[(r, c)]).abs() < tolerance, "{what}: {found:?} and not {want}");
        }
    }
}

/// The new grids that tasks make of a RAS grid: finer along all axes, wider at several ends.
fn new_grids(grid: &Grid) -> [Grid; 3] {
    let fine = grid.spacing().map(|s| s / if s > 3.0 { 4.0 } else { 2.0 });
    [grid.with_spacing(fine), grid.extended([1, 0, 2], [0, 3, 1]), grid.extended([2, 1, 0], [0; 3])]
}

#[test]
fn every_orientation_by_every_form_stays_where_it_is() {
    let dir = folder();
    let oblique = *Rotation3::from_euler_angles(0.21, -0.13, 0.3).matrix();
    for directions in orientations() {
        for tilt in [Matrix3::identity(), oblique] {
            for forms in [Forms::Sform, Forms::Qform, Forms::Both, Forms::Neither] {
                let (path, expected) = file(dir.path(), &(tilt * directions), forms);
                check(&path, &expected, dir.path(), forms);
            }
        }
    }
}

fn check(path: &Path, expected: &Matrix4<f64>, folder: &Path, forms: Forms) {
    let scan = read(path, None).expect("readable").scan;
    let volume = &scan.volume;
    let Source::Nifti(source) = &scan.source else { panic!("NIfTI") };
    let what = format!("{forms:?} {expected}");
    assert!((source.grid.affine - expected).norm() < 1e-2, "{what}");
    let place = world(expected, MARK.map(|v| v as f64));
    assert!((mark(volume) - place).norm() < 1e-2, "{what}");
    for grid in new_grids(&volume.grid) {
        let changed = scan.with(onto(volume, grid));
        let out = folder.join("out.nii");
        write(&changed, Element::Float32, &out).expect("written");
        let stored = volume.orientation().from_ras(&grid);
        let fields = Fields::of(&out);
        let (qform, sform) = (fields.i16(252), fields.i16(254));
        match forms {
            Forms::Sform => assert_eq!((qform, sform), (0, 1)),
            Forms::Qform => assert_eq!((qform, sform), (1, 0)),
            Forms::Both | Forms::Neither => assert_eq!((qform, sform), (1, 1)),
        }
        // Readers that look at no code find the place in either.
        close(fields.sform(), &stored.affine, 1e-2, &what);
        close(fields.qform(), &stored.affine, 1e-2, &what);
        let spacing = stored.spacing();
        assert!((0..3).all(|k| (fields.f32(80 + 4 * k) - spacing[k]).abs() < 1e-5), "{what}");
        keep(&out, &stored.affine, place);
        let back = read(&out, None).expect("readable");
        assert!(back.warnings.is_empty());
        assert!((mark(&back.scan.volume) - place).norm() < 2e-2, "{what}");
        assert!(back.scan.volume.grid.near(&grid, 0.05), "{what}");
    }
}

/// Leaves a file and what is expected of it in the folder that `UNMELT_PLACES` names, for `tests/peers/places.py`.
fn keep(file: &Path, affine: &Matrix4<f64>, mark: Vector3<f64>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = std::env::var_os("UNMELT_PLACES") else { return };
    let name = Path::new(&folder).join(format!("{:05}.nii", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::copy(file, &name).expect("copied");
    let rows: Vec<Vec<f64>> = (0..3).map(|r| affine.row(r).iter().copied().collect()).collect();
    let json = format!("{{\"affine\": {rows:?}, \"mark\": {:?}}}", mark.as_slice());
    std::fs::write(name.with_extension("json"), json).expect("written");
}

#[test]
fn a_volume_in_memory_is_written_where_it_lies_in_every_orientation() {
    let dir = folder();
    let oblique = *Rotation3::from_euler_angles(0.4, 0.1, -0.2).matrix();
    for directions in orientations() {
        for tilt in [Matrix3::identity(), oblique] {
            let stored = Grid { shape: SHAPE, affine: affine(&(tilt * directions)) };
            let orientation = Orientation::of(&stored.affine).expect("axes");
            let mut volume = Volume::new(vec![0.0; stored.voxels()], orientation.to_ras(&stored));
            volume.voxels[7] = 100.0;
            volume.acquisition.orientation = orientation;
            let out = dir.path().join("out.nii");
            write(&Scan::new(volume.clone()), Element::Float32, &out).expect("written");
            let fields = Fields::of(&out);
            assert_eq!((fields.i16(252), fields.i16(254)), (1, 1));
            close(fields.sform(), &stored.affine, 1e-4, "sform");
            close(fields.qform(), &stored.affine, 1e-2, "qform");
            let back = read(&out, None).expect("readable").scan.volume;
            assert!((mark(&back) - mark(&volume)).norm() < 1e-3);
            keep(&out, &stored.affine, mark(&volume));
        }
    }
}

/// A scan whose qform leads to the scanner's space and whose sform to an atlas: both go on to do so.
#[test]
fn two_spaces_stay_two() {
    let dir = folder();
    let turned = *Rotation3::from_euler_angles(0.2, 0.0, 0.1).matrix();
    let left = Matrix3::from_diagonal(&Vector3::new(-1.0, 1.0, 1.0));
    let (path, scanner) = file(dir.path(), &(turned * left), Forms::Both);
    let mut bytes = std::fs::read(&path).expect("readable");
    let atlas = affine(&left) * Matrix4::new_nonuniform_scaling(&Vector3::new(1.1, 0.9, 1.2));
    bytes[254] = 4;
    for r in 0..3 {
        for c in 0..4 {
            let at = 280 + 16 * r + 4 * c;
            bytes[at..at + 4].copy_from_slice(&(atlas[(r, c)] as f32).to_le_bytes());
        }
    }
    std::fs::write(&path, bytes).expect("written");
    let scan = read(&path, None).expect("readable").scan;
    let volume = &scan.volume;
    let wider = scan.with(onto(volume, volume.grid.extended([1, 1, 0], [2, 0, 0])));
    let out = dir.path().join("out.nii");
    write(&wider, Element::Float32, &out).expect("written");
    let fields = Fields::of(&out);
    assert_eq!((fields.i16(252), fields.i16(254)), (1, 4));
    // One voxel more in front of the second axis; two at the right, where the first axis begins.
    let shift = Matrix4::new_translation(&Vector3::new(-2.0, -1.0, 0.0));
    close(fields.sform(), &(atlas * shift), 1e-3, "sform");
    close(fields.qform(), &(scanner * shift), 1e-2, "qform");
}

#[test]
fn an_sform_with_shears_keeps_them_and_no_qform_claims_its_place() {
    let dir = folder();
    let mut sheared = affine(&Matrix3::identity());
    sheared[(0, 2)] = 1.0;
    let stored = Grid { shape: SHAPE, affine: sheared };
    let volume = Volume::new(vec![1.0; stored.voxels()], stored);
    let out = dir.path().join("out.nii");
    write(&Scan::new(volume), Element::Float32, &out).expect("written");
    let fields = Fields::of(&out);
    assert_eq!((fields.i16(252), fields.i16(254)), (0, 1));
    close(fields.sform(), &sheared, 1e-4, "sform");
}
