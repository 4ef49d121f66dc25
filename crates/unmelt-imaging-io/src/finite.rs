//! Voxels that are numbers.

/// Makes values finite; how many were not.
pub(crate) fn make_finite(voxels: &mut [f32]) -> usize {
    let mut count = 0;
    for v in voxels {
        if !v.is_finite() {
            *v = 0.0;
            count += 1;
        }
    }
    count
}
