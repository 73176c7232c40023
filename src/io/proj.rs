//! Coordinate operations: one PROJ operation per pair of CRSs, chosen once and then used for every cell.
//!
//! GDAL picks an operation anew for every point where several exist; the choice would then depend on the point.
//! Here it is made once, for the centre of the source, with what is installed and without network, and its text
//! is part of every task's identity.

mod ffi;
mod session;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_int;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::sha256_file;
use crate::error::{Error, Result};
use crate::model::grid::Crs;
use session::{Session, Transformer, degrees_pipeline};

/// How the datums of two CRSs are brought together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Datum {
    /// By PROJ's best operation among those whose grids are installed.
    #[default]
    Best,
    /// Not at all: longitude and latitude are kept.
    Null,
}

/// A chosen operation: which of PROJ's candidates, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// WKT of the source.
    #[serde(skip)]
    from: String,
    /// WKT of the target.
    #[serde(skip)]
    to: String,
    /// Position among PROJ's candidates, best first; below 0 for one that is made from its text.
    #[serde(skip)]
    candidate: c_int,
    /// PROJ's name of it.
    pub name: String,
    /// Its PROJ string.
    pub text: String,
    /// The grids of shifts that it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grids: Vec<ShiftGrid>,
}

/// A grid of shifts between datums, as it is installed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShiftGrid {
    /// PROJ's name of it.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// Which way points go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the source's CRS to the target's.
    Forward,
    /// From the target's CRS to the source's.
    Inverse,
}

impl Operation {
    /// Chooses the operation between two CRSs: PROJ's best whose area of use holds a point of the source.
    ///
    /// # Errors
    /// Input: PROJ knows no way between the two.
    pub fn choose(from: &Crs, to: &Crs, x: f64, y: f64) -> Result<Self> {
        let none = || {
            Error::input("PROJ knows no way between two CRSs").found(format!("{} to {}", from.name, to.name))
        };
        let (longitude, latitude) = geographic_point(from, x, y).unwrap_or((0.0, 0.0));
        let session = Session::of(&from.wkt, &to.wkt).ok_or_else(none)?;
        let holds = |candidate: &c_int| session.area_holds(*candidate, longitude, latitude);
        let candidate =
            (0..session.count()).find(holds).or((session.count() > 0).then_some(0)).ok_or_else(none)?;
        let (name, text) = session.describe(candidate).ok_or_else(none)?;
        let read = session.grids(candidate).into_iter().filter_map(|grid| Some((grid.name, grid.path?)));
        let grids = read.map(|(name, path)| Ok(ShiftGrid { name, sha256: sha256_file(&path)? }));
        let grids = grids.collect::<Result<_>>()?;
        Ok(Self { from: from.wkt.clone(), to: to.wkt.clone(), candidate, name, text, grids })
    }

    /// All of it that decides where points go, beside PROJ's own version.
    pub fn identity(&self) -> Value {
        json!([self.name, self.text, self.grids])
    }

    /// The operation between two CRSs that keeps longitude and latitude, whatever the datums.
    ///
    /// # Errors
    /// Input: PROJ cannot take one of them to longitude and latitude.
    pub fn keeping_degrees(from: &Crs, to: &Crs) -> Result<Self> {
        let none = |crs: &Crs| {
            Error::input("PROJ cannot take a CRS to longitude and latitude").found(crs.name.clone())
        };
        let there = degrees_pipeline(&from.wkt, Direction::Forward).ok_or_else(|| none(from))?;
        let back = degrees_pipeline(&to.wkt, Direction::Inverse).ok_or_else(|| none(to))?;
        Ok(Self {
            from: from.wkt.clone(),
            to: to.wkt.clone(),
            candidate: -1,
            name: "longitude and latitude kept, no change of datum".into(),
            text: format!("+proj=pipeline {there} {back}"),
            grids: Vec::new(),
        })
    }

    /// What would be more accurate at a point of the source, were its grids installed: its name and its grids.
    pub fn better_with_grids(&self, x: f64, y: f64, source: &Crs) -> Option<String> {
        let chosen = Session::of(&self.from, &self.to)?.accuracy(self.candidate)?;
        let (longitude, latitude) = geographic_point(source, x, y)?;
        let all = Session::new(&self.from, &self.to, ffi::IGNORE_GRIDS)?;
        let better = |candidate: &c_int| {
            all.area_holds(*candidate, longitude, latitude)
                && all.accuracy(*candidate).is_some_and(|accuracy| accuracy < chosen)
        };
        (0..all.count()).filter(better).find_map(|candidate| {
            let missing = all.grids(candidate).into_iter().filter(|grid| grid.path.is_none());
            let missing: Vec<String> = missing.map(|grid| grid.name).collect();
            let (accuracy, (name, _)) = (all.accuracy(candidate)?, all.describe(candidate)?);
            (!missing.is_empty()).then(|| {
                format!(
                    "{name}, accurate to {accuracy} m instead of {chosen} m, needs {}",
                    missing.join(", ")
                )
            })
        })
    }

    /// PROJ's name of it for people; a projection that its CRS does not name is called so.
    pub fn words(&self) -> String {
        self.name.replace("unknown", "an unnamed projection")
    }

    /// Takes points in place; those it cannot carry become infinite.
    ///
    /// # Errors
    /// Bug: PROJ cannot build the operation that it offered at plan time.
    pub fn transform(&self, direction: Direction, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        thread_local! {
            static OPEN: RefCell<BTreeMap<(String, String, c_int), Transformer>> = const { RefCell::new(BTreeMap::new()) };
        }
        OPEN.with_borrow_mut(|open| {
            let key = (self.from.clone(), self.to.clone(), self.candidate);
            if !open.contains_key(&key) {
                let session = Session::of(&self.from, &self.to);
                let transformer = session.and_then(|session| match self.candidate {
                    0.. => Transformer::new(session, self.candidate),
                    _ => Transformer::of_text(session, &self.text),
                });
                open.insert(
                    key.clone(),
                    transformer.ok_or_else(|| Error::bug(format!("PROJ lost {}", self.name)))?,
                );
            }
            if let Some(transformer) = open.get_mut(&key) {
                transformer.apply(direction, xs, ys);
            }
            Ok(())
        })
    }
}

/// Longitude and latitude of a projected point, in degrees of its own datum.
fn geographic_point(crs: &Crs, x: f64, y: f64) -> Option<(f64, f64)> {
    if crs.geographic {
        return Some((x - ((x + 180.0) / 360.0).floor() * 360.0, y));
    }
    let mut transformer = Transformer::new(Session::of(&crs.wkt, "OGC:CRS84")?, 0)?;
    let (mut xs, mut ys) = ([x], [y]);
    transformer.apply(Direction::Forward, &mut xs, &mut ys);
    (xs[0].is_finite() && ys[0].is_finite()).then_some((xs[0], ys[0]))
}

/// The version of PROJ that the program was compiled against.
pub const BUILT_WITH: &str = env!("PROJ_BUILT_WITH");

/// PROJ's version at run time, such as "9.1.1".
#[expect(unsafe_code, reason = "PROJ is a C library")]
pub fn version() -> String {
    // SAFETY: the function takes nothing and gives a structure by value, whose numbers alone are read.
    let info = unsafe { ffi::proj_info() };
    format!("{}.{}.{}", info.major, info.minor, info.patch)
}
