//! Which code a nation writes where NALCMS has a class: the shipped crosswalk, read backwards.

use std::path::Path;

use crate::config::shipped;
use crate::error::{Error, Result};
use crate::kernel::landscape::Climate;
use crate::model::crosswalk::{Crosswalk, CrosswalkRow, Target};
use crate::model::legend::{Absence, ClassCode, Legend};

const CLIMATES: [Climate; 3] = [Climate::Tropical, Climate::Temperate, Climate::Polar];
/// The product's legend.
const NALCMS: &str = "nalcms";
/// The largest class of the product's legend.
const CLASSES: usize = 19;

/// What to write instead of classes 1 to 19 where a legend has no code that leads there: the nearest in what
/// grows, then in how much of it; the first that the legend has. National maps do the same by definition, so
/// a round trip is not exact there.
const NEAREST: [&[usize]; CLASSES] = [
    &[2, 3, 6, 5, 4],
    &[1, 6, 5, 3, 4],
    &[4, 5, 6, 1],
    &[3, 5, 6, 1],
    &[6, 4, 3, 1],
    &[5, 1, 4, 3],
    &[8, 11, 9, 10],
    &[7, 11, 10, 9],
    &[10, 12, 7, 8],
    &[9, 12, 8, 7],
    &[8, 7, 12, 10],
    &[10, 9, 11, 8],
    &[16, 12, 10, 9],
    &[10, 9, 18],
    &[10, 9],
    &[13, 10, 9],
    &[16],
    &[14],
    &[16, 18],
];

/// The codes of one legend for the classes of NALCMS.
#[derive(Debug, Clone)]
pub struct NationalCodes {
    /// What stands where nothing is mapped.
    pub fill: u8,
    /// Codes of cells that were mapped but not seen.
    pub no_observation: Vec<u8>,
    /// Equivalent codes by climate and class - 1.
    codes: [Vec<Vec<u8>>; 3],
    /// Whether a class has other codes in another climate.
    depends: Vec<bool>,
}

/// The name of a climate zone in layers and crosswalks.
pub fn climate_word(climate: Climate) -> &'static str {
    match climate {
        Climate::Tropical => "tropical",
        Climate::Temperate => "temperate",
        Climate::Polar => "polar",
    }
}

fn position(climate: Climate) -> usize {
    match climate {
        Climate::Tropical => 0,
        Climate::Temperate => 1,
        Climate::Polar => 2,
    }
}

impl NationalCodes {
    /// The codes of a legend that ships with a crosswalk to NALCMS.
    ///
    /// # Errors
    /// Usage: no such crosswalk, or one that leaves a class without any code near it.
    pub fn of(legend: &Legend) -> Result<Self> {
        let crosswalk = match legend.id.as_str() {
            NALCMS => None,
            id => Some(shipped::crosswalk(&format!("{id}-{NALCMS}"), Path::new(""))?),
        };
        let exact = CLIMATES.map(|climate| {
            (1..=CLASSES).map(|class| sources(class, climate, crosswalk.as_ref())).collect::<Vec<_>>()
        });
        let mut codes = exact.clone();
        for (all, exact) in codes.iter_mut().zip(&exact) {
            for (position, codes) in all.iter_mut().enumerate().filter(|(_, codes)| codes.is_empty()) {
                let near = NEAREST[position].iter().map(|class| &exact[class - 1]).find(|c| !c.is_empty());
                codes.clone_from(near.ok_or_else(|| {
                    Error::usage(format!("legend `{}` has nothing like class {}", legend.id, position + 1))
                })?);
            }
        }
        let depends = (0..CLASSES).map(|i| codes.iter().any(|by_class| by_class[i] != codes[0][i])).collect();
        let unseen = legend.nodata.iter().filter(|row| row.meaning == Absence::NoObservation);
        Ok(Self {
            fill: byte(legend.fill).unwrap_or(0),
            no_observation: unseen.filter_map(|row| byte(row.value)).collect(),
            codes,
            depends,
        })
    }

    /// The code of a class; among equivalent ones the hash chooses, without regard to the year.
    pub fn pick(&self, class: u8, climate: impl Fn() -> Climate, hash: impl Fn(u8) -> u64) -> u8 {
        let class_position = usize::from(class.saturating_sub(1)).min(CLASSES - 1);
        let zone = match self.depends[class_position] {
            true => position(only_climate(class).unwrap_or_else(climate)),
            false => 0,
        };
        match self.codes[zone][class_position].as_slice() {
            [one] => *one,
            many => many[(hash(class) % many.len().max(1) as u64) as usize],
        }
    }
}

/// The only climate where a class occurs, as the landscape promises; saves asking it.
fn only_climate(class: u8) -> Option<Climate> {
    match class {
        3 | 4 | 7 | 9 => Some(Climate::Tropical),
        5 | 6 | 8 | 10 => Some(Climate::Temperate),
        2 | 11..=13 => Some(Climate::Polar),
        _ => None,
    }
}

/// The codes that lead to a class in a climate.
fn sources(class: usize, climate: Climate, crosswalk: Option<&Crosswalk>) -> Vec<u8> {
    let class = class as ClassCode;
    let Some(crosswalk) = crosswalk else { return byte(class).into_iter().collect() };
    let leads = |row: &&CrosswalkRow| match &row.to {
        Target::Class(to) => *to == class,
        Target::ByStratum(by) => by.get(climate_word(climate)) == Some(&class),
        Target::Word(_) => false,
    };
    crosswalk.rows.iter().filter(leads).filter_map(|row| byte(row.from)).collect()
}

fn byte(code: ClassCode) -> Option<u8> {
    u8::try_from(code).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::landscape::{Landscape, Profile};

    #[test]
    fn every_shipped_legend_has_a_code_for_every_class_in_every_climate() -> Result<()> {
        for (id, _) in shipped::LEGENDS {
            let legend = shipped::legend(id, Path::new(""))?;
            let codes = NationalCodes::of(&legend)?;
            for (climate, class) in CLIMATES.iter().flat_map(|c| (1..=CLASSES as u8).map(move |k| (*c, k))) {
                let code = codes.pick(class, || climate, |_| 3);
                assert!(legend.class(code.into()).is_some(), "{id}: {class} became {code}");
            }
        }
        Ok(())
    }

    #[test]
    fn nlcd_codes_follow_the_climate_where_its_rows_are_conditional() -> Result<()> {
        let codes = NationalCodes::of(&shipped::legend("nlcd", Path::new(""))?)?;
        let at = |class, climate| codes.pick(class, || climate, |_| 0);
        assert_eq!([at(3, Climate::Tropical), at(1, Climate::Temperate), at(2, Climate::Polar)], [42; 3]);
        // Polar needleleaf has no code of its own: NLCD calls it evergreen, and the crosswalk then taiga.
        assert_eq!(at(1, Climate::Polar), 42);
        assert_eq!([at(7, Climate::Tropical), at(8, Climate::Temperate)], [52; 2]);
        Ok(())
    }

    #[test]
    fn classes_of_one_climate_occur_in_no_other() {
        let world = Landscape::new(5, 9000.0, Profile::Interior);
        let mut seen = 0;
        for (x, y) in (-50..50).flat_map(|i| (-60..60).map(move |j| (f64::from(i) * 5e4, f64::from(j) * 5e4)))
        {
            let only = only_climate(world.class_at(x, y, 2015));
            seen += usize::from(only.is_some());
            assert!(only.is_none_or(|only| only == world.climate_at(x, y)));
        }
        assert!(seen > 1000);
    }
}
