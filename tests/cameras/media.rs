//! Clips that ffmpeg makes for the tests, kept from run to run in the build folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file `name`, made by `ffmpeg ARGS… FILE` if it is not there yet.
pub(super) fn clip(name: &str, args: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    if !path.is_file() {
        // Tests run at once: each makes its own and moves it into place whole.
        let part = tempfile::Builder::new().suffix(&format!("-{name}")).tempfile_in(&folder).unwrap();
        ffmpeg(args, part.path());
        std::fs::rename(part.path(), &path).unwrap();
        drop(part.into_temp_path().keep());
    }
    path
}

/// `base` played `times` times over, as one file.
pub(super) fn looped(base: &Path, times: u32) -> PathBuf {
    let name = format!("long-{}", base.file_name().unwrap().to_str().unwrap().trim_start_matches("base-"));
    clip(&name, &format!("-stream_loop {times} -i {} -c copy", base.display()))
}

/// Runs `ffmpeg ARGS… out`.
pub(super) fn ffmpeg(args: &str, out: &Path) {
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(args.split_whitespace())
        .arg(out)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg is not installed: run `make test-setup`");
    assert!(done.success(), "ffmpeg {args}");
}

/// What ffmpeg decodes of `path`: all pictures as I420, one after the other, in the order of showing.
pub(super) fn decoded_by_ffmpeg(path: &Path) -> Vec<u8> {
    let out = tempfile::Builder::new().suffix(".yuv").tempfile().unwrap();
    ffmpeg(&format!("-i {} -f rawvideo -pix_fmt yuv420p", path.display()), out.path());
    std::fs::read(out.path()).unwrap()
}
