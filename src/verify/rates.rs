//! Eighth group, second part: changes per year, told by `annual_change.csv`.
//!
//! Where all cells of a row have one interval, its rates are the counts of `net_change.csv` over that interval; of several,
//! they are held by their bounds and by the sums over the zones of every layer. True intervals are worked out anew from the
//! dates in the tables and in `run.json`.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Findings, close};
use super::manifest::Manifest;
use super::tables::{ANNUAL_CHANGE, CHANGE_MATRIX, NET_CHANGE, Rate, Rates, Tables, Zone, same, told};
use crate::model::epoch::Interval;
use crate::model::legend::ClassCode;

/// Statistics that the rates are of.
const FLOWS: [&str; 3] = ["gain", "loss", "net_change"];
const PX: [&str; 3] = ["gain_px_per_year", "loss_px_per_year", "net_px_per_year"];
const HA: [&str; 3] = ["gain_ha_per_year", "loss_ha_per_year", "net_ha_per_year"];

/// Compares every row with the other tables, and the zones of every layer with the whole; says how many rows there are.
pub fn check(tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    let known = [ANNUAL_CHANGE, NET_CHANGE, CHANGE_MATRIX].iter().all(|table| tables.has(table));
    if manifest.job.pairs.is_empty() || !known {
        return String::new();
    }
    let mut check = Check { tables, manifest, findings, rows: 0 };
    let keys: BTreeSet<&(Zone, Interval)> = tables.rates.keys().chain(tables.figures.keys()).collect();
    let none = Rates::new();
    for key in keys {
        let rates = tables.rates.get(key).unwrap_or(&none);
        check.subjects(key, rates);
        let touched = check.touched(key);
        for (subject, rate) in rates {
            check.rows += 1;
            check.row(key, *subject, rate, touched.get(subject).copied().unwrap_or(0));
        }
    }
    check.layers();
    format!(", {} rows of rates", check.rows)
}

/// Years from one true date to another: of years alone their difference, else between the middles of what they name;
/// `None` where one is no date.
pub fn interval_years(from: &str, to: &str) -> Option<f64> {
    if let (Ok(from), Ok(to)) = (from.parse::<i32>(), to.parse::<i32>()) {
        return Some(f64::from(to) - f64::from(from));
    }
    Some((middle(to)? - middle(from)?) / 365.2425)
}

/// The middle of a date in days.
fn middle(date: &str) -> Option<f64> {
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (first, end) = match parts[..] {
        [year] => (day(year, 1, 1), day(year + 1, 1, 1)),
        [year, 12] => (day(year, 12, 1), day(year + 1, 1, 1)),
        [year, month] => (day(year, month, 1), day(year, month + 1, 1)),
        [year, month, of_month] => (day(year, month, of_month), day(year, month, of_month) + 1),
        _ => return None,
    };
    Some((first + end) as f64 / 2.0)
}

/// Number of a day of the Gregorian calendar, whose years are counted from March so that leap days are their last.
fn day(year: i64, month: i64, of_month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + of_month
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    rows: u64,
}

fn place((zone, pair): &(Zone, Interval), subject: Option<ClassCode>) -> String {
    let subject = subject.map_or("total".to_string(), |code| format!("class {code}"));
    format!("{zone}, {pair}, {subject}")
}

impl Check<'_> {
    /// The classes are those that have statistics.
    fn subjects(&mut self, key: &(Zone, Interval), rates: &Rates) {
        let figures = self.tables.figures.get(key).into_iter().flat_map(|figures| figures.rows.keys());
        let expected: BTreeSet<Option<ClassCode>> = figures.map(|(subject, _)| *subject).collect();
        let found: BTreeSet<Option<ClassCode>> = rates.keys().copied().collect();
        for subject in expected.symmetric_difference(&found) {
            self.findings.add(ANNUAL_CHANGE, "completeness", || {
                format!("{}: stands in only one of this table and {NET_CHANGE}", place(key, *subject))
            });
        }
    }

    /// Compared cells that have a class in one of the years or in both.
    fn touched(&self, (zone, pair): &(Zone, Interval)) -> BTreeMap<Option<ClassCode>, u64> {
        let mut touched: BTreeMap<Option<ClassCode>, u64> = BTreeMap::new();
        for ((from, to), cells) in self.tables.matrix(zone, *pair) {
            for subject in BTreeSet::from([None, Some(from), Some(to)]) {
                let sum = touched.entry(subject).or_default();
                *sum = sum.saturating_add(cells);
            }
        }
        touched
    }

    fn row(&mut self, key: &(Zone, Interval), subject: Option<ClassCode>, rate: &Rate, touched: u64) {
        let place = place(key, subject);
        let sum = rate.pixels.saturating_add(rate.without);
        self.findings.that(sum == touched, ANNUAL_CHANGE, "pixels", || {
            format!(
                "{place}: {} cells with and {} without an interval; {CHANGE_MATRIX} has {touched}",
                rate.pixels, rate.without
            )
        });
        self.intervals(key, &place, rate);
        let figure =
            |statistic: &str| self.tables.figures.get(key)?.rows.get(&(subject, statistic.to_string()));
        let px = FLOWS.map(|flow| figure(flow).and_then(|f| f.pixels).map(|n| n as f64));
        let ha = FLOWS.map(|flow| figure(flow).and_then(|f| f.area_ha));
        for (columns, found, counts) in [(PX, rate.px, px), (HA, rate.ha, ha)] {
            let one = rate.interval[0].filter(|least| rate.interval[1] == Some(*least) && rate.without == 0);
            for ((column, found), count) in columns.iter().zip(found).zip(counts) {
                let agrees = match one {
                    // Areas of a summed matrix have the last digits of their sums.
                    Some(years) => self.near(found, count.map(|count| count / years)),
                    None if rate.pixels == 0 && rate.without > 0 => found.is_none(),
                    None if rate.pixels == 0 => found == count,
                    // A net may be anything between; gain and loss hold it.
                    None if *column == columns[2] => found.is_some() == count.is_some(),
                    None => is_between(rate, found, count),
                };
                self.findings.that(agrees, ANNUAL_CHANGE, "rates", || {
                    format!(
                        "{place}: {column} is {}, for {} over {} to {} years",
                        told(found),
                        told(count),
                        told(rate.interval[0]),
                        told(rate.interval[1])
                    )
                });
            }
            // Where each is a sum of its own, the net has the last digits of both.
            if let [Some(gain), Some(loss), Some(net)] = found {
                let agrees = (gain - loss - net).abs() <= LAST_DIGITS * (gain.abs() + loss.abs());
                self.findings.that(agrees, ANNUAL_CHANGE, "rates", || {
                    format!("{place}: {} is {net}; gain less loss is {}", columns[2], gain - loss)
                });
            }
        }
    }

    fn near(&self, found: Option<f64>, expected: Option<f64>) -> bool {
        match (found, expected) {
            (Some(found), Some(expected)) if self.manifest.adds_areas_up() => {
                close(found, expected) || (found - expected).abs() <= LAST_DIGITS * expected.abs()
            }
            (found, expected) => same(found, expected),
        }
    }

    /// Intervals follow from the dates: from those of the zone where it has one for each year, else they are among those
    /// of the sources.
    fn intervals(&mut self, key: &(Zone, Interval), place: &str, rate: &Rate) {
        let (_, pair) = key;
        let [least, most] = rate.interval;
        let sound = match (least, most) {
            (Some(least), Some(most)) => rate.pixels > 0 && 0.0 < least && least <= most,
            (least, most) => rate.pixels == 0 && least.is_none() && most.is_none(),
        };
        let dates = self.tables.figures.get(key).map(|figures| figures.dates.clone()).unwrap_or_default();
        let agrees = match interval_years(&dates[0], &dates[1]) {
            Some(years) if years > 0.0 => {
                // The fringe has no date, and so the mapped years.
                let mapped = self.manifest.has_fringe().then_some(f64::from(pair.to - pair.from));
                let known =
                    |found: f64| close(found, years) || mapped.is_some_and(|mapped| close(found, mapped));
                rate.without == 0 && [least, most].into_iter().flatten().all(known)
            }
            Some(_) => rate.pixels == 0,
            None => {
                let known = self.manifest.intervals(*pair);
                [least, most]
                    .into_iter()
                    .flatten()
                    .all(|found| known.iter().any(|years| close(found, *years)))
            }
        };
        self.findings.that(sound && agrees, ANNUAL_CHANGE, "intervals", || {
            format!(
                "{place}: {} cells have intervals from {} to {} years, {} have none; the dates are {dates:?}",
                rate.pixels,
                told(least),
                told(most),
                rate.without
            )
        });
    }

    /// The rates of the zones of every layer add up to those of the whole area.
    fn layers(&mut self) {
        let mut layers = self.manifest.zone_layers();
        layers.extend(
            self.tables
                .rates
                .keys()
                .map(|(zone, _)| zone)
                .filter(|zone| !zone.is_all())
                .map(|z| z.layer.as_str()),
        );
        for layer in layers {
            for &pair in &self.manifest.job.pairs {
                let zones =
                    self.tables.rates.iter().filter(|((zone, p), _)| zone.layer == layer && *p == pair);
                let mut sums: BTreeMap<Option<ClassCode>, Sum> = BTreeMap::new();
                for (subject, rate) in zones.flat_map(|(_, rates)| rates) {
                    sums.entry(*subject).or_default().add(rate);
                }
                let whole = (Zone::all(), pair);
                for (subject, rate) in self.tables.rates.get(&whole).into_iter().flatten() {
                    let sum = sums.remove(subject).unwrap_or_default();
                    let mut expected = Sum::default();
                    expected.add(rate);
                    let agrees = sum.agrees(&expected);
                    self.findings.that(agrees, ANNUAL_CHANGE, "sums over zones", || {
                        format!(
                            "{}, all zones of layer {layer} together: {:?} cells, rates {:?}; the whole area has {:?} and {:?}",
                            place(&whole, *subject), sum.cells, sum.rates, expected.cells, expected.rates
                        )
                    });
                }
                for subject in sums.keys() {
                    self.findings.add(ANNUAL_CHANGE, "sums over zones", || {
                        format!("{}: only zones of layer {layer} have it", place(&whole, *subject))
                    });
                }
            }
        }
    }
}

/// A gain or a loss of cells of several intervals is at most what it would be if all had the shortest, and at least what it
/// would be if all had the longest, as far as all have one.
fn is_between(rate: &Rate, found: Option<f64>, count: Option<f64>) -> bool {
    match (rate.interval, found, count) {
        ([Some(least), Some(most)], Some(found), Some(count)) => {
            let low = if rate.without > 0 { 0.0 } else { count / most };
            low * (1.0 - LAST_DIGITS) <= found && found <= count / least * (1.0 + LAST_DIGITS)
        }
        (_, found, count) => found.is_none() && count.is_none(),
    }
}

/// How far a sum of divisions may be from another, relative to what was added.
const LAST_DIGITS: f64 = 1e-13;

/// Rows added up.
#[derive(Debug, Default)]
struct Sum {
    cells: [u64; 2],
    rates: [f64; 6],
    interval: Option<[f64; 2]>,
}

impl Sum {
    fn add(&mut self, rate: &Rate) {
        for (sum, cells) in self.cells.iter_mut().zip([rate.pixels, rate.without]) {
            *sum = sum.saturating_add(cells);
        }
        for (sum, part) in self.rates.iter_mut().zip(rate.px.into_iter().chain(rate.ha)) {
            *sum += part.unwrap_or(0.0);
        }
        if let [Some(least), Some(most)] = rate.interval {
            self.interval = Some(match self.interval {
                Some([shortest, longest]) => [shortest.min(least), longest.max(most)],
                None => [least, most],
            });
        }
    }

    fn agrees(&self, whole: &Self) -> bool {
        let near = |at: usize| {
            // A net is as sure as what it is the difference of.
            let of = at - at % 3;
            let size = whole.rates[of].abs() + whole.rates[of + 1].abs();
            (self.rates[at] - whole.rates[at]).abs() <= LAST_DIGITS * size
        };
        let same_interval = match (self.interval, whole.interval) {
            (Some(a), Some(b)) => close(a[0], b[0]) && close(a[1], b[1]),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.cells == whole.cells && same_interval && (0..6).all(near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_from_dates_of_any_precision() {
        assert_eq!(interval_years("2010", "2015"), Some(5.0));
        let days = |from, to| interval_years(from, to).unwrap() * 365.2425;
        assert!((days("2012-01-01", "2012-12-31") - 365.0).abs() < 1e-9);
        assert!((days("2011-02", "2011-03") - 29.5).abs() < 1e-9);
        assert!((days("2011", "2012-12") - (365.0 - 182.5 + 335.0 + 15.5)).abs() < 1e-9);
        assert!((days("2000-02-28", "2000-03-01") - 2.0).abs() < 1e-9);
        assert!((days("1900-02-28", "1900-03-01") - 1.0).abs() < 1e-9);
        for (from, to) in [("2010/2011", "2015"), ("", "2015"), ("2010", "x"), ("2010-1-1-1", "2015")] {
            assert_eq!(interval_years(from, to), None, "{from} {to}");
        }
    }
}
