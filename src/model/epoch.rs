//! Mapped years and the intervals between them.

use serde::{Deserialize, Serialize};

/// A mapped year, as the product names it ("2010"), whatever the true date of the imagery.
pub type Epoch = i32;

/// A pair of epochs, the earlier one usually first; change goes from the first to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// The epoch that change is measured from.
    pub from: Epoch,
    /// The epoch that change is measured to.
    pub to: Epoch,
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}
