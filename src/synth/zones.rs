//! A handful of zones to tabulate by, with what makes zone layers hard: keys that look like numbers, two that
//! overlap, one in two parts, and land that belongs to none.

use super::geojson::{Polygon, Ring};
use super::mix;

/// Key, name, centre and radius in parts of the box (x, y, from the lower left).
const ZONES: [(&str, &str, [f64; 4]); 7] = [
    ("0402", "Northern Shield", [0.33, 0.78, 0.24, 0.15]),
    ("09", "Great Plains", [0.36, 0.45, 0.16, 0.2]),
    ("8.1", "Eastern Forests", [0.72, 0.6, 0.17, 0.2]),
    // Overlaps the one before.
    ("8.10", "Coastal Lowlands", [0.82, 0.44, 0.12, 0.16]),
    ("15", "Dry Uplands", [0.24, 0.2, 0.14, 0.12]),
    ("M-2", "Monarch Sierra", [0.55, 0.16, 0.1, 0.1]),
    ("M-2", "Monarch Sierra", [0.74, 0.2, 0.06, 0.07]),
];
/// Points of an outline.
const POINTS: u64 = 72;

/// The zones over a box of the plane: xmin, ymin, xmax, ymax.
pub fn zones(seed: u64, [xmin, ymin, xmax, ymax]: [f64; 4]) -> Vec<Polygon> {
    let place = |u: f64, v: f64| (xmin + (xmax - xmin) * u, ymin + (ymax - ymin) * v);
    let outline = |number: u64, [u, v, width, height]: [f64; 4]| -> Ring {
        (0..POINTS)
            .map(|i| {
                let radius = 0.78 + 0.3 * bend(seed ^ number, i, 12) + 0.14 * bend(seed ^ mix(number), i, 3);
                let (sin, cos) = (std::f64::consts::TAU * i as f64 / POINTS as f64).sin_cos();
                place(u + width * radius * cos, v + height * radius * sin)
            })
            .collect()
    };
    (0..)
        .zip(ZONES)
        .map(|(number, (key, name, shape))| Polygon {
            properties: vec![("code", key.to_string()), ("name", name.to_string())],
            rings: vec![outline(number, shape)],
        })
        .collect()
}

/// A closed curve of numbers in 0..1 with a knot every `every` points, straight between them.
fn bend(salt: u64, i: u64, every: u64) -> f64 {
    let knot = |k: u64| (mix(mix(salt) ^ (k % (POINTS / every))) >> 11) as f64 / (1u64 << 53) as f64;
    let t = (i % every) as f64 / every as f64;
    knot(i / every) * (1.0 - t) + knot(i / every + 1) * t
}
