//! The command line of unmelt.
use std::path::Path;
use unmelt_diffusion::train::*;
use unmelt_molecules::*;
fn main() {
    let t = std::time::Instant::now();
    let reading = format::read_parquet(Path::new("../shared/data/qm9.parquet")).expect("read");
    println!("{} {} {:?}", reading.molecules.len(), reading.faults.len(), t.elapsed());
    let v = Vocabulary::of(&reading.molecules, POSITION_SCALE).expect("v");
    println!("{v:?}");
    let model = GraphModel::new(v, NetworkSize::default(), GraphLoss::default()).expect("m");
    let data = TrainingSet::new(&model, &reading.molecules).expect("d");
    println!("{:?}", t.elapsed());
    let o = GraphObjective::new(&model, data, 64, 0).expect("o");
    let device = burn::tensor::Device::flex();
    let mut tr = Trainer::new(&o, TrainConfig::default(), &device);
    for i in 0..60 { let t = std::time::Instant::now(); let r = tr.advance().expect("step"); if i % 10 == 9 { println!("{:?} {:?}", t.elapsed(), r); } }
}
