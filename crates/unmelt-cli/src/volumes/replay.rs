//! `unmelt replay` of volumes.

use std::path::Path;

use serde_json::json;
use unmelt_diffusion::ErrorKind;
use unmelt_diffusion::files::plain;
use unmelt_diffusion::job::Event;
use unmelt_diffusion::run_record::RunRecord;
use unmelt_imaging::enhance::{
    EnhanceRequest, Enhancer, Task, TaskData, TaskKind, VolumeRequest, enhance_series_classically,
};
use unmelt_imaging::{Grid, Series, Volume, kspace, models};
use unmelt_imaging_io::{Choice, Derivation, Scan, ScanSeries, Source};

use super::{enhance, files};
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::EvaluationBar;
use crate::replay_args::Replay;

/// Whether a file is a volume, by its name or its beginning.
pub fn is_volume(path: &Path) -> bool {
    unmelt_imaging_io::output::is_nifti(path) || path.is_dir() || unmelt_imaging_io::dicom::is_dicom(path)
}

/// Makes a volume again from its record, and says whether it came out bit for bit.
pub fn run(args: &Replay) -> Outcome {
    if args.count.is_some() {
        return Err(Failure::usage("--count is for molecules; a volume is one").hint("leave it away"));
    }
    let reading = ScanSeries::read(&args.file, &Choice::default())?;
    let subject = args.file.display().to_string();
    let text = reading.scan.source.record().ok_or_else(|| {
        Failure::usage(format!(
            "nothing in {subject} says how it was made; results of unmelt volumes enhance and generate have a record"
        ))
    })?;
    let record: RunRecord<VolumeRequest> = RunRecord::from_json(text, &subject)?;
    let bar = EvaluationBar::new();
    let listener = |event: &Event| bar.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let again = match &record.request {
        VolumeRequest::Generate(request) => {
            let grid = Grid::centred(request.shape, request.spacing);
            ScanSeries::of(Scan::new(enhancer(args, &record)?.generate(grid, &request.settings, &job)?))
        }
        VolumeRequest::Enhance(request) => {
            let path = args.input.as_deref().ok_or_else(|| {
                Failure::usage(format!("{subject} was made from a scan")).hint("name it by --input SCAN")
            })?;
            let input = input(path, request.task.kind(), &reading.scan.series)?;
            request
                .check_input(input.series.values())
                .map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            match &request.settings {
                None => {
                    let task = task(args, request, &input, path)?;
                    input.with(enhance_series_classically(&input.series, &task, &job)?.series)
                }
                Some(settings) => {
                    let task = task(args, request, &input, path)?;
                    let volume = input.series.volume(0, 0);
                    let made = enhancer(args, &record)?.enhance(&volume, &task, settings, &job)?;
                    input.with(Series::of(made.volume))
                }
            }
        }
    };
    bar.finish();
    let same = is_same(&reading.scan, &again)?;
    if !same {
        return Err(Failure::failed(format!("{subject} came out differently"))
            .of_kind(ErrorKind::Numeric)
            .hint(format!(
                "the file was made by {}; another version, another device or another instruction set (UNMELT_SIMD) can round otherwise",
                plain(&record.program)
            )));
    }
    println!("{subject} came out the same, bit for bit.");
    Ok(json!({ "file": args.file, "same": same }))
}

/// The model of a record, or the one that is named, with the weights of the record.
fn enhancer(args: &Replay, record: &RunRecord<VolumeRequest>) -> Result<Enhancer, Failure> {
    let files = match &args.model {
        Some(model) => models::find(model)?,
        // The name of a file's record is never a folder: a file does not decide what is read.
        None if models::names().any(|name| name == record.model) => models::find(&record.model)?,
        None => {
            return Err(Failure::usage(format!("{} is no built-in model", plain(&record.model)))
                .hint("name its folder by --model FOLDER"));
        }
    };
    let enhancer = Enhancer::load(&files, &args.device.open()?)?;
    record.check_weights(enhancer.card())?;
    Ok(enhancer)
}

/// What was enhanced: a scan, a series or, for k-space, the empty volume that it goes to.
fn input(path: &Path, kind: TaskKind, made: &Series) -> Result<ScanSeries, Failure> {
    let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if is_npy && kind == TaskKind::KSpace {
        let grid = made.lattice().grid;
        return Ok(ScanSeries::of(Scan::new(Volume::new(vec![0.0; grid.voxels()], grid))));
    }
    let reading = ScanSeries::read(path, &Choice::default())?;
    reading.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(reading.scan)
}

/// The task of a request with the mask or the k-space that are given.
fn task(args: &Replay, request: &EnhanceRequest, input: &ScanSeries, path: &Path) -> Result<Task, Failure> {
    let mask = || {
        args.mask.as_deref().ok_or_else(|| Failure::usage("this was made with a mask: add --mask M.nii.gz"))
    };
    let mut data = TaskData::default();
    match request.task.kind() {
        TaskKind::Inpaint => {
            let grid = input.series.lattice().grid;
            data.missing = Some(files::read_mask_on_grid((&grid, path), mask()?)?);
        }
        TaskKind::KSpace => {
            data.kspace = Some(match path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
                true => enhance::read_npy_kspace(path, args.sensitivities.as_deref())?.measurement,
                false => {
                    let volume = input.series.volume(0, 0);
                    let sampled = kspace::sampling_of(&files::read_only(mask()?)?.volume, &volume)?;
                    kspace::of_zero_filled(volume.field(), &sampled)?
                }
            });
        }
        TaskKind::Denoise | TaskKind::SuperResolve | TaskKind::Outpaint => {}
    }
    Ok(request.task.with(data)?)
}

/// Whether a series that was made again, written as the file was, holds the same values at the same places.
fn is_same(file: &ScanSeries, again: &ScanSeries) -> Result<bool, Failure> {
    let folder =
        tempfile::tempdir().map_err(|e| Failure::failed(format!("no room for a temporary file: {e}")))?;
    let name = if matches!(file.source, Source::Dicom(_)) { "again" } else { "again.nii" };
    let path = folder.path().join(name);
    again.write(&path, &Derivation::new("replay", ""))?;
    let back = ScanSeries::read(&path, &Choice::default())?.scan;
    let bits = |s: &ScanSeries| s.series.values().iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    let (a, b) = (file.series.lattice(), back.series.lattice());
    Ok(bits(file) == bits(&back)
        && (a.channels, a.frames) == (b.channels, b.frames)
        && a.grid.same_as(&b.grid))
}
