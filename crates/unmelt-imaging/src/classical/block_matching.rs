//! Noise taken away from blocks that look alike, together: what they share is signal, what they do not is noise (BM3D of Dabov et
//! al. 2007, "Image denoising by sparse 3-D transform-domain collaborative filtering", for volumes as by Maggioni et al. 2013).
//! Blocks are of 4×4×4 voxels in volumes, 8×8 in images and in thin stacks of them, and 64 in signals.
//!
//! It knows nothing of heads, and so errs elsewhere than a network does: the mean of the two is better than either.

use std::sync::OnceLock;

use rayon::prelude::*;
use unmelt_diffusion::job::CancelToken;

use crate::{Field, FieldRef};

/// Voxels of a block.
const VOXELS: usize = 64;

/// The blocks of a shape, and where similar ones are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Blocks {
    /// Voxels of a block along x, y and z.
    edges: [usize; 3],
    /// Voxels that similar blocks are looked for in, each way.
    reach: [usize; 3],
}

impl Blocks {
    /// Blocks along all axes that have room for two of them; none where there is no such axis. Along the others every voxel has blocks
    /// of its own.
    fn of(shape: [usize; 3]) -> Option<Self> {
        for (edge, reach, axes) in [(4, 5, 3), (8, 8, 2), (64, 32, 1)] {
            let has_room = shape.map(|n| n >= 2 * edge);
            if has_room.iter().filter(|room| **room).count() >= axes {
                let edges = has_room.map(|room| if room { edge } else { 1 });
                let reach = has_room.map(|room| if room { reach } else { 0 });
                return Some(Self { edges, reach });
            }
        }
        None
    }
}

/// Candidates along x that are compared at a time, a multiple of what processors work on: for the reach of volumes, images and signals.
const LANES: [usize; 3] = [12, 20, 68];
const MOST_LANES: usize = LANES[2];

/// Rows of blocks of an image that are worked on as one part.
const BAND: usize = 8;

/// Blocks that are taken together.
const ALIKE: usize = 16;

/// Coefficients below so many standard deviations of the noise are taken for noise.
const THRESHOLD: f32 = 2.8;

/// Slices of blocks that are worked on before their sums are added up: bounds memory, whatever the volume.
const AT_ONCE: usize = 8;

/// What similar blocks are asked.
pub(crate) struct BlockMatching<'a> {
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
    /// Whether a shape has room for blocks.
    pub fn has_room(shape: [usize; 3]) -> bool {
        Blocks::of(shape).is_some()
    }

    /// The weighted mean of another estimate and of what similar blocks say, where a volume has room for blocks of 4×4×4 voxels. The
    /// other estimate also says which blocks are alike.
    pub fn blended(&self, mut other: Field, noisy: &[f32]) -> Field {
        let shape = other.shape();
        let Some(blocks) = Blocks::of(shape).filter(|b| b.edges == [4; 3]) else { return other };
        let own = Filtering { of: self, shape, blocks }.estimate(noisy, other.values());
        for (k, (other, own)) in other.values_mut().iter_mut().zip(own).enumerate() {
            if self.is_wanted(k) {
                *other += self.share * (own - *other);
            }
        }
        other
    }

    /// What similar blocks alone say of a signal, an image or a volume; the noisy values themselves where there is no room for blocks.
    pub fn denoised(&self, noisy: FieldRef) -> Vec<f32> {
        let (values, shape) = (noisy.values(), noisy.shape());
        match Blocks::of(shape) {
            Some(blocks) => Filtering { of: self, shape, blocks }.estimate(values, values),
            None => values.to_vec(),
        }
    }

    fn is_wanted(&self, k: usize) -> bool {
        self.wanted.is_none_or(|w| w[k])
    }
}

/// The work on one shape.
struct Filtering<'a> {
    of: &'a BlockMatching<'a>,
    /// Voxels along x, y and z.
    shape: [usize; 3],
    blocks: Blocks,
}

/// Blocks that are worked on as one part: those that begin at one z, in some rows.
struct Part {
    z: usize,
    ys: Vec<usize>,
}

impl Filtering<'_> {
    /// Where the blocks begin that are asked for along an axis: the last one ends with the volume.
    fn begins(&self, axis: usize) -> Vec<usize> {
        let edge = self.blocks.edges[axis];
        let last = self.shape[axis] - edge;
        (0..last).step_by(if edge == 1 { 1 } else { self.of.step }).chain([last]).collect()
    }

    /// The parts of the work: slices of blocks, and of one slice bands of rows.
    fn parts(&self) -> Vec<Part> {
        let (zs, ys) = (self.begins(2), self.begins(1));
        match zs[..] {
            [z] => ys.chunks(BAND).map(|ys| Part { z, ys: ys.to_vec() }).collect(),
            _ => zs.into_iter().map(|z| Part { z, ys: ys.clone() }).collect(),
        }
    }

    fn padded(&self, voxels: &[f32]) -> Padded {
        let mut voxels = voxels.to_vec();
        voxels.resize(voxels.len() + MOST_LANES + VOXELS, 0.0);
        Padded { voxels, shape: self.shape, blocks: self.blocks }
    }

    /// First what stands out of the noise, then Wiener's filter with that for the signal.
    fn estimate(&self, noisy: &[f32], guide: &[f32]) -> Vec<f32> {
        let sigma = self.of.sigma as f32;
        let (noisy, guide) = (self.padded(noisy), self.padded(guide));
        let pilot = self.filtered(&noisy, &guide, &|group| keep_large(group, sigma));
        drop(guide);
        let pilot = self.padded(&pilot);
        self.filtered(&noisy, &pilot, &|group| {
            let mut guide = gathered(&pilot, &group.places);
            transform(&mut guide, self.blocks.edges);
            shrink(group, &guide, sigma)
        })
    }

    /// The mean of what `filter` makes of each group of blocks that are alike in the guide; it returns the weight of a group. What
    /// lies in no block stays.
    fn filtered(&self, noisy: &Padded, guide: &Padded, filter: &Filter) -> Vec<f32> {
        let count: usize = self.shape.iter().product();
        let (mut values, mut weights) = (vec![0.0f32; count], vec![0.0f32; count]);
        for some in self.parts().chunks(AT_ONCE) {
            let sums: Vec<Sums> = some.par_iter().map(|part| self.part(noisy, guide, part, filter)).collect();
            for part in sums {
                let add = |to: &mut [f32], from: &[f32]| to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
                add(&mut values[part.first..], &part.values);
                add(&mut weights[part.first..], &part.weights);
            }
        }
        let mean = |((v, w), noisy): ((f32, f32), &f32)| if w > 0.0 { v / w } else { *noisy };
        values.into_iter().zip(weights).zip(&noisy.voxels).map(mean).collect()
    }

    /// All groups of the blocks of a part.
    fn part(&self, noisy: &Padded, guide: &Padded, part: &Part, filter: &Filter) -> Sums {
        let z = part.z;
        let [low, high] = noisy.around(z, 2);
        let first = noisy.at([0, 0, low]);
        let count = noisy.at([0, 0, high + self.blocks.edges[2]]) - first;
        let mut sums = Sums { first, values: vec![0.0; count], weights: vec![0.0; count] };
        let mut found = Vec::new();
        for &y in &part.ys {
            if self.of.cancel.is_cancelled() {
                break;
            }
            for x in self.begins(0) {
                if !self.is_worth(noisy, noisy.at([x, y, z])) {
                    continue;
                }
                let places = guide.like([x, y, z], &mut found);
                let mut group = Group { values: gathered(noisy, &places), places };
                transform(&mut group.values, self.blocks.edges);
                let weight = filter(&mut group);
                transform_back(&mut group.values, self.blocks.edges);
                sums.add(noisy, &group, weight);
            }
        }
        sums
    }

    /// Whether a block holds anything that is wanted, and anything at all: padding is the same everywhere.
    fn is_worth(&self, noisy: &Padded, at: usize) -> bool {
        let mut voxels = noisy.rows(at).flat_map(|row| row..row + self.blocks.edges[0]);
        let first = noisy.voxels[at];
        voxels.clone().any(|k| self.of.is_wanted(k)) && voxels.any(|k| noisy.voxels[k] != first)
    }
}

/// Changes a group and says how much it counts.
type Filter<'a> = dyn Fn(&mut Group) -> f32 + Sync + 'a;

/// Voxels with room behind the last one, so that whole lanes can be read there.
struct Padded {
    voxels: Vec<f32>,
    shape: [usize; 3],
    blocks: Blocks,
}

impl Padded {
    /// Index of a block's first voxel.
    fn at(&self, [x, y, z]: [usize; 3]) -> usize {
        (z * self.shape[1] + y) * self.shape[0] + x
    }

    /// Indices of the rows of a block, from that of its first voxel.
    fn rows(&self, at: usize) -> impl Iterator<Item = usize> + Clone {
        let ([nx, ny, _], [_, rows, slices]) = (self.shape, self.blocks.edges);
        (0..rows * slices).map(move |k| at + (k / rows * ny + k % rows) * nx)
    }

    /// Where candidates begin along an axis, the first and the last.
    fn around(&self, begin: usize, axis: usize) -> [usize; 2] {
        let Blocks { edges, reach } = self.blocks;
        [begin.saturating_sub(reach[axis]), (begin + reach[axis]).min(self.shape[axis] - edges[axis])]
    }

    /// The blocks most like the one at `begin`, which is among them.
    fn like(&self, begin: [usize; 3], found: &mut Vec<(f32, u32)>) -> [usize; ALIKE] {
        let edge = self.blocks.edges[0];
        let own: Vec<f32> =
            self.rows(self.at(begin)).flat_map(|row| &self.voxels[row..row + edge]).copied().collect();
        let [xs, ys, zs]: [_; 3] = std::array::from_fn(|a| self.around(begin[a], a));
        let lanes = xs[1] - xs[0] + 1;
        let mut distances = [0.0f32; MOST_LANES];
        found.clear();
        for z in zs[0]..=zs[1] {
            for y in ys[0]..=ys[1] {
                let first = self.at([xs[0], y, z]);
                match () {
                    () if lanes <= LANES[0] => self.distances::<{ LANES[0] }>(&own, first, &mut distances),
                    () if lanes <= LANES[1] => self.distances::<{ LANES[1] }>(&own, first, &mut distances),
                    () => self.distances::<{ LANES[2] }>(&own, first, &mut distances),
                }
                found.extend((xs[0]..=xs[1]).map(|x| (distances[x - xs[0]], (first + x - xs[0]) as u32)));
            }
        }
        found.select_nth_unstable_by(ALIKE - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        std::array::from_fn(|k| found[k].1 as usize)
    }

    /// Squared distances of a block to those that begin at `first` and behind it along x.
    fn distances<const N: usize>(&self, own: &[f32], first: usize, to: &mut [f32; MOST_LANES]) {
        let edge = self.blocks.edges[0];
        let mut sums = [0.0f32; N];
        for (row, own) in self.rows(first).zip(own.chunks_exact(edge)) {
            let theirs = &self.voxels[row..row + N + edge];
            for (x, own) in own.iter().enumerate() {
                for (sum, v) in sums.iter_mut().zip(&theirs[x..x + N]) {
                    *sum += (v - own) * (v - own);
                }
            }
        }
        to[..N].copy_from_slice(&sums);
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
        for (row, values) in volume.rows(at).zip(values.chunks_exact_mut(volume.blocks.edges[0])) {
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
            let edge = volume.blocks.edges[0];
            for (row, values) in volume.rows(at - self.first).zip(group.values.chunks_exact(edge)) {
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

/// Lines of a block along an axis: what lies between two of their voxels, and how many voxels they have.
fn axes(edges: [usize; 3]) -> impl Iterator<Item = (usize, usize)> {
    [(1, edges[0]), (edges[0], edges[1]), (edges[0] * edges[1], edges[2])].into_iter().filter(|(_, n)| *n > 1)
}

/// Applies `f` to every line of four along an axis of all blocks.
fn lines(values: &mut [[f32; ALIKE]; VOXELS], stride: usize, f: impl Fn([f32; 4]) -> [f32; 4]) {
    for k in (0..VOXELS).filter(|k| (k / stride).is_multiple_of(4)) {
        for lane in 0..ALIKE {
            let at = |i: usize| values[k + i * stride][lane];
            let changed = f([at(0), at(1), at(2), at(3)]);
            (0..4).for_each(|i| values[k + i * stride][lane] = changed[i]);
        }
    }
}

/// Multiplies every line of `n` along an axis of all blocks by the orthonormal cosine transform, or by its transpose.
fn long_lines(values: &mut [[f32; ALIKE]; VOXELS], stride: usize, n: usize, back: bool) {
    let matrix = cosines(n);
    let mut changed = vec![[0.0f32; ALIKE]; n];
    for k in (0..VOXELS).filter(|k| (k / stride).is_multiple_of(n)) {
        for (i, to) in changed.iter_mut().enumerate() {
            *to = [0.0; ALIKE];
            for j in 0..n {
                let weight = if back { matrix[j * n + i] } else { matrix[i * n + j] };
                to.iter_mut().zip(&values[k + j * stride]).for_each(|(t, v)| *t += weight * v);
            }
        }
        changed.iter().enumerate().for_each(|(i, row)| values[k + i * stride] = *row);
    }
}

/// The orthonormal cosine transform of 8 or 64, `[frequency, voxel]`.
fn cosines(n: usize) -> &'static [f32] {
    static TABLES: [OnceLock<Vec<f32>>; 2] = [OnceLock::new(), OnceLock::new()];
    TABLES[usize::from(n > 8)].get_or_init(|| {
        let wave = |f: usize, x: usize| {
            let scale = if f == 0 { 1.0 } else { std::f64::consts::SQRT_2 } / (n as f64).sqrt();
            (scale * (std::f64::consts::PI * f as f64 * (x as f64 + 0.5) / n as f64).cos()) as f32
        };
        (0..n * n).map(|k| wave(k / n, k % n)).collect()
    })
}

/// Cosines within the blocks, Haar's wavelets across them.
fn transform(values: &mut [[f32; ALIKE]; VOXELS], edges: [usize; 3]) {
    for (stride, n) in axes(edges) {
        if n != 4 {
            long_lines(values, stride, n, false);
            continue;
        }
        lines(values, stride, |[p, q, r, s]| {
            let (a, b, c, d) = (p + s, q + r, p - s, q - r);
            [HALF * (a + b), COS * c + SIN * d, HALF * (a - b), SIN * c - COS * d]
        });
    }
    values.iter_mut().for_each(across);
}

fn transform_back(values: &mut [[f32; ALIKE]; VOXELS], edges: [usize; 3]) {
    values.iter_mut().for_each(across_back);
    for (stride, n) in axes(edges) {
        if n != 4 {
            long_lines(values, stride, n, true);
            continue;
        }
        lines(values, stride, |[p, q, r, s]| {
            let (a, b) = (HALF * (p + r), HALF * (p - r));
            let (c, d) = (COS * q + SIN * s, SIN * q - COS * s);
            [a + c, b + d, b - d, a - c]
        });
    }
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
        for edges in [[4, 4, 4], [8, 8, 1], [8, 1, 8], [1, 8, 8], [64, 1, 1]] {
            let mut values = [[0.0f32; ALIKE]; VOXELS];
            Noise::new(1).normal(Stream::new(0, 0, 0), values.as_flattened_mut());
            let before = values;
            transform(&mut values, edges);
            let power = |v: &[[f32; ALIKE]; VOXELS]| v.as_flattened().iter().map(|x| x * x).sum::<f32>();
            assert!((power(&values) / power(&before) - 1.0).abs() < 1e-4);
            transform_back(&mut values, edges);
            for (a, b) in values.as_flattened().iter().zip(before.as_flattened()) {
                assert!((a - b).abs() < 1e-5, "{edges:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn blocks_fit_volumes_images_thin_stacks_and_signals() {
        let edges = |shape| Blocks::of(shape).map(|b| b.edges);
        assert_eq!(edges([64, 64, 8]), Some([4, 4, 4]));
        assert_eq!(edges([64, 64, 1]), Some([8, 8, 1]));
        assert_eq!(edges([16, 5, 16]), Some([8, 1, 8]));
        assert_eq!(edges([1, 300, 1]), Some([1, 64, 1]));
        assert_eq!(edges([15, 300, 1]), Some([1, 64, 1]));
        assert_eq!(edges([7, 15, 100]), None);
    }

    #[test]
    fn noise_goes_from_images_stacks_and_signals() {
        for shape in [[40, 50, 1], [40, 1, 50], [1, 40, 50], [40, 50, 3], [600, 1, 1]] {
            let truth: Vec<f32> = (0..shape.iter().product::<usize>())
                .map(|k| {
                    let at = [k % shape[0], k / shape[0] % shape[1], k / (shape[0] * shape[1])];
                    let long = (0..3).find(|a| shape[*a] > 8).unwrap_or(0);
                    if at[long] < shape[long] / 2 { 0.2 } else { 0.8 }
                })
                .collect();
            let mut noise = vec![0.0f32; truth.len()];
            Noise::new(2).normal(Stream::new(0, 0, 0), &mut noise);
            let noisy: Vec<f32> = truth.iter().zip(&noise).map(|(t, n)| t + 0.1 * n).collect();
            let cancel = CancelToken::new();
            let asked = BlockMatching { sigma: 0.1, share: 1.0, step: 3, wanted: None, cancel: &cancel };
            let out = asked.denoised(FieldRef::new(&noisy, shape));
            let square = |x: &[f32]| x.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let part = (square(&out) / square(&noisy)).sqrt();
            assert!(part < 0.4, "{shape:?}: {part}");
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
        let asked = BlockMatching { sigma: 0.1, share: 1.0, step: 3, wanted: None, cancel: &cancel };
        let out = asked.blended(Field::new(noisy.clone(), shape), &noisy).into_values();
        let error = |x: &[f32]| {
            let sum: f32 = x.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum();
            (sum / x.len() as f32).sqrt()
        };
        assert!(error(&out) < 0.25 * error(&noisy), "{} of {}", error(&out), error(&noisy));
    }
}
