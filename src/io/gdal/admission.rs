//! Judges a raster before GDAL opens it: what it is, whether its header asks for the possible, and what other files GDAL
//! would follow from it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::formats::RasterFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::io::imagine;
use crate::io::sidecar::{
    LARGEST_SIDECAR, MOST_ITEMS, crs_names_files, foreign_overviews, items, names_files,
};
use crate::io::stop;
use crate::io::tiff::{HeaderFault, TiffSides, judge_file};
use crate::io::virtual_raster::{LARGEST_VRT, Member, members};

/// Bytes in which a format shows itself: GDAL looks for `<VRTDataset` in its first kilobyte.
const HEAD: u64 = 1024;

/// How Erdas Imagine files begin.
const IMAGINE: &[u8] = b"EHFA_HEADER_TAG";

/// How GDAL knows a VRT, wherever in the head it stands.
const VIRTUAL: &[u8] = b"<VRTDataset";

/// Judges a file and gives the formats as which it may be opened, of those asked for.
///
/// # Errors
/// Input: no such file, none of these formats, damaged, or naming files that lie elsewhere. Limit: its header asks for too
/// much. Io: it cannot be read.
pub(super) fn admit(path: &Path, formats: &[RasterFormat]) -> Result<Vec<RasterFormat>> {
    plain_name(path)?;
    let head = head_of(path)?;
    let known = kind_of(&head);
    let possible: Vec<RasterFormat> = match known {
        Some(format) => formats.iter().copied().filter(|asked| *asked == format).collect(),
        None => formats
            .iter()
            .copied()
            .filter(|f| !matches!(f, RasterFormat::GTiff | RasterFormat::Hfa | RasterFormat::Vrt))
            .collect(),
    };
    if possible.is_empty() {
        return Err(not_asked_for(path, known, formats));
    }
    match known {
        Some(RasterFormat::GTiff) => drop(judge_tiff(path)?),
        Some(RasterFormat::Vrt) => judge_vrt(path)?,
        Some(RasterFormat::Hfa) => judge_imagine(path)?,
        _ => {}
    }
    judge_companions(path, 2)?;
    Ok(possible)
}

/// The formats as which a remote file may be opened: those that are one file, which names no others. Its header is not judged
/// before GDAL reads it: that would ask the server for the same bytes twice.
///
/// # Errors
/// Input: none of these formats was asked for.
pub(super) fn admit_remote(path: &Path, formats: &[RasterFormat]) -> Result<Vec<RasterFormat>> {
    let whole = |format: &RasterFormat| matches!(format, RasterFormat::GTiff | RasterFormat::Hfa);
    let possible: Vec<RasterFormat> = formats.iter().copied().filter(whole).collect();
    if possible.is_empty() {
        return Err(Error::input("a remote raster is in a format that is read from disks alone")
            .at(path.display())
            .expected("GeoTIFF or Erdas Imagine (.img)")
            .help("copy it to a disk, or convert it"));
    }
    Ok(possible)
}

/// Refuses names that GDAL takes for something else than a file: `/vsi…/`, `GTIFF_RAW:…`, text of a dataset.
pub(super) fn plain_name(path: &Path) -> Result<()> {
    let text = path.to_string_lossy();
    let first = text.split('/').next().unwrap_or_default();
    if text.starts_with("/vsi") || first.contains(':') || text.trim_start().starts_with(['<', '{']) {
        return Err(Error::input("a name is none of a file")
            .at(path.display())
            .expected("a plain path; GDAL's names for other things (/vsi…, FORMAT:…) are not followed")
            .help("give the path of a file; for one with a colon in its name, begin with ./"));
    }
    Ok(())
}

fn head_of(path: &Path) -> Result<Vec<u8>> {
    let place = path.display();
    let unreadable = |e: std::io::Error| Error::io("a file cannot be read", &e).at(&place);
    let metadata = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::input("no such file").at(&place).help("check the path or the pattern")
        }
        _ => unreadable(e),
    })?;
    if metadata.is_dir() {
        return Err(Error::input("a folder stands where a raster is expected").at(&place));
    }
    // A pipe or a device has no end, or waits for one who writes.
    if !metadata.is_file() {
        return Err(Error::input("no file stands where a raster is expected")
            .at(&place)
            .found("a pipe, a socket or a device"));
    }
    let mut head = Vec::new();
    File::open(path).map_err(unreadable)?.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

/// What a file is, as far as its first bytes say.
fn kind_of(head: &[u8]) -> Option<RasterFormat> {
    if head.starts_with(IMAGINE) {
        return Some(RasterFormat::Hfa);
    }
    if matches!(head, [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..]) {
        return Some(RasterFormat::GTiff);
    }
    head.windows(VIRTUAL.len()).any(|piece| piece == VIRTUAL).then_some(RasterFormat::Vrt)
}

fn not_asked_for(path: &Path, known: Option<RasterFormat>, asked: &[RasterFormat]) -> Error {
    let names: Vec<&str> = asked.iter().map(|format| format.driver()).collect();
    let error = Error::input("a file is no raster that can be read").at(path.display());
    let error = match known {
        Some(format) => error.found(format!("a file in the format {}", format.driver())),
        None => error.found("a file in another format, or cut short"),
    };
    let error = match asked == RasterFormat::DEFAULT {
        true => error.expected("GeoTIFF or Erdas Imagine (.img)"),
        false => error.expected(names.join(" or ")),
    };
    match known {
        Some(RasterFormat::Vrt) => error.help(
            "a VRT names other files, so it is read only where a source asks for it: formats = [\"GTiff\", \"VRT\"], or \
             --format VRT",
        ),
        Some(format) => error.help(format!("name it: formats = [\"{}\"]", format.driver())),
        None => error,
    }
}

fn judge_tiff(path: &Path) -> Result<TiffSides> {
    let place = path.display();
    let judged = judge_file(path).map_err(|e| Error::io("a file cannot be read", &e).at(&place))?;
    judged.map_err(|fault| match fault {
        HeaderFault::NoTiff => {
            Error::input("a file is no raster that can be read").at(&place).expected("GeoTIFF")
        }
        HeaderFault::Damaged(words) => Error::input("a GeoTIFF is damaged")
            .at(&place)
            .found(words)
            .help("the file may be cut short or altered; compare its size and checksum with the publisher's"),
        HeaderFault::TooLarge(words) => Error::new(
            ErrorKind::Limit,
            "the header of a GeoTIFF asks for more than any map needs",
        )
        .at(&place)
        .found(words)
        .help("if the file is sound, re-tile it: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT"),
    })
}

/// Endings of texts that GDAL looks for beside a raster, in place of its own ending: world files and metadata of satellites.
const TEXTS: [&str; 17] = [
    "tfw", "tifw", "tiffw", "gfw", "wld", "prj", "tab", "imd", "rpb", "pvl", "til", "xml", "eph", "att",
    "geo", "pass", "rpc",
];

/// Endings of files that hold a layer of polygons together.
const LAYER_FILES: [&str; 9] = ["shx", "dbf", "prj", "cpg", "qix", "sbn", "sbx", "idm", "ind"];

/// Endings of Imagine files that GDAL takes as overviews and metadata beside a raster.
const IMAGINE_COMPANIONS: [&str; 2] = ["rrd", "aux"];

/// A name with something behind it.
fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(end);
    PathBuf::from(name)
}

/// In each spelling that GDAL tries.
fn spellings(end: &str) -> [String; 2] {
    [end.to_string(), end.to_ascii_uppercase()]
}

/// Refuses what is no plain file among the texts beside a raster, and texts larger than any that programs write.
fn judge_texts(path: &Path) -> Result<()> {
    let replaced = TEXTS.iter().flat_map(|end| spellings(end)).map(|end| path.with_extension(end));
    let stem = path.with_extension("");
    let added = [
        "_rpc.txt",
        "_RPC.TXT",
        "_metadata.txt",
        "_METADATA.TXT",
        "_metadata.xml",
        "_METADATA.XML",
        "_mtl.txt",
        "_MTL.txt",
        "_MTL.TXT",
    ];
    let added = added
        .map(|end| with_end(&stem, end))
        .into_iter()
        .chain([with_end(path, ".wld"), with_end(path, ".WLD")]);
    for text in replaced.chain(added).filter(|text| text != path && text.symlink_metadata().is_ok()) {
        head_of(&text)?;
        let bytes = fs::metadata(&text).map_or(0, |found| found.len());
        if bytes > LARGEST_SIDECAR {
            return Err(too_large_a_text(&text, LARGEST_SIDECAR).found(format!("{bytes} bytes")));
        }
        judge_crs(&text)?;
    }
    Ok(())
}

/// Refuses a CRS beside a file, in its `.prj`, that names files itself: GDAL and PROJ open them.
fn judge_crs(path: &Path) -> Result<()> {
    if !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("prj")) {
        return Ok(());
    }
    if names_files(&String::from_utf8_lossy(&read_small(path, LARGEST_SIDECAR)?)) {
        return Err(Error::input("a CRS names files")
            .at(path.display())
            .help("write the definition itself, or remove the file"));
    }
    Ok(())
}

/// Refuses what is no plain file among the files of a polygon layer, or of a folder that holds one.
///
/// # Errors
/// Input: a pipe, a device or a folder stands there; a CRS names files.
pub(super) fn judge_layer_files(path: &Path) -> Result<()> {
    if path.is_dir() {
        let unreadable = |e: std::io::Error| Error::io("a folder cannot be read", &e).at(path.display());
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if !file.is_dir() {
                head_of(&file)?;
                judge_crs(&file)?;
            }
        }
        return Ok(());
    }
    // What a database has not yet taken over: reading it would finish that, and so write to the file.
    for open in ["-wal", "-journal"].map(|end| with_end(path, end)) {
        let found = open.symlink_metadata();
        if found.is_ok_and(|found| !found.is_file() || found.len() > 0) {
            return Err(Error::input("a polygon layer is open in another program, or was not closed")
                .at(open.display())
                .help("save and close it there (QGIS keeps it open), or copy the layer to a new file"));
        }
    }
    let files = LAYER_FILES.iter().flat_map(|end| spellings(end)).map(|end| path.with_extension(end));
    files
        .filter(|file| file != path && file.symlink_metadata().is_ok())
        .try_for_each(|file| head_of(&file).and_then(|_| judge_crs(&file)))
}

/// Judges what GDAL opens beside a file without being asked: metadata, overviews and masks, and theirs.
fn judge_companions(path: &Path, depth: usize) -> Result<()> {
    judge_texts(path)?;
    let imagine = IMAGINE_COMPANIONS.iter().flat_map(|end| spellings(end));
    let imagine: Vec<PathBuf> = imagine
        .flat_map(|end| [path.with_extension(&end), with_end(path, &format!(".{end}"))])
        .filter(|companion| companion != path)
        .collect();
    for companion in imagine.iter().filter(|companion| companion.symlink_metadata().is_ok()) {
        // GDAL reads others as what they are, whatever that is.
        if kind_of(&head_of(companion)?) != Some(RasterFormat::Hfa) {
            return Err(Error::input("what stands beside a raster is not what its name says")
                .at(companion.display())
                .expected("an Erdas Imagine file, as its overviews")
                .help("move it elsewhere"));
        }
        judge_imagine(companion)?;
        // GDAL opens it as a raster of its own, with companions of its own.
        let its = [".aux.xml", ".ovr", ".OVR", ".msk", ".MSK"].map(|end| with_end(companion, end));
        if let Some(its) = its.iter().find(|its| its.symlink_metadata().is_ok()) {
            return Err(Error::input("metadata or overviews of overviews in an Imagine file")
                .at(its.display())
                .help("remove the file: no program makes such"));
        }
    }
    let sidecar = with_end(path, ".aux.xml");
    if sidecar.symlink_metadata().is_ok() {
        let text = read_small(&sidecar, LARGEST_SIDECAR)?;
        if items(&text) > MOST_ITEMS {
            return Err(Error::new(
                ErrorKind::Limit,
                "a text beside a raster holds more metadata than any that programs write",
            )
            .at(sidecar.display())
            .expected(format!("at most {MOST_ITEMS} items and domains"))
            .help("move it elsewhere"));
        }
        if crs_names_files(&text) {
            return Err(Error::input("metadata beside a raster have a CRS that names files")
                .at(sidecar.display())
                .help("remove the element SRS from it, or the file"));
        }
        let name = |companion: &PathBuf| Some(companion.file_name()?.to_string_lossy().into_owned());
        let names: Vec<String> = imagine.iter().filter_map(name).collect();
        if let Some(name) = foreign_overviews(&text, &names) {
            return Err(Error::input("metadata beside a raster name a file that is no companion of it")
                .at(sidecar.display())
                .found(format!("overviews in {name:?}"))
                .expected(format!("{}, beside it", names.join(", ")))
                .help("remove the item OVERVIEW_FILE from it, or the file"));
        }
    }
    for companion in [".ovr", ".OVR", ".msk", ".MSK"].map(|end| with_end(path, end)) {
        if companion.symlink_metadata().is_err() {
            continue;
        }
        if depth == 0 {
            return Err(Error::input("overviews of overviews of overviews, or masks of theirs")
                .at(companion.display())
                .help("remove the file: no program makes such"));
        }
        head_of(&companion)?;
        judge_tiff(&companion)?;
        judge_companions(&companion, depth - 1)?;
    }
    Ok(())
}

/// Refuses an Imagine file whose entries go in circles or share their children: GDAL walks all ways to each.
fn judge_imagine(path: &Path) -> Result<()> {
    let place = path.display();
    let judged = imagine::judge_file(path).map_err(|e| Error::io("a file cannot be read", &e).at(&place))?;
    judged.map_err(|found| {
        Error::input("an Imagine file is damaged")
            .at(&place)
            .found(found)
            .help("compare its size and checksum with the publisher's, or have GDAL make a GeoTIFF of it where it is trusted")
    })?;
    // Large rasters keep their cells beside the file, by habit under its name.
    let cells = path.with_extension("ige");
    if cells.symlink_metadata().is_ok() { head_of(&cells).map(drop) } else { Ok(()) }
}

/// Lets pass a mosaic of plain GeoTIFFs that lie in its folder or below.
fn judge_vrt(path: &Path) -> Result<()> {
    let refused = |found: String| {
        Error::input("a VRT is more than a mosaic of GeoTIFFs")
            .at(path.display())
            .found(found)
            .expected("windows of files as they are, without masks, overviews or resampling, as gdalbuildvrt writes them")
            .help("have GDAL make a GeoTIFF of it: gdal_translate IN.vrt OUT.tif")
    };
    let members = members(&read_small(path, LARGEST_VRT)?).map_err(refused)?;
    // GDAL follows a link to a VRT before it takes names relative to it.
    let real =
        fs::canonicalize(path).map_err(|e| Error::io("a file cannot be read", &e).at(path.display()))?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let mut judged = BTreeMap::new();
    for member in &members {
        stop::check()?;
        judge_member(member, path, folder, &mut judged).map_err(|e| {
            Error::new(e.kind(), "a VRT names a file that cannot be read as its part")
                .at(path.display())
                .found(e)
        })?;
    }
    Ok(())
}

/// Judges a file of a VRT; `judged` holds the sides of those that were judged before, under whatever name.
fn judge_member(
    member: &Member,
    vrt: &Path,
    folder: &Path,
    judged: &mut BTreeMap<PathBuf, TiffSides>,
) -> Result<()> {
    let named = Path::new(&member.name);
    plain_name(named)?;
    // GDAL takes a name that is not relative to the VRT from the folder where the program runs.
    let place = if member.relative { folder.join(named) } else { named.to_path_buf() };
    head_of(&place)?;
    let real =
        fs::canonicalize(&place).map_err(|e| Error::io("a file cannot be read", &e).at(place.display()))?;
    if !real.starts_with(folder) {
        return Err(Error::input("a VRT names a file that does not lie with it")
            .at(vrt.display())
            .found(&member.name)
            .expected("files in its own folder or below, links followed")
            .help(
                "put the VRT at the top of the folder of its files, or list the files themselves in the job",
            ));
    }
    let sides = match judged.get(&real) {
        Some(sides) => *sides,
        None => judge_tiff(&place)?,
    };
    // Nobody looks at the blocks of a part once the VRT is open.
    if sides.is_to_be_cut {
        return Err(Error::new(ErrorKind::Limit, "a file of a VRT is one strip that would fill the memory")
            .at(place.display())
            .found(format!("{} rows x {} columns in one strip", sides.rows, sides.cols))
            .help("re-tile it: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT"));
    }
    if member.sides.is_some_and(|said| said != (sides.rows, sides.cols)) {
        return Err(Error::input("a VRT is older than one of its files")
            .at(vrt.display())
            .found(format!("{}: {} rows x {} columns", member.name, sides.rows, sides.cols))
            .help("make it anew: gdalbuildvrt"));
    }
    // GDAL looks for companions under the name that it is given.
    judge_companions(&place, 2)?;
    judged.insert(real, sides);
    Ok(())
}

/// Reads a file that must be small.
fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    head_of(path)?;
    let unreadable = |e: std::io::Error| Error::io("a file cannot be read", &e).at(path.display());
    let mut text = Vec::new();
    File::open(path).map_err(unreadable)?.take(limit + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > limit {
        return Err(too_large_a_text(path, limit));
    }
    Ok(text)
}

fn too_large_a_text(path: &Path, limit: u64) -> Error {
    Error::new(ErrorKind::Limit, "a text beside a raster is larger than any that programs write")
        .at(path.display())
        .expected(format!("at most {limit} bytes"))
        .help("move it elsewhere")
}

/// Refuses a raster of which GDAL says that some of its files lie elsewhere, as an Imagine file can have it.
///
/// # Errors
/// Input: so it is.
pub(super) fn refuse_files_elsewhere(path: &Path, files: &[PathBuf]) -> Result<()> {
    let folder = |file: &Path| {
        let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::canonicalize(parent).ok()
    };
    let home = folder(path);
    // A link leads elsewhere, unless the raster itself is one into the same folder.
    let real_folder =
        |file: &Path| fs::canonicalize(file).ok().and_then(|real| Some(real.parent()?.to_path_buf()));
    let is_link = |file: &Path| file.symlink_metadata().is_ok_and(|found| found.is_symlink());
    let elsewhere = |file: &Path| {
        folder(file) != home || home.is_none() || (is_link(file) && real_folder(file) != real_folder(path))
    };
    match files.iter().find(|file| elsewhere(file)) {
        None => Ok(()),
        Some(file) => Err(Error::input("a raster names a file that does not lie beside it")
            .at(path.display())
            .found(file.display())
            .help("put the two into one folder")),
    }
}
