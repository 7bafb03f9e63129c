//! The `gridpatrol` program: parse, log, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use gridpatrol::bench::{CountingAllocator, keep_large_blocks_apart};
use gridpatrol::cli::Cli;
use gridpatrol::telemetry;

// `gridpatrol bench` reports allocations a look; the count is one addition an allocation.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    keep_large_blocks_apart();
    // clap prints its own errors and exits with 2, the code for wrong usage.
    let cli = Cli::parse();
    telemetry::start(cli.verbose);
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
