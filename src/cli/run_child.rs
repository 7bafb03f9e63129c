//! `gridpatrol run-child`: becomes another program that ends when the one that started it does. Hidden: the program
//! uses it to start ffmpeg, so that a box that is killed leaves no decoder behind.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::error::{Error, Kind, Result};

/// Become a program that ends with the one that started this.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// Id of the process that started this, with which it ends.
    #[arg(long, value_name = "PID")]
    parent: i32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<std::ffi::OsString>,
}

/// Runs the program in place of this one.
///
/// # Errors
/// [`Kind::System`] when it cannot be run.
pub fn run(args: &Args) -> Result<()> {
    end_with(args.parent)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::new(Kind::Usage, "run-child needs a program"));
    };
    let fault = Command::new(program).args(arguments).exec();
    // One line: what started this shows the last that it said.
    let name = program.to_string_lossy();
    Err(match fault.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Kind::System, format!("{name} is not installed; install what Debian calls {name}"))
        }
        _ => Error::new(Kind::System, format!("{name} cannot be run: {fault}")),
    })
}

/// Makes this process end when the one that started it, `parent`, does.
///
/// # Errors
/// [`Kind::System`] when that one has ended already.
pub(crate) fn end_with(parent: i32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| {
        Error::new(Kind::System, "cannot be tied to the process that started it").caused_by(e)
    })?;
    // It may have ended just before.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(Error::new(Kind::System, "the process that started this has ended"));
    }
    Ok(())
}
