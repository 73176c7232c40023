//! Parts: everything one task has worked out, in one file. Its existence is the commit.
//!
//! A part holds compressed blocks that merge copies, overview cells that merge joins, and partial tables as
//! integers. Layout: bytes of blocks and cells; the footer as JSON; its length (8 bytes, little endian); the
//! SHA-256 of everything before; a magic word. A part that is cut short, altered or foreign is recognised and its
//! task done again.
//!
//! Two runs may work on one task at once: whoever comes second finds the part in place and leaves it. Should theirs hold other
//! cells or counts, that is a conflict, which nothing papers over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::atomic::{AtomicFile, io_error};
use super::digest::hex;
use crate::error::{Error, ErrorKind, Result};
use crate::model::area::Amount;
use crate::model::gap::GapPiece;
use crate::model::rule::{Outcome, Rule};
use crate::model::seam::SeamPair;
use crate::model::source::SourceIndex;
use crate::model::window::Window;

const MAGIC: &[u8; 8] = b"NALCMSP4";
const TRAILER: u64 = 8 + 32 + 8;

/// What stands where in a part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartFooter {
    /// Identity of the task: a hash of everything that can change a byte of the part.
    pub task_id: String,
    /// The task's window of the target grid.
    pub window: Window,
    /// Rasters, in the plan's order.
    pub products: Vec<PartProduct>,
    /// Partial tables.
    pub tables: PartTables,
    /// What the identity is made of, by name; it only serves to say why a part is stale.
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
    /// SHA-256 of blocks, cells and tables: what two runs of one task must agree on.
    #[serde(default)]
    pub content: String,
}

/// One raster's share of a part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PartProduct {
    /// Levels whose blocks lie wholly in the task, native first: offset and length of each block, row-major.
    pub blocks: Vec<Vec<(u64, u32)>>,
    /// Cells of the levels above, uncompressed.
    pub cells: Vec<PartCells>,
    /// Counts of codes in each native block, row-major; for levels above 9.
    pub block_counts: Vec<Vec<(i32, u64)>>,
}

/// Overview cells of one level, little-endian.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartCells {
    /// Overview level.
    pub level: u32,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Bytes of a cell: 1 or 2 without sign, 4 with.
    pub cell_bytes: usize,
    /// Where the cells stand, row-major.
    pub offset: u64,
}

impl PartCells {
    /// The codes of some cells of a row.
    ///
    /// # Errors
    /// Io: the part cannot be read.
    pub fn read_row(&self, part: &PartReader, row: usize, col: usize, cols: usize) -> Result<Vec<i32>> {
        // What is beyond numbers is beyond the part, which the reader notices.
        let first = row.saturating_mul(self.cols).saturating_add(col).saturating_mul(self.cell_bytes);
        let bytes =
            part.read(self.offset.saturating_add(first as u64), cols.saturating_mul(self.cell_bytes))?;
        Ok(match self.cell_bytes {
            1 => bytes.iter().map(|&code| code.into()).collect(),
            2 => bytes.as_chunks().0.iter().map(|&code| u16::from_le_bytes(code).into()).collect(),
            _ => bytes.as_chunks().0.iter().map(|&code| i32::from_le_bytes(code)).collect(),
        })
    }
}

/// A joint count: position among [`PartTables::zones`], source at `from`, source at `to`, code at `from`, code at `to`, cells
/// with their area.
pub type JointRow = (u32, u8, u8, Option<i32>, Option<i32>, Amount);

/// Partial tables: integers only, so that no order of adding changes a digit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PartTables {
    /// Class counts of each epoch, in the plan's order (both classes of a row are the same).
    pub areas: Vec<Vec<JointRow>>,
    /// Joint counts of each pair, in the plan's order.
    pub pairs: Vec<Vec<JointRow>>,
    /// Overlaps of each epoch: winner, loser, winner's code, loser's code, cells with their area.
    pub overlaps: Vec<Vec<OverlapRow>>,
    /// Cells decided by each rule, by epoch.
    pub rules: Vec<Vec<RuleCount>>,
    /// Cells of slivers of each epoch: owner, source, code, whether the source maps the cell, cells with their area.
    #[serde(default)]
    pub slivers: Vec<Vec<SliverRow>>,
    /// Codes of provenance of each epoch, in the place of both classes.
    #[serde(default)]
    pub origins: Vec<Vec<JointRow>>,
    /// Combinations of zones that the task's cells lie in: a number for each zone layer.
    pub zones: Vec<Vec<u32>>,
    /// For each zone layer the cells whose centre lies in more than one of its zones.
    pub zone_overlaps: Vec<u64>,
    /// Cells that published change maps decided, by pair, in the plan's order; empty where the job has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub official: Vec<Vec<OfficialRow>>,
    /// Cells that edits hold, by epoch; nothing where there are no edits.
    #[serde(default)]
    pub edits: Vec<Vec<(EditCount, Amount)>>,
    /// Cells off land, by epoch; nothing where there is no coast.
    #[serde(default)]
    pub coast: Vec<Vec<(CoastCount, Amount)>>,
    /// Pairs of neighbours along boundaries of sections, by epoch; none where the job does not look for seams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seams: Vec<Vec<(SeamPair, u64)>>,
    /// Undecided cells, by epoch; none where the job does not list gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapPiece>,
}

/// Cells off land for which something else holds than what the sources said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CoastCount {
    /// Whether they lie in the fringe, or further out.
    pub fringe: bool,
    /// Class that the sources gave them; `None` is none.
    pub before: Option<i32>,
}

/// What an edit did to cells that it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EditCount {
    /// Identifier of the edit: its place in the job may change.
    pub edit: String,
    /// Class before; `None` is none.
    pub before: Option<i32>,
    /// Class after.
    pub after: Option<i32>,
}

/// How many cells of the mosaic one crosswalk rule decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleCount {
    /// Source.
    pub source: u8,
    /// Code in the source.
    pub from: i32,
    /// Value of the stratum, for conditional rows.
    pub stratum: Option<String>,
    /// Class it became; `None` is nodata.
    pub to: Option<i32>,
    /// Whether the row is proposed.
    pub proposed: bool,
    /// Whether a conditional row fell to its default.
    pub default_taken: bool,
    /// Cells with their area.
    pub amount: Amount,
}

impl RuleCount {
    /// Of a rule of a source, no cells yet.
    pub fn of(source: SourceIndex, rule: &Rule) -> Self {
        let to = match rule.outcome {
            Outcome::Class(code) => Some(code),
            Outcome::Absent(_) | Outcome::Withheld | Outcome::Unmapped | Outcome::NoStratum => None,
        };
        Self {
            source,
            from: rule.from,
            stratum: rule.stratum.clone(),
            to,
            proposed: rule.proposed,
            default_taken: rule.default_taken,
            amount: Amount::default(),
        }
    }
}

/// An overlap count: winner, loser, winner's code, loser's code, cells with their area.
pub type OverlapRow = (u8, u8, i32, i32, Amount);

/// A count of a sliver's cells: owner, source, code, whether the source maps the cell, cells with their area.
pub type SliverRow = (u8, u8, i32, bool, Amount);
/// A joint count of a published change map, and the classes of the maps at the first and the second year.
pub type OfficialRow = (JointRow, Option<i32>, Option<i32>);

/// A part in the making.
#[derive(Debug)]
pub struct PartWriter {
    file: AtomicFile,
    path: PathBuf,
    hasher: Sha256,
    length: u64,
}

impl PartWriter {
    /// Starts a part.
    ///
    /// # Errors
    /// Io: the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: AtomicFile::create(path)?,
            path: path.to_path_buf(),
            hasher: Sha256::new(),
            length: 0,
        })
    }

    /// Appends bytes and says where they stand.
    ///
    /// # Errors
    /// Io: the disk refuses.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let offset = self.length;
        self.file.write_all(bytes).map_err(|e| io_error("a part cannot be written", &self.path, &e))?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(offset)
    }

    /// Writes footer and checksum and gives the part its name, unless the same part is there already. Where its content stands
    /// in the footer is filled in here.
    ///
    /// # Errors
    /// Io: the disk refuses. Conflict: another run of the same task left other content.
    pub fn commit(mut self, mut footer: PartFooter) -> Result<()> {
        let reasons = std::mem::take(&mut footer.reasons);
        let mut content = self.hasher.clone();
        content.update(json_of(&footer)?);
        footer.content = hex(&content.finalize());
        footer.reasons = reasons;
        let json = json_of(&footer)?;
        self.append(&json)?;
        self.append(&(json.len() as u64).to_le_bytes())?;
        let checksum = self.hasher.finalize();
        let trailer = [&checksum[..], MAGIC].concat();
        self.file.write_all(&trailer).map_err(|e| io_error("a part cannot be written", &self.path, &e))?;
        let is_same_task = |part: &Part| part.footer.task_id == footer.task_id;
        // Most parts that are replaced are of another identity: those need not be read whole.
        let there = Part::open(&self.path, false).ok().filter(is_same_task);
        match there.and_then(|_| Part::open(&self.path, true).ok()) {
            Some(there) => refuse_conflict(&self.path, &there.footer.content, &footer.content),
            None => self.file.commit(),
        }
    }
}

fn json_of(footer: &PartFooter) -> Result<Vec<u8>> {
    serde_json::to_vec(footer).map_err(|e| Error::bug(format!("a footer cannot be written: {e}")))
}

fn refuse_conflict(path: &Path, there: &str, made: &str) -> Result<()> {
    if there == made {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "two runs of one task came to different results")
        .at(path.display())
        .found(format!("content {there}, and now {made}"))
        .expected("the same content from the same inputs, settings and version")
        .help("this is a bug in nalcms or a fault of a machine: keep the part, compare it with one made elsewhere, and report it"))
}

/// A finished part.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    checksum: Checksum,
    /// What stands where.
    pub footer: PartFooter,
}

/// Why a part cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartFault {
    /// There is none.
    Missing,
    /// It is cut short, altered, or no part at all.
    Torn,
}

impl Part {
    /// Opens a part; `verify` reads all of it and compares the checksum.
    ///
    /// # Errors
    /// The fault, when it cannot be used.
    pub fn open(path: &Path, verify: bool) -> std::result::Result<Self, PartFault> {
        let mut file = File::open(path).map_err(|_| PartFault::Missing)?;
        let (footer, checksum) = read_footer(&mut file, verify).ok_or(PartFault::Torn)?;
        Ok(Self { path: path.to_path_buf(), checksum, footer })
    }

    /// Opens it for reading blocks and cells. Thousands of parts exist; few are open at a time.
    ///
    /// # Errors
    /// Io: the part is gone, or another stands in its place since it was opened.
    pub fn reader(&self) -> Result<PartReader> {
        let failed = |e| io_error("a part cannot be read", &self.path, &e);
        let file = File::open(&self.path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if read_trailer(&file).is_none_or(|trailer| trailer.checksum != self.checksum) {
            return Err(replaced(&self.path));
        }
        Ok(PartReader { file, length, path: self.path.clone() })
    }
}

/// A run of the job in another state, or of another version, may leave its parts while outputs are assembled from these.
pub fn replaced(path: &Path) -> Error {
    Error::new(
        ErrorKind::Io,
        "a part was replaced by that of another state of the job while outputs were assembled",
    )
    .at(path.display())
    .help("let nothing else run in the output folder, and run the job again; nothing was published")
}

/// An open part.
#[derive(Debug)]
pub struct PartReader {
    file: File,
    length: u64,
    path: PathBuf,
}

impl PartReader {
    /// Reads bytes of a block or of cells.
    ///
    /// # Errors
    /// Io: the part cannot be read.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(Error::new(ErrorKind::Io, "a part ends too early")
                .at(self.path.display())
                .found(format!("{length} bytes from byte {offset} on, in {}", self.length))
                .help("remove it and run again"));
        }
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|e| io_error("a part cannot be read", &self.path, &e))?;
        Ok(bytes)
    }
}

type Checksum = [u8; 32];

/// The last bytes of a part.
struct Trailer {
    footer_length: u64,
    /// Of all that stands before it.
    checksum: Checksum,
    /// Where it begins.
    at: u64,
}

fn read_trailer(file: &File) -> Option<Trailer> {
    let at = file.metadata().ok()?.len().checked_sub(TRAILER)?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, at).ok()?;
    let (footer_length, rest) = trailer.split_first_chunk()?;
    let (checksum, magic) = rest.split_first_chunk()?;
    let footer_length = u64::from_le_bytes(*footer_length);
    (magic == MAGIC).then_some(Trailer { footer_length, checksum: *checksum, at })
}

fn read_footer(file: &mut File, verify: bool) -> Option<(PartFooter, Checksum)> {
    let Trailer { footer_length, checksum, at } = read_trailer(file)?;
    if verify {
        let mut hasher = Sha256::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        std::io::copy(&mut Read::by_ref(file).take(at + 8), &mut hasher).ok()?;
        if hasher.finalize()[..] != checksum {
            return None;
        }
    }
    let start = at.checked_sub(footer_length)?;
    let mut json = vec![0; usize::try_from(footer_length).ok()?];
    file.read_exact_at(&mut json, start).ok()?;
    Some((serde_json::from_slice(&json).ok()?, checksum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer() -> PartFooter {
        PartFooter {
            task_id: "abc".into(),
            window: Window::whole(1, 2),
            products: vec![PartProduct { blocks: vec![vec![(0, 3)]], ..PartProduct::default() }],
            tables: PartTables {
                pairs: vec![vec![(1, 0, 0, Some(3), None, Amount { pixels: u64::MAX, area_mm2: u128::MAX })]],
                ..PartTables::default()
            },
            reasons: BTreeMap::from([("version".into(), "1".into())]),
            content: String::new(),
        }
    }

    fn written(path: &Path, bytes: &[u8], footer: PartFooter) -> Result<()> {
        let mut writer = PartWriter::create(path).unwrap();
        writer.append(bytes).unwrap();
        writer.commit(footer)
    }

    #[test]
    fn the_second_of_two_equal_parts_is_dropped_and_of_two_unequal_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.part");
        written(&path, b"xyz", footer()).unwrap();
        let first = std::fs::read(&path).unwrap();
        // What the inputs are called may differ from machine to machine.
        let renamed = PartFooter { reasons: BTreeMap::from([("b".into(), "2".into())]), ..footer() };
        written(&path, b"xyz", renamed).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        let mut other_tables = footer();
        other_tables.tables.zone_overlaps = vec![1];
        for conflict in [written(&path, b"xyZ", footer()), written(&path, b"xyz", other_tables)] {
            assert_eq!(conflict.unwrap_err().kind(), ErrorKind::Conflict);
        }
        assert_eq!(std::fs::read(&path).unwrap(), first);
        // Another task, as when an input changed, replaces the part; so does any whole part a torn one.
        written(&path, b"new", PartFooter { task_id: "other".into(), ..footer() }).unwrap();
        assert_eq!(Part::open(&path, true).unwrap().footer.task_id, "other");
        super::super::atomic::write_bytes(&path, &first[..20]).unwrap();
        written(&path, b"xyz", footer()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_part_that_another_took_the_place_of_is_not_read_as_the_one_that_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.part");
        written(&path, b"cells", footer()).unwrap();
        let part = Part::open(&path, false).unwrap();
        // The same once more is no other.
        std::fs::remove_file(&path).unwrap();
        assert_eq!(part.reader().unwrap_err().kind(), ErrorKind::Io);
        written(&path, b"cells", footer()).unwrap();
        assert_eq!(part.reader().unwrap().read(0, 5).unwrap(), b"cells");
        written(&path, b"other", PartFooter { task_id: "other".into(), ..footer() }).unwrap();
        assert!(part.reader().unwrap_err().to_string().contains("was replaced"));
    }

    #[test]
    fn a_part_reads_back_and_any_flipped_or_missing_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.part");
        let mut writer = PartWriter::create(&path).unwrap();
        assert_eq!(writer.append(b"xyz").unwrap(), 0);
        writer.commit(footer()).unwrap();
        let part = Part::open(&path, true).unwrap();
        assert_eq!(part.reader().unwrap().read(0, 3).unwrap(), b"xyz");
        assert_eq!(part.footer.tables.pairs, footer().tables.pairs);
        // A footer that asks for more than there is costs no memory and no overflow.
        let reader = part.reader().unwrap();
        assert!(reader.read(u64::MAX, usize::MAX).is_err() && reader.read(0, usize::MAX / 2).is_err());
        let cells =
            PartCells { level: 1, rows: usize::MAX, cols: usize::MAX, cell_bytes: 4, offset: u64::MAX };
        assert!(cells.read_row(&reader, usize::MAX, 9, usize::MAX).is_err());

        let whole = std::fs::read(&path).unwrap();
        let damaged = folder.path().join("b.part");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            super::super::atomic::write_bytes(&damaged, &bytes).unwrap();
            assert_eq!(Part::open(&damaged, true).map(|_| ()), Err(PartFault::Torn), "flipped byte {at}");
            super::super::atomic::write_bytes(&damaged, &whole[..at]).unwrap();
            assert_eq!(Part::open(&damaged, true).map(|_| ()), Err(PartFault::Torn), "cut at {at}");
        }
        assert_eq!(Part::open(&folder.path().join("none"), true).map(|_| ()), Err(PartFault::Missing));
    }
}
