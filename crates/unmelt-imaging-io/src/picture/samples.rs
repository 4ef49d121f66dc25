//! The numbers of a picture that is being encoded.

/// The numbers of one image, `[row, column, channel]`.
pub(super) enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
    Float(Vec<f32>),
}
