//! Pages: unpacking, and the values in them.

use std::io::Read;

use unmelt_diffusion::files::bounded;

use super::bits::{Hybrid, delta};
use super::metadata::Physical;

/// Values of a column.
#[derive(Debug)]
pub(super) enum Values {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<Vec<u8>>),
}

/// Memory that the columns of a file may still take together.
pub(super) struct Budget {
    left: u64,
    whole: u64,
}

impl Budget {
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes, whole: bytes }
    }

    /// Takes a part of it.
    pub fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!(
                "its columns grow to more than {} bytes when they are unpacked; if it is to be trusted, raise the limits \
                 unpacked_bytes and unpacked_ratio",
                self.whole
            )
        })?;
        Ok(())
    }
}

impl Values {
    /// No values of a type.
    pub fn none(physical: Physical) -> Self {
        match physical {
            Physical::Boolean | Physical::Int32 | Physical::Int64 => Self::Ints(Vec::new()),
            Physical::Float | Physical::Double => Self::Floats(Vec::new()),
            Physical::Bytes => Self::Texts(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Ints(v) => v.len(),
            Self::Floats(v) => v.len(),
            Self::Texts(v) => v.len(),
        }
    }

    /// Adds values of the same type.
    pub fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Ints(all), Self::Ints(more)) => all.extend(more),
            (Self::Floats(all), Self::Floats(more)) => all.extend(more),
            (Self::Texts(all), Self::Texts(more)) => all.extend(more),
            _ => {}
        }
    }

    fn cost(&self) -> u64 {
        match self {
            Self::Ints(_) | Self::Floats(_) => 8 * self.len() as u64,
            Self::Texts(texts) => texts.iter().map(|t| t.len() as u64 + 24).sum(),
        }
    }

    /// The values with these places; none where one is not there.
    fn picked(&self, places: impl Iterator<Item = u64>) -> Option<Self> {
        let at = |k: u64| usize::try_from(k).ok();
        Some(match self {
            Self::Ints(v) => Self::Ints(places.map(|k| v.get(at(k)?).copied()).collect::<Option<_>>()?),
            Self::Floats(v) => Self::Floats(places.map(|k| v.get(at(k)?).copied()).collect::<Option<_>>()?),
            Self::Texts(v) => Self::Texts(places.map(|k| v.get(at(k)?).cloned()).collect::<Option<_>>()?),
        })
    }
}

/// Unpacks a page of `size` bytes, as its header promises.
pub(super) fn unpack(codec: i64, packed: &[u8], size: usize, budget: &Budget) -> Result<Vec<u8>, String> {
    if size as u64 > budget.whole {
        return Err(format!("a page promises {size} bytes, more than its file may grow to"));
    }
    let broken = || "a page of it cannot be unpacked".to_string();
    let read = |reader: &mut dyn Read| {
        let mut out = Vec::new();
        bounded(reader, size as u64, "a page").read_to_end(&mut out).map_err(|_| broken())?;
        Ok::<Vec<u8>, String>(out)
    };
    // What is unpacked at once takes memory on the header's word: these codecs grow no more than so.
    let is_likely = || size <= packed.len().saturating_mul(300).saturating_add(64);
    let out = match codec {
        0 => packed.to_vec(),
        1 => {
            let promised = snap::raw::decompress_len(packed).map_err(|_| broken())?;
            if promised != size || !is_likely() {
                return Err(broken());
            }
            snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| broken())?
        }
        2 => read(&mut flate2::read::MultiGzDecoder::new(packed))?,
        4 => read(&mut brotli_decompressor::Decompressor::new(packed, 4096))?,
        5 | 7 if is_likely() => lz4(codec, packed, size).ok_or_else(broken)?,
        6 => read(&mut zstd::stream::read::Decoder::new(packed).map_err(|_| broken())?)?,
        5 | 7 => return Err(broken()),
        other => return Err(format!("its pages are packed by a method that is not read (number {other})")),
    };
    if out.len() == size { Ok(out) } else { Err(broken()) }
}

/// LZ4 in one block, or in the frames of Hadoop, which say both lengths of each.
fn lz4(codec: i64, packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let block =
        |bytes: &[u8], size: usize| lz4::block::decompress(bytes, Some(i32::try_from(size).ok()?)).ok();
    if codec == 7 {
        return block(packed, size);
    }
    let framed = || {
        let (mut out, mut rest) = (Vec::new(), packed);
        let number = |b: &[u8]| Some(u32::from_be_bytes(b.get(..4)?.try_into().ok()?) as usize);
        while !rest.is_empty() {
            let (whole, part) = (number(rest)?, number(rest.get(4..)?)?);
            if whole > size - out.len() {
                return None;
            }
            let end = 8usize.checked_add(part)?;
            out.extend(block(rest.get(8..end)?, whole)?);
            rest = &rest[end..];
        }
        Some(out)
    };
    framed().or_else(|| block(packed, size))
}

/// How the values of a page are written.
pub(super) struct Encoded<'a> {
    pub physical: Physical,
    pub unsigned: bool,
    pub encoding: i64,
    pub bytes: &'a [u8],
    pub count: usize,
}

impl Encoded<'_> {
    /// The values.
    pub fn values(&self, dictionary: Option<&Values>, budget: &mut Budget) -> Result<Values, String> {
        // As much as they take if they are numbers; texts are counted when they are there.
        budget.take(8 * self.count as u64)?;
        let broken = || "the values of a page cannot be read".to_string();
        let values = match self.encoding {
            0 => self.plain(),
            2 | 8 => {
                let dictionary = dictionary.ok_or("a page names a dictionary that is not there")?;
                let width = self.bytes.first().copied();
                let indices = match width {
                    Some(width) => Hybrid::new(&self.bytes[1..], u32::from(width)),
                    None => Hybrid::new(&[], 0),
                };
                let indices = indices.ok_or_else(broken)?.take(self.count);
                match dictionary {
                    // Texts of a dictionary are as long as they are wherever they are named.
                    Values::Texts(texts) => {
                        let mut list = Vec::new();
                        for k in indices {
                            let text =
                                usize::try_from(k).ok().and_then(|k| texts.get(k)).ok_or_else(broken)?;
                            budget.take(text.len() as u64 + 24)?;
                            list.push(text.clone());
                        }
                        return if list.len() == self.count {
                            Ok(Values::Texts(list))
                        } else {
                            Err(broken())
                        };
                    }
                    numbers => numbers.picked(indices),
                }
            }
            5 => delta(self.bytes, self.count).and_then(|(v, _)| self.ints(v)),
            6 => self.lengths(),
            7 => return self.prefixes(budget).ok_or_else(broken),
            9 => self.split(),
            other => {
                return Err(format!("its values are written in a way that is not read (number {other})"));
            }
        };
        let values = values.filter(|v| v.len() == self.count).ok_or_else(broken)?;
        budget.take(values.cost().saturating_sub(8 * self.count as u64))?;
        Ok(values)
    }

    fn ints(&self, values: Vec<i64>) -> Option<Values> {
        let narrow = |v: i64| match (self.physical, self.unsigned) {
            (Physical::Int32, false) => i64::from(v as i32),
            (Physical::Int32, true) => i64::from(v as u32),
            _ => v,
        };
        let whole = matches!(self.physical, Physical::Int32 | Physical::Int64);
        whole.then(|| Values::Ints(values.into_iter().map(narrow).collect()))
    }

    /// The bytes of the first `count` values of so many bytes.
    fn chunks<const N: usize>(&self) -> Option<impl Iterator<Item = [u8; N]>> {
        let bytes = self.bytes.get(..self.count.checked_mul(N)?)?;
        Some(bytes.chunks_exact(N).map(|c| {
            let mut own = [0; N];
            own.copy_from_slice(c);
            own
        }))
    }

    fn plain(&self) -> Option<Values> {
        Some(match self.physical {
            Physical::Boolean => return None,
            Physical::Int32 => {
                return self.ints(self.chunks()?.map(|b| i64::from(i32::from_le_bytes(b))).collect());
            }
            Physical::Int64 => return self.ints(self.chunks()?.map(i64::from_le_bytes).collect()),
            Physical::Float => {
                Values::Floats(self.chunks()?.map(|b| f64::from(f32::from_le_bytes(b))).collect())
            }
            Physical::Double => Values::Floats(self.chunks()?.map(f64::from_le_bytes).collect()),
            Physical::Bytes => {
                let (mut texts, mut rest) = (Vec::new(), self.bytes);
                for _ in 0..self.count {
                    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
                    let end = 4usize.checked_add(length)?;
                    texts.push(rest.get(4..end)?.to_vec());
                    rest = &rest[end..];
                }
                Values::Texts(texts)
            }
        })
    }

    /// Texts behind their lengths.
    fn lengths(&self) -> Option<Values> {
        if self.physical != Physical::Bytes {
            return None;
        }
        let (lengths, mut at) = delta(self.bytes, self.count)?;
        let mut texts = Vec::new();
        for length in lengths {
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            texts.push(self.bytes.get(at..end)?.to_vec());
            at = end;
        }
        Some(Values::Texts(texts))
    }

    /// Texts that share a beginning with the one before.
    fn prefixes(&self, budget: &mut Budget) -> Option<Values> {
        let (prefixes, used) = delta(self.bytes, self.count)?;
        let rest = Encoded {
            physical: self.physical,
            unsigned: false,
            encoding: 6,
            bytes: &self.bytes[used..],
            ..*self
        };
        let Values::Texts(suffixes) = rest.lengths()? else { return None };
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for (prefix, suffix) in prefixes.into_iter().zip(suffixes) {
            let before = texts.last().map_or(&[][..], Vec::as_slice);
            let text = [before.get(..usize::try_from(prefix).ok()?)?, &suffix].concat();
            budget.take(text.len() as u64 + 24).ok()?;
            texts.push(text);
        }
        (texts.len() == self.count).then_some(Values::Texts(texts))
    }

    /// Numbers whose first bytes stand together, then their second bytes, and so on.
    fn split(&self) -> Option<Values> {
        let width = match self.physical {
            Physical::Int32 | Physical::Float => 4,
            Physical::Int64 | Physical::Double => 8,
            _ => return None,
        };
        let bytes = self.bytes.get(..self.count.checked_mul(width)?)?;
        let joined: Vec<u8> =
            (0..self.count).flat_map(|k| (0..width).map(move |b| bytes[b * self.count + k])).collect();
        Encoded { bytes: &joined, encoding: 0, ..*self }.plain()
    }
}
