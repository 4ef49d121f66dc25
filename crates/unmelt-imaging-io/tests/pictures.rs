//! Pictures and series of them: what is written reads back, what lies is refused with a sentence.

use std::path::{Path, PathBuf};

use unmelt_imaging::{Grid, Lattice, Series, Volume};
use unmelt_imaging_io::{Choice, Depth, Derivation, PictureKind, Scan, ScanSeries, SeriesReading, Source};

fn convert() -> Derivation {
    Derivation::conversion()
}

fn read(path: &Path) -> SeriesReading {
    ScanSeries::read(path, &Choice::default()).expect("readable")
}

fn complaint(path: &Path) -> String {
    let said = ScanSeries::read(path, &Choice::default()).expect_err("refused").to_string();
    assert!(said.contains(&*path.to_string_lossy()) && !said.contains('\n'), "{said}");
    said
}

/// Values that are all different within a frame, up to a largest one.
fn series(shape: [usize; 3], channels: usize, frames: usize, largest: usize) -> Series {
    let lattice = Lattice { channels, frames, ..Lattice::scalar(Grid::centred(shape, [1.0; 3])) };
    Series::new((0..lattice.values()).map(|k| (k * 7 % (largest + 1)) as f32).collect(), lattice)
}

#[test]
fn pictures_come_back_as_they_were() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, channels, frames, largest, depth) in [
        ("gray8.png", 1, 1, 255, Depth::Eight),
        ("gray16.png", 1, 1, 65_535, Depth::Sixteen),
        ("colour8.png", 3, 1, 255, Depth::Eight),
        ("colour16.png", 3, 1, 65_535, Depth::Sixteen),
        ("gray8.tif", 1, 1, 255, Depth::Eight),
        ("colour16.tiff", 3, 1, 65_535, Depth::Sixteen),
        ("pages8.TIF", 1, 4, 255, Depth::Eight),
        ("pages_in_colours.tif", 3, 2, 255, Depth::Eight),
    ] {
        let path = dir.path().join(name);
        let original = ScanSeries::new(series([100, 90, 1], channels, frames, largest));
        assert!(original.write(&path, &convert()).expect("written").is_empty(), "{name}");
        let SeriesReading { scan, warnings } = read(&path);
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
        assert_eq!(scan.series.values(), original.series.values(), "{name}");
        let (lattice, wanted) = (scan.series.lattice(), original.series.lattice());
        assert_eq!((lattice.channels, lattice.frames), (channels, frames), "{name}");
        assert!(lattice.grid.same_as(&wanted.grid), "{name}");
        let Source::Picture(source) = &scan.source else { panic!("{name}") };
        assert_eq!(source.depth, depth, "{name}");
        assert_eq!(PictureKind::of_file(&path), Some(source.kind), "{name}");
        // Through NIfTI and back.
        let (nifti, again) = (dir.path().join("x.nii.gz"), dir.path().join(format!("again_{name}")));
        scan.write(&nifti, &convert()).expect("written");
        let volume = read(&nifti).scan;
        assert_eq!(volume.series.values(), original.series.values(), "{name}");
        assert_eq!(volume.series.lattice().channels, channels, "{name}");
        volume.write(&again, &convert()).expect("written");
        assert_eq!(read(&again).scan.series.values(), original.series.values(), "{name}");
    }
}

#[test]
fn fractions_stay_in_a_tiff_and_fill_the_range_of_a_png() {
    let dir = tempfile::tempdir().expect("a folder");
    let lattice = Lattice::scalar(Grid::centred([1, 20, 30], [1.0; 3]));
    let scan = ScanSeries::new(Series::new((0..600).map(|k| k as f32 * 0.37 - 40.0).collect(), lattice));
    let tiff = dir.path().join("a.tif");
    assert!(scan.write(&tiff, &convert()).expect("written").is_empty());
    let back = read(&tiff).scan.series;
    // The picture's columns run to the back and its rows downwards; it is read as an axial slice.
    assert_eq!(back.lattice().shape(), [20, 30, 1]);
    assert_eq!(back.values(), scan.series.values());
    let png = dir.path().join("a.png");
    let said = scan.write(&png, &convert()).expect("written");
    assert!(said[0].contains("0 stands for -40"), "{said:?}");
    let back = read(&png).scan.series;
    let step = 599.0 * 0.37 / 65_535.0;
    let near = |(got, want): (&f32, &f32)| (got * step - 40.0 - want).abs() <= step;
    assert!(back.values().iter().zip(scan.series.values()).all(near));
}

#[test]
fn what_is_no_picture_is_refused_before_it_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let volume = ScanSeries::new(series([6, 5, 4], 1, 1, 255));
    let frames = ScanSeries::new(series([6, 5, 1], 1, 3, 255));
    for (scan, name, wanted) in [
        (&volume, "a.png", "a picture holds one slice"),
        (&volume, "a.tif", "a picture holds one slice"),
        (&frames, "a.png", ".tif, whose pages"),
        (&frames, "a.jpg", "JPEG changes values"),
        (&frames, "nowhere/a.tif", "no such folder"),
    ] {
        let path = dir.path().join(name);
        let said = scan.check_output(&path).expect_err("refused").to_string();
        assert!(said.contains(wanted), "{said}");
        assert!(scan.write(&path, &convert()).is_err() && !path.exists());
    }
    let path = dir.path().join("own.png");
    let picture = ScanSeries::new(series([6, 5, 1], 1, 1, 255));
    picture.write(&path, &convert()).expect("written");
    let said = read(&path).scan.write(&path, &convert()).expect_err("its own file").to_string();
    assert!(said.contains("is an input"), "{said}");
}

/// A chunk of a PNG with its checksum.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
}

#[test]
fn pictures_that_lie_get_a_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let save = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let png = |width: u32, height: u32| {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[16, 2, 0, 0, 0]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header), &chunk(b"IDAT", &[]), &chunk(b"IEND", &[])]
            .concat()
    };
    assert!(complaint(&save("huge.png", &png(1_000_000, 1_000_000))).contains("voxels"));
    complaint(&save("none.png", &png(0, 5)));
    complaint(&save("empty.png", &png(5, 5)));
    complaint(&save("short.png", b"\x89PNG\r\n\x1a\n"));
    complaint(&save("short.tif", b"II*\0"));
    complaint(&save("loop.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"));
    complaint(&save("short.jpg", b"\xff\xd8\xff\xe0"));
    // Every cut of whole files is read or refused.
    for name in ["a.png", "a.tif"] {
        let path = dir.path().join(name);
        ScanSeries::new(series([30, 20, 1], 3, 1, 255)).write(&path, &convert()).expect("written");
        let bytes = std::fs::read(&path).expect("there");
        let mut refused = 0;
        for length in (0..bytes.len()).step_by(7) {
            let path = save(name, &bytes[..length]);
            refused += usize::from(ScanSeries::read(&path, &Choice::default()).is_err());
        }
        assert!(refused > bytes.len() / 14, "{name}: {refused}");
    }
}

#[test]
fn a_picture_is_no_volume() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.png");
    ScanSeries::new(series([30, 20, 1], 1, 1, 255)).write(&path, &convert()).expect("written");
    let said = Scan::read(&path, &Choice::default()).expect_err("refused").to_string();
    assert!(said.contains("PNG picture"), "{said}");
    let choice = Choice { index: Some(1), ..Choice::default() };
    assert!(ScanSeries::read(&path, &choice).expect_err("no index").to_string().contains("is a picture"));
}

#[test]
fn a_volume_is_a_series_of_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.nii");
    let volume =
        Volume::new((0..120).map(|k| k as f32 * 0.5).collect(), Grid::centred([6, 5, 4], [1.0, 1.0, 2.0]));
    Scan::new(volume.clone()).write(&path, &convert()).expect("written");
    let scan = read(&path).scan.into_scan().expect("one volume");
    assert_eq!((scan.volume.voxels, scan.volume.grid), (volume.voxels, volume.grid));
}
