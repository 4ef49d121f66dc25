//! From bytes to a data set, within bounds: no length is believed that the file does not have, no nesting goes deeper than
//! the limit, and memory is taken for bytes that are there.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use unmelt_diffusion::files::limits::{limits, within};

use super::dataset::{Dataset, Element, Value, has_long_length, known_vr, name};

/// Most elements of a file, items of sequences included.
const ELEMENTS: usize = 10_000_000;
/// A length that stands for "up to the delimiter".
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// How the elements of a data set are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// Whether each element names its representation.
    pub explicit: bool,
    /// Whether the high byte comes first.
    pub big: bool,
}

impl Coding {
    pub const EXPLICIT: Self = Self { explicit: true, big: false };
    pub const IMPLICIT: Self = Self { explicit: false, big: false };
}

/// Where the samples of the image lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelPlace {
    pub tag: Tag,
    pub vr: VR,
    /// First byte of the value.
    pub offset: u64,
    /// Bytes of the value; none where it comes in fragments.
    pub length: Option<u64>,
}

/// Why reading ended before the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The bytes at hand end, the file does not.
    More,
    /// What is wrong with the file.
    Fault(String),
}

fn fault<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(text.into()))
}

/// Reads elements from the beginning of a file.
pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    /// Bytes of the whole file.
    total: u64,
    at: usize,
    coding: Coding,
    count: usize,
}

/// Tag, representation and length of an element, and where its value begins.
struct Header {
    tag: Tag,
    vr: VR,
    length: u32,
}

impl<'a> Parser<'a> {
    /// `bytes` are the first ones of `total`; reading begins at `at`.
    pub fn new(bytes: &'a [u8], total: u64, at: usize, coding: Coding) -> Self {
        Self { bytes, total, at, coding, count: 0 }
    }

    /// Elements of group 2, from here; the place behind them.
    pub fn meta(&mut self, set: &mut Dataset) -> Result<usize, Stop> {
        loop {
            let before = self.at;
            if self.total.saturating_sub(self.at as u64) < 8 {
                return Ok(self.at);
            }
            let header = self.header()?;
            if header.tag.0 != 2 {
                self.at = before;
                return Ok(before);
            }
            let element = self.element(&header, 0)?;
            set.put(header.tag, element);
        }
    }

    /// Elements up to the samples of the image, which are not read; or to the end of the file.
    pub fn image(&mut self, set: &mut Dataset) -> Result<Option<PixelPlace>, Stop> {
        loop {
            let left = self.total.saturating_sub(self.at as u64) as usize;
            if left < 8 {
                // Zeros may fill a file up.
                return match self.slice(left)?.iter().all(|b| *b == 0) {
                    true => Ok(None),
                    false => fault("it is cut off"),
                };
            }
            let header = self.header()?;
            let pixels = [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA];
            if pixels.contains(&header.tag) {
                let length = (header.length != UNDEFINED).then_some(u64::from(header.length));
                let (tag, vr) = (header.tag, header.vr);
                return Ok(Some(PixelPlace { tag, vr, offset: self.at as u64, length }));
            }
            let element = self.element(&header, 0)?;
            set.put(header.tag, element);
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.slice(N)?;
        bytes.try_into().map_err(|_| Stop::More)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(length).ok_or(Stop::More)?;
        match self.bytes.get(self.at..end) {
            Some(bytes) => {
                self.at = end;
                Ok(bytes)
            }
            None if (end as u64) <= self.total => Err(Stop::More),
            None => fault("it is cut off"),
        }
    }

    fn u16(&mut self) -> Result<u16, Stop> {
        let bytes = self.take()?;
        Ok(if self.coding.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        let bytes = self.take()?;
        Ok(self.word(bytes))
    }

    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.coding.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn header(&mut self) -> Result<Header, Stop> {
        self.count += 1;
        if self.count > ELEMENTS {
            return fault(format!("it has more than {ELEMENTS} elements"));
        }
        let tag = Tag(self.u16()?, self.u16()?);
        if tag.0 == 0xFFFE {
            return Ok(Header { tag, vr: VR::UN, length: self.u32()? });
        }
        if !self.coding.explicit {
            return Ok(Header { tag, vr: known_vr(tag), length: self.u32()? });
        }
        let [a, b, c, d] = self.take()?;
        if !(a.is_ascii_uppercase() && b.is_ascii_uppercase()) {
            // Some writers leave the representation out here and there.
            return Ok(Header { tag, vr: known_vr(tag), length: self.word([a, b, c, d]) });
        }
        let vr = VR::from_binary([a, b]);
        // Representations that came later than this program have long lengths behind two zeros.
        let long = vr.map_or([c, d] == [0, 0], has_long_length);
        let length = match (long, self.coding.big) {
            (true, _) => self.u32()?,
            (false, true) => u32::from(u16::from_be_bytes([c, d])),
            (false, false) => u32::from(u16::from_le_bytes([c, d])),
        };
        Ok(Header { tag, vr: vr.unwrap_or(VR::UN), length })
    }

    /// The value of an element whose header was read.
    fn element(&mut self, header: &Header, depth: u64) -> Result<Element, Stop> {
        let Header { tag, vr, length } = *header;
        if tag.0 == 0xFFFE {
            return fault(format!("a delimiter stands at byte {} where an element belongs", self.at));
        }
        if length == UNDEFINED {
            return match vr {
                VR::SQ => Ok(Element { vr, value: Value::Items(self.items(None, depth)?) }),
                VR::UN => {
                    // Sequences of unknown representation are written without representations.
                    let coding = std::mem::replace(&mut self.coding, Coding::IMPLICIT);
                    let items = self.items(None, depth);
                    self.coding = coding;
                    Ok(Element { vr: VR::SQ, value: Value::Items(items?) })
                }
                _ => {
                    self.skip_fragments()?;
                    Ok(Element { vr, value: Value::Bytes(Vec::new()) })
                }
            };
        }
        let left = self.total.saturating_sub(self.at as u64);
        if u64::from(length) > left {
            return fault(format!(
                "{} says that it has {length} bytes, and the file has {left} more: it is cut off or damaged",
                name(tag)
            ));
        }
        let end = self.at + length as usize;
        if vr == VR::SQ {
            return Ok(Element { vr, value: Value::Items(self.items(Some(end), depth)?) });
        }
        let mut bytes = self.slice(length as usize)?.to_vec();
        let vr = if vr == VR::UN { known_vr(tag) } else { vr };
        if vr == VR::SQ {
            // A known sequence whose writer did not know it.
            let mut inner = Parser { coding: Coding::IMPLICIT, at: end - length as usize, ..*self };
            return match inner.items(Some(end), depth) {
                Ok(items) => Ok(Element { vr, value: Value::Items(items) }),
                Err(_) => Ok(Element { vr: VR::UN, value: Value::Bytes(bytes) }),
            };
        }
        if self.coding.big {
            let width = match vr {
                VR::US | VR::SS | VR::OW | VR::AT => 2,
                VR::UL | VR::SL | VR::FL | VR::OL | VR::OF => 4,
                VR::FD | VR::OD | VR::SV | VR::UV | VR::OV => 8,
                _ => 1,
            };
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        Ok(Element { vr, value: Value::Bytes(bytes) })
    }

    /// The items of a sequence, up to `end` or to its delimiter.
    fn items(&mut self, end: Option<usize>, depth: u64) -> Result<Vec<Dataset>, Stop> {
        let depth = depth + 1;
        within(limits().depth, "depth", depth, "its sequences lie in each other")
            .map_err(|e| Stop::Fault(e.to_string()))?;
        let mut items = Vec::new();
        loop {
            match end {
                Some(end) if self.at == end => return Ok(items),
                Some(end) if self.at > end => return fault("an item is longer than its sequence"),
                _ => {}
            }
            let Header { tag, length, .. } = self.header()?;
            match tag {
                SEQUENCE_END => return Ok(items),
                ITEM => items.push(self.item(length, depth)?),
                _ => {
                    return fault(format!("{} stands in a sequence where an item belongs", name(tag)));
                }
            }
        }
    }

    fn item(&mut self, length: u32, depth: u64) -> Result<Dataset, Stop> {
        let mut set = Dataset::default();
        let left = self.total.saturating_sub(self.at as u64);
        if length != UNDEFINED && u64::from(length) > left {
            return fault(format!("an item says that it has {length} bytes, and the file has {left} more"));
        }
        let end = (length != UNDEFINED).then(|| self.at + length as usize);
        loop {
            match end {
                Some(end) if self.at == end => return Ok(set),
                Some(end) if self.at > end => return fault("an element is longer than its item"),
                _ => {}
            }
            let header = self.header()?;
            if header.tag == ITEM_END && end.is_none() {
                return Ok(set);
            }
            let element = self.element(&header, depth)?;
            set.put(header.tag, element);
        }
    }

    /// Goes past fragments of bytes, up to their delimiter.
    fn skip_fragments(&mut self) -> Result<(), Stop> {
        loop {
            let Header { tag, length, .. } = self.header()?;
            match tag {
                SEQUENCE_END => return Ok(()),
                ITEM if length != UNDEFINED => {
                    self.slice(length as usize)?;
                }
                _ => return fault(format!("{} stands among fragments", name(tag))),
            }
        }
    }
}

/// The fragments of encapsulated samples, which begin at the beginning of `bytes`; the first is the table of offsets.
pub(super) fn fragments(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut found = Vec::new();
    let mut parser = Parser::new(bytes, bytes.len() as u64, 0, Coding::EXPLICIT);
    let cut = |n: usize| format!("its compressed pixel data are cut off in fragment {n}");
    loop {
        let Ok(Header { tag, length, .. }) = parser.header() else { return Err(cut(found.len())) };
        match tag {
            SEQUENCE_END => return Ok(found),
            ITEM => found.push(parser.slice(length as usize).map_err(|_| cut(found.len()))?),
            _ => return Err(format!("{} stands among its compressed pixel data", name(tag))),
        }
    }
}
