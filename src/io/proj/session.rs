//! PROJ's objects, owned and used by one thread each.

#![expect(unsafe_code, reason = "PROJ is a C library")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr;
use std::rc::Rc;

use super::{Direction, ffi};

/// A grid that an operation needs.
pub(super) struct NamedGrid {
    /// PROJ's name of it.
    pub name: String,
    /// Where it is installed; none where it is not.
    pub path: Option<PathBuf>,
}

/// PROJ's candidates for a pair of CRSs. Belongs to one thread.
pub(super) struct Session {
    context: *mut c_void,
    list: *mut c_void,
}

impl Session {
    /// The candidates for a pair, looked up in PROJ's database once per thread: a look-up takes milliseconds, and
    /// thousands of tiles share a few CRSs.
    pub fn of(from: &str, to: &str) -> Option<Rc<Self>> {
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

    pub fn new(from: &str, to: &str, grids: c_int) -> Option<Self> {
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

    pub fn count(&self) -> c_int {
        // SAFETY: the list is not null (checked in `new`) and lives as long as the session.
        unsafe { ffi::proj_list_get_count(self.list) }
    }

    pub fn area_holds(&self, candidate: c_int, longitude: f64, latitude: f64) -> bool {
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
    pub fn accuracy(&self, candidate: c_int) -> Option<f64> {
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
    pub fn grids(&self, candidate: c_int) -> Vec<NamedGrid> {
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

    pub fn describe(&self, candidate: c_int) -> Option<(String, String)> {
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
pub(super) struct Transformer {
    pj: *mut ffi::Pj,
    /// Owns the context that `pj` lives in.
    _session: Rc<Session>,
}

impl Transformer {
    pub fn new(session: Rc<Session>, candidate: c_int) -> Option<Self> {
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
    pub fn of_text(session: Rc<Session>, text: &str) -> Option<Self> {
        let text = CString::new(text).ok()?;
        // SAFETY: the string lives through the call; the session outlives the operation.
        let pj = unsafe { ffi::proj_create(session.context, text.as_ptr()) };
        (!pj.is_null()).then_some(Self { pj, _session: session })
    }

    pub fn apply(&mut self, direction: Direction, xs: &mut [f64], ys: &mut [f64]) {
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

impl Drop for Transformer {
    fn drop(&mut self) {
        // SAFETY: the operation belongs to this transformer alone and goes before its context.
        unsafe {
            ffi::proj_destroy(self.pj);
        }
    }
}

/// The steps of a pipeline that takes a CRS to its own longitude and latitude in degrees, or back.
pub(super) fn degrees_pipeline(crs: &str, direction: Direction) -> Option<String> {
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
