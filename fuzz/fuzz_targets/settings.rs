//! Any text as a job, a legend, a crosswalk, a roll-up or rules of comparability: understood or refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nalcms::config::file::JobFile;
use nalcms::config::job::Job;
use nalcms::config::shipped;
use nalcms::model::comparability::ComparabilityRule;
use nalcms::model::crosswalk::Crosswalk;
use nalcms::model::legend::{Legend, RollUp};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let nowhere = Path::new("/dev/null/nowhere");
    match choice % 5 {
        0 => {
            let Ok(job) = toml::from_str::<JobFile>(text) else { return };
            let _ = Job::resolve(job, nowhere);
        }
        1 => {
            if let Ok(legend) = Legend::from_toml(text, "fuzz") {
                let _ = legend.violations();
            }
        }
        2 => {
            let Ok(crosswalk) = Crosswalk::from_toml(text, "fuzz") else { return };
            let nlcd = shipped::legend("nlcd", nowhere).unwrap();
            let _ = crosswalk.findings(&nlcd, &shipped::legend("nalcms", nowhere).unwrap());
        }
        3 => drop(RollUp::from_toml(text, "fuzz")),
        _ => drop(ComparabilityRule::all_from_toml(text, "fuzz")),
    }
});
