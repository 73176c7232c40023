//! The grids of a job: one, or several that share one set of tables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::file::{Extent, GridFile, OutsideGrid, SourceFile};
use super::job::slug_violation;
use super::shipped::{self, NamedGrid};
use crate::error::{Error, Result};
use crate::io::place;

/// The longest side of a grid of one's own, in cells: four times that of the 30 m grid.
const LARGEST_SIDE: usize = 1 << 20;

/// `[grid]`, or `[[grid]]` for each of several.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum GridsFile {
    /// The one grid of most jobs.
    One(Box<GridFile>),
    /// Several, in the order of the file.
    Several(Vec<GridFile>),
}

impl GridsFile {
    /// All of them.
    pub fn all(&self) -> &[GridFile] {
        match self {
            Self::One(grid) => std::slice::from_ref(grid),
            Self::Several(grids) => grids,
        }
    }
}

// By hand, as serde forgets the words on an unknown key when it may try another form.
impl<'de> Deserialize<'de> for GridsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Grids;

        impl<'de> Visitor<'de> for Grids {
            type Value = GridsFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("[grid], or [[grid]] for each of several")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<GridsFile, A::Error> {
                GridFile::deserialize(MapAccessDeserializer::new(map)).map(|g| GridsFile::One(Box::new(g)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<GridsFile, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(GridsFile::Several)
            }
        }

        deserializer.deserialize_any(Grids)
    }
}

/// Where cells of the product lie.
#[derive(Debug, Clone)]
pub struct JobGrid {
    /// Identifier; every one of several has one.
    pub id: Option<String>,
    /// The lattice, and which part of it.
    pub choice: GridChoice,
    /// What to do with valid source cells outside it.
    pub outside_grid: OutsideGrid,
}

/// A lattice, and which part of it.
#[derive(Debug, Clone)]
pub enum GridChoice {
    /// On a grid with a name, or one of the job's own.
    Named {
        /// The grid.
        grid: Box<NamedGrid>,
        /// Which part of it.
        extent: Extent,
    },
    /// On the first input's own lattice, over the union of all inputs.
    OfInputs,
}

impl GridChoice {
    /// Whether inputs of another CRS or lattice are taken onto the grid unasked.
    pub fn takes_any_crs(&self) -> bool {
        matches!(self, Self::Named { .. })
    }
}

/// The grids of a job file as they are meant.
#[derive(Debug, Default)]
pub struct Grids {
    /// The grids, in the order of the file.
    pub grids: Vec<JobGrid>,
    /// Position of the grid of each source.
    pub of_sources: Vec<usize>,
    /// What contradicts itself.
    pub violations: Vec<String>,
}

/// Works out which grids a job has and which of them each source lies on.
///
/// # Errors
/// Usage: no such preset.
pub fn resolve(file: &GridsFile, sources: &[SourceFile], folder: &Path) -> Result<Grids> {
    let files = file.all();
    let mut resolved = Grids::default();
    let several = files.len() > 1;
    if files.is_empty() {
        resolved.violations.push("there is no [grid]".into());
    }
    for (position, file) in files.iter().enumerate() {
        let at = match (&file.id, several) {
            (Some(id), true) => format!("grid `{id}`: "),
            (None, true) => format!("grid {}: ", position + 1),
            (_, false) => String::new(),
        };
        match &file.id {
            Some(id) => {
                resolved.violations.extend(slug_violation("grid.id", id));
                // They become parts of file names, which some file systems do not tell apart by case.
                let same = |other: &GridFile| other.id.as_ref().is_some_and(|o| o.eq_ignore_ascii_case(id));
                if files[..position].iter().any(same) {
                    resolved.violations.push(format!("two grids have the id `{id}`"));
                }
            }
            None if several => resolved
                .violations
                .push(format!("{at}`id` is missing; with several grids, sources and files name them by it")),
            None => {}
        }
        let (choice, violations) = choice(file, folder)?;
        resolved.violations.extend(violations.into_iter().map(|violation| format!("{at}{violation}")));
        let choice = choice.unwrap_or(GridChoice::OfInputs);
        resolved.grids.push(JobGrid { id: file.id.clone(), choice, outside_grid: file.outside_grid });
    }
    resolved.assign(files, sources);
    Ok(resolved)
}

impl Grids {
    /// Says which grid each source lies on: the one it names, or the only one.
    fn assign(&mut self, files: &[GridFile], sources: &[SourceFile]) {
        let known: Vec<&str> = files.iter().filter_map(|file| file.id.as_deref()).collect();
        for source in sources {
            let position = match &source.grid {
                Some(id) => files.iter().position(|file| file.id.as_ref() == Some(id)),
                None => (files.len() == 1).then_some(0),
            };
            match (&source.grid, position) {
                (Some(id), None) if known.is_empty() => self.violations.push(format!(
                    "source `{}`: no grid has the id `{id}`: give [grid] an `id`, or leave `grid` out",
                    source.id
                )),
                (Some(id), None) => self.violations.push(format!(
                    "source `{}`: no grid has the id `{id}`; those of the job are {}",
                    source.id,
                    known.join(", ")
                )),
                (None, None) if !files.is_empty() => self.violations.push(format!(
                    "source `{}`: `grid` is missing; of several grids a source lies on one: {}",
                    source.id,
                    known.join(", ")
                )),
                _ => {}
            }
            self.of_sources.push(position.unwrap_or(0));
        }
        if files.len() < 2 {
            return;
        }
        for id in known {
            if !sources.iter().any(|source| source.grid.as_deref() == Some(id)) {
                self.violations.push(format!("no source lies on the grid `{id}`"));
            }
        }
    }
}

/// A grid and the part of it that a table of the job file means; what contradicts itself in it.
fn choice(file: &GridFile, folder: &Path) -> Result<(Option<GridChoice>, Vec<String>)> {
    let mut violations = Vec::new();
    let mut check = |holds: bool, violation: String| violations.extend((!holds).then_some(violation));
    let own = (&file.crs, file.origin, file.cell_size_m, file.shape);
    let grid = match (&file.preset, own) {
        (Some(preset), (None, None, None, None)) => shipped::grid(preset, folder)?,
        (None, (Some(crs), Some(origin), Some(cell_size_m), Some(shape))) => {
            let fits = |n: usize| (1..=LARGEST_SIDE).contains(&n);
            check(
                cell_size_m > 0.0 && cell_size_m.is_finite() && shape.into_iter().all(fits),
                format!("grid.cell_size_m must be positive and grid.shape within 1..={LARGEST_SIDE}"),
            );
            check(origin.iter().all(|v| v.is_finite()), "grid.origin must be finite".into());
            NamedGrid {
                id: "own".into(),
                title: "the job's own grid".into(),
                source: "the job file".into(),
                origin,
                cell_size_m,
                shape,
                crs: crs.clone(),
                extents: BTreeMap::new(),
            }
        }
        _ => {
            check(
                false,
                "[grid] takes either `preset`, or all of `crs`, `origin`, `cell_size_m` and `shape`".into(),
            );
            return Ok((None, violations));
        }
    };
    if let Extent::Word(word) = &file.extent {
        let known: Vec<&str> =
            ["inputs", "full"].into_iter().chain(grid.extents.keys().map(String::as_str)).collect();
        check(
            known.contains(&word.as_str()),
            format!(
                "grid.extent `{word}` is none of {}, {{ like = FILE }} or [xmin, ymin, xmax, ymax]",
                known.join(", ")
            ),
        );
    }
    if let Extent::Bounds(bounds) = &file.extent {
        let [xmin, ymin, xmax, ymax] = bounds;
        check(
            bounds.iter().all(|v| v.is_finite()) && xmin < xmax && ymin < ymax,
            "grid.extent must be finite, with xmin < xmax and ymin < ymax".into(),
        );
    }
    let extent = match &file.extent {
        Extent::Like { like } => {
            let like = place::beside(folder, like)
                .map_err(|e| Error::usage("grid.extent cannot be read").found(e))?;
            Extent::Like { like }
        }
        other => other.clone(),
    };
    Ok((Some(GridChoice::Named { grid: Box::new(grid), extent }), violations))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::JobFile;

    #[test]
    fn an_unknown_key_of_one_of_several_grids_is_told_by_name_and_line() {
        let text = "name = \"a\"\noutput = \"o\"\n[[grid]]\nid = \"a\"\npreset = \"nalcms-30m\"\n[[grid]]\nid = \"b\"\nextnet = \"full\"\n";
        let message = toml::from_str::<JobFile>(text).unwrap_err().to_string();
        assert!(message.contains("unknown field `extnet`") && message.contains("`extent`"), "{message}");
        assert!(message.contains("line 8"), "{message}");
    }

    #[test]
    fn every_contradiction_of_grids_and_sources_is_found() {
        let grid = "[[grid]]\npreset = \"nalcms-30m\"\n";
        let source = "[[source]]\n[source.epochs]\n2010 = \"a.tif\"\n";
        let named = |table: &str, keys: &str| table.replacen("]]\n", &format!("]]\n{keys}\n"), 1);
        let text = format!(
            "name = \"a\"\noutput = \"o\"\n{grid}{}{}{}{}{}{}",
            named(grid, "id = \"x\""),
            named(grid, "id = \"X\""),
            named(&grid.replace("preset", "extent"), "id = \"empty\""),
            named(source, "id = \"lost\""),
            named(source, "id = \"astray\"\ngrid = \"y\""),
            named(source, "id = \"sound\"\ngrid = \"x\""),
        );
        let file: JobFile = toml::from_str(&text).unwrap();
        let found = resolve(&file.grid, &file.sources, Path::new(".")).unwrap();
        let expected = [
            "grid 1: `id` is missing",
            "two grids have the id `X`",
            "grid `empty`: [grid] takes either `preset`",
            "source `lost`: `grid` is missing",
            "source `astray`: no grid has the id `y`",
            "no source lies on the grid `X`",
            "no source lies on the grid `empty`",
        ];
        assert_eq!(found.violations.len(), expected.len(), "{:#?}", found.violations);
        for (violation, expected) in found.violations.iter().zip(expected) {
            assert!(violation.starts_with(expected), "{violation}");
        }
        assert_eq!(found.of_sources, [0, 0, 1]);
    }
}
