//! What a coded picture is, read from the headers of its NAL units and from nothing else.
//!
//! Units hold NAL units with their length in front, as MP4 stores them and as the RTSP source asks for them.

use crate::error::{Error, Kind, Result};

/// Which standard a picture is coded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

impl Codec {
    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        }
    }
}

/// How one coded picture hangs together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// It can be decoded without any other picture: an IDR picture or recovery point of H.264, a random access
    /// picture of H.265.
    pub key: bool,
    /// Pictures of its own or a lower temporal layer do not need it.
    pub disposable: bool,
    /// It is shown before the key picture that it follows and needs pictures from before that one. H.265 marks such
    /// pictures; those of H.264 are known by their time alone.
    pub leading: bool,
    /// Temporal layer; a disposable picture can be left out only in the highest. Always 0 in H.264.
    pub layer: u8,
}

impl Access {
    /// Reads the headers in `unit`, whose NAL units have `length_size` bytes (1 to 4) of length in front.
    /// `None` when there is no picture in it, or none that can be told apart from damage.
    pub fn of(codec: Codec, unit: &[u8], length_size: usize) -> Option<Self> {
        let mut rest = unit;
        let mut found: Option<Self> = None;
        let mut recovers = false;
        while let Ok(Some(nal)) = next_nal(&mut rest, length_size) {
            recovers |= codec == Codec::H264 && is_recovery_point(nal);
            let Some(part) = (match codec {
                Codec::H264 => Self::of_h264(nal),
                Codec::H265 => Self::of_h265(nal),
            }) else {
                continue;
            };
            // The slices of a picture agree, unless they are damaged; then the cautious answer counts.
            found = Some(found.map_or(part, |so_far| Self {
                key: so_far.key && part.key,
                disposable: so_far.disposable && part.disposable,
                leading: so_far.leading || part.leading,
                layer: so_far.layer.max(part.layer),
            }));
        }
        found.map(|access| Self { key: access.key || recovers, ..access })
    }

    /// ITU-T H.264 7.3.1 and Table 7-1: types 1 to 5 are slices, 5 of an IDR picture; `nal_ref_idc` is 0 where
    /// no other picture needs it.
    fn of_h264(nal: &[u8]) -> Option<Self> {
        let first = *nal.first()?;
        let (forbidden, reference, kind) = (first >> 7, first >> 5 & 3, first & 31);
        (forbidden == 0 && (1..=5).contains(&kind)).then_some(Self {
            key: kind == 5,
            disposable: reference == 0,
            leading: false,
            layer: 0,
        })
    }

    /// ITU-T H.265 7.3.1.2 and Table 7-1: types up to 31 are slices; 16 to 23 of random access pictures; the
    /// even ones up to 14 of sub-layer non-reference pictures; 8 and 9 of leading pictures that are skipped
    /// after a random access. Layers other than the base are not pictures of this stream.
    fn of_h265(nal: &[u8]) -> Option<Self> {
        let [first, second, ..] = *nal else { return None };
        let (forbidden, kind) = (first >> 7, first >> 1 & 63);
        let (enhancement, layer_plus_1) = ((first & 1) << 5 | second >> 3, second & 7);
        (forbidden == 0 && kind <= 31 && enhancement == 0 && layer_plus_1 > 0).then(|| Self {
            key: (16..=23).contains(&kind),
            disposable: kind <= 14 && kind % 2 == 0,
            leading: matches!(kind, 8 | 9),
            layer: layer_plus_1 - 1,
        })
    }
}

/// Whether the H.264 NAL unit `nal` says that decoding can begin at its picture: supplemental information (type 6)
/// with a recovery point (payload type 6) no picture away (ITU-T H.264 7.3.2.3.1, D.1.8 and D.2.8). Some cameras
/// send such pictures in place of IDR pictures.
fn is_recovery_point(nal: &[u8]) -> bool {
    let Some((&first, mut rest)) = nal.split_first() else { return false };
    if first & 0x9f != 6 {
        return false;
    }
    // Each message: type and size, both as bytes to be added up as long as they are 255.
    let number = |rest: &mut &[u8]| {
        let mut sum = 0_usize;
        loop {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            sum += usize::from(byte);
            if byte != 255 {
                return Some(sum);
            }
        }
    };
    while rest.len() > 2 {
        let (Some(kind), Some(size)) = (number(&mut rest), number(&mut rest)) else { return false };
        let Some((payload, after)) = rest.split_at_checked(size) else { return false };
        // recovery_frame_cnt is an Exp-Golomb number; 0 is the single bit 1.
        if kind == 6 && payload.first().is_some_and(|byte| byte & 0x80 != 0) {
            return true;
        }
        rest = after;
    }
    false
}

/// Cuts the next NAL unit off `rest`.
///
/// # Errors
/// [`Kind::Camera`] when its length does not fit.
pub(crate) fn next_nal<'a>(rest: &mut &'a [u8], length_size: usize) -> Result<Option<&'a [u8]>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let split = rest.split_at_checked(length_size).and_then(|(length, body)| {
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        body.split_at_checked(length)
    });
    let Some((nal, after)) = split else {
        return Err(Error::new(Kind::Camera, "a NAL unit is longer than the picture it belongs to"));
    };
    *rest = after;
    Ok(Some(nal))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit of one H.265 NAL unit of `kind` in temporal layer `layer`.
    fn h265(kind: u8, layer: u8) -> Option<Access> {
        Access::of(Codec::H265, &[0, 0, 0, 3, kind << 1, layer + 1, 0x80], 4)
    }

    #[test]
    fn all_random_access_pictures_of_h265_are_key_pictures_and_no_others() {
        let keys: Vec<u8> = (0..64).filter(|kind| h265(*kind, 0).is_some_and(|access| access.key)).collect();
        assert_eq!(keys, (16..=23).collect::<Vec<u8>>());
        assert_eq!(h265(32, 0), None, "parameter sets are no picture");
    }

    #[test]
    fn pictures_that_need_what_was_before_a_random_access_are_told() {
        let leading: Vec<u8> = (0..32).filter(|kind| h265(*kind, 0).unwrap().leading).collect();
        assert_eq!(leading, [8, 9]);
        assert!(h265(0, 2).unwrap().disposable && h265(0, 2).unwrap().layer == 2);
        assert!(!h265(1, 2).unwrap().disposable);
    }

    #[test]
    fn a_unit_that_others_are_predicted_from_is_told_from_one_that_can_be_lost() {
        let disposable = |unit: &[u8]| Access::of(Codec::H264, unit, 4).map(|access| access.disposable);
        assert_eq!(disposable(&[0, 0, 0, 2, 0x41, 0]), Some(false));
        assert_eq!(disposable(&[0, 0, 0, 2, 0x01, 0]), Some(true));
        assert_eq!(disposable(&[0, 0, 0, 1, 0x06, 0, 0, 0, 2, 0x01, 0]), Some(true), "SEI first");
        assert_eq!(disposable(&[0, 0, 0, 9, 0x01, 0]), None, "unreadable");
    }

    #[test]
    fn a_recovery_point_of_h264_is_a_key_picture_unless_it_takes_further_pictures() {
        let key = |sei: &[u8]| {
            let unit = [&[0, 0, 0, sei.len() as u8][..], sei, &[0, 0, 0, 2, 0x41, 0]].concat();
            Access::of(Codec::H264, &unit, 4).map(|access| access.key)
        };
        assert_eq!(key(&[6, 6, 1, 0xc4, 0x80]), Some(true));
        assert_eq!(key(&[6, 5, 2, 9, 9, 6, 1, 0xc4, 0x80]), Some(true), "after another message");
        assert_eq!(key(&[6, 6, 1, 0x44, 0x80]), Some(false), "it takes one further picture");
        assert_eq!(key(&[6, 5, 1, 0xc4, 0x80]), Some(false), "another message");
        for broken in [&[6][..], &[6, 255, 255], &[6, 6, 200, 0xc4], &[6, 6]] {
            assert_eq!(key(broken), Some(false));
        }
    }

    #[test]
    fn a_picture_is_a_key_picture_only_if_all_its_slices_are() {
        let key = |unit: &[u8]| Access::of(Codec::H264, unit, 4).map(|access| access.key);
        assert_eq!(key(&[0, 0, 0, 2, 0x67, 0, 0, 0, 0, 2, 0x65, 0, 0, 0, 0, 2, 0x65, 0]), Some(true));
        assert_eq!(key(&[0, 0, 0, 2, 0x65, 0, 0, 0, 0, 2, 0x41, 0]), Some(false));
    }
}
