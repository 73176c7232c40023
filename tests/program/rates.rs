//! Changes per year: by the true interval of each cell's maps, added up, never from a total; expected values are worked out
//! here from the cells that are drawn.

use std::collections::BTreeMap;

use crate::support::{Csv, Drawing, Scratch, patchy};

const HEAD: &str = r#"
name = "rates"
output = "out"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [0, 0]
cell_size_m = 30
shape = [4, 6]
extent = "full"
"#;

/// Two sections side by side, three columns each, on a grid of four rows.
fn two_sections(west: &[(&str, [&[u8]; 4])], east: &[(&str, [&[u8]; 4])]) -> Scratch {
    let scratch = Scratch::new();
    for (maps, x) in [(west, 0.0), (east, 90.0)] {
        let at = Drawing { origin: (x, 0.0), ..Drawing::default() };
        maps.iter().for_each(|(name, rows)| at.draw::<u8>(&scratch.path(name), rows));
    }
    scratch
}

const WEST: [(&str, [&[u8]; 4]); 2] = [
    ("w_2010.tif", [&[1, 1, 1], &[1, 1, 1], &[5, 5, 5], &[5, 5, 0]]),
    ("w_2015.tif", [&[1, 5, 5], &[5, 5, 1], &[5, 5, 1], &[5, 5, 5]]),
];
const EAST: [(&str, [&[u8]; 4]); 2] = [
    ("e_2010.tif", [&[1, 1, 1], &[1, 1, 1], &[1, 5, 5], &[5, 5, 5]]),
    ("e_2015.tif", [&[5, 5, 5], &[1, 1, 1], &[1, 1, 5], &[5, 5, 5]]),
];

fn source(id: &str, dates: [&str; 2]) -> String {
    let [from, to] =
        dates.map(|date| if date.is_empty() { String::new() } else { format!(", date = \"{date}\"") });
    format!(
        "[[source]]\nid = \"{id}\"\nlegend = \"nalcms\"\n[source.epochs]\n2010 = {{ files = \"{id}_2010.tif\"{from} }}\n\
         2015 = {{ files = \"{id}_2015.tif\"{to} }}\n"
    )
}

fn run(scratch: &Scratch, west: [&str; 2], east: [&str; 2]) -> Csv {
    scratch.write("job.toml", &format!("{HEAD}{}{}", source("w", west), source("e", east)));
    scratch.ok(&["run", "job.toml", "--overwrite"]);
    scratch.ok(&["verify", "out"]);
    scratch.csv("out/tables/annual_change.csv")
}

const COLUMNS: [&str; 7] = [
    "interval_min",
    "interval_max",
    "pixels",
    "pixels_without_interval",
    "gain_px_per_year",
    "loss_px_per_year",
    "net_px_per_year",
];

fn row(table: &Csv, zone: &str, code: &str) -> [String; 7] {
    let rows = table.select(&[("zone_id", zone), ("code", code)]);
    assert_eq!(rows.len(), 1, "{zone} {code}");
    COLUMNS.map(|column| rows[0][column].clone())
}

/// Numbers of a row; an empty cell is NaN.
fn numbers(row: &[String; 7]) -> [f64; 7] {
    row.clone().map(|text| text.parse().unwrap_or(f64::NAN))
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found}; expected {expected}");
}

#[test]
fn sections_of_different_intervals_are_divided_each_by_its_own_and_added() {
    let scratch = two_sections(&WEST, &EAST);
    // West: 5 years; cells 11 (one has no class in 2010). 1 → 5: four cells, 5 → 1: one. East: 8 years; 1 → 5: three, 5 → 1: one.
    let table = run(&scratch, ["2010", "2015"], ["2009", "2017"]);
    assert_eq!(row(&table, "w", "1"), ["5", "5", "7", "0", "0.2", "0.8", "-0.6"]);
    assert_eq!(row(&table, "e", "1"), ["8", "8", "8", "0", "0.125", "0.375", "-0.25"]);
    assert_eq!(row(&table, "w", "total"), ["5", "5", "11", "0", "1", "1", "0"]);
    let whole = row(&table, "all", "1");
    assert_eq!(whole[..4], ["5", "8", "15", "0"]);
    let [.., gain, loss, net] = numbers(&whole);
    near(gain, 1.0 / 5.0 + 1.0 / 8.0);
    near(loss, 4.0 / 5.0 + 3.0 / 8.0);
    near(net, -3.0 / 5.0 + -2.0 / 8.0);
    // What a division of the totals by the mapped years would give is another number.
    assert!((loss - 7.0 / 5.0).abs() > 0.2);
    // Hectares: a cell is 900 m².
    let hectares = |zone: &str, column: &str| -> f64 {
        table.value(column, &[("zone_id", zone), ("code", "1")]).parse().unwrap()
    };
    near(hectares("all", "loss_ha_per_year"), 0.09 * (4.0 / 5.0 + 3.0 / 8.0));
    near(hectares("e", "net_ha_per_year"), 0.09 * -0.25);
    // A class that nothing has is a row of the whole area, of zeros.
    assert_eq!(row(&table, "all", "14"), ["", "", "0", "0", "0", "0", "0"]);
}

#[test]
fn the_rate_of_a_class_is_told_only_where_all_cells_have_one_interval() {
    let scratch = two_sections(&WEST, &EAST);
    run(&scratch, ["2010", "2015"], ["2009", "2017"]);
    let rate = |scratch: &Scratch, zone: &str| {
        let table = scratch.csv("out/tables/net_change.csv");
        table.value("pct_per_year", &[("zone_id", zone), ("code", "1"), ("statistic", "annual_rate")])
    };
    // West: class 1 had 6 of the cells valid in both years and has 3; east: 7, and 5.
    near(rate(&scratch, "w").parse().unwrap(), 100.0 / 5.0 * (3.0f64 / 6.0).ln());
    near(rate(&scratch, "e").parse().unwrap(), 100.0 / 8.0 * (5.0f64 / 7.0).ln());
    assert_eq!(rate(&scratch, "all"), "");
    // Other dates and the same interval: one interval all the same.
    run(&scratch, ["2010", "2015"], ["2011", "2016"]);
    near(rate(&scratch, "all").parse().unwrap(), 100.0 / 5.0 * (8.0f64 / 13.0).ln());
}

#[test]
fn dates_of_months_and_days_are_their_middles_and_a_map_without_one_has_its_mapped_year() {
    let scratch = two_sections(&WEST, &EAST);
    let table = run(&scratch, ["2010-07", "2015-07-16"], ["", ""]);
    // From the middle of July, 15.5 days after its beginning, to noon of the 16th, 15.5 days after: 1826 days.
    let [least, most, ..] = numbers(&row(&table, "w", "total"));
    near(least, 1826.0 / 365.2425);
    near(most, 1826.0 / 365.2425);
    assert_eq!(row(&table, "e", "total")[..2], ["5", "5"]);
    let [least, most, .., loss, _] = numbers(&row(&table, "all", "1"));
    near(least, 1826.0 / 365.2425);
    near(most, 5.0);
    near(loss, 4.0 * 365.2425 / 1826.0 + 3.0 / 5.0);
    // A year beside a day is its middle: 2010 has 365 days, and 182.5 of them lie before it.
    let table = run(&scratch, ["2010", "2010-07-02"], ["", ""]);
    let [_, _, with, without, ..] = numbers(&row(&table, "w", "total"));
    assert_eq!((with, without), (0.0, 11.0), "noon of 2 July is the middle of 2010");
    let table = run(&scratch, ["2010", "2010-07-03"], ["", ""]);
    near(numbers(&row(&table, "w", "total"))[0], 1.0 / 365.2425);
}

#[test]
fn cells_whose_second_map_is_not_later_have_no_rate_and_are_told() {
    let scratch = two_sections(&WEST, &EAST);
    let table = run(&scratch, ["2012", "2012"], ["2010", "2015"]);
    assert_eq!(row(&table, "w", "total"), ["", "", "0", "11", "", "", ""]);
    assert_eq!(row(&table, "w", "1"), ["", "", "0", "7", "", "", ""]);
    assert_eq!(row(&table, "all", "1"), ["5", "5", "8", "7", "0.2", "0.6", "-0.4"]);
    let table = run(&scratch, ["2013", "2012"], ["2012", "2010"]);
    assert_eq!(row(&table, "all", "total"), ["", "", "0", "23", "", "", ""]);
    let figures = scratch.csv("out/tables/net_change.csv");
    let rates = figures.select(&[("statistic", "annual_rate")]);
    assert!(!rates.is_empty() && rates.iter().all(|row| row["pct_per_year"].is_empty()));
}

#[test]
fn a_date_that_is_no_day_of_the_calendar_is_refused() {
    let scratch = two_sections(&WEST, &EAST);
    for date in ["2010-13", "2010-02-30", "2010-2012", "10", "2010-7"] {
        scratch.write("job.toml", &format!("{HEAD}{}{}", source("w", [date, ""]), source("e", ["", ""])));
        scratch.nalcms(&["plan", "job.toml"]).refused(2, &[date, "2011-07-15"]);
    }
}

/// Cells of a larger job, cell by cell, against the table: zones that lie across sections, areas that are added up.
#[test]
fn every_rate_where_cells_differ_in_size_is_the_sum_of_its_sections_over_their_intervals() {
    let scratch = Scratch::new();
    let (rows, cols) = (40, 60);
    let class = |year: usize| move |r: usize, c: usize| patchy(r, c, year as u64, &[1, 5, 5, 10, 0]);
    let text = format!(
        "name = \"rates\"\noutput = \"out\"\n[grid]\ncrs = \"{}\"\norigin = [0, 0]\ncell_size_m = 1000\nshape = [40, 60]\n\
         extent = \"full\"\n{}{}[[zones]]\nid = \"bands\"\npath = \"zones.tif\"\n",
        "+proj=tmerc +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m",
        source("w", ["2010", "2016"]),
        source("e", ["2009-06", "2014-06-15"]),
    );
    // Cells of a transverse Mercator projection differ in size, so that their areas are added up.
    let plane = Drawing {
        srs: Some("+proj=tmerc +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"),
        cell: 1000.0,
        ..Drawing::default()
    };
    for year in [2010, 2015] {
        for (id, first, end) in [("w", 0, 25), ("e", 25, 60)] {
            let cell = |r: usize, c: usize| if (first..end).contains(&c) { class(year)(r, c) } else { 0 };
            plane.plot(&scratch.path(&format!("{id}_{year}.tif")), rows, cols, cell);
        }
    }
    plane.plot_as::<i32>(&scratch.path("zones.tif"), rows, cols, |r, c| ((r + c) / 20) as u8);
    scratch.write("job.toml", &text);
    scratch.ok(&["run", "job.toml"]);
    scratch.ok(&["verify", "out"]);
    let table = scratch.csv("out/tables/annual_change.csv");
    // June 2009 has its middle at noon of the 16th, 15 days after it began; 15 June 2014 is 14.5 days after the month began.
    let east = (1826.0 - 0.5) / 365.2425;
    let mut rates: BTreeMap<(usize, u8), [f64; 4]> = BTreeMap::new();
    for (r, c) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))) {
        let (from, to) = (class(2010)(r, c), class(2015)(r, c));
        if from == 0 || to == 0 {
            continue;
        }
        let years = if c < 25 { 6.0 } else { east };
        let mut add = |class: u8, gain: f64, loss: f64| {
            let sums = rates.entry(((r + c) / 20, class)).or_default();
            for (sum, part) in sums.iter_mut().zip([1.0, gain / years, loss / years, (gain - loss) / years]) {
                *sum += part;
            }
        };
        if from == to {
            add(from, 0.0, 0.0);
        } else {
            add(from, 0.0, 1.0);
            add(to, 1.0, 0.0);
        }
    }
    assert_eq!(rates.len(), 5 * 3);
    for ((zone, class), expected) in rates {
        let found = numbers(&row(&table, &zone.to_string(), &class.to_string()));
        for (found, expected) in [found[2], found[4], found[5], found[6]].into_iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{zone} {class}: {found} {expected}"
            );
        }
    }
    assert!(
        table.select(&[("zone_id", "2"), ("code", "total")])[0]["gain_ha_per_year"].parse::<f64>().unwrap()
            > 0.0
    );
}
