//! How a run ended.

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSummary {
    /// Steps done, over all resumes.
    pub steps: u64,
    /// Steps wanted.
    pub of_steps: u64,
    /// What was learned from: how many of what, such as 1000 "molecules" and 50 "held out".
    pub data: Vec<(usize, &'static str)>,
    /// What was left out or corrected, one sentence each.
    pub warnings: Vec<String>,
}

impl TrainingSummary {
    /// What was learned from, as in "1000 molecules, 50 held out"; what there is nothing of is left out.
    ///
    /// ```
    /// use unmelt_diffusion::train::TrainingSummary;
    ///
    /// let data = vec![(1000, "molecules"), (0, "held out")];
    /// let summary = TrainingSummary { steps: 5, of_steps: 10, data, warnings: Vec::new() };
    /// assert_eq!(summary.learned_from(), "1000 molecules");
    /// assert!(!summary.is_finished());
    /// ```
    pub fn learned_from(&self) -> String {
        let counts = self.data.iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether all steps are done.
    pub fn is_finished(&self) -> bool {
        self.steps >= self.of_steps
    }
}
