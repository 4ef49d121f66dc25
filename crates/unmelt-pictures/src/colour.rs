//! Colours.

/// A colour: red, green and blue, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// White.
    pub const WHITE: Self = Self([255; 3]);
    /// Black.
    pub const BLACK: Self = Self([0; 3]);

    /// A mixture: this colour at 0, the other at 1.
    ///
    /// ```
    /// use unmelt_pictures::Colour;
    ///
    /// assert_eq!(Colour::BLACK.mixed(Colour::WHITE, 0.2), Colour([51; 3]));
    /// ```
    pub fn mixed(self, other: Self, share: f32) -> Self {
        let share = share.clamp(0.0, 1.0);
        let mix = |k: usize| f32::from(self.0[k]) + share * (f32::from(other.0[k]) - f32::from(self.0[k]));
        Self([0, 1, 2].map(|k| mix(k).round() as u8))
    }
}
