//! `nalcms synth -o DIR`: synthetic land cover maps in any shipped legend, grid and tiling.

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use ndarray::Array2;
use serde_json::json;

use super::options::TalkOptions;
use super::single::here;
use super::{Answer, Verb};
use crate::config::shipped;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::write_bytes;
use crate::io::gdal::{crs_from_wkt, write_tiled};
use crate::io::proj::{Direction, Operation};
use crate::io::stop;
use crate::kernel::landscape::{Landscape, Profile};
use crate::model::grid::{Affine, Crs, Grid};
use crate::model::legend::Legend;
use crate::model::window::Window;
use crate::synth::codes::NationalCodes;
use crate::synth::region::{Area, Region};
use crate::synth::{Series, Way, climate, geojson, plane_crs, zones};

/// The seed unless another is asked for.
const SEED: u64 = 2020;
/// Largest side of a raster, in cells; the reader's limit too.
const LARGEST_SIDE: usize = 1 << 20;
/// Metres per degree of latitude, for the size of features on grids in degrees.
const METRES_PER_DEGREE: f64 = 111_320.0;
/// Smallest and largest distance between the points of a climate border, in metres.
const BORDER_STEP_M: (f64, f64) = (1000.0, 5000.0);

pub static VERB: Verb = Verb {
    name: "synth",
    arguments: |command| {
        SynthArgs::augment_args(command)
            .about("Make synthetic land cover maps for tests, demos and benchmarks; same arguments, same bytes")
            .after_help(
                "All maps with one --seed, --profile and --detail show one world, whatever their legend and grid.\n\n\
                 Examples:\n  \
                 nalcms synth -o world --size 4096x4096 --years 2015 2020\n  \
                 nalcms synth -o us --legend nlcd --crs EPSG:5070 --cell-size 30 --origin 0,2000010 --size 3000x3000 \
                 --climate us/climate.geojson\n  \
                 nalcms synth -o tiles --size 20000x20000 --tile 4096 --overlap 16",
            )
    },
    run: |matches| {
        let args = SynthArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        synth(&args)
    },
};

#[derive(Debug, Args)]
struct SynthArgs {
    /// Output folder
    #[arg(long, short, value_name = "DIR", required_unless_present = "vectors_only")]
    output: Option<PathBuf>,
    /// Legend of the maps (an identifier); its shipped crosswalk leads back to NALCMS
    #[arg(long, value_name = "ID", default_value = "nalcms")]
    legend: String,
    /// Years to map
    #[arg(long, num_args = 1.., value_name = "YEAR", default_values_t = [2010, 2015, 2020])]
    years: Vec<i32>,
    /// Which world
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// How much of the world is land: continental (about 60 %), interior (about 98 %)
    #[arg(long, value_name = "WORD", default_value = "continental", value_parser = profile)]
    profile: Profile,
    /// Size of the world's finest features in metres; default: the cell size
    #[arg(long, value_name = "M")]
    detail: Option<f64>,
    /// Grid whose lattice the maps lie on
    #[arg(long, value_name = "ID", default_value = "nalcms-30m", conflicts_with = "crs")]
    grid: String,
    /// A CRS instead of a named grid: EPSG:<code>, WKT or a PROJ string
    #[arg(long, value_name = "CRS", requires = "cell_size")]
    crs: Option<String>,
    /// Cell size with --crs, in the units of the CRS
    #[arg(long, value_name = "M", requires = "crs")]
    cell_size: Option<f64>,
    /// Upper left corner, on a named grid moved to its lattice; default: the middle lies at 45 N 100 W
    #[arg(long, value_name = "X,Y", allow_hyphen_values = true, value_parser = numbers::<2>)]
    origin: Option<[f64; 2]>,
    /// Size of the whole in cells
    #[arg(long, value_name = "ROWSxCOLS", default_value = "2048x2048", value_parser = size)]
    size: (usize, usize),
    /// Side of tiles in cells; default: one file
    #[arg(long, value_name = "CELLS", value_parser = clap::value_parser!(u32).range(1..))]
    tile: Option<u32>,
    /// Cells by which a tile reaches into the next to the right and below
    #[arg(long, value_name = "CELLS", default_value_t = 0, requires = "tile")]
    overlap: u32,
    /// Start of the file names; default: the legend's identifier
    #[arg(long, value_name = "NAME", value_parser = slug)]
    prefix: Option<String>,
    /// Nodata tag of the files: a number, or none; default: the legend's fill
    #[arg(long, value_name = "VALUE|none", allow_hyphen_values = true)]
    nodata_tag: Option<String>,
    /// Map only one nation's side of the borders
    #[arg(long, value_enum, value_name = "NAME")]
    region: Option<Region>,
    /// How far beyond its borders the nation maps, in metres
    #[arg(long, value_name = "M", default_value_t = 0.0, requires = "region")]
    margin: f64,
    /// Map only this box of the 45 N 100 W plane, in metres
    #[arg(long, value_name = "XMIN,YMIN,XMAX,YMAX", allow_hyphen_values = true, value_parser = numbers::<4>)]
    within: Option<[f64; 4]>,
    /// Share of the mapped cells under clouds, 0 to 0.3; the legend must have values for them
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    no_observation: f64,
    /// Write the climate zones of the area as polygons with a field `zone`
    #[arg(long, value_name = "FILE.geojson", value_parser = geojson_path)]
    climate: Option<PathBuf>,
    /// Write some zones to tabulate by as polygons with fields `code` and `name`
    #[arg(long, value_name = "FILE.geojson", value_parser = geojson_path)]
    zones: Option<PathBuf>,
    /// Write no raster
    #[arg(long)]
    vectors_only: bool,
    /// Replace files that are there already
    #[arg(long)]
    overwrite: bool,
    /// Threads; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    #[command(flatten)]
    talk: TalkOptions,
}

fn profile(word: &str) -> std::result::Result<Profile, String> {
    match word {
        "continental" => Ok(Profile::Continental),
        "interior" => Ok(Profile::Interior),
        _ => Err("say continental or interior".into()),
    }
}

fn numbers<const N: usize>(text: &str) -> std::result::Result<[f64; N], String> {
    let list: Option<Vec<f64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    list.filter(|list| list.iter().all(|n| n.is_finite()))
        .and_then(|list| <[f64; N]>::try_from(list).ok())
        .ok_or_else(|| format!("write {N} numbers with commas between"))
}

fn size(text: &str) -> std::result::Result<(usize, usize), String> {
    let sides = text.split_once('x').and_then(|(rows, cols)| Some((rows.parse().ok()?, cols.parse().ok()?)));
    sides
        .filter(|(rows, cols)| (1..=LARGEST_SIDE).contains(rows) && (1..=LARGEST_SIDE).contains(cols))
        .ok_or_else(|| format!("write it as ROWSxCOLS, each 1 to {LARGEST_SIDE}"))
}

fn slug(text: &str) -> std::result::Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let sound = !text.is_empty() && text.chars().all(allowed) && !text.starts_with('.');
    sound.then(|| text.to_string()).ok_or_else(|| "use letters, digits, `.`, `_` and `-`".into())
}

fn geojson_path(text: &str) -> std::result::Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let sound = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("geojson"));
    sound.then_some(path).ok_or_else(|| "only GeoJSON is written; ogr2ogr makes others of it".into())
}

fn synth(args: &SynthArgs) -> Result<Answer> {
    let legend = shipped::legend(&args.legend, here())?;
    if legend.is_raw() {
        return Err(
            Error::usage("the legend `raw` has no classes to draw").expected("nalcms, nlcd, nrcan, …")
        );
    }
    let grid = grid(args)?;
    let series = series(args, &legend, &grid)?;
    let tag = nodata_tag(args, &legend)?;
    let palette = palette(&legend);
    let prefix = args.prefix.as_deref().unwrap_or(&legend.id);
    let tiles = if args.vectors_only { Vec::new() } else { tiles(args, &grid) };
    let folder = args.output.as_deref().unwrap_or(here());
    let rasters: Vec<(PathBuf, Window, i32)> = args
        .years
        .iter()
        .flat_map(|year| tiles.iter().map(move |tile| (tile, *year)))
        .map(|((name, window), year)| (folder.join(format!("{prefix}_{year}{name}.tif")), *window, year))
        .collect();
    let vectors = args.climate.iter().chain(&args.zones);
    let files: Vec<&Path> =
        rasters.iter().map(|(path, ..)| path).chain(vectors).map(PathBuf::as_path).collect();
    refuse_existing(&files, args.overwrite)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build()
        .map_err(|e| Error::new(ErrorKind::Limit, "threads cannot be started").found(e.to_string()))?;
    pool.install(|| write_vectors(args, &series))?;
    for (path, tile, year) in &rasters {
        write_tiled(path, &grid.part(tile), tag, &palette, |rows| -> Result<Array2<u8>> {
            if let Some(kind) = stop::requested() {
                return Err(Error::new(kind, "stopped").help("run again with --overwrite"));
            }
            pool.install(|| series.cells(&rows.shift(tile.row, tile.col), *year))
        })?;
    }
    let listed: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    let json = json!({ "files": files, "rows": grid.rows, "cols": grid.cols, "seed": args.seed });
    Ok(Answer { text: listed, json, finding: false })
}

fn series(args: &SynthArgs, legend: &Legend, grid: &Grid) -> Result<Series> {
    let detail_m = args.detail.unwrap_or(cell_m(grid));
    if !(detail_m.is_finite() && detail_m > 0.0) {
        return Err(Error::usage("--detail must be positive").found(detail_m));
    }
    let codes = NationalCodes::of(legend)?;
    if !(0.0..=0.3).contains(&args.no_observation) {
        return Err(Error::usage("--no-observation must be 0 to 0.3").found(args.no_observation));
    }
    if args.no_observation > 0.0 && codes.no_observation.is_empty() {
        return Err(Error::usage(format!("legend `{}` has no value for cells not seen", legend.id))
            .help("leave --no-observation out, or take madmex, madmex-level2, esri or aafc"));
    }
    Ok(Series {
        landscape: Landscape::new(args.seed, detail_m, args.profile),
        detail_m,
        codes,
        area: Area { region: args.region, margin_m: args.margin, within: args.within },
        no_observation: args.no_observation,
        way: Way::of(grid)?,
        grid: grid.clone(),
        seed: args.seed,
    })
}

/// Width of a cell in metres, roughly where the grid is in degrees.
fn cell_m(grid: &Grid) -> f64 {
    let unit_m =
        grid.crs.as_ref().map_or(1.0, |crs| if crs.geographic { METRES_PER_DEGREE } else { crs.unit_m });
    grid.cell().0 * unit_m
}

/// The grid of the whole.
fn grid(args: &SynthArgs) -> Result<Grid> {
    let (rows, cols) = args.size;
    if let (Some(definition), Some(cell)) = (&args.crs, args.cell_size) {
        if !(cell.is_finite() && cell > 0.0) {
            return Err(Error::usage("--cell-size must be positive").found(cell));
        }
        let crs = crs_from_wkt(definition)?;
        let [x, y] = match args.origin {
            Some(origin) => origin,
            None => around_the_middle(&crs, cell, args.size)?.map(|v| (v / cell).round() * cell),
        };
        let affine = Affine::north_up(x, y, cell, cell);
        return Ok(Grid { crs: Some(crs), affine, rows, cols, lattice: (0, 0) });
    }
    let named = shipped::grid(&args.grid, here())?;
    let full = named.grid()?;
    let cell = named.cell_size_m;
    let [x, y] = match (args.origin, &full.crs) {
        (Some(origin), _) => origin,
        (None, Some(crs)) => around_the_middle(crs, cell, args.size)?,
        (None, None) => named.origin,
    };
    let col = ((x - named.origin[0]) / cell).round() as i64;
    let row = ((named.origin[1] - y) / cell).round() as i64;
    let window = Window { row, col, rows, cols };
    if !full.window().contains(&window) {
        return Err(Error::usage(format!("the area reaches beyond the grid `{}`", named.id))
            .found(window)
            .expected(format!("within {}", full.window()))
            .help("choose another --origin or --size, or a --crs of its own"));
    }
    Ok(full.part(&window))
}

/// The upper left corner of a raster whose middle lies at the plane's origin.
fn around_the_middle(crs: &Crs, cell: f64, (rows, cols): (usize, usize)) -> Result<[f64; 2]> {
    let way = Operation::choose(&plane_crs()?, crs, 0.0, 0.0)?;
    let (mut xs, mut ys) = ([0.0], [0.0]);
    way.transform(Direction::Forward, &mut xs, &mut ys)?;
    if !(xs[0].is_finite() && ys[0].is_finite()) {
        return Err(Error::usage("45 N 100 W has no place in the CRS").found(&crs.name).help("say --origin"));
    }
    Ok([xs[0] - cols as f64 / 2.0 * cell, ys[0] + rows as f64 / 2.0 * cell])
}

/// Windows of the whole with the end of their file names.
fn tiles(args: &SynthArgs, grid: &Grid) -> Vec<(String, Window)> {
    let whole = grid.window();
    let Some(side) = args.tile.map(|side| side as usize) else { return vec![(String::new(), whole)] };
    let reach = side + args.overlap as usize;
    whole
        .squares(side)
        .map(|tile| {
            let (row, col) = (tile.row as usize / side, tile.col as usize / side);
            let window = Window { rows: reach, cols: reach, ..tile }.intersect(&whole);
            (format!("_r{row:02}_c{col:02}"), window)
        })
        .collect()
}

fn nodata_tag(args: &SynthArgs, legend: &Legend) -> Result<Option<f64>> {
    match args.nodata_tag.as_deref() {
        None => Ok(Some(f64::from(legend.fill))),
        Some("none") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| Error::usage("--nodata-tag takes a number, or none").found(text)),
    }
}

/// Colours by code up to the last that has one; none at all where the legend has none.
fn palette(legend: &Legend) -> Vec<[u8; 3]> {
    let mut palette = Vec::new();
    for class in &legend.classes {
        if let (Some(colour), Ok(code)) = (class.colour, u8::try_from(class.code)) {
            let code = usize::from(code);
            palette.resize(palette.len().max(code + 1), [0; 3]);
            palette[code] = colour.0;
        }
    }
    palette
}

fn refuse_existing(files: &[&Path], overwrite: bool) -> Result<()> {
    let there: Vec<String> = files.iter().filter(|f| f.exists()).map(|f| f.display().to_string()).collect();
    if overwrite || there.is_empty() {
        return Ok(());
    }
    Err(Error::usage("files exist already").found_all(there).help("say --overwrite to replace them"))
}

fn write_vectors(args: &SynthArgs, series: &Series) -> Result<()> {
    if args.climate.is_none() && args.zones.is_none() {
        return Ok(());
    }
    let bounds = bounds_on_plane(series)?;
    let cell_m = cell_m(&series.grid);
    // A degree's fourth decimal is 11 m, its sixth 11 cm.
    let decimals = if cell_m >= 1000.0 { 4 } else { 6 };
    if let Some(path) = &args.climate {
        let step_m = cell_m.clamp(BORDER_STEP_M.0, BORDER_STEP_M.1);
        let polygons = climate::zones(&series.landscape, bounds, step_m);
        write_bytes(path, geojson::layer("climate", &polygons, decimals)?.as_bytes())?;
    }
    if let Some(path) = &args.zones {
        let polygons = zones::zones(args.seed, bounds);
        write_bytes(path, geojson::layer("zones", &polygons, decimals)?.as_bytes())?;
    }
    Ok(())
}

/// xmin, ymin, xmax, ymax of the area on the plane.
fn bounds_on_plane(series: &Series) -> Result<[f64; 4]> {
    let grid = &series.grid;
    let (rows, cols) = (grid.rows as f64, grid.cols as f64);
    let edge = (0..=512).map(|i| f64::from(i) / 512.0);
    let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = edge
        .flat_map(|t| [(cols * t, 0.0), (cols * t, rows), (0.0, rows * t), (cols, rows * t)])
        .map(|(col, row)| grid.affine.apply(col, row))
        .unzip();
    series.way.follow(&mut xs, &mut ys)?;
    if xs.iter().chain(&ys).any(|v| !v.is_finite()) {
        return Err(Error::usage("part of the area's edge has no place on the 45 N 100 W plane")
            .help("make the area smaller, or write the polygons for another grid"));
    }
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok([least(&xs), least(&ys), most(&xs), most(&ys)])
}
