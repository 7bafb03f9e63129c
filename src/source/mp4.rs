//! The video track of an MP4 file: where each picture lies and when it is shown. Keeps `re_mp4` to itself.
//!
//! `re_mp4` trusts the tables of a file: it panics on tables that contradict each other and reserves memory for
//! as many samples as a header claims, and a box that is smaller than what lies in it sends it back to where it was,
//! again and again. So the boxes are walked first, what is not needed is hidden from it, the parse itself is fenced, and it
//! may read the tables a few times over and no more ([`Tables`]).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use re_mp4::{Mp4, StsdBoxContent};

use super::unusable;
use crate::decode::Codec;
use crate::error::{Error, Result};

/// Most pictures in one file: over 22 hours at 50 a second.
const MAX_SAMPLES: u64 = 4_000_000;
/// Largest compressed picture.
const MAX_SAMPLE_BYTES: u64 = 64 << 20;
/// Deepest nesting of boxes on the way to a sample table.
const MAX_DEPTH: u32 = 8;

/// One compressed picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) size: usize,
    /// When it is shown, in units of the track's timescale; the first picture at 0.
    pub(crate) shown: i64,
    /// Whether it can be decoded without any other.
    pub(crate) key: bool,
}

/// The video track of a file.
#[derive(Debug)]
pub(crate) struct Track {
    /// In the order of decoding; never empty.
    pub(crate) samples: Vec<Sample>,
    /// Units a second.
    pub(crate) timescale: f64,
    /// Length in seconds.
    pub(crate) duration_s: f64,
    /// Bytes of each NAL unit's length.
    pub(crate) length_size: usize,
    /// What codes its pictures.
    pub(crate) codec: Codec,
    /// Parameter sets in the order of activation, without start codes.
    pub(crate) parameter_sets: Vec<Vec<u8>>,
}

/// Reads the tables of the MP4 file at `path`.
///
/// # Errors
/// [`Kind::Camera`](crate::error::Kind::Camera) when the file cannot be read, is no MP4 file, has no H.264
/// or H.265 track or is cut short.
pub(crate) fn read(path: &Path) -> Result<(File, Track)> {
    let unreadable = |e| unusable(path, "cannot be read").caused_by(e);
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size == 0 {
        return Err(unusable(path, "the file is empty: expected an MP4 file"));
    }
    let mut claimed = 0;
    let mut seen = Seen::default();
    walk(&mut BufReader::new(&file), 0, size, 0, &mut claimed, &mut seen)
        .map_err(|what| refused(path, what, &seen))?;
    if !seen.moov {
        return Err(refused(path, "there is no table of pictures (`moov` box) in it", &seen));
    }
    file.rewind().map_err(unreadable)?;
    let tables = Tables::new(BufReader::new(&file), &seen);
    let parsed = catch_unwind(AssertUnwindSafe(|| Mp4::read(tables, size)));
    let mp4 = match parsed {
        Ok(Ok(mp4)) => mp4,
        Ok(Err(e)) => return Err(refused(path, "its tables cannot be read", &seen).caused_by(e)),
        Err(_) => return Err(refused(path, "its tables contradict each other", &seen)),
    };
    let track = track(path, &mp4, size)?;
    Ok((file, track))
}

fn track(path: &Path, mp4: &Mp4, size: u64) -> Result<Track> {
    let help = "re-encode it, e.g. `ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -an OUT.mp4`";
    let video = mp4
        .tracks()
        .values()
        .find_map(|track| Some((track, coding(&track.trak(mp4).mdia.minf.stbl.stsd.contents)?)));
    let Some((track, (codec, length_size, parameter_sets))) = video else {
        let codecs: Vec<String> = mp4.tracks().values().filter_map(|track| track.codec_string(mp4)).collect();
        let found = if codecs.is_empty() { "nothing known".to_owned() } else { codecs.join(", ") };
        return Err(unusable(path, format!("there is no H.264 or H.265 track in it, but {found}")).help(help));
    };
    if track.samples.is_empty() || track.timescale == 0 {
        return Err(unusable(path, "its video track has no pictures").help(help));
    }
    let mut samples = Vec::with_capacity(track.samples.len());
    for (at, sample) in track.samples.iter().enumerate() {
        let end = sample.offset.checked_add(sample.size);
        if sample.size > MAX_SAMPLE_BYTES || end.is_none_or(|end| end > size) {
            let what = format!(
                "the file is cut short: picture {at} of {} ends past its {size} bytes",
                track.samples.len()
            );
            return Err(unusable(path, what).help("copy or record the file again"));
        }
        samples.push(Sample {
            offset: sample.offset,
            size: sample.size as usize,
            shown: sample.composition_timestamp,
            key: sample.is_sync,
        });
    }
    Ok(Track {
        samples,
        timescale: track.timescale as f64,
        duration_s: track.duration as f64 / track.timescale as f64,
        length_size,
        codec,
        parameter_sets,
    })
}

/// What a sample entry says of its codec: bytes of a NAL unit's length, and parameter sets.
fn coding(entry: &StsdBoxContent) -> Option<(Codec, usize, Vec<Vec<u8>>)> {
    match entry {
        StsdBoxContent::Avc1(entry) => {
            let avcc = &entry.avcc.contents;
            let sets = avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets);
            let sets = sets.map(|set| set.bytes.clone()).collect();
            Some((Codec::H264, usize::from(avcc.length_size_minus_one & 3) + 1, sets))
        }
        StsdBoxContent::Hvc1(entry) | StsdBoxContent::Hev1(entry) => {
            let hvcc = &entry.hvcc.contents;
            let sets =
                hvcc.arrays.iter().flat_map(|array| &array.nalus).map(|set| set.data.clone()).collect();
            Some((Codec::H265, usize::from(hvcc.length_size_minus_one & 3) + 1, sets))
        }
        _ => None,
    }
}

fn refused(path: &Path, what: &str, seen: &Seen) -> Error {
    let (what, help) = if seen.ftyp {
        (format!("the MP4 file is broken or cut short: {what}"), "copy or record the file again")
    } else {
        ("this is not an MP4 file".to_owned(), "give the path of an H.264 or H.265 .mp4 file")
    };
    unusable(path, what).help(help)
}

/// What the walk came by.
#[derive(Default)]
struct Seen {
    ftyp: bool,
    moov: bool,
    /// Bytes of all boxes but those of media data.
    tables: u64,
    /// Where the names of boxes lie of which nothing is needed: the library takes their sizes for what they say.
    hidden: Vec<u64>,
}

/// The file as `re_mp4` sees it: boxes with metadata are called `free`, and reading ends after so much work, whatever is
/// asked of it.
struct Tables<R> {
    inner: R,
    at: u64,
    /// Where the names of the boxes lie that are hidden, rising.
    hidden: Vec<u64>,
    left: u64,
}

impl<R> Tables<R> {
    /// A sound file is read once, with a few seeks for each box.
    fn new(inner: R, seen: &Seen) -> Self {
        let left = seen.tables.saturating_mul(4).saturating_add(1 << 16);
        Self { inner, at: 0, hidden: seen.hidden.clone(), left }
    }

    fn burn(&mut self, units: u64) -> std::io::Result<()> {
        let spent = || std::io::Error::other("the tables lead back to themselves");
        self.left = self.left.checked_sub(units).ok_or_else(spent)?;
        Ok(())
    }
}

impl<R: Read> Read for Tables<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(to)?;
        self.burn(read.max(1) as u64)?;
        let end = self.at + read as u64;
        let first = self.hidden.partition_point(|name| name + 4 <= self.at);
        for name in self.hidden[first..].iter().take_while(|name| **name < end) {
            for (at, letter) in (*name..).zip(b"free") {
                if (self.at..end).contains(&at) {
                    to[(at - self.at) as usize] = *letter;
                }
            }
        }
        self.at = end;
        Ok(read)
    }
}

impl<R: Seek> Seek for Tables<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.burn(1)?;
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }

    fn stream_position(&mut self) -> std::io::Result<u64> {
        // Asked of the file, it would throw the buffer away each time.
        self.burn(1)?;
        Ok(self.at)
    }
}

/// Checks that the boxes between `at` and `end` lie inside each other, and that the samples they claim are no
/// more than [`MAX_SAMPLES`]. Media data may run past the end of the file: [`track`] judges that by picture.
fn walk(
    file: &mut (impl Read + Seek),
    mut at: u64,
    end: u64,
    depth: u32,
    claimed: &mut u64,
    seen: &mut Seen,
) -> Result<(), &'static str> {
    const CUT: &str = "a box runs past the end of the file or of the box around it";
    if depth > MAX_DEPTH {
        return Err("its boxes are nested too deep");
    }
    while at + 8 <= end {
        file.seek(SeekFrom::Start(at)).map_err(|_| CUT)?;
        let mut header = [0; 16];
        file.read_exact(&mut header[..8]).map_err(|_| CUT)?;
        let name = [header[4], header[5], header[6], header[7]];
        let mut size = u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
        let mut body = at + 8;
        match size {
            0 => size = end - at,
            1 => {
                file.read_exact(&mut header[8..]).map_err(|_| CUT)?;
                size = header[8..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                body += 8;
            }
            _ => {}
        }
        let close = at.checked_add(size).filter(|close| *close >= body).ok_or(CUT)?;
        seen.ftyp |= &name == b"ftyp" && depth == 0;
        if depth == 0 && &name != b"mdat" {
            seen.tables = seen.tables.saturating_add(size);
        }
        if close > end {
            return if &name == b"mdat" && depth == 0 { Ok(()) } else { Err(CUT) };
        }
        match &name {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"moof" | b"traf" => {
                seen.moov |= &name == b"moov";
                walk(file, body, close, depth + 1, claimed, seen)?;
            }
            b"udta" | b"meta" | b"emsg" => seen.hidden.push(at + 4),
            // Both count samples, which may be of one size and then take no room in the table.
            b"stsz" | b"trun" => {
                let mut table = [0; 12];
                let wanted = if &name == b"stsz" { 12 } else { 8 };
                file.read_exact(&mut table[..wanted]).map_err(|_| CUT)?;
                let count = &table[wanted - 4..wanted];
                *claimed += count.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                if *claimed > MAX_SAMPLES {
                    return Err("it claims to hold more than 4,000,000 pictures");
                }
            }
            _ => {}
        }
        at = close;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const SOUND: &[u8] = include_bytes!("../../fuzz/corpus/mp4/plain.mp4");

    fn read_it(bytes: &[u8]) -> Result<usize> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read(file.path()).map(|(_, track)| track.samples.len())
    }

    /// `SOUND` with the size of the first box called `name` set to `size`.
    fn with_size(name: &[u8; 4], size: u32) -> Vec<u8> {
        let mut bytes = SOUND.to_vec();
        let at = bytes.windows(4).position(|window| window == name).unwrap();
        bytes[at - 4..at].copy_from_slice(&size.to_be_bytes());
        bytes
    }

    #[test]
    fn tables_that_lead_back_to_themselves_are_refused_and_not_read_for_ever() {
        assert_eq!(read_it(SOUND).unwrap(), 10);
        for name in [b"dref", b"vmhd"] {
            read_it(&with_size(name, 0)).unwrap_err();
        }
        for name in [b"elst", b"stts", b"tkhd", b"avcC"] {
            for size in 0..8 {
                let _ = read_it(&with_size(name, size));
            }
        }
    }

    #[test]
    fn metadata_that_claims_any_size_costs_nothing() {
        for name in [b"hdlr", b"ilst"] {
            let at = SOUND.windows(4).rposition(|window| window == name).unwrap();
            for size in [0, 1, 7, u32::MAX] {
                let mut bytes = SOUND.to_vec();
                bytes[at - 4..at].copy_from_slice(&u32::to_be_bytes(size));
                assert_eq!(read_it(&bytes).unwrap(), 10, "{size}");
            }
        }
    }
}
