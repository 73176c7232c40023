//! PROJ's C interface, as far as it is used. Source: <https://proj.org/en/9.1/development/reference/functions.html>.

#![expect(unsafe_code, reason = "PROJ is a C library")]

use std::ffi::{c_char, c_double, c_int, c_void};

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
