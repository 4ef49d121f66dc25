//! Extensions: what programs store between a header and its voxels.

use super::input::Input;
use crate::Result;

/// Bytes that the extensions of a file may have together.
const BYTES: u64 = 64 << 20;

/// An extension of a NIfTI file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Whose it is, by NIfTI's number.
    pub code: i32,
    /// Its content.
    pub data: Vec<u8>,
}

impl Extension {
    /// Bytes in a file: size, code and content, filled up to a multiple of 16.
    pub(super) fn size(&self) -> usize {
        (8 + self.data.len()).next_multiple_of(16)
    }
}

/// NIfTI's number of a comment: plain text.
const COMMENT: i32 = 6;

/// What a comment begins with that says how the volume was made.
const RECORD: &str = "unmelt-run ";

/// The record of how the volume was made, as JSON, if an extension has one.
pub(super) fn record(extensions: &[Extension]) -> Option<&str> {
    let comments = extensions.iter().filter(|e| e.code == COMMENT);
    let texts = comments.filter_map(|e| std::str::from_utf8(&e.data).ok());
    texts.filter_map(|text| text.strip_prefix(RECORD)).map(|json| json.trim_end_matches('\0')).next_back()
}

/// Takes away what says how a volume was made before, and puts a new record in its place.
pub(super) fn set_record(extensions: &mut Vec<Extension>, json: Option<&str>) {
    extensions.retain(|e| e.code != COMMENT || !e.data.starts_with(RECORD.as_bytes()));
    extensions
        .extend(json.map(|json| Extension { code: COMMENT, data: format!("{RECORD}{json}").into_bytes() }));
}

/// Reads the extensions in the next `room` bytes, or up to the end of the file if none is given. What cannot be read is left out with
/// a warning.
pub(super) fn read(
    input: &mut Input,
    room: Option<u64>,
    big_endian: bool,
    warnings: &mut Vec<String>,
) -> Result<Vec<Extension>> {
    let mut bytes = Vec::new();
    input.take(room.unwrap_or(BYTES).min(BYTES), &mut bytes)?;
    if let Some(room @ BYTES..) = room {
        warnings.push(format!("extensions of more than {BYTES} bytes in {} are left out", name(input)));
        input.skip(room - BYTES)?;
        return Ok(Vec::new());
    }
    let (found, whole) = parse(&bytes, big_endian);
    if !whole {
        warnings.push(format!("an extension in {} is cut off and left out", name(input)));
    }
    Ok(found)
}

fn name(input: &Input) -> String {
    input.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The extensions in these bytes, and whether none was cut off.
fn parse(bytes: &[u8], big_endian: bool) -> (Vec<Extension>, bool) {
    let mut found = Vec::new();
    let Some((flag, mut rest)) = bytes.split_at_checked(4) else { return (found, true) };
    if flag[0] == 0 {
        return (found, true);
    }
    let number = |word: [u8; 4]| {
        if big_endian { i32::from_be_bytes(word) } else { i32::from_le_bytes(word) }
    };
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = number(*size);
        if size == 0 {
            break;
        }
        let content = usize::try_from(size).ok().and_then(|s| s.checked_sub(8));
        let Some((code, after)) = after.split_first_chunk::<4>() else { return (found, false) };
        let Some((data, after)) = content.and_then(|n| after.split_at_checked(n)) else {
            return (found, false);
        };
        found.push(Extension { code: number(*code), data: data.to_vec() });
        rest = after;
    }
    (found, true)
}

/// The bytes between a header and its voxels.
pub(super) fn to_bytes(extensions: &[Extension]) -> Vec<u8> {
    let mut out = vec![u8::from(!extensions.is_empty()), 0, 0, 0];
    for extension in extensions {
        let size = extension.size();
        let end = out.len() + size;
        out.extend((size as i32).to_le_bytes());
        out.extend(extension.code.to_le_bytes());
        out.extend(&extension.data);
        out.resize(end, 0);
    }
    out
}
