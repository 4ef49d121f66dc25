//! A data set: tags and their bytes, as a file holds them.
//!
//! Bytes of texts are kept, so that what is copied into a derived series is what came in, whatever its character set.

use std::collections::BTreeMap;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// Tags in ascending order, each with its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Dataset {
    elements: BTreeMap<Tag, Element>,
}

/// A value and its representation.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub vr: VR,
    pub value: Value,
}

/// What an element holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Bytes; numbers in them are little endian.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<Dataset>),
}

impl Dataset {
    pub fn get(&self, tag: Tag) -> Option<&Element> {
        self.elements.get(&tag)
    }

    /// The bytes of an element that is no sequence.
    pub fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match &self.get(tag)?.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Items(_) => None,
        }
    }

    /// Item `index` of a sequence.
    pub fn item(&self, tag: Tag, index: usize) -> Option<&Dataset> {
        match &self.get(tag)?.value {
            Value::Items(items) => items.get(index),
            Value::Bytes(_) => None,
        }
    }

    /// Number of items of a sequence.
    pub fn items(&self, tag: Tag) -> usize {
        match self.get(tag).map(|e| &e.value) {
            Some(Value::Items(items)) => items.len(),
            _ => 0,
        }
    }

    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.elements.values()
    }

    pub fn put(&mut self, tag: Tag, element: Element) {
        self.elements.insert(tag, element);
    }

    pub fn remove(&mut self, tag: Tag) {
        self.elements.remove(&tag);
    }

    pub fn put_bytes(&mut self, tag: Tag, vr: VR, bytes: impl Into<Vec<u8>>) {
        self.put(tag, Element { vr, value: Value::Bytes(bytes.into()) });
    }

    pub fn put_items(&mut self, tag: Tag, items: Vec<Dataset>) {
        self.put(tag, Element { vr: VR::SQ, value: Value::Items(items) });
    }

    /// The elements of a list of tags.
    pub fn only(&self, tags: &[Tag]) -> Self {
        let elements = tags.iter().filter_map(|tag| Some((*tag, self.get(*tag)?.clone())));
        Self { elements: elements.collect() }
    }

    /// Puts all elements of another data set, in place of what is there.
    pub fn put_all(&mut self, other: &Self) {
        self.elements.extend(other.elements.iter().map(|(tag, element)| (*tag, element.clone())));
    }

    /// Element `low` of the block that a private creator has reserved in a group.
    pub fn private(&self, group: u16, creator: &str, low: u8) -> Option<&[u8]> {
        (0x10..=0xFFu16).find_map(|block| {
            let name = self.bytes(Tag(group, block))?;
            let name = String::from_utf8_lossy(name);
            if name.trim_matches(['\0', ' ']) != creator {
                return None;
            }
            self.bytes(Tag(group, block << 8 | u16::from(low)))
        })
    }

    /// The data set in explicit VR, little endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        for (tag, element) in &self.elements {
            let mut bytes = match &element.value {
                Value::Bytes(bytes) => bytes.clone(),
                Value::Items(items) => encode_items(items),
            };
            if bytes.len() % 2 == 1 {
                bytes.push(if is_text(element.vr) { b' ' } else { 0 });
            }
            out.extend_from_slice(&tag.0.to_le_bytes());
            out.extend_from_slice(&tag.1.to_le_bytes());
            // A value too long for the two bytes of a short length can only be stored as UN.
            let short = !has_long_length(element.vr) && bytes.len() <= usize::from(u16::MAX);
            if short {
                out.extend_from_slice(&element.vr.to_bytes());
                out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            } else {
                let vr = if has_long_length(element.vr) { element.vr } else { VR::UN };
                out.extend_from_slice(&vr.to_bytes());
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            }
            out.extend_from_slice(&bytes);
        }
    }
}

fn encode_items(items: &[Dataset]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        let bytes = item.encode();
        out.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

/// Whether the length of such an element takes four bytes where representations are explicit.
pub(super) fn has_long_length(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

/// Whether a value is padded with a blank; all others, UIDs too, with a zero.
pub(super) fn is_text(vr: VR) -> bool {
    use VR::{AE, AS, CS, DA, DS, DT, IS, LO, LT, PN, SH, ST, TM, UC, UR, UT};
    matches!(vr, AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UR | UT)
}

/// The representation that the dictionary gives a tag.
pub(super) fn known_vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// "PixelSpacing (0028,0030)".
pub(super) fn name(tag: Tag) -> String {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{} ({:04X},{:04X})", entry.alias(), tag.0, tag.1),
        None => format!("({:04X},{:04X})", tag.0, tag.1),
    }
}
