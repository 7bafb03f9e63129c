//! Opens an address in the browser of whoever sits at this machine, if somebody does.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Opens `url`. Returns whether there is a screen and a program that was asked; it is no fault if not.
pub(super) fn open(url: &str) -> bool {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_screen {
        return false;
    }
    let started = Command::new("xdg-open")
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A browser that it starts is not to end with Ctrl-C here.
        .process_group(0)
        .spawn();
    let Ok(mut opener) = started else { return false };
    // Waited for, so that it does not stay in the list of processes as one that has ended.
    std::thread::spawn(move || opener.wait());
    true
}
