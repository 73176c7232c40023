//! Second group: every GeoTIFF is laid out as a cloud-optimised one.

use std::path::Path;

use super::checksums::Listing;
use super::findings::Findings;
use super::heed_stop;
use crate::error::Result;
use crate::io::cog::{LayoutVerdict, check_layout};

/// Checks the layout of every GeoTIFF that the list names.
///
/// # Errors
/// Terminated, Interrupted: stopped.
pub fn check(output: &Path, listing: &Listing, findings: &mut Findings) -> Result<String> {
    let (mut rasters, mut sound, mut blocks) = (0u64, 0u64, 0u64);
    for name in listing.keys().filter(|name| name.ends_with(".tif")) {
        heed_stop()?;
        let path = output.join(name);
        // What is missing has been told with the checksums.
        if !path.is_file() {
            continue;
        }
        rasters += 1;
        match check_layout(&path) {
            Ok(LayoutVerdict::Valid(report)) => {
                sound += 1;
                blocks += report.levels.iter().map(|level| level.blocks()).sum::<u64>();
            }
            Ok(LayoutVerdict::Broken(violations)) => {
                violations.iter().for_each(|violation| findings.add(name, "layout", || violation));
            }
            Err(error) => findings.add(name, "reading", || error),
        }
    }
    Ok(format!("{sound} of {rasters} GeoTIFFs are cloud-optimised, {blocks} blocks in place"))
}
