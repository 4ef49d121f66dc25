//! Whole numbers drawn from the core's counter-based noise: the same for the same seed, target and number of the input.

use unmelt_diffusion::{Noise, Stream};

/// Numbers that are drawn at a time.
const BLOCK: usize = 16;

/// The draws of one input.
pub struct Draws {
    noise: Noise,
    input: u64,
    target: u16,
    block: [f64; BLOCK],
    next: usize,
    blocks: u32,
}

impl Draws {
    /// The draws of an input of a target.
    pub fn new(seed: u64, target: u16, input: u64) -> Self {
        Self { noise: Noise::new(seed), input, target, block: [0.0; BLOCK], next: BLOCK, blocks: 0 }
    }

    /// A number from 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        if self.next == BLOCK {
            self.noise.uniform(Stream::new(self.input, self.target, self.blocks), &mut self.block);
            (self.next, self.blocks) = (0, self.blocks.wrapping_add(1));
        }
        self.next += 1;
        self.block[self.next - 1]
    }

    /// A number below `n`, 0 for none.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Whether something happens that happens this often.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// One of some.
    pub fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }

    /// A range of `0..n`, short ones more often.
    pub fn range(&mut self, n: usize) -> std::ops::Range<usize> {
        let start = self.below(n + 1);
        let longest = (n - start) as f64;
        let length = (longest + 1.0).powf(self.unit()) as usize;
        start..(start + length).min(n)
    }
}
