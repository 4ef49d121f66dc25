//! What a compressed frame says of itself, before a decoder takes memory on its word.

/// Most tiles of a JPEG 2000 image.
const TILES: u64 = 4096;

/// Whether bytes begin as a JPEG, JPEG-LS or JPEG 2000 codestream.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8]) || bytes.starts_with(&[0xFF, 0x4F, 0xFF, 0x51])
}

/// Checks a compressed frame of a transfer syntax against columns and rows and the bits of a sample.
pub(super) fn check(syntax: &str, bytes: &[u8], size: [usize; 2], allocated: u32) -> Result<(), String> {
    let Some(kind) = syntax.strip_prefix("1.2.840.10008.1.2.") else {
        return Err(unknown(syntax));
    };
    match kind {
        "5" => rle(bytes, allocated),
        "4.50" | "4.51" | "4.57" | "4.70" | "4.80" | "4.81" => jpeg(bytes, size, allocated),
        "4.90" | "4.91" | "4.92" | "4.93" => jpeg_2000(bytes, size, allocated),
        "4.100" | "4.101" | "4.102" | "4.103" | "4.104" | "4.105" | "4.106" | "4.107" | "4.108" => {
            Err("it is a video, and images are what can be read".into())
        }
        _ => Err(unknown(syntax)),
    }
}

fn unknown(syntax: &str) -> String {
    let syntax: String = syntax.chars().take(64).collect();
    format!(
        "its pixel data are compressed by {}, which cannot be read; convert it to another transfer syntax",
        unmelt_diffusion::files::plain(&syntax)
    )
}

fn compare(
    name: &str,
    found: [u64; 2],
    samples: u64,
    bits: u64,
    size: [usize; 2],
    allocated: u32,
) -> Result<(), String> {
    if found != size.map(|n| n as u64) {
        return Err(format!(
            "its {name} image has {} × {} pixels, and its header says {} × {}",
            found[0], found[1], size[0], size[1]
        ));
    }
    if samples != 1 {
        return Err(format!(
            "its {name} image has {samples} components: colours, where scalar images are what can be read"
        ));
    }
    if bits > u64::from(allocated) {
        return Err(format!("its {name} image has {bits} bits, and its header says {allocated}"));
    }
    Ok(())
}

/// Looks at the 64 bytes before the runs: how many segments there are, one for each byte of a sample.
fn rle(bytes: &[u8], allocated: u32) -> Result<(), String> {
    let wanted = allocated.div_ceil(8);
    match bytes.first_chunk().map(|b| u32::from_le_bytes(*b)) {
        Some(segments) if segments == wanted && bytes.len() >= 64 => Ok(()),
        Some(segments) if bytes.len() >= 64 => {
            Err(format!("its RLE image has {segments} segments, and its header wants {wanted}"))
        }
        _ => Err("its RLE image ends within its header".into()),
    }
}

/// Looks through the markers up to the scan for the frame header.
fn jpeg(bytes: &[u8], size: [usize; 2], allocated: u32) -> Result<(), String> {
    let broken = || "its JPEG image has no frame header".to_string();
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(broken());
    }
    let mut at = 2;
    let mut found = false;
    loop {
        let marker = bytes.get(at..at + 4).ok_or_else(broken)?;
        if marker[0] != 0xFF {
            return Err(broken());
        }
        let kind = marker[1];
        // Bytes of filling stand before a marker.
        if kind == 0xFF {
            at += 1;
            continue;
        }
        if kind == 0xDA {
            return if found { Ok(()) } else { Err(broken()) };
        }
        let length = usize::from(u16::from_be_bytes([marker[2], marker[3]]));
        if matches!(kind, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7) {
            let head = bytes.get(at + 4..at + 10).ok_or_else(broken)?;
            let rows = u64::from(u16::from_be_bytes([head[1], head[2]]));
            let columns = u64::from(u16::from_be_bytes([head[3], head[4]]));
            compare("JPEG", [columns, rows], u64::from(head[5]), u64::from(head[0]), size, allocated)?;
            found = true;
        }
        at += 2 + length.max(2);
    }
}

fn jpeg_2000(bytes: &[u8], size: [usize; 2], allocated: u32) -> Result<(), String> {
    let broken = || "its JPEG 2000 image has no size marker".to_string();
    // Boxes of a file may stand before the codestream.
    let start = match bytes.starts_with(&[0xFF, 0x4F]) {
        true => Some(0),
        false => bytes.windows(4).take(4096).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51]),
    };
    let head = start.and_then(|at| bytes.get(at + 2..at + 43)).ok_or_else(broken)?;
    if head[..2] != [0xFF, 0x51] {
        return Err(broken());
    }
    let word = |k: usize| u64::from(u32::from_be_bytes([head[k], head[k + 1], head[k + 2], head[k + 3]]));
    let [x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0] = [6, 10, 14, 18, 22, 26, 30, 34].map(word);
    let samples = u64::from(u16::from_be_bytes([head[38], head[39]]));
    let bits = u64::from(head[40] & 0x7F) + 1;
    compare("JPEG 2000", [x.saturating_sub(x0), y.saturating_sub(y0)], samples, bits, size, allocated)?;
    let across = |end: u64, start: u64, tile: u64| end.saturating_sub(start).div_ceil(tile.max(1));
    let tiles = across(x, tile_x0, tile_x).saturating_mul(across(y, tile_y0, tile_y));
    match tiles <= TILES && tile_x > 0 && tile_y > 0 {
        true => Ok(()),
        false => Err(format!("its JPEG 2000 image has {tiles} tiles, where at most {TILES} can be read")),
    }
}
