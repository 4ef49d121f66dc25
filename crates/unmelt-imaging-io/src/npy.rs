//! Arrays of complex numbers in `.npy` files (format of NumPy, versions 1 to 3).

use std::io::{BufReader, Read};
use std::path::Path;

use rustfft::num_complex::Complex32;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::kspace::ComplexArray;

use crate::{Error, Result};

/// Bytes that a header may have. NumPy's own have a hundred, and it refuses more than 10,000.
const HEADER: usize = 1 << 16;
/// Bytes that are decoded at a time.
const CHUNK: usize = 1 << 20;

/// Reads complex64 or complex128 numbers of a `.npy` file in C order, of either byte order. Memory is taken as the numbers arrive.
pub fn read_npy(path: &Path) -> Result<ComplexArray> {
    let file = std::fs::File::open(path).map_err(Error::file("read", path))?;
    let metadata = file.metadata().map_err(Error::file("read", path))?;
    let length = metadata.is_file().then_some(metadata.len());
    from_reader(&mut BufReader::with_capacity(CHUNK, file), length, path)
}

/// The same from any reader; `length` is that of the whole file, where it is known.
pub fn from_reader(input: &mut dyn Read, length: Option<u64>, path: &Path) -> Result<ComplexArray> {
    let fault = |text: String| Error::format(".npy file of complex numbers", path, text);
    let unreadable = Error::file("read", path);
    let mut start = Vec::new();
    input.take(8).read_to_end(&mut start).map_err(unreadable)?;
    let version = match start[..] {
        [0x93, b'N', b'U', b'M', b'P', b'Y', version @ 1..=3, _] => version,
        [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] => {
            return Err(fault(format!("it is of version {version}, which is not known")));
        }
        [b'P', b'K', ..] => {
            return Err(fault("it is a ZIP archive, as .npz is; save one array by numpy.save".into()));
        }
        _ => return Err(fault("it does not begin as one".into())),
    };
    let header = header(input, if version == 1 { 2 } else { 4 }, path, &fault)?;
    let Header { descr, fortran, shape } =
        Header::parse(&header).ok_or_else(|| fault("its header is broken".into()))?;
    if fortran && shape.iter().filter(|n| **n > 1).count() > 1 {
        return Err(fault("its array is in Fortran order; save it with numpy.ascontiguousarray".into()));
    }
    let (big_endian, size) = match descr.as_str() {
        "<c8" => (false, 8),
        "<c16" => (false, 16),
        ">c8" => (true, 8),
        ">c16" => (true, 16),
        kind => return Err(fault(format!("its numbers are {kind}, not complex"))),
    };
    let count = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64));
    let bytes = count.and_then(|n| n.checked_mul(size as u64));
    let (Some(count), Some(bytes)) = (count, bytes) else {
        return Err(fault("it claims more numbers than can be counted".into()));
    };
    if length.is_some_and(|length| bytes > length) {
        return Err(fault("it is truncated: its header promises more numbers than the file holds".into()));
    }
    within(limits().voxels, "voxels", count, &format!("numbers of {}", path.display()))?;
    let values = numbers(input, count as usize, size, big_endian, path, &fault)?;
    if values.iter().any(|v| !(v.re.is_finite() && v.im.is_finite())) {
        return Err(fault("it holds numbers that are not finite".into()));
    }
    Ok(ComplexArray { shape, values })
}

/// The text of the header, whose length is in the next `word` bytes.
fn header(input: &mut dyn Read, word: usize, path: &Path, fault: &dyn Fn(String) -> Error) -> Result<String> {
    let mut bytes = Vec::new();
    input.take(word as u64).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    if bytes.len() < word {
        return Err(fault("it ends within its header".into()));
    }
    let length = bytes.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    if length > HEADER {
        return Err(fault(format!("its header claims {length} bytes, where a few hundred are usual")));
    }
    bytes.clear();
    input.take(length as u64).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    if bytes.len() < length {
        return Err(fault("it ends within its header".into()));
    }
    String::from_utf8(bytes).map_err(|_| fault("its header is no text".into()))
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// A dictionary of Python with three keys: `{'descr': '<c8', 'fortran_order': False, 'shape': (4, 3), }`.
    fn parse(text: &str) -> Option<Self> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" if value.starts_with(['\'', '"']) => {
                    let (kind, after) = quoted(value)?;
                    descr = Some(kind.to_owned());
                    after
                }
                // A record of several fields: named by the error of its type.
                "descr" => {
                    let (_, after) = value.split_once(']')?;
                    descr = Some("records".to_owned());
                    after
                }
                "fortran_order" => {
                    let (word, after) = value.split_at(value.find([',', ' ']).unwrap_or(value.len()));
                    fortran = Some(match word {
                        "True" => true,
                        "False" => false,
                        _ => return None,
                    });
                    after
                }
                "shape" => {
                    let (sizes, after) = value.strip_prefix('(')?.split_once(')')?;
                    let sizes = sizes.split(',').map(str::trim).filter(|s| !s.is_empty());
                    // Python 2 wrote long numbers with an L.
                    let sizes = sizes.map(|s| s.trim_end_matches('L').parse().ok());
                    shape = Some(sizes.collect::<Option<Vec<usize>>>()?);
                    after
                }
                _ => return None,
            };
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Some(Self { descr: descr?, fortran: fortran?, shape: shape? })
    }
}

/// The string that a text begins with, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
}

fn numbers(
    input: &mut dyn Read,
    count: usize,
    size: usize,
    big_endian: bool,
    path: &Path,
    fault: &dyn Fn(String) -> Error,
) -> Result<Vec<Complex32>> {
    let half = size / 2;
    let (mut values, mut bytes) = (Vec::new(), Vec::new());
    while values.len() < count {
        let wanted = (count - values.len()).min(CHUNK / size) * size;
        bytes.clear();
        let got = input.take(wanted as u64).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
        if got < wanted {
            let have = values.len() + got / size;
            return Err(fault(format!("it is truncated: {have} of its {count} numbers are there")));
        }
        if big_endian {
            bytes.chunks_exact_mut(half).for_each(<[u8]>::reverse);
        }
        let number = |word: &[u8]| match word.first_chunk::<8>().filter(|_| half == 8) {
            Some(wide) => f64::from_le_bytes(*wide) as f32,
            None => f32::from_le_bytes(word.try_into().expect("words have their size")),
        };
        values
            .extend(bytes.chunks_exact(size).map(|w| Complex32::new(number(&w[..half]), number(&w[half..]))));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1 or 2 with this header.
    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut out = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
        match version {
            1 => out.extend((header.len() as u16).to_le_bytes()),
            _ => out.extend((header.len() as u32).to_le_bytes()),
        }
        [&out, header.as_bytes(), data].concat()
    }

    fn read(bytes: &[u8]) -> Result<ComplexArray> {
        from_reader(&mut &bytes[..], Some(bytes.len() as u64), Path::new("k.npy"))
    }

    fn complaint(bytes: &[u8]) -> String {
        let text = read(bytes).expect_err("a bad file").to_string();
        assert!(text.contains("k.npy") && !text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn both_widths_and_byte_orders_are_read() {
        let parts = [1.0f64, -2.0, 0.5, 4.0];
        let want = vec![Complex32::new(1.0, -2.0), Complex32::new(0.5, 4.0)];
        let data: [Vec<u8>; 4] = [
            parts.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
            parts.iter().flat_map(|v| (*v as f32).to_be_bytes()).collect(),
            parts.iter().flat_map(|v| v.to_le_bytes()).collect(),
            parts.iter().flat_map(|v| v.to_be_bytes()).collect(),
        ];
        for (kind, data) in ["<c8", ">c8", "<c16", ">c16"].into_iter().zip(data) {
            for version in 1..=3 {
                let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (2, 1), }}   \n");
                let array = read(&file(version, &header, &data)).expect("readable");
                assert_eq!((array.shape, array.values), (vec![2, 1], want.clone()));
            }
        }
        let other = "{\"shape\":(2L,),\"fortran_order\":True,\"descr\":\"<c8\"}";
        let data: Vec<u8> = parts.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
        assert_eq!(read(&file(1, other, &data)).expect("readable").values, want);
    }

    #[test]
    fn files_that_lie_get_a_sentence() {
        let header = |kind: &str, shape: &str| {
            format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}")
        };
        let mut huge = vec![0x93, b'N', b'U', b'M', b'P', b'Y', 2, 0];
        huge.extend([0xff, 0xff, 0xff, 0xff, b'{']);
        assert!(complaint(&huge).contains("claims 4294967295 bytes"));
        for (bytes, want) in [
            (file(1, &header("'<f4'", "(1,)"), &[0; 8]), "its numbers are <f4, not complex"),
            (file(1, &header("[('a', '<f4')]", "(1,)"), &[0; 8]), "its numbers are records"),
            (file(1, &header("'<c8'", "(2, 2)"), &[0; 8]), "truncated"),
            (file(1, &header("'<c8'", "(4294967296, 4294967296)"), &[0; 8]), "than can be counted"),
            (file(1, &header("'<c8'", "(-1,)"), &[0; 8]), "its header is broken"),
            (file(1, &header("'<c8'", &"(".repeat(60_000)), &[0; 8]), "its header is broken"),
            (file(1, &header("'<c8'", "(1,)"), &f32::NAN.to_le_bytes().repeat(2)), "not finite"),
            (file(9, &header("'<c8'", "(1,)"), &[0; 8]), "version 9"),
            (b"PK\x03\x04----".to_vec(), ".npz"),
            (b"\x93NUMPY\x01\x00\xff".to_vec(), "ends within its header"),
            (vec![], "does not begin as one"),
        ] {
            let got = complaint(&bytes);
            assert!(got.contains(want), "{got}");
        }
        let fortran = "{'descr': '<c8', 'fortran_order': True, 'shape': (2, 2), }";
        assert!(complaint(&file(1, fortran, &[0; 32])).contains("Fortran"));
    }
}
