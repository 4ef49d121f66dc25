//! Every bound on what input may ask for, in one place.
//!
//! A bound keeps a broken or hostile file from taking memory or time on its word. Each has a name, by which a user whose
//! honest file is larger raises it.

use std::sync::RwLock;

use crate::error::{Error, Result};
use crate::fault::ErrorKind;

/// Declares the limits once: field, default and meaning.
macro_rules! limits {
    ($($name:ident = $value:expr, $what:literal;)*) => {
        /// The bounds, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = $what] pub $name: u64,)*
        }

        impl Limits {
            /// The bounds of a program that was told nothing.
            pub const DEFAULT: Self = Self { $($name: $value,)* };

            /// Name, value and meaning of each.
            pub fn table(&self) -> Vec<(&'static str, u64, &'static str)> {
                vec![$((stringify!($name), self.$name, $what.trim()),)*]
            }

            /// The bound of a name.
            fn by_name(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

limits! {
    input_bytes = 8 << 30, " Bytes of a file that is read whole.";
    unpacked_bytes = 4 << 30, " Bytes that a packed file may grow to.";
    unpacked_ratio = 200, " Times that a packed file may grow, beyond its first 64 MiB.";
    card_bytes = 8 << 20, " Bytes of a model card or of a configuration.";
    depth = 32, " Levels of nesting.";
    voxels = 1_000_000_000, " Voxels of a volume, over all its frames.";
    frames = 100_000, " Frames or slices of a series.";
    molecule_atoms = 100_000, " Atoms of a molecule that is read.";
    generated_atoms = 1_024, " Atoms of a molecule that is generated.";
    records = 50_000_000, " Records of a table or a file of molecules.";
    parameters = 500_000_000, " Parameters of a network.";
    width = 4_096, " Width of a layer, channels or heads of a network.";
    layers = 256, " Layers of a network.";
    classes = 255, " Classes of a categorical feature.";
    batch = 65_536, " Samples worked on at a time.";
    pairs = 10_000_000, " Pairs of atoms worked on at a time, over all molecules of a batch.";
    steps = 100_000, " Steps of a schedule or of a sampling run.";
}

static LIMITS: RwLock<Limits> = RwLock::new(Limits::DEFAULT);

/// The bounds in force.
pub fn limits() -> Limits {
    *LIMITS.read().unwrap_or_else(|e| e.into_inner())
}

/// Sets the bound of a name for the whole process. Front ends call it before the work begins.
///
/// ```
/// use unmelt_diffusion::files::limits::{limits, set};
///
/// set("voxels", 2_000_000_000)?;
/// assert_eq!(limits().voxels, 2_000_000_000);
/// assert!(set("pixels", 1).unwrap_err().to_string().contains("voxels"));
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
pub fn set(name: &str, value: u64) -> Result<()> {
    let mut limits = LIMITS.write().unwrap_or_else(|e| e.into_inner());
    let known = || Limits::DEFAULT.table().iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    match limits.by_name(name) {
        Some(limit) => *limit = value,
        None => {
            return Err(Error::plain(
                ErrorKind::Usage,
                format!("\"{name}\" is no limit; the limits are {}", known()),
            ));
        }
    }
    Ok(())
}

/// Whether `found` is within `limit`, whose name is `name`; `subject` begins the sentence of the error: a file, a header.
pub fn within(limit: u64, name: &'static str, found: u64, subject: &str) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Limit { subject: subject.into(), name, limit, found })
}
