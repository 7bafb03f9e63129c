//! Live cameras: what kind the `source` of a `[[camera]]` names, and the keys that go with each kind.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::build::existing;
use super::{LiveInput, live};
use crate::config::{CameraConfig, ConfigFile};
use crate::error::{Error, Result};
use crate::source::usb::{UsbCamera, Wanted};
use crate::source::{FfmpegCamera, SnapshotCamera};

/// Most pixels on a side that a camera is asked for.
const MAX_SIDE: u32 = 16_384;
/// Most arguments for ffmpeg.
const MAX_ARGUMENTS: usize = 64;

/// The live camera that `camera` names; `None` when its source is a file or folder.
pub(super) fn live(
    file: &ConfigFile,
    camera: &CameraConfig,
    looks_per_second: f64,
) -> Result<Option<LiveInput>> {
    let text = camera.source.get_ref().as_str();
    let keys = Keys { file, camera };
    let fps = keys.fps(looks_per_second)?;
    let live = if let Some(device) = text.strip_prefix("usb:") {
        keys.only(&["width", "height", "format", "fps"], "usb:")?;
        live::no_login(file, camera)?;
        LiveInput::Usb(keys.usb(device, fps)?)
    } else if let Some(address) = text.strip_prefix("ffmpeg:") {
        keys.only(&["fps", "ffmpeg"], "ffmpeg:")?;
        LiveInput::Ffmpeg(keys.ffmpeg(address, fps)?)
    } else if text.starts_with("http://") || text.starts_with("https://") {
        keys.only(&["ca_file"], "http")?;
        LiveInput::Snapshots(keys.snapshots(text)?)
    } else if text.contains("://") {
        keys.only(&[], "rtsp")?;
        LiveInput::Rtsp(live::plan(file, camera)?)
    } else {
        keys.only(&[], "recorded")?;
        return Ok(None);
    };
    Ok(Some(live))
}

struct Keys<'a> {
    file: &'a ConfigFile,
    camera: &'a CameraConfig,
}

impl Keys<'_> {
    fn fault(&self, what: impl Into<String>) -> Error {
        self.file.fault("camera.source", self.camera.source.span(), what)
    }

    /// Refuses keys that mean nothing to this kind of source, but for the `known` ones.
    fn only(&self, known: &[&str], kind: &str) -> Result<()> {
        let camera = self.camera;
        let set = [
            ("width", camera.width.as_ref().map(Spanned::span)),
            ("height", camera.height.as_ref().map(Spanned::span)),
            ("fps", camera.fps.as_ref().map(Spanned::span)),
            ("format", camera.format.as_ref().map(Spanned::span)),
            ("ffmpeg", camera.ffmpeg.as_ref().map(Spanned::span)),
            ("ca_file", camera.ca_file.as_ref().map(Spanned::span)),
        ];
        for (key, span) in set {
            if let Some(span) = span
                && !known.contains(&key)
            {
                let key = format!("camera.{key}");
                let what = format!("means nothing to a {} source", kind.trim_end_matches(':'));
                return Err(self.file.fault(&key, span, what).help("leave it out"));
            }
        }
        Ok(())
    }

    fn fps(&self, looks_per_second: f64) -> Result<u32> {
        match &self.camera.fps {
            // One late picture then costs no look.
            None => Ok((looks_per_second * 2.0).ceil().max(1.0) as u32),
            Some(fps) if (1..=240).contains(fps.get_ref()) => Ok(*fps.get_ref()),
            Some(fps) => {
                let what = format!("{} pictures a second: expected 1 to 240", fps.get_ref());
                Err(self.file.fault("camera.fps", fps.span(), what))
            }
        }
    }

    fn usb(&self, device: &str, fps: u32) -> Result<UsbCamera> {
        let path = Path::new(device);
        if !path.starts_with("/dev") || path.components().any(|part| part.as_os_str() == "..") {
            return Err(self
                .fault(format!("`{device}` is not a device file: expected usb:/dev/video0 or the like"))
                .help("`gridpatrol cameras` lists the cameras that are plugged in"));
        }
        for (key, side) in [("camera.width", &self.camera.width), ("camera.height", &self.camera.height)] {
            if let Some(side) = side
                && !(2..=MAX_SIDE).contains(side.get_ref())
            {
                let what = format!("{} pixels: expected 2 to {MAX_SIDE}", side.get_ref());
                return Err(self.file.fault(key, side.span(), what));
            }
        }
        let value = |side: &Option<Spanned<u32>>| side.as_ref().map(|side| *side.get_ref());
        let (width, height) = (value(&self.camera.width), value(&self.camera.height));
        let format = self.camera.format.as_ref().map(|format| *format.get_ref());
        Ok(UsbCamera { device: path.to_owned(), wanted: Wanted { width, height, fps, format } })
    }

    fn ffmpeg(&self, address: &str, fps: u32) -> Result<FfmpegCamera> {
        let arguments = match &self.camera.ffmpeg {
            None => Vec::new(),
            Some(arguments) => {
                let refuse =
                    |what: &str| Err(self.file.secret_fault("camera.ffmpeg", arguments.span(), what));
                let given = arguments.get_ref();
                if given.len() > MAX_ARGUMENTS || given.iter().any(|argument| argument.contains('\0')) {
                    return refuse("expected at most 64 arguments without NUL characters");
                }
                if given.iter().any(|argument| argument == "-i") {
                    return refuse("holds -i: expected what stands before it; the input is the source");
                }
                for argument in given.iter().filter(|argument| argument.contains("://")) {
                    live::no_credentials(self.file, live::source_of(self.camera), argument)?;
                }
                given.clone()
            }
        };
        live::no_credentials(self.file, live::source_of(self.camera), address)?;
        if address.is_empty() || address.starts_with('-') || address.contains(|c: char| c.is_control()) {
            return Err(self
                .fault("expected an address behind `ffmpeg:`")
                .help("write what ffmpeg takes after -i, such as ffmpeg:rtsp://host/path"));
        }
        let path = self.file.resolve(Path::new(address));
        let is_file = path.is_file();
        let address = if is_file { path.display().to_string() } else { address.to_owned() };
        let login = live::login(self.file, self.camera)?;
        if login.is_some() && !address.contains("://") {
            return Err(self.fault("username and password are for an address with a host"));
        }
        Ok(FfmpegCamera { address, is_file, arguments, fps, login })
    }

    fn snapshots(&self, url: &str) -> Result<SnapshotCamera> {
        let help = "write it as http://host/picture.jpg or https://host:port/picture.jpg";
        live::check_address(self.file, live::source_of(self.camera), url, &["http", "https"], help)?;
        let ca: Option<PathBuf> = match &self.camera.ca_file {
            None => None,
            Some(path) if url.starts_with("https://") => Some(existing(self.file, "camera.ca_file", path)?),
            Some(path) => {
                let what = "is set, but the source does not start with https://";
                return Err(self.file.fault("camera.ca_file", path.span(), what));
            }
        };
        Ok(SnapshotCamera { url: url.to_owned(), login: live::login(self.file, self.camera)?, ca })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;
    use crate::source::usb::PixelFormat;

    fn plan(source: &str, settings: &str) -> Result<Option<LiveInput>> {
        let text = format!(
            "edge = {{ street = \"1\", box = \"b\" }}\n[[camera]]\nid = \"gate\"\nsource = \"{source}\"\n{settings}\n"
        );
        let file = ConfigFile::parse("edge.toml".as_ref(), text)?;
        live(&file, &file.config.cameras[0], 5.0)
    }

    fn refusal(source: &str, settings: &str) -> String {
        plan(source, settings).unwrap_err().to_string()
    }

    #[test]
    fn each_kind_of_camera_is_known_by_its_address() {
        let usb = plan("usb:/dev/v4l/by-id/usb-cam-video-index0", "width = 640\nformat = \"mjpeg\"").unwrap();
        let Some(LiveInput::Usb(usb)) = usb else { panic!("{usb:?}") };
        let wanted = Wanted { width: Some(640), height: None, fps: 10, format: Some(PixelFormat::Mjpeg) };
        assert_eq!((usb.device.to_str(), usb.wanted), (Some("/dev/v4l/by-id/usb-cam-video-index0"), wanted));

        let ffmpeg =
            plan("ffmpeg:udp://@239.0.0.1:5000", "fps = 3\nffmpeg = [\"-hwaccel\", \"vaapi\"]").unwrap();
        let Some(LiveInput::Ffmpeg(ffmpeg)) = ffmpeg else { panic!("{ffmpeg:?}") };
        assert_eq!((ffmpeg.address.as_str(), ffmpeg.fps), ("udp://@239.0.0.1:5000", 3));
        assert_eq!(ffmpeg.arguments, ["-hwaccel", "vaapi"]);

        let shot = plan("http://10.0.0.7/shot.jpg?channel=1", "").unwrap();
        assert!(matches!(shot, Some(LiveInput::Snapshots(_))), "{shot:?}");
        assert!(matches!(plan("rtsp://10.0.0.7/main", "").unwrap(), Some(LiveInput::Rtsp(_))));
        assert_eq!(plan("clip.mp4", "").unwrap(), None);
    }

    #[test]
    fn a_key_that_means_nothing_to_the_source_is_refused() {
        for (source, key) in [
            ("rtsp://10.0.0.7/main", "width = 640"),
            ("http://10.0.0.7/shot.jpg", "fps = 5"),
            ("usb:/dev/video0", "ffmpeg = [\"-re\"]"),
            ("ffmpeg:rtsp://10.0.0.7/main", "format = \"nv12\""),
            ("clip.mp4", "ca_file = \"ca.pem\""),
        ] {
            let text = refusal(source, key);
            assert!(text.contains("means nothing to a"), "{text}");
            assert!(text.contains(key.split(' ').next().unwrap()), "{text}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_without_being_shown() {
        for (source, settings) in [
            ("http://me:s3cret@10.0.0.7/shot.jpg", ""),
            ("http://10.0.0.7/shot.jpg?user=me&password=s3cret", ""),
            ("ffmpeg:rtsp://me:s3cret@10.0.0.7/main", ""),
            ("ffmpeg:rtsp://10.0.0.7/main", "ffmpeg = [\"-i\", \"rtsp://me:s3cret@10.0.0.7/x\"]"),
            ("ffmpeg:rtsp://10.0.0.7/main", "ffmpeg = [\"-http_proxy\", \"http://me:s3cret@proxy\"]"),
        ] {
            let error = plan(source, settings).unwrap_err();
            let mut shown = String::new();
            miette::GraphicalReportHandler::new().render_report(&mut shown, &error).unwrap();
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_device_and_no_address_is_refused() {
        assert!(refusal("usb:0", "").contains("is not a device file"));
        assert!(refusal("usb:/dev/../etc/passwd", "").contains("is not a device file"));
        assert!(refusal("usb:/dev/video0", "width = 1").contains("expected 2 to 16384"));
        assert!(refusal("usb:/dev/video0", "fps = 0").contains("expected 1 to 240"));
        assert!(refusal("ffmpeg:", "").contains("expected an address"));
        assert!(refusal("ffmpeg:-version", "").contains("expected an address"));
        assert!(refusal("http://10.0.0.7:99999/shot.jpg", "").contains("the port"));
    }
}
