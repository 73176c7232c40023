//! Eighth group: the statistics, worked out anew from the long matrix, straight from their published formulas.
//!
//! Nothing of `src/statistic` is used. Sums run over the entries that are there, in 128 bits, so that no table, however
//! forged, overflows them.

use std::collections::{BTreeMap, BTreeSet};

use super::areas::Closeness;
use super::findings::Findings;
use super::manifest::Manifest;
use super::tables::{
    ANNUAL_CHANGE, CHANGE_MATRIX, EXCLUDED, Figure, Figures, NET_CHANGE, OWN, Tables, Zone, in_mm2, same,
    told,
};
use crate::model::epoch::Interval;
use crate::model::legend::ClassCode;

/// The statistics that this module works out.
const KNOWN: [&str; 11] = [
    "from_total",
    "to_total",
    "persistence",
    "gain",
    "loss",
    "net_change",
    "gross_change",
    "quantity",
    "exchange",
    "shift",
    "annual_rate",
];

/// Compares every statistic with its formula; says how many.
pub fn check(tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    if ![NET_CHANGE, CHANGE_MATRIX, EXCLUDED].iter().all(|table| tables.has(table)) {
        return "not compared: a table cannot be read".into();
    }
    let mut check = Check { tables, manifest, findings, compared: 0, unknown: BTreeSet::new() };
    // A zone whose cells are all excluded has statistics too, of an empty matrix.
    let keys = tables.matrices.keys().chain(tables.excluded.keys()).chain(tables.figures.keys());
    let keys: BTreeSet<&(Zone, Interval)> = keys.collect();
    let empty = Figures::default();
    for key in &keys {
        let figures = tables.figures.get(key).unwrap_or(&empty);
        let transitions = Transitions::of(&whole_numbers(tables.matrix(&key.0, key.1), i128::from));
        let areas = manifest
            .adds_areas_up()
            .then(|| Transitions::of(&whole_numbers(tables.matrix_areas(&key.0, key.1, OWN), in_mm2)));
        let codes = if key.0.is_all() { tables.codes() } else { transitions.classes() };
        if let Some(matrix) = tables.matrices.get(key).filter(|_| !figures.rows.is_empty()) {
            check.findings.that(matrix.dates == figures.dates, NET_CHANGE, "dates", || {
                format!(
                    "{}, {}: dates are {:?}; {CHANGE_MATRIX} has {:?}",
                    key.0, key.1, figures.dates, matrix.dates
                )
            });
        }
        check.zone(&key.0, key.1, figures, (&transitions, areas.as_ref()), codes);
    }
    let unknown = match check.unknown.len() {
        0 => String::new(),
        n => format!(", {n} statistics not known here: {}", Vec::from_iter(check.unknown).join(", ")),
    };
    format!("{} figures of {} matrices worked out anew{unknown}", check.compared, keys.len())
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    compared: u64,
    unknown: BTreeSet<String>,
}

impl Check<'_> {
    /// The interval of all compared cells of a zone, where they have one; else no rate is told.
    fn only_interval(&self, zone: &Zone, pair: Interval) -> f64 {
        let rates = self.tables.rates.get(&(zone.clone(), pair)).and_then(|rates| rates.get(&None));
        match rates.map(|rate| (rate.interval, rate.without)) {
            Some(([Some(least), Some(most)], 0)) if least == most => least,
            _ => f64::NAN,
        }
    }

    fn zone(
        &mut self,
        zone: &Zone,
        pair: Interval,
        figures: &Figures,
        (transitions, areas): (&Transitions, Option<&Transitions>),
        codes: BTreeSet<ClassCode>,
    ) {
        for subject in codes.into_iter().map(Some).chain([None]) {
            for statistic in KNOWN {
                let there = figures.rows.contains_key(&(subject, statistic.to_string()));
                self.findings.that(there, NET_CHANGE, "completeness", || {
                    format!("{} has no row", place(zone, pair, subject, statistic))
                });
            }
        }
        let years = self.only_interval(zone, pair);
        for ((subject, statistic), figure) in &figures.rows {
            if !KNOWN.contains(&statistic.as_str()) {
                self.unknown.insert(statistic.clone());
                continue;
            }
            // The table of rates tells which intervals there are.
            if statistic == "annual_rate" && !self.tables.has(ANNUAL_CHANGE) {
                continue;
            }
            self.compared += 1;
            let (pixels, rate) = match statistic.as_str() {
                "annual_rate" => (None, transitions.annual_rate(*subject, years)),
                _ => (transitions.pixels(*subject, statistic), None),
            };
            let place = place(zone, pair, *subject, statistic);
            self.figure(&place, figure, pixels, rate);
            if let Some(areas) = areas {
                self.area(&place, figure, areas.pixels(*subject, statistic), areas.total);
            }
        }
    }

    /// An area that follows from a matrix of areas; a difference of sums has the last digits of the sums.
    fn area(&mut self, place: &str, figure: &Figure, mm2: Option<i128>, total_mm2: i128) {
        let in_m2 = |mm2: i128| mm2 as f64 / 1e6;
        let agrees = match (figure.area_ha, mm2) {
            (Some(found), Some(mm2)) => {
                // As far from a total as the one is from the other.
                let total = in_m2(total_mm2);
                Closeness::AddedUp.holds(total + (found * 1e4 - in_m2(mm2)), total)
            }
            (found, mm2) => found.is_none() && mm2.is_none(),
        };
        self.findings.that(agrees, NET_CHANGE, "areas", || {
            let expected = mm2.map(|mm2| in_m2(mm2) / 1e4);
            format!("{place}: area_ha is {}; expected {}", told(figure.area_ha), told(expected))
        });
    }

    fn figure(&mut self, place: &str, figure: &Figure, pixels: Option<i128>, rate: Option<f64>) {
        let words = |pixels: Option<i128>| pixels.map_or("empty".to_string(), |n| n.to_string());
        self.findings.that(figure.pixels == pixels, NET_CHANGE, "pixels", || {
            format!("{place}: pixels is {}; expected {}", words(figure.pixels), words(pixels))
        });
        self.findings.that(same(figure.rate, rate), NET_CHANGE, "rates", || {
            format!("{place}: pct_per_year is {}; expected {}", told(figure.rate), told(rate))
        });
        if self.manifest.adds_areas_up() {
            return;
        }
        let area = self.manifest.cell_area_m2.and_then(|m2| pixels.map(|n| n as f64 * m2 / 1e4));
        self.findings.that(same(figure.area_ha, area), NET_CHANGE, "areas", || {
            format!("{place}: area_ha is {}; expected {}", told(figure.area_ha), told(area))
        });
    }
}

/// A matrix in whole numbers.
fn whole_numbers<N>(
    cells: BTreeMap<(ClassCode, ClassCode), N>,
    whole: impl Fn(N) -> i128,
) -> BTreeMap<(ClassCode, ClassCode), i128> {
    cells.into_iter().map(|(codes, n)| (codes, whole(n))).collect()
}

fn place(zone: &Zone, pair: Interval, subject: Option<ClassCode>, statistic: &str) -> String {
    let subject = subject.map_or("total".to_string(), |code| format!("class {code}"));
    format!("{zone}, {pair}, {subject}, {statistic}")
}

/// A change matrix by class.
#[derive(Debug, Default)]
struct Transitions {
    by_class: BTreeMap<ClassCode, ClassSums>,
    total: i128,
    persistence: i128,
}

/// What a class lost, gained, kept and traded.
#[derive(Debug, Default)]
struct ClassSums {
    loss: i128,
    gain: i128,
    persistence: i128,
    /// Sum of the smaller of the two directions over all other classes.
    traded: i128,
}

impl Transitions {
    fn of(cells: &BTreeMap<(ClassCode, ClassCode), i128>) -> Self {
        let mut sums = Self::default();
        for (&(from, to), &n) in cells.iter().filter(|(_, n)| **n > 0) {
            sums.total += n;
            if from == to {
                sums.persistence += n;
                sums.by_class.entry(from).or_default().persistence += n;
                continue;
            }
            let back = cells.get(&(to, from)).copied().unwrap_or(0);
            let loser = sums.by_class.entry(from).or_default();
            loser.loss += n;
            loser.traded += n.min(back);
            sums.by_class.entry(to).or_default().gain += n;
        }
        sums
    }

    /// Classes with cells in one of the years.
    fn classes(&self) -> BTreeSet<ClassCode> {
        self.by_class.keys().copied().collect()
    }

    /// A statistic that counts cells, of a class or of all (`None`).
    fn pixels(&self, subject: Option<ClassCode>, statistic: &str) -> Option<i128> {
        let Some(code) = subject else { return self.pixels_of_all(statistic) };
        let none = ClassSums::default();
        let c = self.by_class.get(&code).unwrap_or(&none);
        Some(match statistic {
            "from_total" => c.persistence + c.loss,
            "to_total" => c.persistence + c.gain,
            "persistence" => c.persistence,
            "gain" => c.gain,
            "loss" => c.loss,
            "net_change" => c.gain - c.loss,
            "gross_change" => c.gain + c.loss,
            "quantity" => (c.gain - c.loss).abs(),
            "exchange" => 2 * c.traded,
            "shift" => c.gain + c.loss - (c.gain - c.loss).abs() - 2 * c.traded,
            _ => return None,
        })
    }

    /// Of all classes: every changed cell is a loss of one class and a gain of another, and counts once.
    fn pixels_of_all(&self, statistic: &str) -> Option<i128> {
        let changed = self.total - self.persistence;
        let half = |of: fn(&ClassSums) -> i128| self.by_class.values().map(of).sum::<i128>() / 2;
        let (quantity, exchange) = (half(|c| (c.gain - c.loss).abs()), half(|c| 2 * c.traded));
        Some(match statistic {
            "from_total" | "to_total" => self.total,
            "persistence" => self.persistence,
            "gain" | "loss" | "gross_change" => changed,
            "net_change" => 0,
            "quantity" => quantity,
            "exchange" => exchange,
            "shift" => changed - quantity - exchange,
            _ => return None,
        })
    }

    /// Puyravaud's rate of a class: 100 / years · ln(to / from).
    fn annual_rate(&self, subject: Option<ClassCode>, years: f64) -> Option<f64> {
        let c = self.by_class.get(&subject?)?;
        let (from, to) = (c.persistence + c.loss, c.persistence + c.gain);
        let defined = years.is_finite() && years > 0.0 && from > 0 && to > 0;
        defined.then(|| 100.0 / years * (to as f64 / from as f64).ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_small_matrix_are_those_of_the_papers() {
        // The 4 x 4 example maps of CRAN diffeR 0.0-8, as `diffTablej` prints them.
        let rows = [[3, 1, 2], [2, 3, 0], [1, 3, 1]];
        let cells = (0..9).map(|i| ((i / 3, i % 3), rows[i as usize / 3][i as usize % 3])).collect();
        let transitions = Transitions::of(&cells);
        let figures = |name| [Some(0), Some(1), Some(2), None].map(|s| transitions.pixels(s, name).unwrap());
        assert_eq!(figures("gain"), [3, 4, 2, 9]);
        assert_eq!(figures("loss"), [3, 2, 4, 9]);
        assert_eq!(figures("persistence"), [3, 3, 1, 7]);
        assert_eq!(figures("quantity"), [0, 2, 2, 2]);
        assert_eq!(figures("exchange"), [4, 2, 2, 4]);
        assert_eq!(figures("shift"), [2, 2, 2, 3]);
        assert_eq!(figures("gross_change"), [6, 6, 6, 9]);
        assert_eq!(transitions.annual_rate(None, 5.0), None);
    }
}
