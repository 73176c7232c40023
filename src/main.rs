//! The command `nalcms`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nalcms::cli::dispatch(std::env::args_os())
}
