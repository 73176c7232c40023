//! What every integration test needs: a scratch folder, small rasters from literals, and the program.

pub mod between;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;

/// The continent's LAEA plane, on which most tests draw their maps.
pub const LAEA: &str = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m";

/// A folder of its own for one test; gone afterwards.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs the program in this folder.
    pub fn nalcms(&self, arguments: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_nalcms"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .output()
            .unwrap();
        Run::of(output)
    }

    /// Runs the program and insists on success.
    pub fn ok(&self, arguments: &[&str]) -> Run {
        let run = self.nalcms(arguments);
        assert_eq!(run.code, 0, "nalcms {}\n{}\n{}", arguments.join(" "), run.stdout, run.stderr);
        run
    }

    pub fn csv(&self, name: &str) -> Csv {
        Csv::read(&self.path(name))
    }
}

/// What a run of the program left.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Insists on an exit code and on words in the message.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in:\n{}", self.stderr);
        }
    }
}

/// A table as written.
pub struct Csv {
    columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Csv {
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let columns = reader.headers().unwrap().iter().map(String::from).collect();
        let rows = reader.records().map(|r| r.unwrap().iter().map(String::from).collect()).collect();
        Self { columns, rows }
    }

    pub fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// Rows whose columns have the given values.
    pub fn select(&self, wanted: &[(&str, &str)]) -> Vec<BTreeMap<String, String>> {
        let row = |row: &Vec<String>| -> BTreeMap<String, String> {
            self.columns.iter().cloned().zip(row.iter().cloned()).collect()
        };
        let holds =
            |row: &BTreeMap<String, String>| wanted.iter().all(|(column, value)| row[*column] == *value);
        self.rows.iter().map(row).filter(holds).collect()
    }

    /// The one value of a column in the one row that is selected.
    #[track_caller]
    pub fn value(&self, column: &str, wanted: &[(&str, &str)]) -> String {
        let rows = self.select(wanted);
        assert_eq!(rows.len(), 1, "{wanted:?}");
        rows[0][column].clone()
    }

    /// Sum of an integer column over selected rows.
    pub fn sum(&self, column: &str, wanted: &[(&str, &str)]) -> u64 {
        self.select(wanted).iter().map(|row| row[column].parse::<u64>().unwrap()).sum()
    }
}

/// A raster to draw: where its cells lie and what its header says.
pub struct Drawing<'a> {
    pub srs: Option<&'a str>,
    pub origin: (f64, f64),
    pub cell: f64,
    pub nodata: Option<f64>,
    pub options: &'a [&'a str],
}

impl Default for Drawing<'_> {
    fn default() -> Self {
        Self { srs: Some(LAEA), origin: (0.0, 0.0), cell: 30.0, nodata: None, options: &[] }
    }
}

impl Drawing<'_> {
    /// Draws rows of cells.
    pub fn draw<T: GdalType + Copy>(&self, path: &Path, rows: &[&[T]]) {
        let cells: Vec<T> = rows.iter().flat_map(|row| row.iter().copied()).collect();
        self.fill(path, rows.len(), rows[0].len(), cells);
    }

    /// Draws cells by a function of row and column.
    pub fn plot(&self, path: &Path, rows: usize, cols: usize, cell: impl Fn(usize, usize) -> u8) {
        self.plot_as::<u8>(path, rows, cols, cell);
    }

    /// The same in another data type.
    pub fn plot_as<T: GdalType + Copy + From<u8>>(
        &self,
        path: &Path,
        rows: usize,
        cols: usize,
        cell: impl Fn(usize, usize) -> u8,
    ) {
        let places = (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
        self.fill(path, rows, cols, places.map(|(r, c)| T::from(cell(r, c))).collect());
    }

    fn fill<T: GdalType + Copy>(&self, path: &Path, rows: usize, cols: usize, cells: Vec<T>) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let mut options = RasterCreationOptions::new();
        for option in self.options {
            options.add_string(option).unwrap();
        }
        let mut dataset =
            driver.create_with_band_type_with_options::<T, _>(path, cols, rows, 1, &options).unwrap();
        if let Some(srs) = self.srs {
            dataset.set_spatial_ref(&SpatialRef::from_definition(srs).unwrap()).unwrap();
        }
        dataset.set_geo_transform(&[self.origin.0, self.cell, 0.0, self.origin.1, 0.0, -self.cell]).unwrap();
        let mut band = dataset.rasterband(1).unwrap();
        band.set_no_data_value(self.nodata).unwrap();
        band.write((0, 0), (cols, rows), &mut Buffer::new((cols, rows), cells)).unwrap();
        dataset.close().unwrap();
    }
}

/// Every cell of a raster's first band.
pub fn cells(path: &Path) -> Vec<i32> {
    let dataset = gdal::Dataset::open(path).unwrap();
    dataset.rasterband(1).unwrap().read_band_as::<i32>().unwrap().data().to_vec()
}

/// Patchy pseudo-random classes: 8 x 8 patches with speckle, from a hash of the place.
pub fn patchy(row: usize, col: usize, seed: u64, classes: &[u8]) -> u8 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let speckle = mix(((row as u64) << 32 | col as u64) ^ seed.wrapping_mul(0x9E37_79B9)) % 11 == 0;
    let (r, c) = if speckle { (row, col) } else { (row / 8 + 7_000_000, col / 8) };
    classes[(mix(((r as u64) << 32 | c as u64) ^ seed) % classes.len() as u64) as usize]
}

/// A copy of a finished output without its parts, in a folder of its own.
pub fn copy_of(out: &Path) -> (tempfile::TempDir, PathBuf) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == ".nalcms" => {}
                true => copy(&entry.path(), &target),
                false => drop(std::fs::copy(entry.path(), target).unwrap()),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    copy(out, &target);
    (folder, target)
}

/// Writes a table anew with its sidecar's number of rows, and makes the checksums fit, so that only a deeper look finds
/// what was altered.
pub fn forge_table(out: &Path, name: &str, header: &[String], rows: &[Vec<String>]) {
    use nalcms::io::digest::sha256_file;
    let mut writer = csv::Writer::from_path(out.join(name)).unwrap();
    writer.write_record(header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.flush().unwrap();
    let sidecar = name.replace(".csv", ".json");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
    };
    let mut told = read(&sidecar);
    told["rows"] = rows.len().into();
    std::fs::write(out.join(&sidecar), told.to_string()).unwrap();
    let mut manifest = read("run.json");
    let outputs = manifest["outputs"].as_object_mut().unwrap();
    for name in [name, &sidecar] {
        outputs.insert(name.into(), sha256_file(&out.join(name)).unwrap().into());
    }
    let sums: String =
        outputs.iter().map(|(name, hash)| format!("{}  {name}\n", hash.as_str().unwrap())).collect();
    std::fs::write(out.join("run.json"), manifest.to_string()).unwrap();
    std::fs::write(out.join("SHA256SUMS"), sums).unwrap();
}

/// Every column's first and last number is altered in turn, and rows are deleted and doubled: `verify` finds each and
/// names the table.
pub fn assert_altered_is_found(out: &Path, name: &str) {
    static GDAL: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    GDAL.get_or_init(|| nalcms::io::gdal::init().unwrap());
    let (_folder, out) = copy_of(out);
    let Csv { columns, rows } = Csv::read(&out.join(name));
    let finds = |altered: &[Vec<String>], what: String| {
        forge_table(&out, name, &columns, altered);
        let report = nalcms::verify::verify(&out).unwrap();
        let text = report.text();
        let told = text.lines().any(|line| line.starts_with("  ") && line.contains(name));
        assert!(!report.agrees() && told, "{name}, {what}: {text}");
    };
    for (column, title) in columns.iter().enumerate() {
        let numeric = |row: &&Vec<String>| row[column].parse::<f64>().is_ok();
        let picks = [rows.iter().position(|row| numeric(&row)), rows.iter().rposition(|row| numeric(&row))];
        for pick in picks.into_iter().flatten() {
            let mut altered = rows.clone();
            let cell = &mut altered[pick][column];
            *cell = match cell.parse::<i64>() {
                Ok(n) => (n + 1).to_string(),
                Err(_) => (cell.parse::<f64>().unwrap() * (1.0 + 1e-12)).to_string(),
            };
            finds(&altered, format!("{title} of row {pick}"));
        }
    }
    for at in [0, rows.len() / 2, rows.len() - 1] {
        let mut fewer = rows.clone();
        fewer.remove(at);
        finds(&fewer, format!("row {at} deleted"));
        let mut more = rows.clone();
        more.insert(at, rows[at].clone());
        finds(&more, format!("row {at} doubled"));
    }
    forge_table(&out, name, &columns, &rows);
    assert!(nalcms::verify::verify(&out).unwrap().agrees());
}
