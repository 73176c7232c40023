//! Links the system's PROJ, which the system's GDAL needs anyway, and notes the versions of both.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    match pkg_config::Config::new().atleast_version("8.0").probe("proj") {
        Ok(proj) => println!("cargo::rustc-env=PROJ_BUILT_WITH={}", proj.version),
        Err(problem) => println!(
            "cargo::error=PROJ was not found by pkg-config ({problem}). On Debian or Ubuntu: \
             apt-get install libgdal-dev pkg-config; on macOS: brew install gdal pkg-config"
        ),
    }
    let gdal = pkg_config::Config::new().cargo_metadata(false).probe("gdal");
    println!("cargo::rustc-env=GDAL_BUILT_WITH={}", gdal.map_or("unknown".into(), |gdal| gdal.version));
}
