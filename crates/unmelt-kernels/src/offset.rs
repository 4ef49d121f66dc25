//! Where one atom lies from another.

/// x_i − x_j and its square.
#[inline(always)]
pub(crate) fn offset(x: &[f32], i: usize, j: usize) -> ([f32; 3], f32) {
    let o = [x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]];
    (o, o[0] * o[0] + o[1] * o[1] + o[2] * o[2])
}
