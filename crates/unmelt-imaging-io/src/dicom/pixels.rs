//! Samples of a file as numbers.

use std::collections::VecDeque;

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_pixeldata::PixelDecoder;
use unmelt_diffusion::files::contained;

use super::codestream;
use super::file::bytes_at;
use super::frame::Frame;
use super::image::{Image, Samples, fault};
use super::parse::fragments;
use crate::Result;

/// The samples of a file, of which frames are taken.
pub(super) struct Pixels<'a> {
    image: &'a Image,
    bytes: Vec<u8>,
    /// For each frame the parts of `bytes` that hold its compressed samples; empty where they are not compressed.
    streams: Vec<Vec<std::ops::Range<usize>>>,
}

impl<'a> Pixels<'a> {
    pub fn open(image: &'a Image) -> Result<Self> {
        let length = match image.place.length {
            Some(_) => (image.frame_length() * image.frames * image.samples.bytes()) as u64,
            None => u64::MAX,
        };
        let bytes = bytes_at(&image.path, image.is_deflated(), image.place.offset, length)?;
        let mut pixels = Self { image, bytes, streams: Vec::new() };
        if image.place.length.is_none() {
            pixels.streams = streams(&pixels.bytes, image.frames).map_err(|e| fault(&image.path, e))?;
        }
        Ok(pixels)
    }

    /// The file that they are of.
    pub fn path(&self) -> &std::path::Path {
        &self.image.path
    }

    /// The samples of frame `index`, rows of columns, before any rescale.
    pub fn frame(&self, index: usize) -> Result<Vec<f32>> {
        let image = self.image;
        let length = image.frame_length() * image.samples.bytes();
        if image.place.length.is_none() {
            let missing =
                || fault(&image.path, format!("its compressed pixel data have no frame {}", index + 1));
            let parts = self.streams.get(index).ok_or_else(missing)?;
            let stream: Vec<u8> = parts.iter().flat_map(|r| &self.bytes[r.clone()]).copied().collect();
            let bytes = decompress(image, stream)?;
            return Ok(values(image, &bytes, cfg!(target_endian = "big")));
        }
        let start = index * length;
        let bytes = self.bytes.get(start..start + length);
        let bytes =
            bytes.ok_or_else(|| fault(&image.path, "its pixel data are shorter than its header says"))?;
        if image.has_swapped_bytes() && start.is_multiple_of(2) {
            let swapped: Vec<u8> = bytes.chunks(2).flat_map(|pair| pair.iter().rev()).copied().collect();
            return Ok(values(image, &swapped, true));
        }
        Ok(values(image, bytes, image.is_big()))
    }
}

/// The values of a frame from the samples of the image it lies in, rescaled.
pub(super) fn rescaled(frame: &Frame, samples: &[f32]) -> Vec<f32> {
    let rescale = |v: &f32| (f64::from(*v) * frame.slope + frame.intercept) as f32;
    let columns = frame.image.size[0];
    let Some((x, y)) = frame.tile else { return samples.iter().map(rescale).collect() };
    let row = |r: usize| samples[(y + r) * columns + x..][..frame.size[0]].iter();
    (0..frame.size[1]).flat_map(row).map(rescale).collect()
}

/// Which parts of encapsulated bytes make each frame.
fn streams(bytes: &[u8], frames: usize) -> std::result::Result<Vec<Vec<std::ops::Range<usize>>>, String> {
    let all = fragments(bytes)?;
    let range = |part: &&[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + part.len()
    };
    let [table, parts @ ..] = all.as_slice() else {
        return Err("its compressed pixel data are empty".into());
    };
    if parts.len() < frames {
        return Err(format!("its compressed pixel data hold {} parts for {frames} frames", parts.len()));
    }
    if frames == 1 {
        return Ok(vec![parts.iter().map(range).collect()]);
    }
    if parts.len() == frames {
        return Ok(parts.iter().map(|p| vec![range(p)]).collect());
    }
    // Several parts a frame: the table says where each frame begins, counted from the first part's header.
    let mut begins: VecDeque<u64> =
        table.chunks_exact(4).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect();
    let origin = range(&parts[0]).start as u64;
    let mut found: Vec<Vec<std::ops::Range<usize>>> = Vec::new();
    for part in parts {
        let range = range(part);
        let marker = table.is_empty() && codestream::begins(part);
        if marker || begins.front() == Some(&(range.start as u64 - origin)) {
            begins.pop_front();
            found.push(Vec::new());
        }
        match found.last_mut() {
            Some(frame) => frame.push(range),
            None => return Err("its table of offsets does not fit its compressed pixel data".into()),
        }
    }
    match found.len() == frames {
        true => Ok(found),
        false => Err(format!("its compressed pixel data make {} frames, not {frames}", found.len())),
    }
}

/// The samples of one compressed frame, as bytes in this machine's order.
fn decompress(image: &Image, mut stream: Vec<u8>) -> Result<Vec<u8>> {
    let path = &image.path;
    let Samples::Integers { allocated, stored, high, signed } = image.samples else {
        return Err(fault(path, "its floating-point pixel data are compressed, which DICOM does not allow"));
    };
    codestream::check(&image.syntax, &stream, image.size, allocated).map_err(|text| fault(path, text))?;
    if stream.len() % 2 == 1 {
        stream.push(0);
    }
    let mut object = InMemDicomObject::new_empty();
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, image.size[1] as u16),
        (tags::COLUMNS, image.size[0] as u16),
        (tags::BITS_ALLOCATED, allocated as u16),
        (tags::BITS_STORED, stored as u16),
        (tags::HIGH_BIT, high as u16),
        (tags::PIXEL_REPRESENTATION, u16::from(signed)),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    object.put(DataElement::new(
        tags::PHOTOMETRIC_INTERPRETATION,
        VR::CS,
        PrimitiveValue::from("MONOCHROME2"),
    ));
    let sequence = PixelFragmentSequence::new(Vec::<u32>::new(), vec![stream]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, sequence));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(image.syntax.clone())
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.7")
        .media_storage_sop_instance_uid("2.25.1");
    let object = object.with_meta(meta).map_err(|e| fault(path, sentence(&e)))?;
    let what = path.display().to_string();
    let decoded = contained(&what, move || {
        object.decode_pixel_data().map(|data| data.data().to_vec()).map_err(|e| sentence(&e))
    })?;
    let bytes = decoded.map_err(|text| {
        let ls = image.syntax.starts_with("1.2.840.10008.1.2.4.8") && !cfg!(feature = "jpeg-ls");
        let hint = if ls { "; build with --features jpeg-ls to read JPEG-LS" } else { "" };
        fault(path, format!("its pixel data cannot be decoded ({text}){hint}"))
    })?;
    let wanted = image.frame_length() * image.samples.bytes();
    match bytes.len() == wanted {
        true => Ok(bytes),
        false => {
            Err(fault(path, format!("its compressed pixel data give {} bytes, not {wanted}", bytes.len())))
        }
    }
}

/// Numbers from the bytes of samples.
fn values(image: &Image, bytes: &[u8], big: bool) -> Vec<f32> {
    fn each<const N: usize>(bytes: &[u8], big: bool, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let word = |b: &[u8]| {
            let mut word: [u8; N] = b.try_into().unwrap_or([0; N]);
            if big {
                word.reverse();
            }
            value(word)
        };
        bytes.chunks_exact(N).map(word).collect()
    }
    let Samples::Integers { allocated, stored, high, signed } = image.samples else {
        return match image.samples {
            Samples::Floats => each(bytes, big, f32::from_le_bytes),
            _ => each(bytes, big, |b| f64::from_le_bytes(b) as f32),
        };
    };
    let left = 32 - stored;
    let top = if signed { -1.0 } else { f64::from(u32::MAX >> left) };
    let value = |word: u32| {
        let word = word >> (high + 1 - stored);
        let value =
            if signed { f64::from((word << left) as i32 >> left) } else { f64::from(word << left >> left) };
        (if image.inverted { top - value } else { value }) as f32
    };
    match allocated {
        8 => bytes.iter().map(|b| value(u32::from(*b))).collect(),
        16 => each(bytes, big, |b| value(u32::from(u16::from_le_bytes(b)))),
        _ => each(bytes, big, |b| value(u32::from_le_bytes(b))),
    }
}

/// The innermost cause of an error: what a person can use.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string().trim_end_matches('.').to_string()
}
