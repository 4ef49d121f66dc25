//! The convolution on CUDA devices.

use burn::backend::Cuda;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use super::composed::{Composed, Gradients};
use super::products::primitive;
use super::{ConvOps, ConvStep, ConvTensors, Convolution, NormSetting};

impl ConvOps for Cuda {
    fn fused_conv(tensors: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> FloatTensor<Self> {
        Self::output(&Self::operands(tensors, norm, step))
    }
}

impl Convolution for Cuda {
    type Operands = Composed;

    fn operands(t: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> Composed {
        Composed {
            x: Tensor::from_primitive::<Self>(t.x),
            scale: Tensor::from_primitive::<Self>(t.scale),
            shift: Tensor::from_primitive::<Self>(t.shift),
            kernel: Tensor::from_primitive::<Self>(t.kernel),
            bias: Tensor::from_primitive::<Self>(t.bias),
            norm,
            step,
        }
    }

    fn output(operands: &Composed) -> FloatTensor<Self> {
        primitive(operands.forward())
    }

    fn gradients(operands: &Composed, grad: FloatTensor<Self>, of_x: bool) -> [Option<FloatTensor<Self>>; 5] {
        let grad = Tensor::from_primitive::<Self>(grad);
        let Gradients { x, norm, kernel, bias } = operands.backward(grad, of_x);
        let [scale, shift] = norm.map_or([None, None], |norm| norm.map(|g| Some(primitive(g))));
        [x.map(primitive), scale, shift, Some(primitive(kernel)), Some(primitive(bias))]
    }
}
