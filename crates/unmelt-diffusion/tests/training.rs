//! Training: the same losses after an interruption, and checkpoints that are whole or refused.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use unmelt_diffusion::checkpoint::{
    BeganWith, CARD_FORMAT, Card, ModelFiles, Precision, Provenance, WeightsRecord, read_arrays,
    values_in_layout, weights_bytes,
};
use unmelt_diffusion::job::{CancelToken, Event, Job};
use unmelt_diffusion::model_folder::write_model;
use unmelt_diffusion::train::{
    Begin, Initial, Label, LearningRate, Loss, Objective, RunFolder, TrainConfig, Trainer,
};
use unmelt_diffusion::{Init, Layout, Noise, Result, Stream, Weights, to_vec};

/// Fits a plane to noisy points.
struct Plane;

impl Objective for Plane {
    /// The step, which the points follow from.
    type Batch = u64;

    fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        layout.add_linear("plane", 2, 1);
        layout
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        step..
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        let mut x = vec![0.0f32; 64];
        Noise::new(5).normal(Stream::new(step, 0, 0), &mut x);
        let y: Vec<f32> = x.chunks_exact(2).map(|p| 3.0 * p[0] - 2.0 * p[1] + 1.0).collect();
        let device = &device.clone().inner();
        let x = Tensor::<2>::from_data(TensorData::new(x, [32, 2]), device);
        let y = Tensor::<2>::from_data(TensorData::new(y, [32, 1]), device);
        let bias = weights.get::<1>("plane.bias")?.unsqueeze::<2>();
        let error = x.matmul(weights.get("plane.weight")?) + bias - y;
        let total = error.powi_scalar(2).mean();
        Ok(Loss { parts: vec![("square", total.clone())], total, samples: 32 })
    }
}

fn config(steps: u64) -> TrainConfig {
    TrainConfig {
        steps,
        learning_rate: LearningRate { peak: 0.05, warmup_steps: 10, ..LearningRate::default() },
        ema_decay: 0.9,
        report_every: 10,
        checkpoint_minutes: 1e9,
        ..TrainConfig::default()
    }
}

/// The events of a run, which is cancelled by `cancel`.
fn events_of(cancel: &CancelToken, run: impl FnOnce(&Job) -> Result<()>) -> Vec<Event> {
    let events = Mutex::new(Vec::new());
    let listener = |event: &Event| events.lock().expect("no panic").push(event.clone());
    run(&Job::new().cancelled_by(cancel).heard_by(&listener)).expect("runs");
    events.into_inner().expect("no panic")
}

#[test]
fn losses_after_a_resume_equal_the_uninterrupted_runs() {
    let device = Device::flex();
    let mut whole = Trainer::new(Arc::new(Plane), config(120), &device);
    let all: Vec<f64> = (0..120).map(|_| whole.advance().expect("a step").loss).collect();
    assert!(all[119] < 0.05 * all[0], "{} {}", all[0], all[119]);

    let folder = tempfile::tempdir().expect("a folder");
    let mut first = Trainer::new(Arc::new(Plane), config(120), &device);
    let (cancel, reports) = (CancelToken::new(), AtomicU64::new(0));
    let fifth = |event: &Event| {
        if matches!(event, Event::Trained { .. }) && reports.fetch_add(1, Ordering::SeqCst) == 4 {
            cancel.cancel();
        }
    };
    let job = Job::new().cancelled_by(&cancel).heard_by(&fifth);
    first.run(folder.path(), None, &job, |_| Ok(()), |_| Ok(Vec::new())).expect("runs");
    assert_eq!(first.step(), 50);
    let mut second = Trainer::resume(Arc::new(Plane), config(120), &device, folder.path()).expect("resumes");
    assert_eq!((second.step(), second.samples()), (50, 1600));
    let rest: Vec<f64> = (50..120).map(|_| second.advance().expect("a step").loss).collect();
    assert_eq!(rest, all[50..], "bit for bit");
    assert_eq!(second.averaged_values(), whole.averaged_values());
}

/// The plane; the run is cancelled once so many steps have begun.
struct CancelledAfter(u64, CancelToken);

impl Objective for CancelledAfter {
    type Batch = u64;

    fn layout(&self) -> Layout {
        Plane.layout()
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        step..
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        let loss = Plane.loss(weights, step, device);
        if step + 1 >= self.0 {
            self.1.cancel();
        }
        loss
    }
}

/// What is reported, without the speed.
fn reports(events: &[Event]) -> Vec<Event> {
    let report = |event: &Event| match event.clone() {
        Event::Trained { step, loss, parts, gradient_norm, learning_rate, .. } => {
            Some(Event::Trained { step, loss, parts, gradient_norm, learning_rate, samples_per_second: 0.0 })
        }
        _ => None,
    };
    events.iter().filter_map(report).collect()
}

#[test]
fn reports_after_a_resume_equal_the_uninterrupted_runs_wherever_it_broke() {
    let device = Device::flex();
    let run = |folder: &Path, steps: u64, resume: bool| {
        let cancel = CancelToken::new();
        let objective = Arc::new(CancelledAfter(steps, cancel.clone()));
        let mut trainer = match resume {
            true => Trainer::resume(objective, config(60), &device, folder).expect("resumes"),
            false => Trainer::new(objective, config(60), &device),
        };
        let events = events_of(&cancel, |job| trainer.run(folder, None, job, |_| Ok(()), |_| Ok(Vec::new())));
        (trainer.step(), reports(&events))
    };
    let folder = || tempfile::tempdir().expect("a folder");
    let (_, whole) = run(folder().path(), u64::MAX, false);
    assert_eq!(whole.len(), 6);
    for broken in [1, 7, 10, 35, 59] {
        let folder = folder();
        let (step, mut parts) = run(folder.path(), broken, false);
        assert!(step == broken || step == broken - 1, "{step} of {broken}");
        let (_, rest) = run(folder.path(), u64::MAX, true);
        parts.extend(rest);
        assert_eq!(parts, whole, "broken after {broken} steps");
    }
}

/// The plane, with a step that lasts until it is let go.
struct Endless {
    step: u64,
    cancel: CancelToken,
    is_let_go: (Mutex<bool>, Condvar),
}

impl Objective for Endless {
    type Batch = u64;

    fn layout(&self) -> Layout {
        Plane.layout()
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        step..
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        if step == self.step {
            self.cancel.cancel();
            let (lock, condition) = &self.is_let_go;
            let held = lock.lock().expect("no panic");
            drop(condition.wait_while(held, |is_let_go| !*is_let_go).expect("no panic"));
        }
        Plane.loss(weights, step, device)
    }
}

#[test]
fn a_step_that_lasts_is_given_up_and_the_run_goes_on_from_before_it() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a folder");
    let objective = Arc::new(Endless { step: 4, cancel: CancelToken::new(), is_let_go: Default::default() });
    let mut trainer = Trainer::new(Arc::clone(&objective), config(9), &device);
    // The endless step, which cancels the run, is let go once the checkpoint is there.
    let lets_go = |event: &Event| {
        // The first checkpoint of a run is that of its beginning.
        if let Event::Saved { step: 1.., .. } = event {
            *objective.is_let_go.0.lock().expect("no panic") = true;
            objective.is_let_go.1.notify_all();
        }
    };
    let job = Job::new().cancelled_by(&objective.cancel).heard_by(&lets_go);
    trainer.run(folder.path(), None, &job, |_| Ok(()), |_| panic!("no time to measure")).expect("runs");
    assert_eq!(trainer.step(), 4);
    let mut rest = Trainer::resume(Arc::new(Plane), config(9), &device, folder.path()).expect("resumes");
    let mut whole = Trainer::new(Arc::new(Plane), config(9), &device);
    (0..4).for_each(|_| drop(whole.advance().expect("a step")));
    (4..9).for_each(|_| assert_eq!(rest.advance().expect("a step"), whole.advance().expect("a step")));
}

#[test]
fn checkpoints_with_numbers_of_no_run_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Trainer::new(Arc::new(Plane), config(10), &Device::flex()).save(folder.path()).expect("saved");
    let bytes = std::fs::read(&path).expect("bytes");
    let resume = || Trainer::resume(Arc::new(Plane), config(10), &Device::flex(), folder.path()).map(|_| ());
    resume().expect("whole");
    for (from, to) in [
        ("seconds\\\":0.0", "seconds\\\":-1."),
        ("seconds\\\":0.0", "seconds\\\":9e99"),
        ("step\\\":0", "step\\\":-1"),
        ("step\\\":0", "step\\\":99999999999999999"),
        ("loss\\\":\\\"0", "loss\\\":\\\"NaN"),
    ] {
        // The header's length stands before it.
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
        let header = std::str::from_utf8(&bytes[8..8 + length]).expect("text");
        assert!(header.contains(from), "{from} in {header}");
        let header = header.replacen(from, to, 1);
        let altered =
            [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
        std::fs::write(&path, altered).expect("written");
        let error = resume().expect_err(to).to_string();
        assert!(error.contains("training checkpoint"), "{error}");
    }
}

#[test]
fn a_folder_with_a_run_is_not_begun_in_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |begin| RunFolder::new(folder.path(), begin).check(&[]);
    check(Begin::Afresh).expect("empty");
    let none = check(Begin::Resume).expect_err("empty").to_string();
    assert!(none.contains("holds no checkpoint"), "{none}");
    Trainer::new(Arc::new(Plane), config(10), &Device::flex()).save(folder.path()).expect("saved");
    let held = check(Begin::Afresh).expect_err("a run").to_string();
    assert!(held.contains("holds a run already"), "{held}");
    check(Begin::Resume).expect("there is one");
    check(Begin::Overwrite).expect("asked for");
    RunFolder::new(folder.path().join("new/deeper"), Begin::Afresh).check(&[]).expect("to be made");
    assert!(!folder.path().join("new").exists());
    let file = folder.path().join("training.safetensors");
    let fault = RunFolder::new(&file, Begin::Overwrite).check(&[]).expect_err("a file").to_string();
    assert!(fault.contains("is a file"), "{fault}");
    let run = RunFolder::new(folder.path(), Begin::Overwrite);
    let claims = run.claim(&[]).expect("free");
    let busy = run.claim(&[]).expect_err("claimed").to_string();
    assert!(cfg!(not(unix)) || busy.contains("another process"), "{busy}");
    drop(claims);
}

/// A plane whose batches are counted when they are made.
struct Counted(AtomicU64);

impl Objective for Counted {
    type Batch = u64;

    fn layout(&self) -> Layout {
        Plane.layout()
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        (step..).inspect(|_| {
            self.0.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        // The batch of the next step is made while this one is at work, and none beyond it.
        while self.0.load(Ordering::SeqCst) < step + 2 {
            std::thread::yield_now();
        }
        Plane.loss(weights, step, device)
    }
}

#[test]
fn one_batch_is_made_ahead() {
    let objective = Arc::new(Counted(AtomicU64::new(0)));
    let mut trainer = Trainer::new(Arc::clone(&objective), config(20), &Device::flex());
    let mut plain = Trainer::new(Arc::new(Plane), config(20), &Device::flex());
    for step in 0..20 {
        let reports = (trainer.advance().expect("a step"), plain.advance().expect("a step"));
        assert_eq!(reports.0, reports.1);
        assert_eq!(objective.0.load(Ordering::SeqCst), step + 2);
    }
}

/// A plane that has three batches.
struct Few;

impl Objective for Few {
    type Batch = u64;

    fn layout(&self) -> Layout {
        Plane.layout()
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        step..3
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        Plane.loss(weights, step, device)
    }
}

#[test]
fn batches_that_end_are_an_error() {
    let mut trainer = Trainer::new(Arc::new(Few), config(9), &Device::flex());
    (0..3).for_each(|_| drop(trainer.advance().expect("a step")));
    let error = trainer.advance().expect_err("no more").to_string();
    assert!(error.contains("no batch for training step 3"), "{error}");
}

#[test]
fn events_tell_the_story() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut written = Vec::new();
    let mut trainer = Trainer::new(Arc::new(Plane), config(30), &Device::flex());
    let write = |t: &Trainer<Plane>| {
        written.push(t.step());
        Ok(())
    };
    let measure = |_: &Trainer<Plane>| Ok(vec![("worth", 0.5)]);
    let events = events_of(&CancelToken::new(), |job| trainer.run(folder.path(), None, job, write, measure));
    assert!(matches!(events[0], Event::TrainingStarted { step: 0, steps: 30, parameters: 3 }));
    let steps: Vec<u64> = events
        .iter()
        .filter_map(|e| if let Event::Trained { step, .. } = e { Some(*step) } else { None })
        .collect();
    assert_eq!((steps, written), (vec![10, 20, 30], vec![0, 30]));
    let [.., saving, saved, validated] = &events[..] else { panic!("there are events") };
    assert_eq!(*saving, Event::Saving { step: 30 });
    assert!(matches!(saved, Event::Saved { step: 30, .. }));
    assert_eq!(*validated, Event::Validated { step: 30, measures: vec![("worth", 0.5)] });
}

/// The plane, with steps whose loss is not finite.
struct Cracked(std::ops::Range<u64>);

impl Objective for Cracked {
    type Batch = u64;

    fn layout(&self) -> Layout {
        Plane.layout()
    }

    fn batches(&self, _part: usize, step: u64) -> impl Iterator<Item = u64> + Send {
        step..
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> Result<Loss> {
        let loss = Plane.loss(weights, step, device)?;
        let factor = if self.0.contains(&step) { f32::NAN } else { 1.0 };
        Ok(Loss { total: loss.total * factor, ..loss })
    }
}

#[test]
fn steps_that_are_not_finite_are_left_out_and_many_are_an_error() {
    let device = Device::flex();
    let mut sound = Trainer::new(Arc::new(Plane), config(30), &device);
    (0..10).for_each(|_| drop(sound.advance().expect("a step")));
    let (few, many) = (Arc::new(Cracked(10..14)), Arc::new(Cracked(10..20)));
    let mut trainer = Trainer::new(few, config(30), &device);
    (0..14).for_each(|_| drop(trainer.advance().expect("a step")));
    assert_eq!(trainer.averaged_values(), sound.averaged_values(), "nothing has changed but the count");
    assert_eq!(trainer.step(), 14);
    (14..30).for_each(|_| assert!(trainer.advance().expect("a step").loss.is_finite()));
    let mut trainer = Trainer::new(many, config(30), &device);
    let error = (0..30).find_map(|_| trainer.advance().err()).expect("six in a row").to_string();
    assert!(error.contains("the loss is not finite at training step 15"), "{error}");
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let resume = |config| {
        Trainer::resume(Arc::new(Plane), config, &Device::flex(), folder.path())
            .map(|_| ())
            .expect_err("refused")
            .to_string()
    };
    assert!(resume(config(10)).contains("could not read"));
    let path = folder.path().join("training.safetensors");
    std::fs::write(&path, b"garbage").expect("written");
    assert!(resume(config(10)).contains("not a usable training checkpoint"));
    Trainer::new(Arc::new(Plane), config(10), &Device::flex()).save(folder.path()).expect("saved");
    assert!(resume(TrainConfig { seed: 9, ..config(10) }).contains("seed"));
    let bytes = std::fs::read(&path).expect("bytes");
    for k in 0..bytes.len() {
        std::fs::write(&path, &bytes[..k]).expect("written");
        resume(config(10));
    }
}

fn card() -> Card<u32> {
    Card {
        format: CARD_FORMAT,
        name: "test".into(),
        description: "A test.".into(),
        model: 7,
        conditions: Vec::new(),
        provenance: Provenance::default(),
        weights: WeightsRecord::default(),
    }
}

fn written(folder: &Path) -> Vec<f32> {
    let layout = Plane.layout();
    let values = layout.initial_values(3);
    write_model(folder, &card(), &layout, &values, Precision::Single).expect("written");
    values
}

#[test]
fn models_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let values = written(folder.path());
    let files = ModelFiles::read(folder.path()).expect("read");
    let card = files.card::<u32>().expect("a card");
    assert_eq!((card.model, card.weights.parameters), (7, 3));
    let weights = files.weights(&card, &Device::flex()).expect("weights");
    assert_eq!(to_vec(weights.get::<2>("plane.weight").expect("there")), values[..2]);
    assert!(weights.get::<1>("plane.weight").expect_err("two dimensions").to_string().contains("dimensions"));
    assert!(weights.get::<1>("other").expect_err("missing").to_string().contains("no tensor"));
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("e").file_name()).collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
}

#[test]
fn bytes_with_scales_are_no_worse_than_plain_rounding() {
    let mut layout = Layout::default();
    layout.add("kernel", &[3, 2, 5], Init::Uniform(0.3));
    layout.add("zeros", &[2, 2], Init::Zeros);
    layout.add("bias", &[7], Init::Uniform(2.0));
    let values = layout.initial_values(5);
    let path = Path::new("model.safetensors");
    let bytes = weights_bytes(&layout, &values, Precision::Byte, None).expect("bytes");
    let read = values_in_layout(&layout, &read_arrays(&bytes, path).expect("arrays")).expect("values");
    for (row, got) in values[..30].chunks(10).zip(read[..30].chunks(10)) {
        let step = row.iter().fold(0.0f32, |m, x| m.max(x.abs())) / 127.0;
        let error = |of: &dyn Fn(usize) -> f32| (0..10).map(|k| (row[k] - of(k)).powi(2)).sum::<f32>();
        let (ours, plain) = (error(&|k| got[k]), error(&|k| (row[k] / step).round() * step));
        assert!(ours > 0.0 && ours <= 1.001 * plain, "{ours} {plain}");
    }
    assert_eq!(read[30..34], [0.0; 4]);
    assert!(values[34..].iter().zip(&read[34..]).all(|(x, y)| (x - y).abs() < 1e-3));
    let file = SafeTensors::deserialize(&bytes).expect("a file");
    let without = file.iter().filter(|(name, _)| *name != "kernel.scale");
    let bytes = safetensors::serialize(without, None).expect("bytes");
    let fault = read_arrays(&bytes, path).expect_err("no scale").to_string();
    assert!(fault.contains("kernel") && fault.contains("scale"), "{fault}");
}

#[test]
fn a_run_can_begin_with_a_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let values = written(folder.path());
    let files = ModelFiles::read(folder.path()).expect("read");
    let card = files.card::<u32>().expect("a card");
    let device = Device::flex();
    let initial = Initial::of(&files, &card, &Plane.layout()).expect("values");
    let mut trainer = Trainer::fine_tune(Arc::new(Plane), config(30), &device, initial);
    assert_eq!((trainer.step(), trainer.averaged_values()), (0, values));
    let digest = card.weights.sha256;
    trainer.advance().expect("a step");
    let run = tempfile::tempdir().expect("a folder");
    trainer.save(run.path()).expect("saved");
    let resumed = Trainer::resume(Arc::new(Plane), config(30), &device, run.path()).expect("resumes");
    let label = Label { name: "tuned".into(), ..Label::default() };
    resumed.write_model(run.path(), &label, &7u32, Precision::Half).expect("written");
    let card = ModelFiles::read(run.path()).and_then(|f| f.card::<u32>()).expect("a card");
    let began_with = card.provenance.began_with.expect("said");
    assert_eq!((began_with.name.as_str(), began_with.sha256, card.provenance.steps), ("test", digest, 1));
    // Older cards have the name alone.
    let name: BeganWith = serde_json::from_str("\"old\"").expect("read");
    assert_eq!(name, BeganWith { name: "old".into(), sha256: String::new() });
}

#[test]
fn damaged_models_are_refused_with_the_file_and_the_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path());
    let path = |name: &str| folder.path().join(name);
    let load = || -> Result<()> {
        let files = ModelFiles::read(folder.path())?;
        let card = files.card::<u32>()?;
        files.weights(&card, &Device::flex()).map(drop)
    };
    load().expect("whole");
    let weights = std::fs::read(path("model.safetensors")).expect("bytes");
    let json = std::fs::read_to_string(path("model.json")).expect("text");
    let fails = |message: &str| {
        let error = load().expect_err("refused").to_string();
        assert!(error.contains(message) && error.contains("model."), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    for cut in [0, 1, 8, weights.len() / 2, weights.len() - 1] {
        std::fs::write(path("model.safetensors"), &weights[..cut]).expect("written");
        fails("truncated, altered or of another model");
    }
    let mut altered = weights.clone();
    *altered.last_mut().expect("bytes") ^= 1;
    std::fs::write(path("model.safetensors"), &altered).expect("written");
    fails("truncated, altered");
    // A foreign file with the right hash still has to be safetensors.
    std::fs::write(path("model.safetensors"), b"PK\x03\x04 a pickle").expect("written");
    let hash = unmelt_diffusion::checkpoint::sha256(b"PK\x03\x04 a pickle");
    let old = unmelt_diffusion::checkpoint::sha256(&weights);
    std::fs::write(path("model.json"), json.replace(&old, &hash)).expect("written");
    fails("not a usable weights file");
    std::fs::write(path("model.safetensors"), &weights).expect("written");
    for (bad, message) in [
        (json.replace("\"name\"", "\"nome\""), "unknown field"),
        (json.replace("\"format\": 2", "\"format\": 3"), "its format is 3, this program reads 1 to 2"),
        (json[..json.len() / 2].to_string(), "EOF"),
        (String::new(), "EOF"),
    ] {
        std::fs::write(path("model.json"), bad).expect("written");
        fails(message);
    }
    std::fs::remove_file(path("model.json")).expect("removed");
    fails("could not read");
}
