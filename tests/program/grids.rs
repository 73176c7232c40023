//! The continental grids: a place on the sphere and a place on the ellipsoid are two places.

use std::path::Path;

use nalcms::config::shipped;
use nalcms::io::gdal::{crs_from_wkt, init, same_crs};
use nalcms::io::proj::{Direction, Operation};
use nalcms::model::grid::{Fit, Grid};

/// Five cities: longitude, latitude in degrees.
const CITIES: [(&str, f64, f64); 5] = [
    ("Mexico City", -99.1, 19.4),
    ("Tijuana", -117.1, 32.5),
    ("Ottawa", -75.7, 45.4),
    ("Anchorage", -149.9, 61.2),
    ("St. John's", -52.7, 47.6),
];

fn grid(id: &str) -> Grid {
    init().unwrap();
    shipped::grid(id, Path::new(".")).unwrap().grid().unwrap()
}

/// The spherical Lambert azimuthal equal-area projection, written out.
///
/// Source: Snyder (1987), Map Projections: A Working Manual, USGS Professional Paper 1395, p. 185, eq. 22-4, 22-5, 24-2.
fn spherical_laea(longitude: f64, latitude: f64) -> (f64, f64) {
    const RADIUS_M: f64 = 6_370_997.0;
    let (phi, phi_1) = (latitude.to_radians(), 45f64.to_radians());
    let lambda = (longitude + 100.0).to_radians();
    let k = (2.0 / (1.0 + phi_1.sin() * phi.sin() + phi_1.cos() * phi.cos() * lambda.cos())).sqrt();
    let x = RADIUS_M * k * phi.cos() * lambda.sin();
    let y = RADIUS_M * k * (phi_1.cos() * phi.sin() - phi_1.sin() * phi.cos() * lambda.cos());
    (x, y)
}

/// A place, given in degrees of the grid's own datum, on the grid's plane.
fn project(grid: &Grid, longitude: f64, latitude: f64) -> (f64, f64) {
    let crs = grid.crs.as_ref().unwrap();
    let geographic =
        if crs.ellipsoid.starts_with("sphere") { "+proj=longlat +R=6370997" } else { "EPSG:4326" };
    let from = crs_from_wkt(geographic).unwrap();
    let operation = Operation::choose(&from, crs, longitude, latitude).unwrap();
    let (mut x, mut y) = ([longitude], [latitude]);
    operation.transform(Direction::Forward, &mut x, &mut y).unwrap();
    (x[0], y[0])
}

#[test]
fn five_cities_fall_where_the_spherical_formula_puts_them() {
    let grid = grid("nalcms-250m");
    for (city, longitude, latitude) in CITIES {
        let ((x, y), (expected_x, expected_y)) =
            (project(&grid, longitude, latitude), spherical_laea(longitude, latitude));
        assert!(
            (x - expected_x).abs() < 1e-3 && (y - expected_y).abs() < 1e-3,
            "{city}: {x} {y}, {expected_x} {expected_y}"
        );
    }
}

#[test]
fn the_sphere_and_the_ellipsoid_differ_by_kilometres() {
    // Mexico City, as tabulated independently with PROJ: 93 m west, 6781 m south.
    let (sphere, ellipsoid) = (grid("nalcms-250m"), grid("nalcms-30m"));
    let ((xs, ys), (xe, ye)) = (project(&sphere, -99.1, 19.4), project(&ellipsoid, -99.1, 19.4));
    assert_eq!(((xs - xe).round(), (ys - ye).round()), (-93.0, -6781.0));
    assert!(!same_crs(sphere.crs.as_ref().unwrap(), ellipsoid.crs.as_ref().unwrap()).unwrap());
}

#[test]
fn the_grids_have_their_published_shapes() {
    let shape = |id| {
        let grid = grid(id);
        (grid.cols, grid.rows, grid.affine.0[0], grid.affine.0[3], grid.cell())
    };
    assert_eq!(shape("nalcms-30m"), (259_000, 255_000, -4_410_000.0, 4_310_000.0, (30.0, 30.0)));
    assert_eq!(shape("nalcms-250m"), (37_000, 35_000, -4_418_000.0, 4_876_500.0, (250.0, 250.0)));
    assert!(grid("nalcms-250m").crs.unwrap().wkt.contains("6370997,0"));
}

#[test]
fn the_national_cut_outs_lie_on_the_continental_lattice() {
    let named = shipped::grid("nalcms-30m", Path::new(".")).unwrap();
    let grid = grid("nalcms-30m");
    // Columns and rows as published for the 2010 and 2015 maps.
    let published = [
        ("canada", 188_680, 152_010),
        ("usa", 152_422, 94_853),
        ("mexico", 106_671, 70_668),
        ("alaska", 96_771, 95_217),
    ];
    for (name, cols, rows) in published {
        let [xmin, ymin, xmax, ymax] = named.extents[name];
        assert_eq!(
            ((xmax - xmin) / 30.0, (ymax - ymin) / 30.0),
            (f64::from(cols), f64::from(rows)),
            "{name}"
        );
        let mut part = grid.clone();
        (part.affine.0[0], part.affine.0[3]) = (xmin, ymax);
        (part.rows, part.cols) = (rows as usize, cols as usize);
        assert!(matches!(grid.fit(&part), Fit::Lattice { .. }), "{name}");
    }
}

#[test]
fn the_sphere_is_recognised_under_any_name_and_never_taken_for_another() {
    let grid = grid("nalcms-250m");
    let crs = grid.crs.as_ref().unwrap();
    let esri = r#"PROJCS["Sphere_ARC_INFO_Lambert_Azimuthal_Equal_Area",GEOGCS["GCS_Sphere_ARC_INFO",DATUM["D_Sphere_ARC_INFO",SPHEROID["Sphere_ARC_INFO",6370997.0,0.0]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Azimuthal_Equal_Area"],PARAMETER["False_Easting",0.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-100.0],PARAMETER["Latitude_Of_Origin",45.0],UNIT["Meter",1.0]]"#;
    for same in [esri, "+proj=laea +lat_0=45 +lon_0=-100 +R=6370997 +units=m"] {
        assert!(same_crs(crs, &crs_from_wkt(same).unwrap()).unwrap(), "{same}");
    }
    for other in [
        "+proj=laea +lat_0=45 +lon_0=-100 +R=6371007 +units=m",
        "+proj=laea +lat_0=45 +lon_0=-96 +R=6370997 +units=m",
        "+proj=laea +lat_0=45 +lon_0=-100 +x_0=1 +R=6370997 +units=m",
        "+proj=laea +lat_0=45 +lon_0=-100 +R=6370997 +units=us-ft",
        "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m",
        "EPSG:9311",
    ] {
        assert!(!same_crs(crs, &crs_from_wkt(other).unwrap()).unwrap(), "{other}");
    }
}
