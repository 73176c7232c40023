//! The zone layers of a job: polygons, rasters, and layers crossed with each other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::file::ZonesFile;
use crate::error::did_you_mean;
use crate::io::gdal::field_names;
use crate::io::place;

/// Layers that every job has, or every job whose sources name their country.
const OWN_LAYERS: [&str; 3] = ["all", SECTION, COUNTRY];
const SECTION: &str = "section";
const COUNTRY: &str = "country";

/// Endings of the rasters that are opened.
const RASTER_ENDINGS: [&str; 3] = ["tif", "tiff", "img"];

/// Whether a file is a raster, by the ending of its name.
pub fn is_raster(path: &Path) -> bool {
    place::ending(path).is_some_and(|ending| RASTER_ENDINGS.contains(&ending.as_str()))
}

/// A layer of zones to tabulate by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneLayer {
    /// Name in tables.
    pub id: String,
    /// Where its zones come from.
    pub origin: ZoneOrigin,
}

/// Where the zones of a layer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneOrigin {
    /// Polygons with a key each.
    Polygons {
        /// The file.
        path: PathBuf,
        /// Field that identifies a zone.
        key: String,
        /// Field that names it.
        name: Option<String>,
    },
    /// Cells whose value is the key.
    Raster {
        /// The file.
        path: PathBuf,
        /// Band with the keys, from 1; needed where there are several.
        band: Option<usize>,
    },
    /// Cells that polygons without a key, or a raster, hold: counted for a table of their own, and no layer of the others.
    Held {
        /// The file.
        path: PathBuf,
        /// Band of a raster, from 1; needed where there are several.
        band: Option<usize>,
    },
    /// Every combination of the zones of other layers, in this order.
    Crossed(Vec<Member>),
}

/// A layer that is crossed with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// The section of the source that decided a cell.
    Section,
    /// Its country.
    Country,
    /// A layer of the job, by position.
    Layer(usize),
}

impl ZoneLayer {
    /// The file, if it has one of its own.
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            ZoneOrigin::Polygons { path, .. }
            | ZoneOrigin::Raster { path, .. }
            | ZoneOrigin::Held { path, .. } => Some(path),
            ZoneOrigin::Crossed(_) => None,
        }
    }

    /// The layers it crosses, none if it is no crossed layer.
    pub fn members(&self) -> &[Member] {
        match &self.origin {
            ZoneOrigin::Crossed(members) => members,
            ZoneOrigin::Polygons { .. } | ZoneOrigin::Raster { .. } | ZoneOrigin::Held { .. } => &[],
        }
    }

    /// Whether tables are told by it.
    pub fn is_told(&self) -> bool {
        !matches!(self.origin, ZoneOrigin::Held { .. })
    }
}

impl Member {
    /// The identifier of the layer.
    pub fn id(self, layers: &[ZoneLayer]) -> &str {
        match self {
            Self::Section => SECTION,
            Self::Country => COUNTRY,
            Self::Layer(position) => layers.get(position).map_or("", |layer| layer.id.as_str()),
        }
    }
}

impl ZoneOrigin {
    /// Zones of a file: a raster's by the ending of its name, else polygons.
    ///
    /// # Errors
    /// What is missing or does not belong to a file of this kind, in words.
    pub fn of_file(
        path: PathBuf,
        key: Option<String>,
        name: Option<String>,
        band: Option<usize>,
    ) -> Result<Self, String> {
        let shown = path.display();
        if is_raster(&path) {
            return match key.or(name) {
                None => Ok(Self::Raster { path, band }),
                Some(field) => Err(format!(
                    "{shown} is a raster and has no field `{field}`: leave out `key` and `name`, the value of a cell is \
                     the key of its zone"
                )),
            };
        }
        if band.is_some() {
            return Err(format!("`band` is for rasters; {shown} is none"));
        }
        match key {
            Some(key) => Ok(Self::Polygons { path, key, name }),
            None => {
                let known = field_names(&path).map(|fields| format!(", one of {}", fields.join(", ")));
                Err(format!(
                    "`key` is missing: the field of {shown} that identifies a zone{}",
                    known.unwrap_or_default()
                ))
            }
        }
    }
}

/// Works out what the zone layers of a job file mean; paths are relative to a folder. The second list says what
/// cannot be meant.
pub fn resolve(files: &[ZonesFile], folder: &Path, has_countries: bool) -> (Vec<ZoneLayer>, Vec<String>) {
    let (mut layers, mut violations) = (Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    for file in files {
        if OWN_LAYERS.contains(&file.id.as_str()) {
            violations.push(format!("the zone layer id `{}` is taken by this program's own layers", file.id));
        }
        if file.id.is_empty() {
            violations.push("a zone layer has an empty id".into());
        }
        if !ids.insert(&file.id) {
            violations.push(format!("two zone layers have the id `{}`", file.id));
        }
        match origin(file, files, folder, has_countries) {
            Ok(origin) => layers.push(ZoneLayer { id: file.id.clone(), origin }),
            Err(found) => violations.extend(found.into_iter().map(|v| format!("zones `{}`: {v}", file.id))),
        }
    }
    (layers, violations)
}

fn origin(
    file: &ZonesFile,
    files: &[ZonesFile],
    folder: &Path,
    has_countries: bool,
) -> Result<ZoneOrigin, Vec<String>> {
    let of_file = |path: &PathBuf| {
        let path = place::beside(folder, path)?;
        ZoneOrigin::of_file(path, file.key.clone(), file.name.clone(), file.band)
    };
    match (&file.path, &file.by) {
        (Some(path), None) => of_file(path).map_err(|violation| vec![violation]),
        (None, Some(by)) if file.key.is_none() && file.name.is_none() && file.band.is_none() => {
            members(&file.id, by, files, has_countries).map(ZoneOrigin::Crossed)
        }
        (_, Some(_)) => Err(vec![
            "`by` crosses other layers: `path`, `key`, `name` and `band` do not go with it; cross a layer of this \
             file in a [[zones]] of its own"
                .into(),
        ]),
        (None, None) => {
            Err(vec!["`path` is missing: a polygon layer or a raster; or `by`: the layers to cross".into()])
        }
    }
}

/// The layers that a crossed layer names.
fn members(
    id: &str,
    by: &[String],
    files: &[ZonesFile],
    has_countries: bool,
) -> Result<Vec<Member>, Vec<String>> {
    let (mut members, mut violations) = (Vec::new(), Vec::new());
    for name in by {
        let position = files.iter().position(|file| file.id == *name);
        let member = match (name.as_str(), position) {
            (SECTION, _) => Some(Member::Section),
            (COUNTRY, _) => {
                if !has_countries {
                    violations.push("`by` names `country`, but no source has a `country`".into());
                }
                Some(Member::Country)
            }
            (_, Some(position)) if files[position].by.is_none() => Some(Member::Layer(position)),
            (_, Some(_)) => {
                violations.push(format!(
                    "`by` names `{name}`, which is crossed itself: name the layers it crosses"
                ));
                None
            }
            (_, None) => {
                violations.push(unknown_member(id, name, files));
                None
            }
        };
        if let Some(member) = member {
            if members.contains(&member) {
                violations.push(format!("`by` names `{name}` twice"));
            }
            members.push(member);
        }
    }
    if by.len() < 2 {
        violations.push("`by` names too few layers: crossing needs at least two".into());
    }
    if violations.is_empty() { Ok(members) } else { Err(violations) }
}

fn unknown_member(id: &str, name: &str, files: &[ZonesFile]) -> String {
    let own = files.iter().filter(|file| file.by.is_none() && file.id != id).map(|file| file.id.as_str());
    let known: Vec<&str> = [SECTION, COUNTRY].into_iter().chain(own).collect();
    let hint = did_you_mean(name, known.iter().copied());
    format!(
        "`by` names `{name}`, which is no layer of the job; it may name {}{}",
        known.join(", "),
        hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<ZonesFile> {
        #[derive(serde::Deserialize)]
        struct Zones {
            zones: Vec<ZonesFile>,
        }
        toml::from_str::<Zones>(text).unwrap().zones
    }

    const LAYERS: &str = r#"
        [[zones]]
        id = "crossed"
        by = ["country", "basins", "parks"]
        [[zones]]
        id = "parks"
        path = "parks.gpkg"
        key = "code"
        name = "label"
        [[zones]]
        id = "basins"
        path = "basins.TIF"
        band = 2
    "#;

    #[test]
    fn polygons_rasters_and_crossed_layers_are_told_apart() {
        let (layers, violations) = resolve(&read(LAYERS), Path::new("here"), true);
        assert_eq!(violations, [""; 0]);
        let layer = |id: &str, origin| ZoneLayer { id: id.into(), origin };
        let polygons = ZoneOrigin::Polygons {
            path: "here/parks.gpkg".into(),
            key: "code".into(),
            name: Some("label".into()),
        };
        assert_eq!(
            layers,
            [
                layer(
                    "crossed",
                    ZoneOrigin::Crossed(vec![Member::Country, Member::Layer(2), Member::Layer(1)])
                ),
                layer("parks", polygons),
                layer("basins", ZoneOrigin::Raster { path: "here/basins.TIF".into(), band: Some(2) }),
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_told_all_at_once() {
        let more = r#"
            [[zones]]
            id = "section"
            path = "a.gpkg"
            [[zones]]
            id = "parks"
            path = "b.tif"
            key = "code"
            [[zones]]
            id = "c"
            by = ["parkz", "crossed", "section", "section"]
            [[zones]]
            id = "d"
            by = ["parks"]
            path = "d.tif"
            [[zones]]
            id = "e"
            [[zones]]
            id = "f"
            by = ["country"]
        "#;
        let (_, violations) = resolve(&read(&format!("{LAYERS}{more}")), Path::new(""), false);
        for words in [
            "zones `crossed`: `by` names `country`, but no source has a `country`",
            "the zone layer id `section` is taken",
            "zones `section`: `key` is missing: the field of a.gpkg",
            "two zone layers have the id `parks`",
            "zones `parks`: b.tif is a raster and has no field `code`",
            "zones `c`: `by` names `parkz`, which is no layer of the job; it may name section, country, parks, basins",
            "did you mean `parks`?",
            "zones `c`: `by` names `crossed`, which is crossed itself",
            "zones `c`: `by` names `section` twice",
            "zones `d`: `by` crosses other layers",
            "zones `e`: `path` is missing",
            "zones `f`: `by` names too few layers",
        ] {
            assert!(violations.iter().any(|v| v.contains(words)), "{words} is missing in {violations:#?}");
        }
    }
}
