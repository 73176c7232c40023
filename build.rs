//! Links the system's PROJ, which the system's GDAL needs anyway.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(problem) = pkg_config::Config::new().atleast_version("8.0").probe("proj") {
        println!(
            "cargo::error=PROJ was not found by pkg-config ({problem}). On Debian or Ubuntu: \
             apt-get install libgdal-dev pkg-config; on macOS: brew install gdal pkg-config"
        );
    }
}
