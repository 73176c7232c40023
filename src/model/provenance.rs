//! Provenance: where the class of a cell comes from, or why it has none, as one byte.
//!
//! Codes from [`OUTSIDE`] + 1 on are sections, then maps that stand in for others, as the product numbers them; the last
//! ones say why a cell has no class.

/// Where a cell comes from.
pub type Origin = u8;

/// Nothing is mapped there.
pub const OUTSIDE: Origin = 0;

/// The largest code of a map.
pub const LAST_MAP: Origin = 249;

/// A source saw nothing there: cloud, shadow, unclassified.
pub const NO_OBSERVATION: Origin = 251;

/// A crosswalk gives the source's class none.
pub const BY_CROSSWALK: Origin = 252;

/// A section should have mapped it and did not.
pub const GAP: Origin = 253;

/// It lies in no section's domain, or off the coast.
pub const MASKED: Origin = 254;

/// The word of a code that is no map's, as tables have it.
pub fn absence_word(origin: Origin) -> Option<&'static str> {
    Some(match origin {
        OUTSIDE => "outside",
        NO_OBSERVATION => "no_observation",
        BY_CROSSWALK => "nodata_by_crosswalk",
        GAP => "gap",
        MASKED => "masked",
        _ => return None,
    })
}

/// Every code that is no map's.
pub const ABSENCES: [Origin; 5] = [OUTSIDE, NO_OBSERVATION, BY_CROSSWALK, GAP, MASKED];
