//! Mean and standard deviation of samples.

/// Mean and standard deviation of samples that come one after another (Welford).
#[derive(Default)]
pub(super) struct Moments {
    count: f64,
    mean: Vec<f32>,
    squares: Vec<f32>,
}

impl Moments {
    pub fn add(&mut self, x: Vec<f32>) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = x;
            return;
        }
        self.squares.resize(x.len(), 0.0);
        for ((m, s), x) in self.mean.iter_mut().zip(&mut self.squares).zip(&x) {
            let before = x - *m;
            *m += before / self.count as f32;
            *s += before * (x - *m);
        }
    }

    pub fn finish(self) -> (Vec<f32>, Option<Vec<f32>>) {
        let rest = (self.count - 1.0) as f32;
        let deviation =
            (self.count > 1.0).then(|| self.squares.iter().map(|s| (s / rest).max(0.0).sqrt()).collect());
        (self.mean, deviation)
    }
}
