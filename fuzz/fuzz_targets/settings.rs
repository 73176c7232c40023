//! Any text as a legend, a crosswalk, a roll-up or rules of comparability: understood or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::model::comparability::ComparabilityRule;
use nalcms::model::crosswalk::Crosswalk;
use nalcms::model::legend::{Legend, RollUp};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match choice % 4 {
        0 => {
            if let Ok(legend) = Legend::from_toml(text, "fuzz") {
                let _ = legend.violations();
            }
        }
        1 => {
            let Ok(crosswalk) = Crosswalk::from_toml(text, "fuzz") else { return };
            let legend = |text| Legend::from_toml(text, "shipped").unwrap();
            let nlcd = legend(include_str!("../../configs/legends/nlcd.toml"));
            let _ = crosswalk.findings(&nlcd, &legend(include_str!("../../configs/legends/nalcms.toml")));
        }
        2 => drop(RollUp::from_toml(text, "fuzz")),
        _ => drop(ComparabilityRule::all_from_toml(text, "fuzz")),
    }
});
