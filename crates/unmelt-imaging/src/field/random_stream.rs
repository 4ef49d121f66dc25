//! Numbers drawn one after another.

use unmelt_diffusion::{Noise, Stream};

/// Numbers drawn one after another from one stream.
pub(crate) struct RandomStream {
    noise: Noise,
    sample: u64,
    purpose: u16,
    step: u32,
}

impl RandomStream {
    pub(crate) fn new(noise: Noise, sample: u64, purpose: u16) -> Self {
        Self { noise, sample, purpose, step: 0 }
    }

    fn stream(&mut self) -> Stream {
        self.step += 1;
        Stream::new(self.sample, self.purpose, self.step)
    }

    /// Uniform in (0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        let stream = self.stream();
        self.noise.uniform_one(stream)
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        let stream = self.stream();
        let mut x = [0.0f64];
        self.noise.normal(stream, &mut x);
        x[0]
    }

    /// Uniform among 0 … n−1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }
}
