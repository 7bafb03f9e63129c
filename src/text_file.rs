//! A small text file that somebody wrote: read whole, up to a bound, so that a wrong name (a video, a device) costs a
//! message and not the memory of the box.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// The text of the file at `path`, at most `most` bytes of UTF-8.
///
/// # Errors
/// As the system says; [`ErrorKind::FileTooLarge`] for more than `most` bytes, [`ErrorKind::InvalidData`] for what is
/// not UTF-8. None of them names the file: the caller knows what it is for.
pub(crate) fn read(path: &Path, most: u64) -> Result<String> {
    let bytes = read_bytes(path, most)?;
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// The bytes of the file at `path`, at most `most`.
///
/// # Errors
/// As the system says; [`ErrorKind::FileTooLarge`] for more than `most` bytes.
pub(crate) fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = if most >= 1 << 20 { format!("{} MiB", most >> 20) } else { format!("{most} bytes") };
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {what}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "grün").unwrap();
        assert_eq!(read(&path, 5).unwrap(), "grün", "five bytes");
        let too_large = read(&path, 4).unwrap_err();
        assert_eq!(too_large.kind(), ErrorKind::FileTooLarge);
        assert!(too_large.to_string().contains("larger than 4 bytes"), "{too_large}");
        // Without an end: it would fill the memory of the box.
        assert_eq!(read("/dev/zero".as_ref(), 1 << 20).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_is_not_text_or_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        assert_eq!(read(&path, 9).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, [0xff, 0xd8]).unwrap();
        assert_eq!(read(&path, 9).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
