//! Where the climate zones of the synthetic world end: their borders traced into polygons.
//!
//! The zones are sampled on a lattice; on every lattice edge whose ends differ the border is found by bisection, and
//! the points are joined (marching squares). Each zone is traced on its own, but over the same points, so that zones
//! meet without gap or overlap. Between two points the border is straight: with a step of 5 km it strays from
//! the true one by 40 m on average (measured against a step of 1 km), and a bay narrower than a step may be lost.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::codes::climate_word;
use super::geojson::{Polygon, Ring};
use crate::kernel::landscape::{Climate, Landscape};

/// Steps around the area asked for.
const MARGIN: i64 = 3;
/// Of the points along the layer's straight outer edge, one in this many is kept: the edge is bowed on the globe.
const KEPT: i64 = 16;
/// Halvings of a lattice edge: 5 km become about 1 m.
const HALVINGS: usize = 12;

/// The zones over a box of the plane (xmin, ymin, xmax, ymax, in metres), a little beyond its edge.
///
/// # Cost
/// One look at the climate per lattice point.
pub fn zones(landscape: &Landscape, [xmin, ymin, xmax, ymax]: [f64; 4], step_m: f64) -> Vec<Polygon> {
    let low = |v: f64| (v / step_m).floor() as i64 - MARGIN;
    let high = |v: f64| (v / step_m).ceil() as i64 + MARGIN;
    let (first_col, first_row) = (low(xmin), low(ymin));
    let (cols, rows) = (high(xmax) - first_col + 1, high(ymax) - first_row + 1);
    let nodes = (0..rows)
        .into_par_iter()
        .flat_map_iter(|row| {
            let y = (first_row + row) as f64 * step_m;
            (0..cols).map(move |col| landscape.climate_at((first_col + col) as f64 * step_m, y))
        })
        .collect();
    let lattice = Lattice { landscape, step_m, first_col, first_row, cols, rows, nodes };
    [Climate::Tropical, Climate::Temperate, Climate::Polar]
        .into_iter()
        .flat_map(|zone| {
            polygons(lattice.rings(zone)).into_iter().map(move |rings| Polygon {
                properties: vec![("zone", climate_word(zone).to_string())],
                rings,
            })
        })
        .collect()
}

struct Lattice<'a> {
    landscape: &'a Landscape,
    step_m: f64,
    first_col: i64,
    first_row: i64,
    cols: i64,
    rows: i64,
    nodes: Vec<Climate>,
}

/// A lattice edge: its west or south end, and whether it runs east.
type Edge = (i64, i64, bool);

impl Lattice<'_> {
    fn node(&self, col: i64, row: i64) -> Option<Climate> {
        let inside = (0..self.cols).contains(&col) && (0..self.rows).contains(&row);
        inside.then(|| self.nodes[(row * self.cols + col) as usize])
    }

    fn place(&self, col: i64, row: i64) -> (f64, f64) {
        ((self.first_col + col) as f64 * self.step_m, (self.first_row + row) as f64 * self.step_m)
    }

    /// The closed borders of a zone, the zone on their left.
    fn rings(&self, zone: Climate) -> Vec<Ring> {
        let mut next: BTreeMap<Edge, Edge> = BTreeMap::new();
        for (col, row) in (-1..self.rows).flat_map(|row| (-1..self.cols).map(move |col| (col, row))) {
            self.join(zone, col, row, &mut next);
        }
        let mut rings = Vec::new();
        while let Some((start, mut at)) = next.pop_first() {
            let mut edges = vec![start];
            while at != start {
                edges.push(at);
                match next.remove(&at) {
                    Some(then) => at = then,
                    None => break,
                }
            }
            rings.push(self.points(&edges));
        }
        rings.retain(|ring| ring.len() > 2);
        rings
    }

    /// Joins the crossings on the edges of the lattice square whose south-west corner this is.
    fn join(&self, zone: Climate, col: i64, row: i64, next: &mut BTreeMap<Edge, Edge>) {
        let corners = [(col, row), (col + 1, row), (col + 1, row + 1), (col, row + 1)];
        let within = corners.map(|(c, r)| self.node(c, r) == Some(zone));
        if within == [within[0]; 4] {
            return;
        }
        // Counter-clockwise from the south, as the corners are.
        let edges = [(col, row, true), (col + 1, row, false), (col, row + 1, true), (col, row, false)];
        let leaves = |i: usize| within[i] && !within[(i + 1) % 4];
        let enters = |i: usize| !within[i] && within[(i + 1) % 4];
        let saddle = (0..4).filter(|i| leaves(*i)).count() == 2;
        let joined = saddle && {
            let ((x0, y0), (x1, y1)) = (self.place(col, row), self.place(col + 1, row + 1));
            self.landscape.climate_at((x0 + x1) / 2.0, (y0 + y1) / 2.0) == zone
        };
        // Where two corners of the zone face each other, its part in the middle decides which crossings belong together.
        let turns = if joined { [1, 2, 3] } else { [3, 2, 1] };
        for i in (0..4).filter(|i| leaves(*i)) {
            if let Some(turn) = turns.iter().find(|turn| enters((i + **turn) % 4)) {
                next.insert(edges[i], edges[(i + turn) % 4]);
            }
        }
    }

    fn points(&self, edges: &[Edge]) -> Ring {
        let mut ring: Ring = Vec::with_capacity(edges.len());
        for point in edges.iter().map(|edge| self.crossing(*edge)) {
            if ring.last() != Some(&point) {
                ring.push(point);
            }
        }
        if ring.len() > 1 && ring.first() == ring.last() {
            ring.pop();
        }
        self.thinned(&ring)
    }

    /// Where the border crosses an edge; at the layer's outer edge, the last point inside.
    fn crossing(&self, (col, row, east): Edge) -> (f64, f64) {
        let other = if east { (col + 1, row) } else { (col, row + 1) };
        let (Some(here), Some(_)) = (self.node(col, row), self.node(other.0, other.1)) else {
            let (col, row) = if self.node(col, row).is_some() { (col, row) } else { other };
            return self.place(col, row);
        };
        let ((mut x0, mut y0), (mut x1, mut y1)) = (self.place(col, row), self.place(other.0, other.1));
        for _ in 0..HALVINGS {
            let (x, y) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
            if self.landscape.climate_at(x, y) == here {
                (x0, y0) = (x, y);
            } else {
                (x1, y1) = (x, y);
            }
        }
        ((x0 + x1) / 2.0, (y0 + y1) / 2.0)
    }

    /// Leaves out most points along the straight outer edge.
    fn thinned(&self, ring: &[(f64, f64)]) -> Ring {
        let ((west, south), (east, north)) = (self.place(0, 0), self.place(self.cols - 1, self.rows - 1));
        let straight = |[a, b, c]: [f64; 3], edges: [f64; 2]| a == b && b == c && edges.contains(&b);
        let kept = |v: f64| (v / self.step_m).round() as i64 % KEPT == 0;
        let n = ring.len();
        (0..n)
            .filter(|i| {
                let (a, b, c) = (ring[(i + n - 1) % n], ring[*i], ring[(i + 1) % n]);
                let along_y = straight([a.0, b.0, c.0], [west, east]);
                let along_x = straight([a.1, b.1, c.1], [south, north]);
                (!along_y || kept(b.1)) && (!along_x || kept(b.0))
            })
            .map(|i| ring[i])
            .collect()
    }
}

/// Twice the area, positive when counter-clockwise.
fn turning(ring: &[(f64, f64)]) -> f64 {
    let after = ring.iter().cycle().skip(1);
    ring.iter().zip(after).map(|((x0, y0), (x1, y1))| x0 * y1 - x1 * y0).sum()
}

fn holds(ring: &[(f64, f64)], (x, y): (f64, f64)) -> bool {
    let after = ring.iter().cycle().skip(1);
    let crossed = ring
        .iter()
        .zip(after)
        .filter(|((x0, y0), (x1, y1))| (*y0 > y) != (*y1 > y) && x < x0 + (x1 - x0) * (y - y0) / (y1 - y0));
    crossed.count() % 2 == 1
}

/// Outer rings, each with its holes.
fn polygons(rings: Vec<Ring>) -> Vec<Vec<Ring>> {
    let (outer, holes): (Vec<Ring>, Vec<Ring>) = rings.into_iter().partition(|ring| turning(ring) > 0.0);
    let mut polygons: Vec<Vec<Ring>> = outer.into_iter().map(|ring| vec![ring]).collect();
    for hole in holes {
        // The smallest of nested outer rings is the one that the hole is in.
        let around = polygons.iter_mut().filter(|p| holds(&p[0], hole[0]));
        if let Some(polygon) = around.min_by(|a, b| turning(&a[0]).total_cmp(&turning(&b[0]))) {
            polygon.push(hole);
        }
    }
    polygons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::landscape::Profile;

    #[test]
    fn polygons_hold_the_points_of_their_zone_and_no_others() {
        let world = Landscape::new(3, 9000.0, Profile::Continental);
        let bounds = [-900e3, -2600e3, 900e3, 2100e3];
        let polygons = zones(&world, bounds, 5000.0);
        let total: f64 = polygons.iter().flat_map(|p| &p.rings).map(|r| turning(r) / 2.0).sum();
        let side = |low: f64, high: f64| (high / 5e3).ceil() - (low / 5e3).floor() + 2.0 * MARGIN as f64;
        let rectangle = side(-900e3, 900e3) * side(-2600e3, 2100e3) * 25e6;
        assert!((total / rectangle - 1.0).abs() < 1e-9, "{total} {rectangle}");
        let (mut wrong, mut all) = (0, 0);
        for (i, j) in (-100..100).flat_map(|i| (-288..233).map(move |j| (i, j))) {
            let (x, y) = (f64::from(i) * 9e3 + 77.0, f64::from(j) * 9e3 + 33.0);
            let found: Vec<&Polygon> = polygons
                .iter()
                .filter(|p| p.rings.iter().filter(|r| holds(r, (x, y))).count() % 2 == 1)
                .collect();
            assert_eq!(found.len(), 1);
            wrong += usize::from(found[0].properties[0].1 != climate_word(world.climate_at(x, y)));
            all += 1;
        }
        assert!(wrong * 1000 < all, "{wrong} of {all}");
    }
}
