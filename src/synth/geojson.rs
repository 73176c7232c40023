//! Polygons as GeoJSON text: longitude and latitude on WGS 84, one feature a line.

use super::plane_crs;
use crate::error::{Error, Result};
use crate::io::gdal::crs_from_wkt;
use crate::io::proj::{Direction, Operation};

/// A closed line on the plane, in metres; the last point is not the first again.
pub type Ring = Vec<(f64, f64)>;

/// A polygon with its properties.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// Field names and text values.
    pub properties: Vec<(&'static str, String)>,
    /// The outer ring, counter-clockwise, then the holes, clockwise.
    pub rings: Vec<Ring>,
}

/// The text of a layer.
///
/// Longitudes are continuous around 100° W, so that a ring across the antimeridian stays one ring.
///
/// # Errors
/// Input: a point has no place on the globe.
pub fn layer(name: &str, polygons: &[Polygon], decimals: usize) -> Result<String> {
    let way = Operation::choose(&plane_crs()?, &crs_from_wkt("EPSG:4326")?, 0.0, 0.0)?;
    let mut lines = Vec::new();
    for polygon in polygons {
        let properties: serde_json::Map<String, serde_json::Value> =
            polygon.properties.iter().map(|(key, text)| ((*key).to_string(), text.as_str().into())).collect();
        let rings = polygon.rings.iter().map(|ring| ring_text(&way, ring, decimals));
        lines.push(format!(
            r#"{{"type":"Feature","properties":{},"geometry":{{"type":"Polygon","coordinates":[{}]}}}}"#,
            serde_json::Value::Object(properties),
            rings.collect::<Result<Vec<_>>>()?.join(",")
        ));
    }
    let name = serde_json::Value::from(name);
    Ok(format!(
        "{{\"type\":\"FeatureCollection\",\"name\":{name},\"features\":[\n{}\n]}}\n",
        lines.join(",\n")
    ))
}

fn ring_text(way: &Operation, ring: &[(f64, f64)], decimals: usize) -> Result<String> {
    let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = ring.iter().copied().unzip();
    way.transform(Direction::Forward, &mut xs, &mut ys)?;
    if xs.iter().chain(&ys).any(|v| !v.is_finite()) {
        return Err(Error::input("a polygon reaches beyond the plane")
            .help("ask for a smaller area: --size, or another --origin"));
    }
    let scale = 10f64.powi(decimals as i32);
    // Adding 0 turns -0 into 0.
    let number = |v: f64| ((v * scale).round() / scale + 0.0).to_string();
    let mut points: Vec<String> = Vec::with_capacity(ring.len() + 1);
    for (&x, &y) in xs.iter().zip(&ys) {
        let x = if x > 80.0 { x - 360.0 } else { x };
        let point = format!("[{},{}]", number(x), number(y));
        if points.last() != Some(&point) {
            points.push(point);
        }
    }
    points.extend(points.first().cloned());
    Ok(format!("[{}]", points.join(",")))
}
