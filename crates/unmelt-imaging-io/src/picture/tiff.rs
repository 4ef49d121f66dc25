//! TIFF, whose pages are frames.

use std::fs::File;
use std::io::{BufReader, Seek, Write};

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};
use tiff::{ColorType, TiffError};
use unmelt_diffusion::files::limits::{limits, within};

use super::kind::Depth;
use super::pixels::{Pixels, Room};
use super::samples::Samples;
use crate::Result;

/// Bytes that a page is unpacked to at a time.
const PAGE: usize = 4 << 30;

pub(super) fn decode(file: File, room: &mut Room) -> Result<Pixels> {
    let mut limits_of_page = Limits::default();
    limits_of_page.decoding_buffer_size = PAGE;
    limits_of_page.intermediate_buffer_size = PAGE;
    let decoder = Decoder::new(BufReader::new(file)).map_err(|e| broken(room, e))?;
    let mut decoder = decoder.with_limits(limits_of_page);
    let mut all: Option<Pixels> = None;
    loop {
        let (width, height) = decoder.dimensions().map_err(|e| broken(room, e))?;
        let colour = decoder.colortype().map_err(|e| broken(room, e))?;
        let (samples, channels) = samples_of(colour, room)?;
        room.take([width.into(), height.into()], samples as u64)?;
        let (values, depth) = numbers(decoder.read_image().map_err(|e| broken(room, e))?, room)?;
        let size = [width as usize, height as usize];
        if values.len() != size[0] * size[1] * samples {
            return Err(room.fault("its colours lie in planes of their own; write them side by side"));
        }
        let all = all.get_or_insert_with(|| Pixels {
            size,
            channels,
            depth,
            pages: Vec::new(),
            warnings: Vec::new(),
        });
        if (all.size, all.channels, all.depth) != (size, channels, depth) {
            let text = format!(
                "page {} is of another size or type of pixels than the first: pages of a series are alike",
                all.pages.len() + 1
            );
            return Err(room.fault(text));
        }
        let page = super::pixels::without_alpha(values, samples, channels, depth, room, &mut all.warnings);
        all.pages.push(page);
        within(limits().frames, "frames", all.pages.len() as u64, &room.path.display().to_string())?;
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(|e| broken(room, e))?;
    }
    all.ok_or_else(|| room.fault("it has no page"))
}

fn broken(room: &Room, error: TiffError) -> crate::Error {
    room.fault(error.to_string())
}

/// Samples of a pixel, and the channels among them.
fn samples_of(colour: ColorType, room: &Room) -> Result<(usize, usize)> {
    match colour {
        ColorType::Gray(_) => Ok((1, 1)),
        ColorType::GrayA(_) => Ok((2, 1)),
        ColorType::RGB(_) => Ok((3, 3)),
        ColorType::RGBA(_) => Ok((4, 3)),
        other => {
            Err(room.fault(format!("its colours are {other:?}; convert it to gray or red, green and blue")))
        }
    }
}

/// The numbers of a page as floats, and how exactly they are stored.
fn numbers(page: DecodingResult, room: &Room) -> Result<(Vec<f32>, Depth)> {
    Ok(match page {
        DecodingResult::U8(v) => (v.into_iter().map(f32::from).collect(), Depth::Eight),
        DecodingResult::U16(v) => (v.into_iter().map(f32::from).collect(), Depth::Sixteen),
        DecodingResult::I8(v) => (v.into_iter().map(f32::from).collect(), Depth::Float),
        DecodingResult::I16(v) => (v.into_iter().map(f32::from).collect(), Depth::Float),
        DecodingResult::U32(v) => (v.into_iter().map(|x| x as f32).collect(), Depth::Float),
        DecodingResult::I32(v) => (v.into_iter().map(|x| x as f32).collect(), Depth::Float),
        DecodingResult::F32(v) => (v, Depth::Float),
        DecodingResult::F64(v) => (v.into_iter().map(|x| x as f32).collect(), Depth::Float),
        _ => return Err(room.fault("its numbers have 64 bits or 16-bit floats, which are not read")),
    })
}

/// Writes pages of one size, each `[row, column, channel]`.
pub(super) fn encode(
    out: impl Write + Seek,
    size: [u32; 2],
    channels: usize,
    pages: &[Samples],
) -> std::io::Result<()> {
    let failed = |e: TiffError| match e {
        TiffError::IoError(e) => e,
        other => std::io::Error::other(other),
    };
    let encoder = TiffEncoder::new(out).map_err(failed)?;
    let mut encoder = encoder.with_compression(Compression::Deflate(DeflateLevel::Balanced));
    let [w, h] = size;
    for page in pages {
        match (page, channels) {
            (Samples::Eight(v), 1) => encoder.write_image::<colortype::Gray8>(w, h, v),
            (Samples::Eight(v), _) => encoder.write_image::<colortype::RGB8>(w, h, v),
            (Samples::Sixteen(v), 1) => encoder.write_image::<colortype::Gray16>(w, h, v),
            (Samples::Sixteen(v), _) => encoder.write_image::<colortype::RGB16>(w, h, v),
            (Samples::Float(v), 1) => encoder.write_image::<colortype::Gray32Float>(w, h, v),
            (Samples::Float(v), _) => encoder.write_image::<colortype::RGB32Float>(w, h, v),
        }
        .map_err(failed)?;
    }
    Ok(())
}
