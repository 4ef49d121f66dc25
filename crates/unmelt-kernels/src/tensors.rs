//! Flex tensors as slices.

use burn::backend::flex::FlexTensor;

/// The tensor itself if its elements lie in order, else a copy.
pub(crate) fn in_order(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The elements of a contiguous f32 tensor.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}
