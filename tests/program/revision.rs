//! `nalcms revision`: two editions of the map of one year, never told as change.

use crate::support::{Drawing, Scratch};

fn two_editions() -> Scratch {
    let scratch = Scratch::new();
    let drawing = Drawing::default();
    drawing.draw::<u8>(&scratch.path("v1.tif"), &[&[1, 1, 5, 0], &[5, 5, 14, 14]]);
    drawing.draw::<u8>(&scratch.path("v2.tif"), &[&[1, 5, 5, 1], &[5, 14, 14, 0]]);
    drawing.draw::<i32>(&scratch.path("zones.tif"), &[&[7, 7, 7, 7], &[8, 8, 8, 8]]);
    scratch
}

const REVISION: [&str; 12] = [
    "revision",
    "v1.tif",
    "v2.tif",
    "--year",
    "2010",
    "--editions",
    "2013",
    "2017",
    "--legend",
    "nalcms",
    "-o",
    "out",
];

#[test]
fn what_was_revised_is_told_class_by_class_and_nothing_of_it_per_year() {
    let scratch = two_editions();
    let run = scratch.ok(&[&REVISION[..], &["--zones", "zones.tif"]].concat());
    assert!(
        run.stdout.contains("2010, edition 2013 to 2017: 4 of 8 cells were revised (50.000 %)"),
        "{}",
        run.stdout
    );
    let table = scratch.csv("out/tables/revision_matrix.csv");
    let columns =
        ["zone_id", "old_code", "new_code", "pixels", "area_m2", "pct_of_old", "pct_of_new", "pct_of_total"];
    let told = |zone: &str| -> Vec<String> {
        let rows = table.select(&[("zone_id", zone)]);
        rows.iter()
            .map(|row| columns[1..].iter().map(|c| row[*c].as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    };
    // Eight cells: two kept 1 of which one is new, and so on, by hand; a cell without a class has an empty code.
    assert_eq!(
        told("all"),
        [
            " 1 1 900  50 12.5",
            "1 1 1 900 50 50 12.5",
            "1 5 1 900 50 33.333333333333336 12.5",
            "5 5 2 1800 66.66666666666667 66.66666666666667 25",
            "5 14 1 900 33.333333333333336 50 12.5",
            "14  1 900 50  12.5",
            "14 14 1 900 50 50 12.5",
        ]
    );
    assert_eq!(
        told("7"),
        [" 1 1 900  50 25", "1 1 1 900 50 50 25", "1 5 1 900 50 50 25", "5 5 1 900 100 50 25"]
    );
    let row = &table.select(&[("zone_id", "8")])[0];
    assert_eq!(
        (row["year"].as_str(), row["edition_old"].as_str(), row["edition_new"].as_str()),
        ("2010", "2013", "2017")
    );
    assert!(table.columns().iter().all(|column| !column.contains("from") && !column.contains("per_year")));
    // Nothing that could be taken for change lies beside it.
    let written: Vec<_> =
        std::fs::read_dir(scratch.path("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(written, ["tables"]);
}

#[test]
fn a_revision_overwrites_nothing_unasked_and_lies_in_no_output_of_a_job() {
    let scratch = two_editions();
    scratch.ok(&REVISION);
    scratch.nalcms(&REVISION).refused(2, &["exists already", "--overwrite"]);
    scratch.ok(&[&REVISION[..], &["--overwrite"]].concat());
    scratch.ok(&[
        "change", "v1.tif", "v2.tif", "--years", "2010", "2015", "--legend", "nalcms", "-o", "changes",
    ]);
    let into: Vec<&str> =
        REVISION.iter().map(|word| if *word == "out" { "changes" } else { *word }).collect();
    scratch.nalcms(&into).refused(2, &["never mixed"]);
}
