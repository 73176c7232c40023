//! Class rasters as they come: every data type, layouts, nodata tags that lie, one stage at a time.

use crate::support::{Drawing, Scratch, cells, patchy};
use gdal::raster::GdalType;

/// Reads a drawing through `nalcms mosaic --legend nalcms`.
fn read_as_nalcms<T: GdalType + Copy>(drawing: &Drawing, rows: &[&[T]]) -> Vec<i32> {
    let scratch = Scratch::new();
    drawing.draw(&scratch.path("in.tif"), rows);
    scratch.ok(&["mosaic", "in.tif", "-o", "out.tif", "--legend", "nalcms"]);
    cells(&scratch.path("out.tif"))
}

#[test]
fn every_data_type_reads_the_same_classes() {
    let plain = Drawing::default();
    let expected = [1, 19, 0, 5];
    assert_eq!(read_as_nalcms::<u8>(&plain, &[&[1, 19], &[0, 5]]), expected);
    assert_eq!(read_as_nalcms::<i16>(&plain, &[&[1, 19], &[-128, 5]]), expected);
    assert_eq!(read_as_nalcms::<u16>(&plain, &[&[1, 19], &[65535, 5]]), expected);
    assert_eq!(read_as_nalcms::<i32>(&plain, &[&[1, 19], &[128, 5]]), expected);
    assert_eq!(read_as_nalcms::<u32>(&plain, &[&[1, 19], &[127, 5]]), expected);
    assert_eq!(read_as_nalcms::<f32>(&plain, &[&[1.0, 19.0], &[f32::NAN, 5.0]]), expected);
    assert_eq!(read_as_nalcms::<f64>(&plain, &[&[1.0, 19.0], &[-128.0, 5.0]]), expected);
}

#[test]
fn a_signed_byte_map_tagged_128_is_read_right_and_the_tag_is_told() {
    // As the CEC's own 30 m cut-outs are: the fill is -128, the tag says 128.
    let signed = Drawing { nodata: Some(128.0), options: &["PIXELTYPE=SIGNEDBYTE"], ..Drawing::default() };
    let scratch = Scratch::new();
    signed.draw::<u8>(&scratch.path("in.tif"), &[&[1, 19], &[0x80, 5]]);
    let run = scratch.ok(&["mosaic", "in.tif", "-o", "out.tif", "--legend", "nalcms"]);
    assert!(run.stderr.contains("the nodata tag 128 is impossible in int8"), "{}", run.stderr);
    assert_eq!(cells(&scratch.path("out.tif")), [1, 19, 0, 5]);
    let info = scratch.ok(&["info", "in.tif", "--legend", "nalcms"]);
    assert!(info.stdout.contains("int8") && info.stdout.contains("128 is impossible"), "{}", info.stdout);
}

#[test]
fn a_tag_that_is_a_class_leaves_the_class_alone_and_is_told() {
    let scratch = Scratch::new();
    let lying = Drawing { nodata: Some(18.0), ..Drawing::default() };
    lying.draw::<u8>(&scratch.path("in.tif"), &[&[18, 1]]);
    let run = scratch.ok(&["mosaic", "in.tif", "-o", "out.tif", "--legend", "nalcms"]);
    assert!(run.stderr.contains("the nodata tag 18 is a class"), "{}", run.stderr);
    assert_eq!(cells(&scratch.path("out.tif")), [18, 1]);
}

#[test]
fn layouts_and_codecs_make_no_difference() {
    let scratch = Scratch::new();
    let classes = [1, 5, 14, 18, 0];
    let layouts: [&[&str]; 7] = [
        &[],
        &["TILED=YES"],
        &["COMPRESS=LZW", "PREDICTOR=2"],
        &["TILED=YES", "COMPRESS=DEFLATE", "BLOCKXSIZE=64", "BLOCKYSIZE=128"],
        &["COMPRESS=PACKBITS", "BLOCKYSIZE=700"],
        &["COMPRESS=ZSTD", "BIGTIFF=YES"],
        &["SPARSE_OK=TRUE", "TILED=YES"],
    ];
    for (i, options) in layouts.into_iter().enumerate() {
        let drawing = Drawing { options, ..Drawing::default() };
        drawing.plot(&scratch.path(&format!("in{i}.tif")), 700, 900, |r, c| patchy(r, c, 3, &classes));
        let (input, output) = (format!("in{i}.tif"), format!("out{i}.tif"));
        scratch.ok(&["mosaic", &input, "-o", &output, "--legend", "nalcms", "--task-cells", "512"]);
        assert_eq!(
            std::fs::read(scratch.path("out0.tif")).unwrap(),
            std::fs::read(scratch.path(&output)).unwrap(),
            "{options:?}"
        );
    }
}

#[test]
fn a_raster_without_a_legend_keeps_codes_and_data_type() {
    let scratch = Scratch::new();
    let tagged = Drawing { nodata: Some(65535.0), ..Drawing::default() };
    tagged.draw::<u16>(&scratch.path("a.tif"), &[&[101, 1913], &[65535, 0]]);
    let right = Drawing { origin: (60.0, 0.0), nodata: Some(65535.0), ..Drawing::default() };
    right.draw::<u16>(&scratch.path("b.tif"), &[&[7], &[40000]]);
    scratch.ok(&["mosaic", "a.tif", "b.tif", "-o", "out.tif", "--legend", "raw"]);
    assert_eq!(cells(&scratch.path("out.tif")), [101, 1913, 7, 65535, 0, 40000]);
    let dataset = gdal::Dataset::open(scratch.path("out.tif")).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!((band.band_type(), band.no_data_value()), (gdal::raster::GdalDataType::UInt16, Some(65535.0)));
}

#[test]
fn a_gap_between_rasters_without_nodata_asks_for_a_value() {
    let scratch = Scratch::new();
    Drawing::default().draw::<u8>(&scratch.path("a.tif"), &[&[1]]);
    Drawing { origin: (60.0, 0.0), ..Drawing::default() }.draw::<u8>(&scratch.path("b.tif"), &[&[2]]);
    let join = ["mosaic", "a.tif", "b.tif", "-o", "out.tif", "--legend", "raw"];
    scratch.nalcms(&join).refused(3, &["--nodata VALUE"]);
    scratch.ok(&[&join[..], &["--nodata", "255"]].concat());
    assert_eq!(cells(&scratch.path("out.tif")), [1, 255, 2]);
}

#[test]
fn where_maps_overlap_the_first_argument_wins() {
    let scratch = Scratch::new();
    Drawing::default().draw::<u8>(&scratch.path("a.tif"), &[&[1, 0]]);
    Drawing::default().draw::<u8>(&scratch.path("b.tif"), &[&[2, 2]]);
    scratch.ok(&["mosaic", "a.tif", "b.tif", "-o", "ab.tif", "--legend", "nalcms"]);
    scratch.ok(&["mosaic", "b.tif", "a.tif", "-o", "ba.tif", "--legend", "nalcms"]);
    assert_eq!((cells(&scratch.path("ab.tif")), cells(&scratch.path("ba.tif"))), (vec![1, 2], vec![2, 2]));
}

#[test]
fn maps_without_crs_can_be_compared_but_have_no_areas() {
    let scratch = Scratch::new();
    let bare = Drawing { srs: None, ..Drawing::default() };
    bare.draw::<u8>(&scratch.path("a.tif"), &[&[1, 5]]);
    bare.draw::<u8>(&scratch.path("b.tif"), &[&[1, 6]]);
    let run = scratch
        .ok(&["change", "a.tif", "b.tif", "--years", "2010", "2015", "--legend", "nalcms", "-o", "out"]);
    assert!(run.stdout.contains("1 of 2 cells changed"), "{}", run.stdout);
    assert!(run.stderr.contains("areas stay empty"), "{}", run.stderr);
    let row = &scratch.csv("out/tables/change_matrix.csv").select(&[
        ("from_code", "5"),
        ("to_code", "6"),
        ("zone_id", "all"),
    ])[0];
    assert_eq!((row["pixels"].as_str(), row["area_m2"].as_str()), ("1", ""));
}

#[test]
fn years_may_be_compared_backwards() {
    let scratch = Scratch::new();
    Drawing::default().draw::<u8>(&scratch.path("new.tif"), &[&[17]]);
    Drawing::default().draw::<u8>(&scratch.path("old.tif"), &[&[15]]);
    scratch
        .ok(&["change", "new.tif", "old.tif", "--years", "2015", "2010", "--legend", "nalcms", "-o", "out"]);
    assert_eq!(cells(&scratch.path("out/change/nalcms_change_2015_2010_30m.tif")), [1715]);
}

#[test]
fn a_comparison_of_other_maps_does_not_take_the_place_of_one_unasked() {
    let scratch = Scratch::new();
    for (name, class) in [("a.tif", 17), ("b.tif", 15), ("c.tif", 1)] {
        Drawing::default().draw::<u8>(&scratch.path(name), &[&[class]]);
    }
    let compare = |maps: [&str; 2], years: [&str; 2], flags: &[&str]| {
        let fixed =
            ["change", maps[0], maps[1], "--years", years[0], years[1], "--legend", "nalcms", "-o", "out"];
        scratch.nalcms(&[&fixed, flags].concat())
    };
    assert_eq!(compare(["a.tif", "b.tif"], ["2010", "2015"], &[]).code, 0);
    let first = scratch.path("out/change/nalcms_change_2010_2015_30m.tif");
    for (maps, years) in [(["a.tif", "c.tif"], ["2010", "2015"]), (["a.tif", "b.tif"], ["2010", "2020"])] {
        compare(maps, years, &[]).refused(2, &["belongs to another job", "--overwrite", "b.tif"]);
        assert_eq!(cells(&first), [1715]);
    }
    // The same again is the same comparison, whatever else is asked of it.
    assert_eq!(compare(["a.tif", "b.tif"], ["2010", "2015"], &["--unchanged", "identity"]).code, 0);
    assert_eq!(compare(["a.tif", "c.tif"], ["2010", "2020"], &["--overwrite"]).code, 0);
    assert_eq!(cells(&scratch.path("out/change/nalcms_change_2010_2020_30m.tif")), [1701]);
    assert!(!first.exists());
}

#[test]
fn overviews_go_on_until_one_block_holds_the_map_whatever_the_task() {
    let scratch = Scratch::new();
    Drawing::default().plot(&scratch.path("in.tif"), 1100, 2600, |r, c| patchy(r, c, 5, &[1, 2, 3, 4, 0]));
    for task in ["512", "4096"] {
        let output = format!("out{task}.tif");
        scratch.ok(&["mosaic", "in.tif", "-o", &output, "--legend", "nalcms", "--task-cells", task]);
        let dataset = gdal::Dataset::open(scratch.path(&output)).unwrap();
        let band = dataset.rasterband(1).unwrap();
        let sizes: Vec<_> =
            (0..band.overview_count().unwrap()).map(|i| band.overview(i as usize).unwrap().size()).collect();
        assert_eq!(sizes, [(1300, 550), (650, 275), (325, 138)]);
    }
    let read = |name| std::fs::read(scratch.path(name)).unwrap();
    assert_eq!(read("out512.tif"), read("out4096.tif"));
}

#[test]
fn a_change_raster_of_codes_beyond_99_is_refused_even_without_a_legend() {
    let scratch = Scratch::new();
    Drawing::default().draw::<u16>(&scratch.path("a.tif"), &[&[700, 5]]);
    Drawing::default().draw::<u16>(&scratch.path("b.tif"), &[&[100, 5]]);
    let change = ["change", "a.tif", "b.tif", "--years", "1", "2", "--legend", "raw", "-o", "out"];
    scratch.nalcms(&change).refused(3, &["class code 700", "--tables-only"]);
    scratch.ok(&[&change[..], &["--tables-only"]].concat());
    assert_eq!(
        scratch
            .csv("out/tables/change_matrix.csv")
            .value("pixels", &[("zone_layer", "all"), ("from_code", "700")]),
        "1"
    );
    let dynamic = ["change", "a.tif", "b.tif", "--years", "1", "2", "--legend", "dynamic-world", "-o", "o"];
    scratch.nalcms(&[&dynamic[..], &["--unchanged", "class"]].concat()).refused(2, &["ambiguous", "class 0"]);
}

#[test]
fn nodata_tags_at_the_ends_of_their_types_are_true() {
    let far = |nodata| Drawing { nodata: Some(nodata), ..Drawing::default() };
    let plain = |drawing: &Drawing, rows: &[&[i32]]| {
        let scratch = Scratch::new();
        drawing.draw(&scratch.path("in.tif"), rows);
        let run = scratch.ok(&["mosaic", "in.tif", "-o", "out.tif", "--legend", "nalcms"]);
        assert!(!run.stderr.contains("impossible"), "{}", run.stderr);
        cells(&scratch.path("out.tif"))
    };
    assert_eq!(plain(&far(2_147_483_647.0), &[&[1, i32::MAX]]), [1, 0]);
    assert_eq!(plain(&far(-2_147_483_648.0), &[&[1, i32::MIN]]), [1, 0]);
    assert_eq!(read_as_nalcms::<u32>(&far(4_294_967_295.0), &[&[1, u32::MAX]]), [1, 0]);
    assert_eq!(read_as_nalcms::<f32>(&far(f64::from(f32::MIN)), &[&[1.0, f32::MIN]]), [1, 0]);
}

#[test]
fn a_float_map_whose_only_nodata_is_nan_gets_a_nodata_value_of_its_own() {
    let scratch = Scratch::new();
    Drawing::default().draw::<f32>(&scratch.path("in.tif"), &[&[7.0, f32::NAN], &[-3.0, 7.0]]);
    scratch.ok(&["mosaic", "in.tif", "-o", "out.tif", "--legend", "raw"]);
    assert_eq!(cells(&scratch.path("out.tif")), [7, i32::MIN, -3, 7]);
    let dataset = gdal::Dataset::open(scratch.path("out.tif")).unwrap();
    assert_eq!(dataset.rasterband(1).unwrap().no_data_value(), Some(f64::from(i32::MIN)));
}
