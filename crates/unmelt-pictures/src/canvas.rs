//! What is drawn on.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, Paint, PathBuilder, Pixmap, PixmapMut, Point,
    PremultipliedColorU8, RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use crate::Colour;

/// Most pixels of a side.
const MOST: u32 = 16_384;

/// Height of a line of text, in pixels.
const LINE: RasterHeight = RasterHeight::Size16;

/// A picture that is drawn on; places are in pixels from the top left.
pub struct Canvas {
    pixels: Pixmap,
}

impl Canvas {
    /// A picture of one colour; none where a side is 0 or above 16,384 pixels.
    pub fn new(width: u32, height: u32, background: Colour) -> Option<Self> {
        if width > MOST || height > MOST {
            return None;
        }
        let mut pixels = Pixmap::new(width, height)?;
        pixels.fill(colour(background));
        Some(Self { pixels })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.pixels.width(), self.pixels.height()]
    }

    /// A ball that light falls on from the top left.
    pub fn ball(&mut self, [x, y]: [f32; 2], radius: f32, own: Colour) {
        let Some(circle) = PathBuilder::from_circle(x, y, radius) else { return };
        let (lit, dark) = (own.mixed(Colour::WHITE, 0.75), own.mixed(Colour::BLACK, 0.45));
        let stops = [(0.0, lit), (0.45, own), (1.0, dark)].map(|(at, c)| GradientStop::new(at, colour(c)));
        let light = Point::from_xy(x - 0.35 * radius, y - 0.35 * radius);
        let centre = Point::from_xy(x, y);
        let shader = RadialGradient::new(
            light,
            centre,
            1.05 * radius,
            stops.to_vec(),
            SpreadMode::Pad,
            Transform::identity(),
        );
        let fill = Paint { shader: shader.unwrap_or(Shader::SolidColor(colour(own))), ..Paint::default() };
        self.pixels.fill_path(&circle, &fill, FillRule::Winding, Transform::identity(), None);
        let rim = Stroke { width: (0.06 * radius).max(0.5), ..Stroke::default() };
        let paint = plain(own.mixed(Colour::BLACK, 0.65));
        self.pixels.stroke_path(&circle, &paint, &rim, Transform::identity(), None);
    }

    /// A line with round ends.
    pub fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, own: Colour) {
        let mut builder = PathBuilder::new();
        builder.move_to(from[0], from[1]);
        builder.line_to(to[0], to[1]);
        let Some(path) = builder.finish() else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        self.pixels.stroke_path(&path, &plain(own), &stroke, Transform::identity(), None);
    }

    /// A line of text in the middle around `x`, its top at `y`, 16 pixels high. Characters that the font does not have are left out.
    pub fn text(&mut self, [x, y]: [f32; 2], text: &str, own: Colour) {
        let step = get_raster_width(FontWeight::Regular, LINE);
        let glyphs: Vec<_> = text.chars().filter_map(|c| get_raster(c, FontWeight::Regular, LINE)).collect();
        let left = x - 0.5 * (glyphs.len() * step) as f32;
        for (k, glyph) in glyphs.iter().enumerate() {
            for (row, line) in glyph.raster().iter().enumerate() {
                for (column, &share) in line.iter().enumerate() {
                    let at = [left as i64 + (k * step + column) as i64, y as i64 + row as i64];
                    blend(&mut self.pixels.as_mut(), at, own, f32::from(share) / 255.0);
                }
            }
        }
    }

    /// Pixels in rows, `width` of them a row, from the place of the first; what lies outside is left out.
    pub fn pixels(&mut self, [x, y]: [u32; 2], width: usize, pixels: &[Colour]) {
        for (row, line) in pixels.chunks(width.max(1)).enumerate() {
            for (column, own) in line.iter().enumerate() {
                let at = [i64::from(x) + column as i64, i64::from(y) + row as i64];
                blend(&mut self.pixels.as_mut(), at, *own, 1.0);
            }
        }
    }

    /// The colour of a pixel; none outside of the picture.
    pub fn colour_at(&self, [x, y]: [u32; 2]) -> Option<Colour> {
        // The pixmap itself takes a column beyond the last one for one of the next row.
        let pixel = (x < self.pixels.width()).then(|| self.pixels.pixel(x, y))??;
        Some(Colour([pixel.red(), pixel.green(), pixel.blue()]))
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Vec<u8> {
        let opaque: Vec<u8> =
            self.pixels.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.pixels.width(), self.pixels.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&opaque));
        written.expect("memory takes a picture of this size");
        bytes
    }
}

fn colour(Colour([r, g, b]): Colour) -> Color {
    Color::from_rgba8(r, g, b, 255)
}

fn plain<'a>(own: Colour) -> Paint<'a> {
    Paint { shader: Shader::SolidColor(colour(own)), ..Paint::default() }
}

/// Moves a pixel towards a colour, if it is within the picture.
fn blend(pixels: &mut PixmapMut, [x, y]: [i64; 2], own: Colour, share: f32) {
    let (width, height) = (i64::from(pixels.width()), i64::from(pixels.height()));
    if share <= 0.0 || !(0..width).contains(&x) || !(0..height).contains(&y) {
        return;
    }
    let pixel = &mut pixels.pixels_mut()[(y * width + x) as usize];
    let Colour([r, g, b]) = Colour([pixel.red(), pixel.green(), pixel.blue()]).mixed(own, share);
    if let Some(mixed) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
        *pixel = mixed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balls_are_lit_from_the_top_left_and_stay_in_their_circle() {
        let mut canvas = Canvas::new(100, 80, Colour::WHITE).expect("small");
        let blue = Colour([48, 80, 248]);
        canvas.ball([50.0, 40.0], 20.0, blue);
        let brightness = |at| canvas.colour_at(at).map(|c| c.0.iter().map(|v| u32::from(*v)).sum::<u32>());
        assert_eq!(canvas.colour_at([5, 5]), Some(Colour::WHITE));
        assert_eq!(canvas.colour_at([73, 40]), Some(Colour::WHITE));
        assert!(brightness([43, 33]) > brightness([58, 48]));
        assert_eq!(canvas.colour_at([100, 0]), None);
    }

    #[test]
    fn text_is_in_the_middle_and_what_is_outside_is_left_out() {
        let mut canvas = Canvas::new(60, 20, Colour::WHITE).expect("small");
        canvas.text([30.0, 2.0], "H", Colour::BLACK);
        let dark: Vec<u32> = (0..60)
            .filter(|x| (0..20).any(|y| canvas.colour_at([*x, y]).is_some_and(|c| c.0[0] < 100)))
            .collect();
        let (first, last) = (dark[0], dark[dark.len() - 1]);
        assert!((25..=34).contains(&first) && (25..=36).contains(&last) && last > first, "{dark:?}");
        canvas.text([0.0, -30.0], "far outside", Colour::BLACK);
        canvas.line([-50.0, 10.0], [500.0, 10.0], 2.0, Colour::BLACK);
        assert_eq!(canvas.colour_at([10, 10]), Some(Colour::BLACK));
    }

    #[test]
    fn pictures_come_back_from_their_files() {
        let mut canvas = Canvas::new(3, 2, Colour::BLACK).expect("small");
        canvas.pixels(
            [1, 0],
            2,
            &[Colour([1, 2, 3]), Colour([4, 5, 6]), Colour([7, 8, 9]), Colour([9, 9, 9])],
        );
        let png = canvas.png();
        let decoder = png::Decoder::new(std::io::Cursor::new(&png));
        let mut reader = decoder.read_info().expect("a header");
        let mut bytes = vec![0; 18];
        reader.next_frame(&mut bytes).expect("a picture");
        assert_eq!(bytes, [0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 7, 8, 9, 9, 9, 9]);
        assert!(
            Canvas::new(0, 5, Colour::WHITE).is_none() && Canvas::new(5, 20_000, Colour::WHITE).is_none()
        );
    }
}
