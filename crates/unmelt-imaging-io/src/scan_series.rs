//! A series and what its file said besides.

use unmelt_imaging::{Series, Volume};

use crate::{Scan, Source};

/// Signals, images or volumes on one lattice, with all their frames and channels, and what their file said besides.
#[derive(Clone, Debug)]
pub struct ScanSeries {
    /// The values.
    pub series: Series,
    /// What its file said besides.
    pub source: Source,
}

/// A series that was read, and what had to be corrected on the way.
#[derive(Clone, Debug)]
pub struct SeriesReading {
    /// The series, and what its file said besides.
    pub scan: ScanSeries,
    /// One sentence each.
    pub warnings: Vec<String>,
}

impl ScanSeries {
    /// A series that came from no file.
    pub fn new(series: Series) -> Self {
        Self { series, source: Source::Memory }
    }

    /// The one frame of a scan.
    pub fn of(scan: Scan) -> Self {
        Self { series: Series::of(scan.volume), source: scan.source }
    }

    /// The one volume of a series that has no other frame and channel.
    pub fn into_scan(self) -> Option<Scan> {
        let Self { series, source } = self;
        series.into_volume().map(|volume| Scan { volume, source })
    }

    /// One channel of one frame.
    ///
    /// # Panics
    /// If there is no such channel or frame.
    pub fn scan(&self, channel: usize, frame: usize) -> Scan {
        Scan { volume: self.series.volume(channel, frame), source: self.source.clone() }
    }

    /// Another series with the same source, in the same orientation.
    pub fn with(&self, series: Series) -> Self {
        let acquisition = self.series.acquisition.clone();
        Self { series: series.acquired(acquisition), source: self.source.clone() }
    }

    /// Volumes made of those of this series, one of each, in the order of its values.
    ///
    /// # Panics
    /// If there are not as many, or they do not lie on one grid.
    pub fn with_volumes(&self, volumes: Vec<Volume>) -> Self {
        let lattice = self.series.lattice();
        assert_eq!(volumes.len(), lattice.parts(), "one volume of each");
        self.with(Series::joined(volumes, lattice.channels, lattice.frame_step))
    }

    /// Takes the free text of its source away, as [`Scan::strip`].
    pub fn strip(&mut self) {
        self.source.strip();
    }
}
