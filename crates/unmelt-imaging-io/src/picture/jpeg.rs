//! JPEG.

use std::fs::File;
use std::io::BufReader;

use jpeg_decoder::{Decoder, PixelFormat};

use super::kind::Depth;
use super::pixels::{Pixels, Room};
use crate::Result;

pub(super) fn decode(file: File, room: &mut Room) -> Result<Pixels> {
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.read_info().map_err(|e| room.fault(e.to_string()))?;
    let info = decoder.info().ok_or_else(|| room.fault("it has no frame header"))?;
    let (channels, depth) = match info.pixel_format {
        PixelFormat::L8 => (1, Depth::Eight),
        PixelFormat::L16 => (1, Depth::Sixteen),
        PixelFormat::RGB24 => (3, Depth::Eight),
        PixelFormat::CMYK32 => {
            return Err(room.fault("its colours are CMYK; convert it to red, green and blue first"));
        }
    };
    room.take([info.width.into(), info.height.into()], channels as u64)?;
    decoder.set_max_decoding_buffer_size(
        usize::from(info.width) * usize::from(info.height) * info.pixel_format.pixel_bytes(),
    );
    let bytes = decoder.decode().map_err(|e| room.fault(e.to_string()))?;
    let page: Vec<f32> = match depth {
        Depth::Sixteen => {
            bytes.chunks_exact(2).map(|b| f32::from(u16::from_ne_bytes([b[0], b[1]]))).collect()
        }
        _ => bytes.into_iter().map(f32::from).collect(),
    };
    let size = [usize::from(info.width), usize::from(info.height)];
    if page.len() != size[0] * size[1] * channels {
        return Err(room.fault("it is cut off"));
    }
    Ok(Pixels { size, channels, depth, pages: vec![page], warnings: Vec::new() })
}
