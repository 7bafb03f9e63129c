//! What a USB or CSI camera can send, and which of it is asked for.

use serde::Serialize;

use super::wire::PixelFormat;

/// Most pixels taken unless a size is asked for: 1920x1080. More costs copying, and the model sees less anyway.
const FULL_HD: u64 = 1920 * 1080;

/// One way in which a camera can send pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mode {
    /// How the pixels come.
    pub format: PixelFormat,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second. Only whole rates: the capture library knows no others.
    pub fps: u32,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}x{} {} fps", self.format, self.width, self.height, self.fps)
    }
}

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Width and height in pixels; either alone narrows the choice too.
    pub width: Option<u32>,
    /// See `width`.
    pub height: Option<u32>,
    /// Pictures a second that are needed. A camera that sends more is thinned out.
    pub fps: u32,
    /// How the pixels come.
    pub format: Option<PixelFormat>,
}

impl Wanted {
    /// The best of `modes`: fast enough first, then as large as 1920x1080 allows where no size is asked for, then
    /// raw rather than JPEG, then no faster than needed. A camera that is slower than wanted is taken as it is.
    ///
    /// # Errors
    /// In words, when none has the size and format asked for.
    pub fn best(&self, modes: &[Mode]) -> Result<Mode, String> {
        let fits = |mode: &&Mode| {
            self.width.is_none_or(|width| width == mode.width)
                && self.height.is_none_or(|height| height == mode.height)
                && self.format.is_none_or(|format| format == mode.format)
        };
        let sized = self.width.is_some() || self.height.is_some();
        let rank = |mode: &&Mode| {
            let pixels = u64::from(mode.width) * u64::from(mode.height);
            let size = match sized || pixels <= FULL_HD {
                true => i64::try_from(pixels).unwrap_or(i64::MAX),
                // Too large: the least of them, if there is nothing else.
                false => -i64::try_from(pixels).unwrap_or(i64::MAX),
            };
            let enough = mode.fps.min(self.fps);
            // Raw YUYV above VGA is rarely fast enough over USB 2, which is why speed is before the format.
            (enough == self.fps, size, enough, std::cmp::Reverse(mode.format), std::cmp::Reverse(mode.fps))
        };
        modes.iter().filter(fits).max_by_key(rank).copied().ok_or_else(|| self.nothing(modes))
    }

    fn nothing(&self, modes: &[Mode]) -> String {
        let mut known: Vec<String> = modes.iter().map(ToString::to_string).collect();
        known.dedup();
        let more = known.len().saturating_sub(12);
        known.truncate(12);
        let known = match (known.is_empty(), more) {
            (true, _) => "nothing in YUYV, NV12 or MJPEG at a whole rate".to_owned(),
            (false, 0) => known.join(", "),
            (false, more) => format!("{} and {more} more", known.join(", ")),
        };
        let or_any = |value: Option<u32>| value.map_or("any".to_owned(), |value| value.to_string());
        let format = self.format.map_or("any format".to_owned(), |format| format.to_string());
        format!("it has no {format} at {}x{}; it has {known}", or_any(self.width), or_any(self.height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(format: PixelFormat, width: u32, height: u32, fps: u32) -> Mode {
        Mode { format, width, height, fps }
    }

    /// A usual USB 2 webcam.
    fn webcam() -> Vec<Mode> {
        use PixelFormat::{Mjpeg, Yuyv};
        vec![
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 640, 480, 15),
            mode(Yuyv, 1280, 720, 10),
            mode(Yuyv, 1920, 1080, 5),
            mode(Mjpeg, 640, 480, 30),
            mode(Mjpeg, 1920, 1080, 30),
            mode(Mjpeg, 3840, 2160, 30),
        ]
    }

    fn wanted(fps: u32) -> Wanted {
        Wanted { width: None, height: None, fps, format: None }
    }

    #[test]
    fn full_hd_is_taken_raw_if_it_is_fast_enough_and_as_jpeg_if_not() {
        use PixelFormat::{Mjpeg, Yuyv};
        assert_eq!(wanted(5).best(&webcam()), Ok(mode(Yuyv, 1920, 1080, 5)));
        assert_eq!(wanted(10).best(&webcam()), Ok(mode(Mjpeg, 1920, 1080, 30)));
    }

    #[test]
    fn what_is_asked_for_is_given_at_the_lowest_rate_that_will_do() {
        use PixelFormat::Yuyv;
        let vga = Wanted { width: Some(640), height: Some(480), fps: 10, format: Some(Yuyv) };
        assert_eq!(vga.best(&webcam()), Ok(mode(Yuyv, 640, 480, 15)));
        assert_eq!(Wanted { fps: 60, ..vga }.best(&webcam()), Ok(mode(Yuyv, 640, 480, 30)));
    }

    #[test]
    fn a_size_above_full_hd_is_taken_only_when_asked_for_or_alone() {
        let large = mode(PixelFormat::Mjpeg, 3840, 2160, 30);
        let asked = Wanted { width: Some(3840), ..wanted(10) };
        assert_eq!(asked.best(&webcam()), Ok(large));
        assert_eq!(wanted(10).best(&[large]), Ok(large));
    }

    #[test]
    fn the_refusal_says_what_there_is() {
        let none = Wanted { width: Some(800), format: Some(PixelFormat::Nv12), ..wanted(10) };
        let text = none.best(&webcam()).unwrap_err();
        assert!(text.contains("no nv12 at 800xany") && text.contains("yuyv 640x480 30 fps"), "{text}");
        assert!(none.best(&[]).unwrap_err().contains("nothing in YUYV, NV12 or MJPEG"));
    }
}
