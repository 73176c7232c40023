//! The figure of the earth: places and areas on an ellipsoid of revolution or a sphere.

use serde::{Deserialize, Serialize};

/// An ellipsoid of revolution; a sphere where its eccentricity is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ellipsoid {
    /// Semi-major axis, in metres.
    pub semi_major_m: f64,
    /// Square of the first eccentricity, e² = 1 - (b/a)².
    pub eccentricity_squared: f64,
}

impl Ellipsoid {
    /// WGS 84: a = 6378137 m, 1/f = 298.257223563, e² = f (2 - f).
    ///
    /// Source: NGA.STND.0036, World Geodetic System 1984, table 3.1 and 3.5.
    pub const WGS_84: Self =
        Self { semi_major_m: 6_378_137.0, eccentricity_squared: 0.006_694_379_990_141_317 };

    /// The ellipsoid with these semi-axes, in metres.
    pub fn of_axes(semi_major_m: f64, semi_minor_m: f64) -> Self {
        let ratio = semi_minor_m / semi_major_m;
        Self { semi_major_m, eccentricity_squared: 1.0 - ratio * ratio }
    }

    /// Whether it is a sphere.
    pub fn is_sphere(&self) -> bool {
        self.eccentricity_squared == 0.0
    }

    /// The area between two parallels, for each radian of longitude.
    ///
    /// Latitudes are geodetic, in degrees, whichever is the greater; what lies beyond a pole is left out.
    ///
    /// # Unit
    /// Square metres a radian.
    /// # Formula
    /// `a²/2 (q(north) - q(south))`, `q(φ) = (1 - e²) (sin φ / (1 - e² sin² φ) + artanh(e sin φ) / e)`. The difference
    /// is taken in closed form: subtracting two values of q would leave a cell of 30 m some ten digits.
    /// # Source
    /// Snyder (1987), Map Projections: A Working Manual, USGS Professional Paper 1395, eq. 3-12 (there with a logarithm
    /// for the inverse hyperbolic tangent); on the sphere q = 2 sin φ.
    pub fn zone_m2_per_radian(&self, one_degrees: f64, other_degrees: f64) -> f64 {
        let [one, other] =
            [one_degrees, other_degrees].map(|degrees| degrees.clamp(-90.0, 90.0).to_radians());
        let (sin_one, sin_other) = (one.sin(), other.sin());
        let rise = (2.0 * ((one + other) / 2.0).cos() * ((one - other) / 2.0).sin()).abs();
        let (a, e2) = (self.semi_major_m, self.eccentricity_squared);
        let product = e2 * sin_one * sin_other;
        let rational =
            rise * (1.0 + product) / ((1.0 - e2 * sin_one * sin_one) * (1.0 - e2 * sin_other * sin_other));
        let e = e2.sqrt();
        let hyperbolic = if e > 0.0 { (e * rise / (1.0 - product)).atanh() / e } else { rise };
        a * a / 2.0 * (1.0 - e2) * (rational + hyperbolic)
    }

    /// A place on the surface in Cartesian coordinates from the ellipsoid's centre, in metres: smooth where longitude
    /// and latitude are not, at the poles and on the antimeridian.
    ///
    /// # Source
    /// EPSG Guidance Note 7-2, Geographic/Geocentric conversions, at ellipsoidal height 0.
    pub fn place(&self, longitude_degrees: f64, latitude_degrees: f64) -> [f64; 3] {
        let ((sin_lon, cos_lon), (sin_lat, cos_lat)) =
            (longitude_degrees.to_radians().sin_cos(), latitude_degrees.to_radians().sin_cos());
        let e2 = self.eccentricity_squared;
        let normal = self.semi_major_m / (1.0 - e2 * sin_lat * sin_lat).sqrt();
        [normal * cos_lat * cos_lon, normal * cos_lat * sin_lon, normal * (1.0 - e2) * sin_lat]
    }

    /// Its size in words, for the method of a table.
    pub fn words(&self) -> String {
        let (a, e2) = (self.semi_major_m, self.eccentricity_squared);
        if self.is_sphere() {
            return format!("a sphere of R = {a} m");
        }
        format!("an ellipsoid of a = {a} m, 1/f = {:.6}", 1.0 / (1.0 - (1.0 - e2).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sphere_has_the_zones_of_archimedes() {
        // 2 π R h over a whole turn: R² (sin φ2 - sin φ1) a radian.
        let sphere = Ellipsoid::of_axes(6_370_997.0, 6_370_997.0);
        let area = sphere.zone_m2_per_radian(30.0, 90.0);
        assert!((area / (6_370_997f64.powi(2) * 0.5) - 1.0).abs() < 1e-15, "{area}");
        assert_eq!(sphere.zone_m2_per_radian(95.0, 130.0), 0.0);
    }

    #[test]
    fn the_whole_of_wgs_84_has_its_published_area() {
        // 510 065 621 724 088.5 m²: GeographicLib 2.1, `Geodesic.WGS84.EllipsoidArea()`-equivalent, 4π c².
        let whole = Ellipsoid::WGS_84.zone_m2_per_radian(90.0, -90.0) * std::f64::consts::TAU;
        assert!((whole / 510_065_621_724_088.5 - 1.0).abs() < 1e-14, "{whole}");
    }

    #[test]
    fn a_thin_zone_keeps_its_digits() {
        // Ten thousand zones of a cell's height make up the zone of a degree, to more digits than a difference of two
        // values of q would have.
        let thin: f64 = (0..10_000)
            .map(|i| {
                Ellipsoid::WGS_84
                    .zone_m2_per_radian(45.0 + f64::from(i) * 1e-4, 45.0 + f64::from(i + 1) * 1e-4)
            })
            .sum();
        let whole = Ellipsoid::WGS_84.zone_m2_per_radian(45.0, 46.0);
        assert!((thin / whole - 1.0).abs() < 1e-12, "{thin} {whole}");
    }
}
