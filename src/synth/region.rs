//! Which part of the plane a nation maps: its side of two borders, and a box.
//!
//! The borders are where those of Canada, the United States and Mexico lie, coarsely, so that each nation's own CRS
//! suits its part; they run on through the oceans, because the synthetic continent has its own coasts.

use clap::ValueEnum;

/// x and y in km, from west to east: between the north and the middle.
const NORTHERN_BORDER: [(f64, f64); 11] = [
    (-2700.0, 760.0),
    (-1680.0, 690.0),
    (-730.0, 480.0),
    (0.0, 445.0),
    (400.0, 455.0),
    (900.0, 480.0),
    (1150.0, 250.0),
    (1450.0, -150.0),
    (2000.0, 100.0),
    (2450.0, 420.0),
    (2700.0, 400.0),
];
/// The same between the middle and the south.
const SOUTHERN_BORDER: [(f64, f64); 7] = [
    (-2700.0, -1300.0),
    (-1600.0, -1300.0),
    (-650.0, -1480.0),
    (-300.0, -1700.0),
    (0.0, -1780.0),
    (250.0, -2100.0),
    (2700.0, -2150.0),
];

/// A nation's side of the borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Region {
    /// North of the northern border, as Canada.
    North,
    /// Between the borders, as the United States.
    Middle,
    /// South of the southern border, as Mexico.
    South,
}

/// What a series maps.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Area {
    /// A nation; none is everything.
    pub region: Option<Region>,
    /// How far beyond its border it maps, in metres.
    pub margin_m: f64,
    /// xmin, ymin, xmax, ymax on the plane, in metres.
    pub within: Option<[f64; 4]>,
}

impl Area {
    /// Whether a point of the plane is mapped; a point that has no place is not.
    pub fn holds(&self, x: f64, y: f64) -> bool {
        let boxed =
            self.within.is_none_or(|[xmin, ymin, xmax, ymax]| x >= xmin && x < xmax && y >= ymin && y < ymax);
        let north = |border: &[(f64, f64)]| y - height(border, x / 1e3) * 1e3;
        boxed
            && x.is_finite()
            && y.is_finite()
            && match self.region {
                None => true,
                Some(Region::North) => north(&NORTHERN_BORDER) > -self.margin_m,
                Some(Region::Middle) => {
                    north(&NORTHERN_BORDER) < self.margin_m && north(&SOUTHERN_BORDER) > -self.margin_m
                }
                Some(Region::South) => north(&SOUTHERN_BORDER) < self.margin_m,
            }
    }
}

/// y of a border at x; level beyond its ends.
fn height(border: &[(f64, f64)], x: f64) -> f64 {
    let next = border.partition_point(|(at, _)| *at <= x).clamp(1, border.len() - 1);
    let ((x0, y0), (x1, y1)) = (border[next - 1], border[next]);
    y0 + (y1 - y0) * ((x - x0) / (x1 - x0)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_margin_every_point_belongs_to_one_nation_and_with_it_to_two_at_the_border() {
        let nations = |x: f64, y: f64, margin_m: f64| {
            let regions = [Region::North, Region::Middle, Region::South];
            regions.map(|r| Area { region: Some(r), margin_m, within: None }.holds(x, y))
        };
        assert_eq!(nations(0.0, 446e3, 0.0), [true, false, false]);
        assert_eq!(nations(0.0, 444e3, 0.0), [false, true, false]);
        assert_eq!(nations(0.0, 444e3, 5e3), [true, true, false]);
        assert_eq!(nations(9e6, -2140e3, 20e3), [false, true, true]);
        assert_eq!(nations(f64::INFINITY, 0.0, 0.0), [false; 3]);
    }
}
