//! Sizes of a convolution, and its division into tiles.

/// Stride of the convolution, and repetition of voxels before it, along D, H and W; each 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvStep {
    /// Stride; the same for all dimensions longer than 1.
    pub stride: [usize; 3],
    /// Nearest-neighbour upsampling factor.
    pub upsample: [usize; 3],
}

impl ConvStep {
    /// Neither stride nor upsampling.
    pub const PLAIN: Self = Self { stride: [1; 3], upsample: [1; 3] };
}

/// Output voxels that one tile should have about.
const TILE: usize = 512;

/// Sizes along D, H and W, and channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ConvShape {
    pub samples: usize,
    /// Of x as stored.
    pub source: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    /// Repetition of stored voxels.
    pub upsample: [usize; 3],
    /// Distance of stored voxels among zeros; above 1 in the gradient of a strided convolution only.
    pub dilate: [usize; 3],
    /// Of what the kernel sees: the source repeated or dilated.
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub channels_in: usize,
    pub channels_out: usize,
}

impl ConvShape {
    pub fn new(x: [usize; 5], kernel: [usize; 5], step: ConvStep) -> Self {
        let [samples, d, h, w, channels_in] = x;
        let source = [d, h, w];
        let [channels_out, of_kernel, kd, kh, kw] = kernel;
        assert_eq!(of_kernel, channels_in, "channels of the kernel and of the input");
        let kernel = [kd, kh, kw];
        assert!(kernel.iter().all(|k| [1, 3].contains(k)), "a kernel is 1 or 3 wide");
        let input = std::array::from_fn(|a| source[a] * step.upsample[a]);
        let output = std::array::from_fn(|a| input[a].div_ceil(step.stride[a]));
        assert!(output[1] <= 1 || step.stride[1] == step.stride[2], "strides along H and W differ");
        Self {
            samples,
            source,
            kernel,
            stride: step.stride,
            upsample: step.upsample,
            dilate: [1; 3],
            input,
            output,
            channels_in,
            channels_out,
        }
    }

    /// The convolution that takes the gradient of the output to that of the input.
    pub fn transposed(&self) -> Self {
        Self {
            source: self.output,
            stride: [1; 3],
            upsample: [1; 3],
            dilate: self.stride,
            output: self.input,
            channels_in: self.channels_out,
            channels_out: self.channels_in,
            ..*self
        }
    }

    pub fn source_voxels(&self) -> usize {
        self.source.iter().product()
    }

    pub fn output_voxels(&self) -> usize {
        self.output.iter().product()
    }

    /// Voxels of a padded row.
    pub fn pitch(&self) -> usize {
        let row = (self.output[2].max(1) - 1) * self.stride[2] + self.kernel[2];
        // A row of outputs must begin a whole number of strides behind the one before.
        row.next_multiple_of(self.stride[2])
    }

    /// Output rows of a tile.
    pub fn tile_rows(&self) -> usize {
        (TILE / self.pitch().max(1)).clamp(1, self.output[1].max(1))
    }

    /// All tiles in order, of all samples.
    pub fn tiles(&self) -> Vec<TilePlace> {
        let rows = self.tile_rows();
        let mut tiles = Vec::new();
        for sample in 0..self.samples {
            for plane in 0..self.output[0] {
                for first in (0..self.output[1]).step_by(rows) {
                    let rows = rows.min(self.output[1] - first);
                    tiles.push(TilePlace { sample, plane, first, rows });
                }
            }
        }
        tiles
    }
}

/// Some rows of one output plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct TilePlace {
    pub sample: usize,
    pub plane: usize,
    pub first: usize,
    pub rows: usize,
}
