//! Coordinate operations: one PROJ operation per pair of CRSs, chosen once and then used for every cell.
//!
//! GDAL picks an operation anew for every point where several exist; the choice would then depend on the point.
//! Here it is made once, for the centre of the source, with what is installed and without network, and its text
//! is part of every task's identity.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};
use std::path::PathBuf;
use std::ptr;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::sha256_file;
use crate::error::{Error, Result};
use crate::model::grid::Crs;

/// PROJ's C interface, as far as it is used. Source: <https://proj.org/en/9.1/development/reference/functions.html>.
#[expect(unsafe_code, reason = "PROJ is a C library")]
mod ffi {
    use super::{c_char, c_double, c_int, c_void};

    pub type Pj = c_void;

    /// `PJ_INFO`.
    #[repr(C)]
    pub struct Info {
        pub major: c_int,
        pub minor: c_int,
        pub patch: c_int,
        pub release: *const c_char,
        pub version: *const c_char,
        pub searchpath: *const c_char,
        pub paths: *const *const c_char,
        pub path_count: usize,
    }

    unsafe extern "C" {
        pub fn proj_info() -> Info;
        pub fn proj_context_create() -> *mut c_void;
        pub fn proj_context_destroy(context: *mut c_void) -> *mut c_void;
        pub fn proj_context_set_enable_network(context: *mut c_void, enable: c_int) -> c_int;
        pub fn proj_log_level(context: *mut c_void, level: c_int) -> c_int;
        pub fn proj_create(context: *mut c_void, definition: *const c_char) -> *mut Pj;
        pub fn proj_destroy(pj: *mut Pj) -> *mut Pj;
        pub fn proj_create_operation_factory_context(
            context: *mut c_void,
            authority: *const c_char,
        ) -> *mut c_void;
        pub fn proj_operation_factory_context_destroy(factory: *mut c_void);
        pub fn proj_operation_factory_context_set_spatial_criterion(
            context: *mut c_void,
            factory: *mut c_void,
            criterion: c_int,
        );
        pub fn proj_operation_factory_context_set_grid_availability_use(
            context: *mut c_void,
            factory: *mut c_void,
            usage: c_int,
        );
        pub fn proj_create_operations(
            context: *mut c_void,
            source: *const Pj,
            target: *const Pj,
            factory: *const c_void,
        ) -> *mut c_void;
        pub fn proj_list_get_count(list: *const c_void) -> c_int;
        pub fn proj_list_get(context: *mut c_void, list: *const c_void, index: c_int) -> *mut Pj;
        pub fn proj_list_destroy(list: *mut c_void);
        pub fn proj_normalize_for_visualization(context: *mut c_void, pj: *const Pj) -> *mut Pj;
        pub fn proj_get_area_of_use(
            context: *mut c_void,
            pj: *const Pj,
            west: *mut c_double,
            south: *mut c_double,
            east: *mut c_double,
            north: *mut c_double,
            name: *mut *const c_char,
        ) -> c_int;
        pub fn proj_get_name(pj: *const Pj) -> *const c_char;
        pub fn proj_crs_get_geodetic_crs(context: *mut c_void, crs: *const Pj) -> *mut Pj;
        pub fn proj_coordoperation_get_accuracy(context: *mut c_void, operation: *const Pj) -> c_double;
        pub fn proj_coordoperation_get_grid_used_count(context: *mut c_void, operation: *const Pj) -> c_int;
        pub fn proj_coordoperation_get_grid_used(
            context: *mut c_void,
            operation: *const Pj,
            index: c_int,
            short_name: *mut *const c_char,
            full_name: *mut *const c_char,
            package_name: *mut *const c_char,
            url: *mut *const c_char,
            direct_download: *mut c_int,
            open_license: *mut c_int,
            available: *mut c_int,
        ) -> c_int;
        pub fn proj_as_proj_string(
            context: *mut c_void,
            pj: *const Pj,
            kind: c_int,
            options: *const *const c_char,
        ) -> *const c_char;
        pub fn proj_trans_generic(
            pj: *mut Pj,
            direction: c_int,
            x: *mut c_double,
            step_x: usize,
            count_x: usize,
            y: *mut c_double,
            step_y: usize,
            count_y: usize,
            z: *mut c_double,
            step_z: usize,
            count_z: usize,
            t: *mut c_double,
            step_t: usize,
            count_t: usize,
        ) -> usize;
    }

    pub const FORWARD: c_int = 1;
    pub const INVERSE: c_int = -1;
    /// `PROJ_SPATIAL_CRITERION_PARTIAL_INTERSECTION`.
    pub const PARTIAL_INTERSECTION: c_int = 1;
    /// `PROJ_GRID_AVAILABILITY_DISCARD_OPERATION_IF_MISSING_GRID`.
    pub const DISCARD_IF_MISSING_GRID: c_int = 1;
    /// `PROJ_GRID_AVAILABILITY_IGNORED`.
    pub const IGNORE_GRIDS: c_int = 2;
    /// `PJ_PROJ_5`.
    pub const PROJ_5: c_int = 0;
    /// `PJ_LOG_NONE`.
    pub const LOG_NONE: c_int = 0;
}

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

/// A grid that an operation needs.
struct NamedGrid {
    name: String,
    /// Where it is installed; none where it is not.
    path: Option<PathBuf>,
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

/// The steps of a pipeline that takes a CRS to its own longitude and latitude in degrees, or back.
#[expect(unsafe_code, reason = "PROJ is a C library")]
fn degrees_pipeline(crs: &str, direction: Direction) -> Option<String> {
    let crs = CString::new(crs).ok()?;
    // SAFETY: every pointer handed to PROJ is either a live NUL-terminated string or came from PROJ, and null results are
    // checked before use; the text is copied before its operation and their context are destroyed, each once.
    unsafe {
        let context = ffi::proj_context_create();
        if context.is_null() {
            return None;
        }
        ffi::proj_log_level(context, ffi::LOG_NONE);
        ffi::proj_context_set_enable_network(context, 0);
        let projected = ffi::proj_create(context, crs.as_ptr());
        let mut steps = None;
        if !projected.is_null() {
            let geodetic = ffi::proj_crs_get_geodetic_crs(context, projected);
            if !geodetic.is_null() {
                let (from, to) = match direction {
                    Direction::Forward => (projected, geodetic),
                    Direction::Inverse => (geodetic, projected),
                };
                let factory = ffi::proj_create_operation_factory_context(context, ptr::null());
                let list = ffi::proj_create_operations(context, from, to, factory);
                ffi::proj_operation_factory_context_destroy(factory);
                if !list.is_null() {
                    let raw = ffi::proj_list_get(context, list, 0);
                    if !raw.is_null() {
                        let pj = ffi::proj_normalize_for_visualization(context, raw);
                        if !pj.is_null() {
                            let text = ffi::proj_as_proj_string(context, pj, ffi::PROJ_5, ptr::null());
                            if !text.is_null() {
                                steps = Some(steps_of(&CStr::from_ptr(text).to_string_lossy()));
                            }
                            ffi::proj_destroy(pj);
                        }
                        ffi::proj_destroy(raw);
                    }
                    ffi::proj_list_destroy(list);
                }
                ffi::proj_destroy(geodetic);
            }
            ffi::proj_destroy(projected);
        }
        ffi::proj_context_destroy(context);
        steps
    }
}

/// The steps of a pipeline, or the one step that a PROJ string is.
fn steps_of(text: &str) -> String {
    match text.strip_prefix("+proj=pipeline") {
        Some(steps) => steps.trim().to_string(),
        None => format!("+step {text}"),
    }
}

/// PROJ's candidates for a pair of CRSs. Belongs to one thread.
struct Session {
    context: *mut c_void,
    list: *mut c_void,
}

#[expect(unsafe_code, reason = "PROJ is a C library")]
impl Session {
    /// The candidates for a pair, looked up in PROJ's database once per thread: a look-up takes milliseconds, and
    /// thousands of tiles share a few CRSs.
    fn of(from: &str, to: &str) -> Option<Rc<Self>> {
        thread_local! {
            static KNOWN: RefCell<BTreeMap<(String, String), Rc<Session>>> = const { RefCell::new(BTreeMap::new()) };
        }
        KNOWN.with_borrow_mut(|known| {
            let key = (from.to_string(), to.to_string());
            if let Some(session) = known.get(&key) {
                return Some(session.clone());
            }
            let session = Rc::new(Self::new(from, to, ffi::DISCARD_IF_MISSING_GRID)?);
            known.insert(key, session.clone());
            Some(session)
        })
    }

    fn new(from: &str, to: &str, grids: c_int) -> Option<Self> {
        let (from, to) = (CString::new(from).ok()?, CString::new(to).ok()?);
        // SAFETY: every pointer handed to PROJ is either a live NUL-terminated string or came from PROJ; objects are
        // destroyed once, after their last use; null results are checked before use.
        unsafe {
            let context = ffi::proj_context_create();
            if context.is_null() {
                return None;
            }
            ffi::proj_log_level(context, ffi::LOG_NONE);
            ffi::proj_context_set_enable_network(context, 0);
            let source = ffi::proj_create(context, from.as_ptr());
            let target = ffi::proj_create(context, to.as_ptr());
            let factory = ffi::proj_create_operation_factory_context(context, ptr::null());
            let mut list = ptr::null_mut();
            if !source.is_null() && !target.is_null() && !factory.is_null() {
                ffi::proj_operation_factory_context_set_spatial_criterion(
                    context,
                    factory,
                    ffi::PARTIAL_INTERSECTION,
                );
                ffi::proj_operation_factory_context_set_grid_availability_use(context, factory, grids);
                list = ffi::proj_create_operations(context, source, target, factory);
            }
            if !factory.is_null() {
                ffi::proj_operation_factory_context_destroy(factory);
            }
            ffi::proj_destroy(source);
            ffi::proj_destroy(target);
            let session = Self { context, list };
            (!list.is_null()).then_some(session)
        }
    }

    fn count(&self) -> c_int {
        // SAFETY: the list is not null (checked in `new`) and lives as long as the session.
        unsafe { ffi::proj_list_get_count(self.list) }
    }

    fn area_holds(&self, candidate: c_int, longitude: f64, latitude: f64) -> bool {
        let (mut west, mut south, mut east, mut north) = (0.0, 0.0, 0.0, 0.0);
        // SAFETY: the candidate is destroyed after use; PROJ writes four doubles through the pointers.
        let known = unsafe {
            let pj = ffi::proj_list_get(self.context, self.list, candidate);
            if pj.is_null() {
                return false;
            }
            let known = ffi::proj_get_area_of_use(
                self.context,
                pj,
                &mut west,
                &mut south,
                &mut east,
                &mut north,
                ptr::null_mut(),
            );
            ffi::proj_destroy(pj);
            known != 0
        };
        // An area without bounds (-1000) holds everything; one that crosses the antimeridian has west > east.
        if !known || west < -999.0 {
            return true;
        }
        let in_longitude = if west <= east {
            (west..=east).contains(&longitude)
        } else {
            longitude >= west || longitude <= east
        };
        in_longitude && (south..=north).contains(&latitude)
    }

    /// What PROJ says of a candidate's error, in metres.
    fn accuracy(&self, candidate: c_int) -> Option<f64> {
        // SAFETY: the candidate is destroyed after use.
        let accuracy = unsafe {
            let pj = ffi::proj_list_get(self.context, self.list, candidate);
            if pj.is_null() {
                return None;
            }
            let accuracy = ffi::proj_coordoperation_get_accuracy(self.context, pj);
            ffi::proj_destroy(pj);
            accuracy
        };
        (accuracy >= 0.0).then_some(accuracy)
    }

    /// The grids of a candidate.
    fn grids(&self, candidate: c_int) -> Vec<NamedGrid> {
        let mut grids = Vec::new();
        // SAFETY: names belong to the candidate and are copied before it is destroyed; what is not asked for is null.
        unsafe {
            let pj = ffi::proj_list_get(self.context, self.list, candidate);
            if pj.is_null() {
                return grids;
            }
            let copy = |text: *const c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
            for index in 0..ffi::proj_coordoperation_get_grid_used_count(self.context, pj) {
                let (mut name, mut path, mut available) = (ptr::null(), ptr::null(), 0);
                let known = ffi::proj_coordoperation_get_grid_used(
                    self.context,
                    pj,
                    index,
                    &mut name,
                    &mut path,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    &mut available,
                );
                if known != 0 && !name.is_null() {
                    let is_here = available != 0 && !path.is_null();
                    let path = is_here.then(|| copy(path)).filter(|path| !path.is_empty());
                    grids.push(NamedGrid { name: copy(name), path: path.map(PathBuf::from) });
                }
            }
            ffi::proj_destroy(pj);
        }
        grids
    }

    fn describe(&self, candidate: c_int) -> Option<(String, String)> {
        // SAFETY: strings belong to the candidate and are copied before it is destroyed.
        unsafe {
            let pj = ffi::proj_list_get(self.context, self.list, candidate);
            if pj.is_null() {
                return None;
            }
            let copy = |text: *const c_char| {
                if text.is_null() {
                    String::new()
                } else {
                    CStr::from_ptr(text).to_string_lossy().into_owned()
                }
            };
            let name = copy(ffi::proj_get_name(pj));
            let text = copy(ffi::proj_as_proj_string(self.context, pj, ffi::PROJ_5, ptr::null()));
            ffi::proj_destroy(pj);
            Some((name, text))
        }
    }
}

#[expect(unsafe_code, reason = "PROJ is a C library")]
impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: both are owned by this session alone; transformers that use its context keep it alive.
        unsafe {
            if !self.list.is_null() {
                ffi::proj_list_destroy(self.list);
            }
            if !self.context.is_null() {
                ffi::proj_context_destroy(self.context);
            }
        }
    }
}

/// An operation ready for points, x before y. Belongs to one thread.
struct Transformer {
    pj: *mut ffi::Pj,
    /// Owns the context that `pj` lives in.
    _session: Rc<Session>,
}

#[expect(unsafe_code, reason = "PROJ is a C library")]
impl Transformer {
    fn new(session: Rc<Session>, candidate: c_int) -> Option<Self> {
        // SAFETY: the raw candidate is destroyed after the normalised copy was made; the session outlives both.
        unsafe {
            let raw = ffi::proj_list_get(session.context, session.list, candidate);
            if raw.is_null() {
                return None;
            }
            let pj = ffi::proj_normalize_for_visualization(session.context, raw);
            ffi::proj_destroy(raw);
            (!pj.is_null()).then_some(Self { pj, _session: session })
        }
    }

    /// An operation made from a PROJ string, x before y on both sides.
    fn of_text(session: Rc<Session>, text: &str) -> Option<Self> {
        let text = CString::new(text).ok()?;
        // SAFETY: the string lives through the call; the session outlives the operation.
        let pj = unsafe { ffi::proj_create(session.context, text.as_ptr()) };
        (!pj.is_null()).then_some(Self { pj, _session: session })
    }

    fn apply(&mut self, direction: Direction, xs: &mut [f64], ys: &mut [f64]) {
        let n = xs.len().min(ys.len());
        let step = size_of::<f64>();
        let direction = if direction == Direction::Forward { ffi::FORWARD } else { ffi::INVERSE };
        // SAFETY: both slices hold n doubles; z and t are absent.
        unsafe {
            ffi::proj_trans_generic(
                self.pj,
                direction,
                xs.as_mut_ptr(),
                step,
                n,
                ys.as_mut_ptr(),
                step,
                n,
                ptr::null_mut(),
                0,
                0,
                ptr::null_mut(),
                0,
                0,
            );
        }
    }
}

#[expect(unsafe_code, reason = "PROJ is a C library")]
impl Drop for Transformer {
    fn drop(&mut self) {
        // SAFETY: the operation belongs to this transformer alone and goes before its context.
        unsafe {
            ffi::proj_destroy(self.pj);
        }
    }
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
