//! Which section each place belongs to.

use std::collections::BTreeSet;

use ndarray::Array2;

use super::misfit::no_crs;
use super::sections::Sections;
use crate::config::job::{self, Job};
use crate::error::{Error, Result};
use crate::io::gdal::{CellKeys, FeatureLayer, open_features};
use crate::model::grid::Grid;
use crate::model::source::{Role, SourceIndex};
use crate::model::window::Window;

/// Who owns a cell: the position of a section + 1, or [`NOBODY`].
pub type Owner = u8;

/// No section: what lies there is masked.
pub const NOBODY: Owner = 0;

/// The polygons of the sections, in the CRS of a grid.
#[derive(Debug)]
pub struct Domain {
    /// The polygons.
    pub polygons: FeatureLayer,
    /// Widest strip that no section maps and that takes the nearest class, in cells.
    pub sliver_cells: usize,
    /// Sections, in the order of their first source.
    pub sections: Vec<String>,
    /// The owner that each key of the polygons stands for.
    owner_of_key: Vec<Owner>,
    owner_of_source: Vec<Owner>,
}

/// Who owns the cells of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owners {
    /// One owner of all.
    One(Owner),
    /// Each cell's.
    Each(Array2<Owner>),
}

impl Owners {
    /// The owner of a cell.
    pub fn at(&self, cell: (usize, usize)) -> Owner {
        match self {
            Self::One(owner) => *owner,
            Self::Each(owners) => owners[cell],
        }
    }
}

impl Domain {
    /// Opens the polygons of a job.
    ///
    /// # Errors
    /// Input: they cannot be read, or a section has none.
    pub fn of(job: &Job, domain: &job::Domain, grid: &Grid, warnings: &mut Vec<String>) -> Result<Self> {
        let crs = grid.crs.as_ref().ok_or_else(no_crs)?;
        let layer = domain;
        let polygons = open_features(&layer.path, &layer.key, None, crs, grid.cell_m())?;
        let sections = Sections::of(job);
        let owner = |name: &str| {
            sections.names().iter().position(|known| known == name).map_or(NOBODY, |at| at as Owner + 1)
        };
        let owner_of_key: Vec<Owner> = polygons.keys.iter().map(|(key, _)| owner(key)).collect();
        let named: BTreeSet<Owner> = owner_of_key.iter().copied().collect();
        let without: Vec<&String> =
            sections.names().iter().filter(|section| !named.contains(&owner(section))).collect();
        if !without.is_empty() {
            let keys: Vec<&str> = polygons.keys.iter().map(|(key, _)| key.as_str()).collect();
            return Err(Error::input("a section has no domain: nothing of it would be in the product")
                .at(layer.path.display())
                .found(format!("field `{}` holds {}", layer.key, keys.join(", ")))
                .expected(format!(
                    "polygons of {}",
                    without.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
                ))
                .help("name the polygons as the sections of the sources, or leave [domain] out"));
        }
        for (key, _) in polygons.keys.iter().filter(|(key, _)| owner(key) == NOBODY) {
            warnings.push(format!(
                "{}: no source is of section `{key}`; what lies in its domain is masked",
                layer.path.display()
            ));
        }
        let owner_of_source = job.sources.iter().map(|source| match source.role {
            // What stands in does so for a source that may decide the cell.
            Role::Fill(receiver, _) => owner(&job.sources[usize::from(receiver)].section),
            Role::Maps | Role::Fringe | Role::Official => owner(&source.section),
        });
        let owner_of_source = owner_of_source.collect();
        let (sliver_cells, sections) = (domain.sliver_cells, sections.names().to_vec());
        Ok(Self { polygons, sliver_cells, owner_of_key, owner_of_source, sections })
    }

    /// The owner whose cells a source may decide.
    pub fn owner(&self, source: SourceIndex) -> Owner {
        self.owner_of_source.get(usize::from(source)).copied().unwrap_or(NOBODY)
    }

    /// Who owns the cells of a window.
    ///
    /// # Errors
    /// Bug: GDAL cannot burn in memory.
    pub fn owners(&self, grid: &Grid, window: &Window) -> Result<Owners> {
        let owner = |key: u32| key.checked_sub(1).map_or(NOBODY, |key| self.owner_of_key[key as usize]);
        Ok(match self.polygons.burn(grid, window)?.cells {
            CellKeys::One(key) => Owners::One(owner(key)),
            CellKeys::Each(keys) => Owners::Each(keys.mapv(owner)),
        })
    }
}
