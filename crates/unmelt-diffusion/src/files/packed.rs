//! Packed input: gzip with its checksums looked at, and readers that end at a bound.

use std::io::{BufRead, BufReader, Error as IoError, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::limits::limits;
use crate::error::Result;

/// Bytes that may always come of a packed file, whatever its size.
const FREE: u64 = 64 << 20;

/// Bytes that may come of `packed` bytes: [`unpacked_ratio`](super::limits::Limits::unpacked_ratio) times as many, at least 64 MiB,
/// at most [`unpacked_bytes`](super::limits::Limits::unpacked_bytes).
pub fn unpacked_bound(packed: u64) -> u64 {
    let limits = limits();
    packed.saturating_mul(limits.unpacked_ratio).max(FREE).min(limits.unpacked_bytes)
}

/// A reader that gives at most `limit` bytes of another; where that has more, reading ends in an error that says
/// `what` and how to raise the limit.
pub fn bounded<R: Read>(inner: R, limit: u64, what: impl Into<String>) -> Bounded<R> {
    Bounded { inner, left: limit, limit, what: what.into() }
}

/// What is said of data whose checksum or length is wrong.
const DAMAGED: &str = "its data do not fit its checksum: it was damaged after it was written";

/// See [`bounded`].
#[derive(Debug)]
pub struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
    what: String,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let want = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX).max(1));
        let count = self.inner.read(&mut buffer[..want])?;
        let Some(left) = self.left.checked_sub(count as u64) else {
            let Self { what, limit, .. } = self;
            let sentence = format!(
                "{what} grows to more than {limit} bytes when it is unpacked; if it is to be trusted, raise the limits \
                 unpacked_bytes and unpacked_ratio"
            );
            return Err(IoError::new(ErrorKind::FileTooLarge, sentence));
        };
        self.left = left;
        Ok(count)
    }
}

/// Whether bytes begin as a gzip file does.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The bytes of a gzip file, all members of it, within [`unpacked_bound`]; checksums and lengths are looked at.
pub fn gunzip(bytes: &[u8], what: &str) -> Result<Vec<u8>> {
    let fault = |e: IoError| match e.kind() {
        ErrorKind::FileTooLarge => crate::Error::plain(crate::ErrorKind::Limit, e.to_string()),
        _ => crate::Error::Broken { what: what.into(), fault: e.to_string() },
    };
    let mut out = Vec::new();
    let reader = GzipReader::new(bytes);
    bounded(reader, unpacked_bound(bytes.len() as u64), what).read_to_end(&mut out).map_err(fault)?;
    Ok(out)
}

/// Reads gzip to its end, one member after another. Each member's checksum and length are held against its data.
///
/// A damaged or truncated member, and bytes after the last member that are neither gzip nor zeros, are errors of kind
/// `InvalidData`. After [`forgiving`](Self::forgiving) such a fault is remembered and ends the data instead.
#[derive(Debug)]
pub struct GzipReader<R: Read> {
    /// The member that is read; none at the end.
    member: Option<GzDecoder<BufReader<R>>>,
    forgiving: bool,
    faults: Vec<String>,
    damaged: bool,
}

impl<R: Read> GzipReader<R> {
    /// Reads packed bytes from `input`.
    pub fn new(input: R) -> Self {
        let input = BufReader::with_capacity(1 << 16, input);
        Self { member: Some(GzDecoder::new(input)), forgiving: false, faults: Vec::new(), damaged: false }
    }

    /// Gives the data before a fault, and remembers the fault. Behind a member whose checksum is wrong the next one follows.
    pub fn forgiving(mut self) -> Self {
        self.forgiving = true;
        self
    }

    /// What was wrong so far, each as a part of a sentence.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Whether the data so far are damaged or cut off; bytes after their end are no damage to them.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Ends the data with a fault.
    fn damage(&mut self, text: &str) -> std::io::Result<usize> {
        self.damaged = true;
        self.fault(text)
    }

    fn fault(&mut self, text: &str) -> std::io::Result<usize> {
        self.member = None;
        if !self.forgiving {
            return Err(IoError::new(ErrorKind::InvalidData, text));
        }
        self.faults.push(text.into());
        Ok(0)
    }

    /// Goes on to the next member, if there is one.
    fn next_member(&mut self) -> std::io::Result<()> {
        let Some(mut input) = self.member.take().map(GzDecoder::into_inner) else { return Ok(()) };
        // Tapes and blocks are filled up with zeros.
        let next = loop {
            let bytes = input.fill_buf()?;
            let zeros = bytes.iter().take_while(|b| **b == 0).count();
            if bytes.is_empty() || zeros < bytes.len() {
                break bytes.get(zeros).copied();
            }
            input.consume(zeros);
        };
        match next {
            None => {}
            Some(0x1f) => {
                let zeros = input.buffer().iter().take_while(|b| **b == 0).count();
                input.consume(zeros);
                self.member = Some(GzDecoder::new(input));
            }
            Some(_) => {
                self.fault("there are bytes after its end that are no gzip data")?;
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while !buffer.is_empty() {
            let Some(member) = &mut self.member else { return Ok(0) };
            match member.read(buffer) {
                Ok(0) => self.next_member()?,
                Ok(count) => return Ok(count),
                Err(e) => {
                    return match e.kind() {
                        ErrorKind::UnexpectedEof => self.damage("it is cut off"),
                        ErrorKind::InvalidInput | ErrorKind::InvalidData if member.header().is_none() => {
                            self.damage("it is no gzip file")
                        }
                        ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                            // Where the packed data ended as they should, the checksum behind them was read and is wrong.
                            if self.forgiving && matches!(member.read(&mut [0]), Ok(0)) {
                                self.damaged = true;
                                self.faults.push(DAMAGED.into());
                                continue;
                            }
                            self.damage(DAMAGED)
                        }
                        _ => Err(e),
                    };
                }
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    #[test]
    fn members_are_read_one_after_another() {
        let file = [packed(b"one "), packed(b""), packed(b"two")].concat();
        assert_eq!(gunzip(&file, "f").expect("whole"), b"one two");
        assert_eq!(gunzip(&[file, vec![0; 700]].concat(), "f").expect("padded"), b"one two");
    }

    #[test]
    fn any_damage_is_an_error_and_forgiven_only_with_a_fault() {
        let data: Vec<u8> = (0..5000u32).map(|k| (k * k / 7) as u8).collect();
        let whole = packed(&data);
        // The first ten bytes are the header, whose time stamp and system say nothing of the data.
        for place in (10..whole.len()).step_by(7) {
            for bit in [0, 5] {
                let mut file = whole.clone();
                file[place] ^= 1 << bit;
                match gunzip(&file, "f") {
                    // Bits that fill up the last byte of the packed data say nothing.
                    Ok(same) => assert!(same == data, "{place}"),
                    Err(error) => assert!(error.to_string().starts_with("f is broken"), "{error}"),
                }
                let mut reader = GzipReader::new(file.as_slice()).forgiving();
                let mut out = Vec::new();
                reader.read_to_end(&mut out).expect("forgiven");
                assert!(reader.is_damaged() || out == data, "{place}");
            }
            assert!(gunzip(&whole[..place], "f").is_err(), "cut off at {place}");
        }
        let followed = [whole, b"garbage".to_vec()].concat();
        let mut reader = GzipReader::new(followed.as_slice()).forgiving();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).expect("forgiven");
        assert!(out == data && !reader.is_damaged() && reader.faults().len() == 1);
        let error = gunzip(&followed, "f").expect_err("garbage");
        assert_eq!(error.to_string(), "f is broken: there are bytes after its end that are no gzip data");
        gunzip(b"plain text", "f").expect_err("no gzip");
    }

    #[test]
    fn behind_a_wrong_checksum_the_next_member_is_read() {
        let mut first = packed(b"one ");
        let checksum = first.len() - 8;
        first[checksum] ^= 1;
        let file = [first, packed(b"two")].concat();
        gunzip(&file, "f").expect_err("damaged");
        let mut reader = GzipReader::new(file.as_slice()).forgiving();
        let mut out = String::new();
        reader.read_to_string(&mut out).expect("forgiven");
        assert_eq!(out, "one two");
        assert!(reader.is_damaged());
    }

    #[test]
    fn what_grows_too_far_ends_at_the_bound() {
        let bomb = packed(&vec![0; 80 << 20]);
        let error = gunzip(&bomb, "b.gz").expect_err("a bomb");
        assert!(error.to_string().contains("unpacked_ratio"), "{error}");
        let mut out = Vec::new();
        bounded(&b"12345"[..], 5, "f").read_to_end(&mut out).expect("just enough");
        assert_eq!(out, b"12345");
        bounded(&b"123456"[..], 5, "f").read_to_end(&mut out).expect_err("one too many");
    }
}
