//! Counter-based noise: any number of any stream, in any order, from (seed, sample, feature, step, element).
//!
//! Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The generator has
//! no state, so sample 17 of seed 7 gets the same noise alone, in a batch, on a shard or after a resume.

use crate::Real;

/// Noise of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    key: [u32; 2],
}

/// Which stream of a seed: one sample, one feature of its state, one step of its walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Number of the sample, below 2⁴⁸.
    pub sample: u64,
    /// Number of the feature, or another purpose of the caller's.
    pub feature: u16,
    /// Number of the step; steps of a sampler count down to 0, so keep special draws at the top.
    pub step: u32,
}

impl Stream {
    /// Step number for a state's first draw.
    pub const INITIAL: u32 = u32::MAX;

    /// The stream of a sample, feature and step.
    pub fn new(sample: u64, feature: u16, step: u32) -> Self {
        Self { sample, feature, step }
    }
}

impl Noise {
    /// Noise of a seed.
    pub fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32] }
    }

    /// Words 4k … 4k+3 of a stream.
    fn block(&self, stream: Stream, k: u32) -> [u32; 4] {
        let top = (stream.sample >> 32) as u32 & 0xFFFF | u32::from(stream.feature) << 16;
        philox([k, stream.step, stream.sample as u32, top], self.key)
    }

    /// Numbers uniform in (0, 1).
    pub fn uniform<T: Real>(&self, stream: Stream, out: &mut [T]) {
        for (k, chunk) in out.chunks_mut(4).enumerate() {
            let words = self.block(stream, k as u32);
            for (x, w) in chunk.iter_mut().zip(words) {
                *x = T::of(unit(w));
            }
        }
    }

    /// One number uniform in (0, 1): element 0 of a stream.
    pub fn uniform_one(&self, stream: Stream) -> f64 {
        unit(self.block(stream, 0)[0])
    }

    /// Standard normal numbers (Box–Muller).
    pub fn normal<T: Real>(&self, stream: Stream, out: &mut [T]) {
        for (k, chunk) in out.chunks_mut(4).enumerate() {
            let w = self.block(stream, k as u32);
            let (a, b) = box_muller(w[0], w[1]);
            let (c, d) = box_muller(w[2], w[3]);
            for (x, y) in chunk.iter_mut().zip([a, b, c, d]) {
                *x = T::of(y);
            }
        }
    }

    /// A permutation of 0 … n−1.
    pub fn permutation(&self, stream: Stream, n: usize) -> Vec<usize> {
        let mut keys = vec![0.0f64; n];
        self.uniform(stream, &mut keys);
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, ((keys[i] * (i + 1) as f64) as usize).min(i));
        }
        order
    }
}

/// A word as a number in (0, 1), the ends excluded.
fn unit(word: u32) -> f64 {
    (f64::from(word) + 0.5) / 4_294_967_296.0
}

fn box_muller(a: u32, b: u32) -> (f64, f64) {
    let radius = (-2.0 * unit(a).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(b)).sin_cos();
    (radius * cos, radius * sin)
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the authors' Random123 distribution.
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normal_numbers_have_the_right_moments_and_prefixes() {
        let noise = Noise::new(7);
        let mut x = vec![0.0f64; 100_001];
        noise.normal(Stream::new(17, 2, 5), &mut x);
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let var = x.iter().map(|v| v * v).sum::<f64>() / n;
        let fourth = x.iter().map(|v| v.powi(4)).sum::<f64>() / n;
        assert!(mean.abs() < 0.01 && (var - 1.0).abs() < 0.02 && (fourth - 3.0).abs() < 0.15);
        let mut short = vec![0.0f64; 7];
        noise.normal(Stream::new(17, 2, 5), &mut short);
        assert_eq!(short, x[..7]);
    }

    #[test]
    fn streams_differ() {
        let noise = Noise::new(1);
        let first = |s| noise.uniform_one(s);
        let base = first(Stream::new(1, 1, 1));
        for other in
            [Stream::new(2, 1, 1), Stream::new(1, 2, 1), Stream::new(1, 1, 2), Stream::new(1 << 33, 1, 1)]
        {
            assert_ne!(base, first(other));
        }
        assert_ne!(base, Noise::new(2).uniform_one(Stream::new(1, 1, 1)));
    }

    #[test]
    fn permutation_is_one() {
        let mut p = Noise::new(3).permutation(Stream::new(0, 0, 0), 1000);
        assert_ne!(p, (0..1000).collect::<Vec<_>>());
        p.sort_unstable();
        assert_eq!(p, (0..1000).collect::<Vec<_>>());
    }
}
