//! Points of polygons in well-known binary: where they stand, and taking them elsewhere.
//!
//! Source: OGC 06-103r4, section 8.2; only little-endian polygons and multipolygons of plain x and y, as OGR was
//! asked to write them.

use std::ops::Range;

use crate::error::{Error, Result};

const LITTLE_ENDIAN: u8 = 1;
const POLYGON: u32 = 3;
const MULTI_POLYGON: u32 = 6;
/// Bytes of x and y.
const POINT: usize = 16;

/// Takes all points of a polygon elsewhere; `carry` gets all x and all y at once and changes them in place.
///
/// # Errors
/// Bug: the bytes are no polygon. Whatever `carry` returns.
pub fn map_points(
    polygon: &mut [u8],
    carry: impl FnOnce(&mut [f64], &mut [f64]) -> Result<()>,
) -> Result<()> {
    let rings = rings(polygon)?;
    let points = rings.iter().flat_map(|ring| polygon[ring.clone()].chunks_exact(POINT)).map(point);
    let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = points.unzip();
    carry(&mut xs, &mut ys)?;
    let mut carried = xs.into_iter().zip(ys);
    for ring in rings {
        for (bytes, (x, y)) in polygon[ring].chunks_exact_mut(POINT).zip(carried.by_ref()) {
            bytes[..8].copy_from_slice(&x.to_le_bytes());
            bytes[8..].copy_from_slice(&y.to_le_bytes());
        }
    }
    Ok(())
}

/// The smallest box around a polygon: xmin, ymin, xmax, ymax; not finite where a point is not, or there is none.
///
/// # Errors
/// Bug: the bytes are no polygon.
pub fn envelope(polygon: &[u8]) -> Result<[f64; 4]> {
    let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for ring in rings(polygon)? {
        for (x, y) in polygon[ring].chunks_exact(POINT).map(point) {
            if !x.is_finite() || !y.is_finite() {
                return Ok([f64::NAN; 4]);
            }
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
        }
    }
    Ok(bounds)
}

/// Every edge of a polygon of closed rings: from x, y to x, y.
///
/// # Errors
/// Bug: the bytes are no polygon.
pub fn edges(polygon: &[u8]) -> Result<impl Iterator<Item = [f64; 4]>> {
    Ok(rings(polygon)?.into_iter().flat_map(|ring| edges_of(&polygon[ring])))
}

fn edges_of(ring: &[u8]) -> impl Iterator<Item = [f64; 4]> {
    let points = ring.chunks_exact(POINT).map(point);
    points.clone().zip(points.skip(1)).map(|((x0, y0), (x1, y1))| [x0, y0, x1, y1])
}

/// Whether a polygon holds a point: a ray from it meets an odd number of edges of one of its parts.
///
/// Parts that overlap hold what either holds, as GDAL burns them one by one.
///
/// # Errors
/// Bug: the bytes are no polygon.
pub fn holds(polygon: &[u8], x: f64, y: f64) -> Result<bool> {
    let meets =
        |[x0, y0, x1, y1]: &[f64; 4]| (*y0 > y) != (*y1 > y) && x < x0 + (y - y0) / (y1 - y0) * (x1 - x0);
    let is_in = |part: &Vec<Range<usize>>| {
        part.iter().flat_map(|ring| edges_of(&polygon[ring.clone()])).filter(meets).count() % 2 == 1
    };
    Ok(parts(polygon)?.iter().any(is_in))
}

fn point(bytes: &[u8]) -> (f64, f64) {
    let number = |at: usize| bytes[at..].first_chunk().map_or(f64::NAN, |b| f64::from_le_bytes(*b));
    (number(0), number(8))
}

/// Where the points of each ring stand, in the order of the polygon.
fn rings(polygon: &[u8]) -> Result<Vec<Range<usize>>> {
    Ok(parts(polygon)?.concat())
}

/// The same, part by part.
fn parts(polygon: &[u8]) -> Result<Vec<Vec<Range<usize>>>> {
    let mut found = Vec::new();
    let end = walk(polygon, 0, true, &mut found);
    match end {
        Some(end) if end == polygon.len() => Ok(found),
        _ => Err(Error::bug("OGR wrote a polygon in a form that was not asked for")),
    }
}

fn walk(bytes: &[u8], at: usize, outermost: bool, parts: &mut Vec<Vec<Range<usize>>>) -> Option<usize> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if *bytes.get(at)? != LITTLE_ENDIAN {
        return None;
    }
    let (kind, members) = (number(at + 1)?, number(at + 5)?);
    if kind != POLYGON && kind != MULTI_POLYGON {
        return None;
    }
    let mut at = at + 9;
    let mut rings = Vec::new();
    for _ in 0..members {
        match kind {
            POLYGON => {
                let start = at + 4;
                at = start.checked_add((number(at)? as usize).checked_mul(POINT)?)?;
                bytes.get(start..at)?;
                rings.push(start..at);
            }
            // A part of several has no parts of its own.
            MULTI_POLYGON if outermost => at = walk(bytes, at, false, parts)?,
            _ => return None,
        }
    }
    if kind == POLYGON {
        parts.push(rings);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(points: &[(f64, f64)]) -> Vec<u8> {
        let mut bytes = vec![LITTLE_ENDIAN, 3, 0, 0, 0, 1, 0, 0, 0, points.len() as u8, 0, 0, 0];
        for (x, y) in points {
            bytes.extend(x.to_le_bytes());
            bytes.extend(y.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn all_rings_of_all_parts_are_carried_and_bounded() {
        let parts =
            [polygon(&[(0.0, 0.0), (1.0, 0.0), (0.0, 2.0)]), polygon(&[(5.0, 5.0), (6.0, 5.0), (5.0, 7.0)])];
        let mut both = vec![LITTLE_ENDIAN, 6, 0, 0, 0, 2, 0, 0, 0];
        both.extend(parts.concat());
        map_points(&mut both, |xs, ys| {
            xs.iter_mut().for_each(|x| *x += 10.0);
            ys.iter_mut().for_each(|y| *y = -*y);
            Ok(())
        })
        .unwrap();
        assert_eq!(envelope(&both).unwrap(), [10.0, -7.0, 16.0, 0.0]);
        assert_eq!(
            &both[9..],
            [
                polygon(&[(10.0, -0.0), (11.0, -0.0), (10.0, -2.0)]),
                polygon(&[(15.0, -5.0), (16.0, -5.0), (15.0, -7.0)])
            ]
            .concat()
        );
    }

    #[test]
    fn a_hole_is_no_part_of_what_holds_it() {
        let square = |side: f64| polygon(&[(0.0, 0.0), (side, 0.0), (side, side), (0.0, side), (0.0, 0.0)]);
        let mut ring = square(9.0);
        // The ring of a smaller square, as a second ring of the first polygon.
        ring[5] = 2;
        ring.extend(&square(3.0)[9..]);
        assert_eq!(edges(&ring).unwrap().count(), 8);
        let held = [(1.0, 1.0), (4.0, 1.0), (8.9, 8.9), (9.1, 1.0), (-0.1, 4.0)]
            .map(|(x, y)| holds(&ring, x, y).unwrap());
        assert_eq!(held, [false, true, true, false, false]);
    }

    #[test]
    fn parts_that_overlap_hold_what_either_holds() {
        let square = |side: f64| polygon(&[(0.0, 0.0), (side, 0.0), (side, side), (0.0, side), (0.0, 0.0)]);
        let mut both = vec![LITTLE_ENDIAN, 6, 0, 0, 0, 2, 0, 0, 0];
        both.extend([square(9.0), square(3.0)].concat());
        let held = [(1.0, 1.0), (4.0, 1.0), (9.1, 1.0)].map(|(x, y)| holds(&both, x, y).unwrap());
        assert_eq!(held, [true, true, false]);
    }

    #[test]
    fn what_is_no_polygon_is_refused_even_without_members() {
        for kind in [0, 1, 2, 4, 5, 7, 76] {
            assert!(envelope(&[LITTLE_ENDIAN, kind, 0, 0, 0, 0, 0, 0, 0]).is_err(), "{kind}");
        }
        assert!(envelope(&[LITTLE_ENDIAN, 6, 0, 0, 0, 0, 0, 0, 0]).unwrap()[0].is_infinite());
    }

    #[test]
    fn parts_within_parts_are_refused_however_many() {
        // Each would be one more call of a function within itself.
        let nested = [LITTLE_ENDIAN, 6, 0, 0, 0, 1, 0, 0, 0].repeat(1_000_000);
        assert!(envelope(&nested).is_err());
    }

    #[test]
    fn a_point_without_a_place_leaves_no_bounds_and_cut_bytes_are_refused() {
        let whole = polygon(&[(0.0, 0.0), (f64::INFINITY, 0.0), (0.0, 2.0)]);
        assert!(envelope(&whole).unwrap()[0].is_nan());
        for cut in 0..whole.len() {
            assert!(envelope(&whole[..cut]).is_err());
        }
    }
}
