//! Noise taken away from blocks that look alike, together: what they share is signal, what they do not is noise (BM3D of Dabov et
//! al. 2007, "Image denoising by sparse 3-D transform-domain collaborative filtering", for volumes as by Maggioni et al. 2013).
//!
//! It knows nothing of heads, and so errs elsewhere than a network does: the mean of the two is better than either.

use rayon::prelude::*;
use unmelt_diffusion::job::CancelToken;

/// Edge of a block in voxels.
const EDGE: usize = 4;
const VOXELS: usize = EDGE.pow(3);

/// Voxels that like blocks are looked for in, each way.
const REACH: usize = 5;

/// Candidates along x, made a multiple of what processors work on at a time.
const LANES: usize = (2 * REACH + 1).next_multiple_of(4);

/// Blocks that are taken together.
const ALIKE: usize = 16;

/// Coefficients below so many standard deviations of the noise are taken for noise.
const THRESHOLD: f32 = 2.8;

/// Slices of blocks that are worked on before their sums are added up: bounds memory, whatever the volume.
const AT_ONCE: usize = 8;

/// Shortest edge of a volume that has blocks enough.
const LEAST_EDGE: usize = 2 * EDGE;

/// What similar blocks are asked.
pub(crate) struct BlockMatching<'a> {
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Standard deviation of the noise, the same everywhere.
    pub sigma: f64,
    /// How much their answer counts beside another, 0 to 1.
    pub share: f32,
    /// Voxels from one block that is asked for to the next, 1 to 4: the fewer, the better and the slower.
    pub step: usize,
    /// Voxels that are asked for; all if there is no such list.
    pub wanted: Option<&'a [bool]>,
    /// Whether to end early, with numbers of no use.
    pub cancel: &'a CancelToken,
}

impl BlockMatching<'_> {
    /// The weighted mean of another estimate and of what similar blocks say, where the volume has room for blocks. The other estimate
    /// also says which blocks are alike.
    pub fn blended(&self, mut other: Vec<f32>, noisy: &[f32]) -> Vec<f32> {
        if self.shape.into_iter().any(|n| n < LEAST_EDGE) {
            return other;
        }
        let own = self.estimate(noisy, &other);
        for (k, (other, own)) in other.iter_mut().zip(own).enumerate() {
            if self.is_wanted(k) {
                *other += self.share * (own - *other);
            }
        }
        other
    }

    fn is_wanted(&self, k: usize) -> bool {
        self.wanted.is_none_or(|w| w[k])
    }

    /// Where the blocks begin that are asked for along an axis: the last one ends with the volume.
    fn begins(&self, axis: usize) -> Vec<usize> {
        let last = self.shape[axis] - EDGE;
        (0..last).step_by(self.step).chain([last]).collect()
    }

    /// First what stands out of the noise, then Wiener's filter with that for the signal.
    fn estimate(&self, noisy: &[f32], guide: &[f32]) -> Vec<f32> {
        let sigma = self.sigma as f32;
        let (noisy, guide) = (Padded::new(noisy, self.shape), Padded::new(guide, self.shape));
        let pilot = self.filtered(&noisy, &guide, &|group| keep_large(group, sigma));
        drop(guide);
        let pilot = Padded::new(&pilot, self.shape);
        self.filtered(&noisy, &pilot, &|group| {
            let mut guide = gathered(&pilot, &group.places);
            transform(&mut guide);
            shrink(group, &guide, sigma)
        })
    }

    /// The mean of what `filter` makes of each group of blocks that are alike in the guide; it returns the weight of a group. What
    /// lies in no block stays.
    fn filtered(&self, noisy: &Padded, guide: &Padded, filter: &Filter) -> Vec<f32> {
        let count: usize = self.shape.iter().product();
        let (mut values, mut weights) = (vec![0.0f32; count], vec![0.0f32; count]);
        for some in self.begins(2).chunks(AT_ONCE) {
            let sums: Vec<Sums> =
                some.par_iter().map(|z| self.slice_of_blocks((noisy, guide), *z, filter)).collect();
            for part in sums {
                let add = |to: &mut [f32], from: &[f32]| to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
                add(&mut values[part.first..], &part.values);
                add(&mut weights[part.first..], &part.weights);
            }
        }
        let mean = |((v, w), noisy): ((f32, f32), &f32)| if w > 0.0 { v / w } else { *noisy };
        values.into_iter().zip(weights).zip(&noisy.voxels).map(mean).collect()
    }

    /// All groups of the blocks that begin at slice `z`.
    fn slice_of_blocks(&self, (noisy, guide): (&Padded, &Padded), z: usize, filter: &Filter) -> Sums {
        let [low, high] = noisy.around(z, 2);
        let first = noisy.at([0, 0, low]);
        let count = noisy.at([0, 0, high + EDGE]) - first;
        let mut sums = Sums { first, values: vec![0.0; count], weights: vec![0.0; count] };
        let mut found = Vec::with_capacity(LANES.pow(3));
        for y in self.begins(1) {
            if self.cancel.is_cancelled() {
                break;
            }
            for x in self.begins(0) {
                if !self.is_worth(noisy, noisy.at([x, y, z])) {
                    continue;
                }
                let places = guide.like([x, y, z], &mut found);
                let mut group = Group { values: gathered(noisy, &places), places };
                transform(&mut group.values);
                let weight = filter(&mut group);
                transform_back(&mut group.values);
                sums.add(noisy, &group, weight);
            }
        }
        sums
    }

    /// Whether a block holds anything that is wanted, and anything at all: padding is the same everywhere.
    fn is_worth(&self, noisy: &Padded, at: usize) -> bool {
        let mut voxels = noisy.rows(at).flat_map(|row| row..row + EDGE);
        let first = noisy.voxels[at];
        voxels.clone().any(|k| self.is_wanted(k)) && voxels.any(|k| noisy.voxels[k] != first)
    }
}

/// Changes a group and says how much it counts.
type Filter<'a> = dyn Fn(&mut Group) -> f32 + Sync + 'a;

/// Voxels with room behind the last one, so that whole lanes can be read there.
struct Padded {
    voxels: Vec<f32>,
    shape: [usize; 3],
}

impl Padded {
    fn new(voxels: &[f32], shape: [usize; 3]) -> Self {
        let mut voxels = voxels.to_vec();
        voxels.resize(voxels.len() + LANES + EDGE, 0.0);
        Self { voxels, shape }
    }

    /// Index of a block's first voxel.
    fn at(&self, [x, y, z]: [usize; 3]) -> usize {
        (z * self.shape[1] + y) * self.shape[0] + x
    }

    /// Indices of the rows of a block, from that of its first voxel.
    fn rows(&self, at: usize) -> impl Iterator<Item = usize> + Clone {
        let [nx, ny, _] = self.shape;
        (0..EDGE * EDGE).map(move |k| at + (k / EDGE * ny + k % EDGE) * nx)
    }

    /// Where candidates begin along an axis, the first and the last.
    fn around(&self, begin: usize, axis: usize) -> [usize; 2] {
        [begin.saturating_sub(REACH), (begin + REACH).min(self.shape[axis] - EDGE)]
    }

    /// The blocks most like the one at `begin`, which is among them.
    fn like(&self, begin: [usize; 3], found: &mut Vec<(f32, u32)>) -> [usize; ALIKE] {
        let own: Vec<f32> =
            self.rows(self.at(begin)).flat_map(|row| &self.voxels[row..row + EDGE]).copied().collect();
        let [xs, ys, zs]: [_; 3] = std::array::from_fn(|a| self.around(begin[a], a));
        found.clear();
        for z in zs[0]..=zs[1] {
            for y in ys[0]..=ys[1] {
                let first = self.at([xs[0], y, z]);
                let distances = self.distances(&own, first);
                found.extend((xs[0]..=xs[1]).map(|x| (distances[x - xs[0]], (first + x - xs[0]) as u32)));
            }
        }
        found.select_nth_unstable_by(ALIKE - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        std::array::from_fn(|k| found[k].1 as usize)
    }

    /// Squared distances of a block to those that begin at `first` and behind it along x.
    fn distances(&self, own: &[f32], first: usize) -> [f32; LANES] {
        let mut sums = [0.0f32; LANES];
        for (row, own) in self.rows(first).zip(own.chunks_exact(EDGE)) {
            let theirs = &self.voxels[row..row + LANES + EDGE];
            for (x, own) in own.iter().enumerate() {
                for (sum, v) in sums.iter_mut().zip(&theirs[x..x + LANES]) {
                    *sum += (v - own) * (v - own);
                }
            }
        }
        sums
    }
}

/// Blocks that look alike, voxel by voxel or coefficient by coefficient, and where they begin.
struct Group {
    values: [[f32; ALIKE]; VOXELS],
    places: [usize; ALIKE],
}

fn gathered(volume: &Padded, places: &[usize; ALIKE]) -> [[f32; ALIKE]; VOXELS] {
    let mut values = [[0.0; ALIKE]; VOXELS];
    for (k, &at) in places.iter().enumerate() {
        for (row, values) in volume.rows(at).zip(values.chunks_exact_mut(EDGE)) {
            values.iter_mut().zip(&volume.voxels[row..]).for_each(|(to, v)| to[k] = *v);
        }
    }
    values
}

/// Sums of weighted estimates and of their weights, of some slices.
struct Sums {
    first: usize,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Sums {
    fn add(&mut self, volume: &Padded, group: &Group, weight: f32) {
        for (k, at) in group.places.iter().enumerate() {
            for (row, values) in volume.rows(at - self.first).zip(group.values.chunks_exact(EDGE)) {
                for (x, value) in values.iter().enumerate() {
                    self.values[row + x] += weight * value[k];
                    self.weights[row + x] += weight;
                }
            }
        }
    }
}

/// Leaves out what the noise may be; a group of which less is left counts more.
fn keep_large(group: &mut Group, sigma: f32) -> f32 {
    let mean = group.values[0][0];
    let mut kept = 1usize;
    for value in group.values.as_flattened_mut() {
        let large = value.abs() > THRESHOLD * sigma;
        *value = if large { *value } else { 0.0 };
        kept += usize::from(large);
    }
    group.values[0][0] = mean;
    1.0 / kept as f32
}

/// Wiener's filter, with the guide for the signal.
fn shrink(group: &mut Group, guide: &[[f32; ALIKE]; VOXELS], sigma: f32) -> f32 {
    let noise = sigma * sigma;
    let mut sum = 0.0;
    for (values, guides) in group.values.iter_mut().zip(guide) {
        for (value, guide) in values.iter_mut().zip(guides) {
            let part = guide * guide / (guide * guide + noise);
            *value *= part;
            sum += part * part;
        }
    }
    1.0 / sum.max(1e-6)
}

/// Of the orthonormal cosine transform of four: 1/2, cos(π/8)/√2 and sin(π/8)/√2.
const HALF: f32 = 0.5;
const COS: f32 = 0.653_281_5;
const SIN: f32 = 0.270_598_05;

/// Applies `f` to every line of four along every axis of all blocks.
fn lines(values: &mut [[f32; ALIKE]; VOXELS], f: impl Fn([f32; EDGE]) -> [f32; EDGE]) {
    for stride in [1, EDGE, EDGE * EDGE] {
        for k in (0..VOXELS).filter(|k| (k / stride).is_multiple_of(EDGE)) {
            for lane in 0..ALIKE {
                let at = |i: usize| values[k + i * stride][lane];
                let changed = f([at(0), at(1), at(2), at(3)]);
                (0..EDGE).for_each(|i| values[k + i * stride][lane] = changed[i]);
            }
        }
    }
}

/// Cosines within the blocks, Haar's wavelets across them.
fn transform(values: &mut [[f32; ALIKE]; VOXELS]) {
    lines(values, |[p, q, r, s]| {
        let (a, b, c, d) = (p + s, q + r, p - s, q - r);
        [HALF * (a + b), COS * c + SIN * d, HALF * (a - b), SIN * c - COS * d]
    });
    values.iter_mut().for_each(across);
}

fn transform_back(values: &mut [[f32; ALIKE]; VOXELS]) {
    values.iter_mut().for_each(across_back);
    lines(values, |[p, q, r, s]| {
        let (a, b) = (HALF * (p + r), HALF * (p - r));
        let (c, d) = (COS * q + SIN * s, SIN * q - COS * s);
        [a + c, b + d, b - d, a - c]
    });
}

/// Haar's orthonormal wavelets, as many as a power of two: means in front, differences behind, and so on with the means.
fn across(values: &mut [f32; ALIKE]) {
    let mut length = ALIKE;
    while length > 1 {
        let before = *values;
        for (k, pair) in before[..length].chunks_exact(2).enumerate() {
            values[k] = std::f32::consts::FRAC_1_SQRT_2 * (pair[0] + pair[1]);
            values[length / 2 + k] = std::f32::consts::FRAC_1_SQRT_2 * (pair[0] - pair[1]);
        }
        length /= 2;
    }
}

fn across_back(values: &mut [f32; ALIKE]) {
    let mut length = 2;
    while length <= ALIKE {
        let before = *values;
        for (k, pair) in values[..length].chunks_exact_mut(2).enumerate() {
            let (mean, difference) = (before[k], before[length / 2 + k]);
            pair[0] = std::f32::consts::FRAC_1_SQRT_2 * (mean + difference);
            pair[1] = std::f32::consts::FRAC_1_SQRT_2 * (mean - difference);
        }
        length *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmelt_diffusion::{Noise, Stream};

    #[test]
    fn the_transform_is_orthonormal_and_goes_back() {
        let mut values = [[0.0f32; ALIKE]; VOXELS];
        Noise::new(1).normal(Stream::new(0, 0, 0), values.as_flattened_mut());
        let before = values;
        transform(&mut values);
        let power = |v: &[[f32; ALIKE]; VOXELS]| v.as_flattened().iter().map(|x| x * x).sum::<f32>();
        assert!((power(&values) / power(&before) - 1.0).abs() < 1e-4);
        transform_back(&mut values);
        for (a, b) in values.as_flattened().iter().zip(before.as_flattened()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn noise_goes_and_edges_stay() {
        let shape = [17, 20, 14];
        let [nx, ny, nz] = shape;
        let truth: Vec<f32> = (0..nx * ny * nz)
            .map(|k| if k % nx < 8 { 0.2 } else { 0.8 } + 0.1 * (k / nx % ny) as f32 / ny as f32)
            .collect();
        let mut noise = vec![0.0f32; truth.len()];
        Noise::new(2).normal(Stream::new(0, 0, 0), &mut noise);
        let noisy: Vec<f32> = truth.iter().zip(&noise).map(|(t, n)| t + 0.1 * n).collect();
        let cancel = CancelToken::new();
        let asked = BlockMatching { shape, sigma: 0.1, share: 1.0, step: 3, wanted: None, cancel: &cancel };
        let out = asked.blended(noisy.clone(), &noisy);
        let error = |x: &[f32]| {
            let sum: f32 = x.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum();
            (sum / x.len() as f32).sqrt()
        };
        assert!(error(&out) < 0.25 * error(&noisy), "{} of {}", error(&out), error(&noisy));
    }
}
