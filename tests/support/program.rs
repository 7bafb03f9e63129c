//! The `gridpatrol` program, started as a user starts it, in the project's folder.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The clip and the demo's configuration.
pub const CLIP: &str = "tests/media/vtest.mp4";
pub const DEMO: &str = "tests/media/demo.toml";

/// A configuration with one camera on the clip; `zones` are its [[camera.zone]] tables and `top` further lines
/// for the top of the file.
pub fn configuration(top: &str, zones: &str) -> String {
    let clip = Path::new(CLIP).canonicalize().unwrap();
    format!(
        "{top}\n[edge]\nstreet = \"410102007\"\nbox = \"box-1\"\ngrid_profile = \"gb-t-47678.3\"\n\
         [[camera]]\nid = \"cam-05\"\nname = \"北门\"\nsource = {clip:?}\n{zones}"
    )
}

/// A no-parking zone over the kerb of the clip.
pub const KERB: &str = "[[camera.zone]]\nid = \"kerb\"\nkind = \"no_parking\"\ngrid = \"410102007003012\"\n\
    polygon = [[0.83, 0.125], [1.0, 0.105], [1.0, 0.205], [0.83, 0.225]]\n\
    rule.illegal_parking.dwell_s = 2\n";

/// Runs the program to its end.
pub fn gridpatrol(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gridpatrol")).args(args).output().unwrap()
}

/// Runs the program to its end; the test fails unless it exits with 0. Returns standard output.
pub fn gridpatrol_ok(args: &[&str]) -> String {
    let output = gridpatrol(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A program that runs until it is told to stop; killed on drop.
pub struct Running(Child);

impl Running {
    /// Starts the program.
    pub fn start(args: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Asks it to stop and returns its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
