//! PNG.

use std::fs::File;
use std::io::{BufReader, Write};

use png::{BitDepth, ColorType, DecodingError, Limits, Transformations};

use super::kind::Depth;
use super::pixels::{Pixels, Room};
use super::samples::Samples;
use crate::Result;

pub(super) fn decode(file: File, room: &mut Room) -> Result<Pixels> {
    let mut decoder = png::Decoder::new_with_limits(BufReader::new(file), Limits { bytes: 256 << 20 });
    // Palettes and small gray numbers become bytes; a transparent colour becomes an alpha channel.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let broken = |room: &Room, e: DecodingError| room.fault(e.to_string());
    let mut reader = decoder.read_info().map_err(|e| broken(room, e))?;
    let (width, height) = reader.info().size();
    let (colour, depth) = reader.output_color_type();
    let samples = colour.samples();
    room.take([width.into(), height.into()], samples as u64)?;
    let bytes = reader.output_buffer_size().ok_or_else(|| room.fault("it is too large for memory"))?;
    let mut buffer = vec![0; bytes];
    reader.next_frame(&mut buffer).map_err(|e| broken(room, e))?;
    let mut warnings = Vec::new();
    if reader.info().is_animated() {
        warnings.push(format!("{} is animated; its first image is taken", room.path.display()));
    }
    let depth = if depth == BitDepth::Sixteen { Depth::Sixteen } else { Depth::Eight };
    let values: Vec<f32> = match depth {
        Depth::Sixteen => {
            buffer.chunks_exact(2).map(|b| f32::from(u16::from_be_bytes([b[0], b[1]]))).collect()
        }
        _ => buffer.into_iter().map(f32::from).collect(),
    };
    let channels = if matches!(colour, ColorType::Rgb | ColorType::Rgba) { 3 } else { 1 };
    let page = super::pixels::without_alpha(values, samples, channels, depth, room, &mut warnings);
    let size = [width as usize, height as usize];
    Ok(Pixels { size, channels, depth, pages: vec![page], warnings })
}

/// Writes one image of 8 or 16 bits, `[row, column, channel]`.
pub(super) fn encode(
    out: impl Write,
    size: [u32; 2],
    channels: usize,
    samples: &Samples,
) -> std::io::Result<()> {
    let mut encoder = png::Encoder::new(out, size[0], size[1]);
    encoder.set_color(if channels == 3 { ColorType::Rgb } else { ColorType::Grayscale });
    let failed = |e: png::EncodingError| match e {
        png::EncodingError::IoError(e) => e,
        other => std::io::Error::other(other),
    };
    let bytes = match samples {
        Samples::Eight(bytes) => {
            encoder.set_depth(BitDepth::Eight);
            bytes.clone()
        }
        Samples::Sixteen(words) => {
            encoder.set_depth(BitDepth::Sixteen);
            words.iter().flat_map(|w| w.to_be_bytes()).collect()
        }
        Samples::Float(_) => return Err(std::io::Error::other("PNG has no floats")),
    };
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&bytes).map_err(failed)?;
    writer.finish().map_err(failed)
}
