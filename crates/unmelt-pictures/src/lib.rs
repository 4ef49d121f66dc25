//! Drawing for previews: shaded balls, lines and text on a canvas, written as PNG. It knows neither molecules nor scans.
//!
//! ```
//! use unmelt_pictures::{Canvas, Colour};
//!
//! let mut canvas = Canvas::new(64, 48, Colour::WHITE).expect("a small picture");
//! canvas.ball([32.0, 20.0], 12.0, Colour([255, 13, 13]));
//! canvas.text([32.0, 34.0], "O", Colour::BLACK);
//! let png = canvas.png();
//! assert_eq!(&png[1..4], b"PNG");
//! ```

mod canvas;
mod colour;

pub use canvas::Canvas;
pub use colour::Colour;
