//! What a coordinate reference system says of itself.

use std::ffi::CStr;
use std::path::Path;

use gdal::spatial_ref::{AxisMappingStrategy, SpatialRef};

use crate::error::{Error, Result};
use crate::model::ellipsoid::Ellipsoid;
use crate::model::grid::Crs;

/// Projections on which every cell of a regular grid has one area (names of OGC WKT 1).
const EQUAL_AREA: [&str; 8] = [
    "Lambert_Azimuthal_Equal_Area",
    "Albers_Conic_Equal_Area",
    "Cylindrical_Equal_Area",
    "Sinusoidal",
    "Mollweide",
    "Eckert_IV",
    "Eckert_VI",
    "Equal_Earth",
];

/// How the words for a spherical ellipsoid begin.
const SPHERE: &str = "sphere";

/// Reads a CRS from WKT, an EPSG code such as `EPSG:3978`, or a PROJ string.
///
/// # Errors
/// Input: GDAL does not understand it.
pub fn crs_from_wkt(definition: &str) -> Result<Crs> {
    let reference = spatial_ref(definition)?;
    describe(&reference)
}

/// Whether two CRSs are the same place for place, whatever their names.
///
/// GDAL tells datums apart by name. A sphere has no datum to shift to, and every program names the one of the
/// 250 m grid differently, so spheres are compared by their parameters.
///
/// # Errors
/// Input: GDAL does not understand one of them.
#[expect(unsafe_code, reason = "the comparison with options has no safe wrapper")]
pub fn same_crs(a: &Crs, b: &Crs) -> Result<bool> {
    if a.wkt == b.wkt {
        return Ok(true);
    }
    let spheres = a.ellipsoid.starts_with(SPHERE) && a.ellipsoid == b.ellipsoid;
    let (a, b) = (spatial_ref(&a.wkt)?, spatial_ref(&b.wkt)?);
    if spheres && let (Ok(a), Ok(b)) = (a.to_proj4(), b.to_proj4()) {
        return Ok(a == b);
    }
    let criterion = c"CRITERION=EQUIVALENT";
    let options = [criterion.as_ptr(), std::ptr::null()];
    // SAFETY: both handles live until the end of this function; the option list ends with a null pointer.
    Ok(unsafe { gdal_sys::OSRIsSameEx(a.to_c_hsrs(), b.to_c_hsrs(), options.as_ptr()) } != 0)
}

/// The CRS of longitudes and latitudes under a CRS: on its own datum, so that no datum is shifted between the two.
///
/// # Errors
/// Input: GDAL does not understand it, it has none, or its angles are no degrees.
pub fn geographic_base(crs: &Crs) -> Result<Crs> {
    let none = |_| Error::input("a CRS has no longitudes and latitudes under it").found(&crs.name);
    let mut base = spatial_ref(&crs.wkt)?.geog_cs().map_err(none)?;
    base.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    let unit = base.angular_units();
    if (unit.to_degrees() - 1.0).abs() > 1e-9 {
        return Err(Error::input("a CRS counts its angles in another unit than degrees")
            .found(format!("{}: {unit} radians", crs.name)));
    }
    describe(&base)
}

pub(super) fn spatial_ref(definition: &str) -> Result<SpatialRef> {
    // GDAL would read the file of that name, whatever it holds.
    if !definition.contains('[') && (definition.contains("://") || Path::new(definition.trim()).exists()) {
        return Err(Error::input("a CRS is defined by what stands elsewhere")
            .found(shorten(definition))
            .expected("WKT, EPSG:<code> or a PROJ string")
            .help("write the definition itself"));
    }
    let mut reference = SpatialRef::from_definition(definition).map_err(|e| {
        Error::input("a CRS definition is not understood")
            .found(shorten(definition))
            .expected("WKT, EPSG:<code> or a PROJ string")
            .help(e.to_string())
    })?;
    reference.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(reference)
}

pub(super) fn describe(reference: &SpatialRef) -> Result<Crs> {
    let projection = reference.get_attr_value("PROJECTION", 0).ok().flatten();
    let geographic = reference.is_geographic();
    let axis = |value: gdal::errors::Result<f64>| value.map_err(|e| Error::input(e.to_string()));
    let (major, minor) = (axis(reference.semi_major())?, axis(reference.semi_minor())?);
    let name = reference.get_attr_value("SPHEROID", 0).ok().flatten().unwrap_or_default();
    let ellipsoid =
        if major == minor { format!("{SPHERE}, R = {major} m") } else { format!("ellipsoid {name}") };
    Ok(Crs {
        wkt: wkt2(reference)?,
        proj: reference.to_proj4().unwrap_or_default().trim().to_string(),
        name: reference.name().unwrap_or_else(|| "unnamed".into()),
        geographic,
        equal_area: projection.is_some_and(|p| EQUAL_AREA.iter().any(|known| p.eq_ignore_ascii_case(known))),
        ellipsoid,
        figure: Ellipsoid::of_axes(major, minor),
        unit_m: if geographic { 1.0 } else { reference.linear_units() },
    })
}

#[expect(unsafe_code, reason = "WKT 2 has no safe wrapper")]
fn wkt2(reference: &SpatialRef) -> Result<String> {
    let options = [c"FORMAT=WKT2_2019".as_ptr(), std::ptr::null()];
    let mut text = std::ptr::null_mut();
    // SAFETY: the handle lives through the call, the option list ends with a null pointer, and GDAL either fails
    // or leaves a string that it allocated and we free.
    unsafe {
        let code = gdal_sys::OSRExportToWktEx(reference.to_c_hsrs(), &mut text, options.as_ptr());
        if code != gdal_sys::OGRErr::OGRERR_NONE || text.is_null() {
            return Err(
                Error::input("a CRS has no WKT 2 form").help("store the raster with another CRS definition")
            );
        }
        let wkt = CStr::from_ptr(text).to_string_lossy().into_owned();
        gdal_sys::VSIFree(text.cast());
        Ok(wkt)
    }
}

fn shorten(text: &str) -> String {
    let start: String = text.chars().take(120).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}
