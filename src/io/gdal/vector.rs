//! Polygon layers: their keys and their polygons, in the CRS of the grid they will be burned on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gdal::vector::{Feature as OgrFeature, Geometry, LayerAccess, OGRFieldType};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};

use super::admission::{judge_layer_files, plain_name};
use super::crs::{describe, same_crs};
use super::doors::watched;
use super::edges::Edges;
use super::raster::{files_of, gdal_text, kind_of_failure};
use super::{remote, wkb};
use crate::error::{Error, ErrorKind, Result};
use crate::io::place;
use crate::io::proj::{Direction, Operation};
use crate::io::seen;
use crate::model::grid::Crs;

/// Formats that are opened unasked.
const VECTOR_DRIVERS: [&str; 4] = ["GPKG", "GeoJSON", "ESRI Shapefile", "FlatGeobuf"];

/// One polygon, in the CRS of the grid it will be burned on.
#[derive(Debug, Clone)]
pub struct Feature {
    /// Position of its key in [`FeatureLayer::keys`], from 0.
    pub key: u32,
    /// Well-known binary.
    pub(super) wkb: Vec<u8>,
    /// xmin, ymin, xmax, ymax.
    pub(super) envelope: [f64; 4],
}

/// A polygon layer, ready to burn.
#[derive(Debug, Clone)]
pub struct FeatureLayer {
    /// The file.
    pub path: PathBuf,
    /// Distinct keys as text, with the name that goes with each, in file order of first sight.
    pub keys: Vec<(String, String)>,
    /// Polygons in file order.
    pub features: Vec<Feature>,
    /// The layer's own CRS.
    pub crs: Crs,
    /// What took its polygons to the CRS of the grid; `None` where the two are the same.
    pub operation: Option<Operation>,
    /// All files that hold it: a Shapefile's keys are not in its .shp.
    pub files: Vec<PathBuf>,
    pub(super) edges: Edges,
}

/// Opens a polygon layer and takes it to a CRS. Equal keys are one zone.
///
/// One operation, chosen for the middle of the layer, takes all its points, as one takes all cells of a raster.
/// Straight edges are straight in the layer's own CRS. Before they are taken to another one they are cut so finely
/// that the chords stray less than a ten-thousandth of `cell_m` from them.
///
/// # Errors
/// Input: no such file, no layer of an allowed format, no such field, a feature that is no polygon or has no key, no
/// CRS.
pub fn open_features(
    path: &Path,
    key: &str,
    name: Option<&str>,
    target: &Crs,
    cell_m: f64,
) -> Result<FeatureLayer> {
    let read = || read_features(path, Some(key), name, target, cell_m);
    remote::patiently(path, read).map_err(|e| e.at(path.display()))
}

/// The same without a key: all polygons are one zone.
///
/// # Errors
/// As [`open_features`], but for the field.
pub fn open_shapes(path: &Path, target: &Crs, cell_m: f64) -> Result<FeatureLayer> {
    let read = || read_features(path, None, None, target, cell_m);
    remote::patiently(path, read).map_err(|e| e.at(path.display()))
}

/// The names of the fields of a polygon layer.
///
/// # Errors
/// Input: no such file, no layer of an allowed format.
pub fn field_names(path: &Path) -> Result<Vec<String>> {
    let read = || -> Result<Vec<String>> {
        let dataset = open_dataset(path)?;
        let fields = dataset.layers().flat_map(|l| l.defn().fields().map(|f| f.name()).collect::<Vec<_>>());
        Ok(fields.collect())
    };
    remote::patiently(path, read).map_err(|e| e.at(path.display()))
}

fn open_dataset(path: &Path) -> Result<Dataset> {
    let name = place::gdal_name(path)?;
    let is_remote = place::is_remote(path);
    if is_remote {
        remote::first_stamp(path)?;
    } else {
        plain_name(path)?;
    }
    if !is_remote && !path.exists() {
        return Err(Error::input("no such file").help("check the path"));
    }
    if !is_remote {
        judge_layer_files(path)?;
        seen::note(path);
    }
    // A pipe or a device has no end, or waits for one who writes. A folder may hold a Shapefile.
    if !is_remote && !path.is_file() && !path.is_dir() {
        return Err(
            Error::input("no file stands where polygons are expected").found("a pipe, a socket or a device")
        );
    }
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_VECTOR
            | GdalOpenFlags::GDAL_OF_READONLY
            | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        allowed_drivers: Some(&VECTOR_DRIVERS),
        ..DatasetOptions::default()
    };
    let open = || {
        Dataset::open_ex(name, options).map_err(|e| {
            Error::new(kind_of_failure(path), "a polygon layer cannot be read")
                .found(gdal_text(&e))
                .expected("GeoPackage, GeoJSON, Shapefile or FlatGeobuf")
        })
    };
    let dataset = watched(path, open)?;
    // A Shapefile's keys are not in its .shp.
    files_of(&dataset, path).iter().filter(|file| *file != path).for_each(|file| seen::note(file));
    Ok(dataset)
}

fn unreadable(error: &gdal::errors::GdalError) -> Error {
    Error::input("a polygon layer cannot be read")
        .found(gdal_text(error))
        .expected("GeoPackage, GeoJSON, Shapefile or FlatGeobuf")
}

/// The text of a field, nothing where it has none.
///
/// OGR writes real numbers with 15 digits, or as many as the file's own format gives them (8.10 in a column of two
/// decimals). Where that text is another number, the shortest that reads back as the same one stands instead: two
/// keys that differ must stay two.
fn text_of(feature: &OgrFeature, column: usize, kind: OGRFieldType::Type) -> Result<Option<String>> {
    let text = feature.field_as_string(column).map_err(|e| unreadable(&e))?;
    if kind != OGRFieldType::OFTReal {
        return Ok(text);
    }
    let number = feature.field_as_double(column).map_err(|e| unreadable(&e))?;
    Ok(match (text, number) {
        (Some(text), Some(number)) if text.trim().parse() != Ok(number) => Some(number.to_string()),
        (text, _) => text,
    })
}

fn read_features(
    path: &Path,
    key: Option<&str>,
    name: Option<&str>,
    target: &Crs,
    cell_m: f64,
) -> Result<FeatureLayer> {
    let dataset = open_dataset(path)?;
    let mut layers = dataset.layers();
    let (Some(mut layer), 1) = (layers.next(), dataset.layer_count()) else {
        let names: Vec<_> = dataset.layers().map(|l| l.name()).collect();
        return Err(Error::input("a polygon file must hold exactly one layer")
            .found(format!("{} layers: {}", names.len(), names.join(", ")))
            .help("copy the layer you mean: ogr2ogr ONE.gpkg IN LAYER"));
    };
    let own = layer.spatial_ref().ok_or_else(|| {
        Error::input("a polygon layer has no CRS").help("define it, e.g. ogr2ogr -a_srs EPSG:4326 OUT IN")
    })?;
    let crs = describe(&own)?;
    let operation = match same_crs(&crs, target)? {
        true => None,
        false => {
            let extent = layer.get_extent().map_err(|_| no_polygon())?;
            let (x, y) = ((extent.MinX + extent.MaxX) / 2.0, (extent.MinY + extent.MaxY) / 2.0);
            Some(Operation::choose(&crs, target, x, y)?)
        }
    };
    let fields: Vec<(String, OGRFieldType::Type)> =
        layer.defn().fields().map(|f| (f.name(), f.field_type())).collect();
    let column = |field: &str| {
        fields.iter().position(|(name, _)| name == field).ok_or_else(|| {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            Error::input(format!("a polygon layer has no field `{field}`"))
                .found(format!("fields: {}", names.join(", ")))
                .help("name one of them as `key` or `name`")
        })
    };
    let (key_column, name_column) = (key.map(column).transpose()?, name.map(column).transpose()?);
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let (mut keys, mut features, mut pieces_left) = (Vec::new(), Vec::new(), MOST_CUTS);
    let mut read = 0;
    for (position, feature) in layer.features().enumerate() {
        read += 1;
        let text = |column: usize| text_of(&feature, column, fields[column].1);
        let key = match key_column.zip(key) {
            Some((column, field)) => match text(column)?.filter(|key| !key.is_empty()) {
                Some(key) => key,
                None => {
                    return Err(Error::input(format!("feature {position} has no `{field}`"))
                        .help("give it a key or remove it"));
                }
            },
            None => String::new(),
        };
        let Some(geometry) = feature.geometry().filter(|g| !g.is_empty()) else { continue };
        let kind = geometry.geometry_name().to_ascii_uppercase();
        // A multisurface is a multipolygon some of whose edges are arcs.
        if !kind.contains("POLYGON") && kind != "MULTISURFACE" {
            return Err(Error::input(format!("feature {position}{} is no polygon", called(&key))).found(kind));
        }
        let longest = operation.as_ref().map(|_| longest_edge(&crs, cell_m));
        let uncut =
            |_| Error::input(format!("feature {position}{} cannot be made of straight edges", called(&key)));
        let mut polygon = straight_edges(geometry, None).ok_or(()).map_err(uncut)?;
        if let Some(longest) = longest {
            pieces_left = pieces_left.saturating_sub(cuts(&polygon, longest)?);
            if pieces_left == 0 {
                return Err(Error::new(ErrorKind::Limit, "polygons reach further than any place on Earth")
                    .found(format!(
                        "feature {position}{}: edges to be cut into millions of pieces",
                        called(&key)
                    ))
                    .help("check the layer's CRS and its coordinates; clip it to the region of the map"));
            }
            polygon = straight_edges(geometry, Some(longest)).ok_or(()).map_err(uncut)?;
        }
        if let Some(operation) = &operation {
            wkb::map_points(&mut polygon, |xs, ys| operation.transform(Direction::Forward, xs, ys))?;
        }
        let envelope = wkb::envelope(&polygon)?;
        if envelope.iter().any(|v| !v.is_finite()) {
            return Err(Error::input(format!(
                "feature {position}{} has no place in {}",
                called(&key),
                target.name
            ))
            .help("clip the layer to the region that the CRS serves"));
        }
        let named = match name_column {
            Some(column) => text(column)?.unwrap_or_default(),
            None => String::new(),
        };
        let number = *known.entry(key.clone()).or_insert_with(|| {
            keys.push((key, named));
            (keys.len() - 1) as u32
        });
        features.push(Feature { key: number, wkb: polygon, envelope });
    }
    // A server that breaks off looks to GDAL like the end of the layer.
    if place::is_remote(path) && layer.feature_count() != read {
        return Err(Error::new(ErrorKind::Transient, "a polygon layer broke off")
            .found(format!("{read} features"))
            .expected(format!("{} features", layer.feature_count())));
    }
    if features.is_empty() {
        return Err(no_polygon());
    }
    let (path, files) = (path.to_path_buf(), files_of(&dataset, path));
    let span = |f: &Feature| (f.envelope[2] - f.envelope[0]).max(f.envelope[3] - f.envelope[1]);
    let widest = features.iter().map(span).fold(0.0, f64::max);
    let side = (EDGE_SQUARE_CELLS * cell_in(target, cell_m)).max(widest / MOST_EDGE_SQUARES);
    let edges = Edges::of(features.iter().map(|f| f.wkb.as_slice()), side)?;
    Ok(FeatureLayer { path, keys, features, crs, operation, files, edges })
}

/// The key of a feature, where it has one.
fn called(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" (`{key}`)") }
}

fn no_polygon() -> Error {
    Error::input("a polygon layer has no polygon")
}

/// Side of the squares in which edges are looked for, in cells: about half a block, so that few blocks beside an edge
/// are burned for nothing.
const EDGE_SQUARE_CELLS: f64 = 256.0;

/// Squares from one end of a polygon to the other, at most: finer ones gain nothing.
const MOST_EDGE_SQUARES: f64 = 16_384.0;

/// The length of a cell in the units of a CRS, roughly; layers that are not burned on cells have none.
fn cell_in(crs: &Crs, cell_m: f64) -> f64 {
    let cell_m = if cell_m.is_finite() { cell_m } else { EARTH_RADIUS_M };
    if crs.geographic { (cell_m / EARTH_RADIUS_M).to_degrees() } else { cell_m / crs.unit_m }
}

const EARTH_RADIUS_M: f64 = 6_371_000.0;

/// How far a chord may stray from the edge it stands for, in cells: of ten thousand cells along a border one may
/// go the other way.
const LARGEST_STRAY_CELLS: f64 = 1e-4;

/// The longest edge, in units of a CRS, whose chord strays no further than [`LARGEST_STRAY_CELLS`]: an arc of length L
/// on a circle of the Earth's radius R bows by L²/8R.
fn longest_edge(crs: &Crs, cell_m: f64) -> f64 {
    let length_m = (8.0 * EARTH_RADIUS_M * cell_m * LARGEST_STRAY_CELLS).sqrt();
    cell_in(crs, length_m)
}

/// Largest polygon, in bytes: thirteen million corners.
const LARGEST_POLYGON: usize = 200 << 20;

/// Most pieces that the edges of a layer are cut into beyond those that they are, so that memory is bounded by the file: 400
/// edges around the Earth.
const MOST_CUTS: u64 = 1 << 22;

/// Pieces that the edges of a polygon are cut into, beyond those that they are.
fn cuts(polygon: &[u8], longest: f64) -> Result<u64> {
    // What has no length, or one beyond numbers, saturates.
    let pieces = |[x0, y0, x1, y1]: [f64; 4]| ((x1 - x0).hypot(y1 - y0) / longest) as u64;
    Ok(wkb::edges(polygon)?.map(pieces).fold(0, u64::saturating_add))
}

/// A polygon as little-endian well-known binary of plain x and y: arcs made of straight edges, none longer than
/// `longest`. `None` where OGR cannot make one.
#[expect(unsafe_code, reason = "OGR's linear, flat and segmented geometries have no safe wrapper")]
fn straight_edges(geometry: &Geometry, longest: Option<f64>) -> Option<Vec<u8>> {
    // SAFETY: the linear geometry is a new object of ours, checked for null and destroyed once at the end; the buffer
    // has the size that OGR asks for.
    unsafe {
        let linear = gdal_sys::OGR_G_GetLinearGeometry(geometry.c_geometry(), 0.0, std::ptr::null_mut());
        if linear.is_null() {
            return None;
        }
        gdal_sys::OGR_G_FlattenTo2D(linear);
        gdal_sys::OGR_G_CloseRings(linear);
        if let Some(longest) = longest {
            gdal_sys::OGR_G_Segmentize(linear, longest);
        }
        // Beyond two GiB the size, a number with a sign, says anything, and OGR would write past the buffer.
        let size = usize::try_from(gdal_sys::OGR_G_WkbSize(linear)).unwrap_or(0);
        let mut polygon = None;
        if (1..=LARGEST_POLYGON).contains(&size) {
            let mut bytes = vec![0; size];
            let order = gdal_sys::OGRwkbByteOrder::wkbNDR;
            let code = gdal_sys::OGR_G_ExportToIsoWkb(linear, order, bytes.as_mut_ptr());
            polygon = (code == gdal_sys::OGRErr::OGRERR_NONE).then_some(bytes);
        }
        gdal_sys::OGR_G_DestroyGeometry(linear);
        polygon
    }
}
