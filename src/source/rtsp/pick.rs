//! Which coded pictures of a live camera are decoded.
//!
//! # Invariants
//! - A picture is decoded only if all that it needs were decoded (`after_a_loss_nothing_is_decoded_until_a_key_picture`).
//! - What no look needs and no other picture needs is not decoded.
//! - Key pictures that come too seldom are noticed before a rule could suffer
//!   (`key_pictures_that_come_too_seldom_bring_all_pictures_back`).

use crate::config::Decode;
use crate::decode::Access;

/// Longest time between key pictures, in seconds, for which they are enough. A place is cleared on looks that are
/// at most 5 s apart in the count of its empty time.
const LONGEST_KEY_INTERVAL_S: f64 = 4.0;
/// Key pictures a little late are on time: cameras count pictures, not seconds.
const KEY_TOLERANCE_S: f64 = 0.5;
/// How many good intervals in a row it takes before the pictures between are left out.
const INTERVALS_NEEDED: u32 = 2;

/// What is to be done with a coded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// Decode it.
    Decode,
    /// Decode it; what was before it was left out.
    Restart,
    /// Leave it out: nothing needs it.
    NotNeeded,
    /// Leave it out: it needs what is not there.
    NotDecodable,
}

/// What was noticed on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Notice {
    /// Only key pictures are decoded from here on; they come each so many seconds.
    KeyOnly(f64),
    /// All pictures are decoded from here on: a rule needs movement.
    ForMotion,
    /// All pictures are decoded from here on: key pictures are this many seconds apart or more.
    KeysTooSeldom(f64),
}

/// Chooses, picture by picture.
#[derive(Debug)]
pub(super) struct Picker {
    decode: Decode,
    key_only: bool,
    /// All that the next picture may need was decoded.
    intact: bool,
    /// The last key picture followed on an unbroken stream, so what leads it can be decoded.
    leading: bool,
    highest_layer: u8,
    last_key_s: Option<f64>,
    key_interval_s: Option<f64>,
    good_intervals: u32,
    keys_missed: bool,
}

impl Picker {
    /// A picker for the camera's setting.
    pub(super) fn new(decode: Decode) -> Self {
        Self {
            decode,
            key_only: decode == Decode::Key,
            intact: false,
            leading: false,
            highest_layer: 0,
            last_key_s: None,
            key_interval_s: None,
            good_intervals: 0,
            keys_missed: false,
        }
    }

    /// A new stream begins; what was learnt of key pictures still holds.
    pub(super) fn begin(&mut self) {
        self.lost();
        self.highest_layer = 0;
        self.last_key_s = None;
    }

    /// Something was lost: nothing is decoded until the next key picture.
    pub(super) fn lost(&mut self) {
        self.intact = false;
    }

    /// Whether only key pictures are decoded.
    pub(super) fn key_only(&self) -> bool {
        self.key_only
    }

    /// Seconds between the last two key pictures.
    pub(super) fn key_interval_s(&self) -> Option<f64> {
        self.key_interval_s
    }

    /// Judges one picture at `media_s` seconds of the stream. `due`: a look waits for it. `motion`: a rule needs
    /// movement.
    pub(super) fn pick(
        &mut self,
        access: Access,
        media_s: f64,
        due: bool,
        motion: bool,
    ) -> (Pick, Option<Notice>) {
        self.highest_layer = self.highest_layer.max(access.layer);
        let notice = self.settle(access.key, media_s, motion);
        (self.choose(access, media_s, due), notice)
    }

    fn choose(&mut self, access: Access, media_s: f64, due: bool) -> Pick {
        if access.key {
            if self.key_only && !due {
                self.intact = false;
                return Pick::NotNeeded;
            }
            self.leading = self.intact;
            return if std::mem::replace(&mut self.intact, true) { Pick::Decode } else { Pick::Restart };
        }
        if self.key_only {
            self.intact = false;
            return Pick::NotNeeded;
        }
        // In H.264 what leads a key picture is known only by its time.
        let leads = access.leading || self.last_key_s.is_some_and(|key_s| media_s < key_s);
        if !self.intact || (leads && !self.leading) {
            return Pick::NotDecodable;
        }
        // A picture of a lower layer may be needed by a higher one although it is called disposable.
        if access.disposable && access.layer == self.highest_layer && !due {
            return Pick::NotNeeded;
        }
        Pick::Decode
    }

    /// Decides whether key pictures are enough.
    fn settle(&mut self, key: bool, media_s: f64, motion: bool) -> Option<Notice> {
        let since_key_s = self.last_key_s.map(|last| media_s - last);
        let seldom = since_key_s.is_some_and(|s| s > LONGEST_KEY_INTERVAL_S + KEY_TOLERANCE_S);
        if seldom {
            self.good_intervals = 0;
        }
        if key {
            self.key_interval_s = since_key_s.filter(|s| *s > 0.0).or(self.key_interval_s);
            if !seldom && since_key_s.is_some() {
                self.good_intervals = self.good_intervals.saturating_add(1);
            }
            self.last_key_s = Some(media_s);
        }
        if self.decode != Decode::Auto {
            return None;
        }
        let wanted = !motion && self.good_intervals >= INTERVALS_NEEDED;
        if self.key_only && !wanted {
            // The pictures since the last key picture were left out: the next one begins.
            (self.key_only, self.keys_missed) = (false, seldom);
            return Some(match since_key_s {
                Some(s) if !motion => Notice::KeysTooSeldom(s),
                _ => Notice::ForMotion,
            });
        }
        if wanted && !self.key_only && key {
            (self.key_only, self.keys_missed) = (true, false);
            return Some(Notice::KeyOnly(self.key_interval_s.unwrap_or(0.0)));
        }
        if seldom && !motion && !self.key_only && !std::mem::replace(&mut self.keys_missed, true) {
            return since_key_s.map(Notice::KeysTooSeldom);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Access = Access { key: true, disposable: false, leading: false, layer: 0 };
    const NEEDED: Access = Access { key: false, disposable: false, leading: false, layer: 0 };
    const DISPOSABLE: Access = Access { key: false, disposable: true, leading: false, layer: 0 };
    const LEADING: Access = Access { key: false, disposable: true, leading: true, layer: 0 };

    /// Plays `seconds` at 25 pictures a second with a key picture each `key_s`; how many were decoded, and notices.
    fn play(picker: &mut Picker, from_s: f64, seconds: f64, key_s: f64, motion: bool) -> (u32, Vec<Notice>) {
        let (mut decoded, mut notices) = (0, Vec::new());
        let every = (key_s * 25.0).round() as u32;
        for n in 0..(seconds * 25.0).round() as u32 {
            let access = if n % every == 0 { KEY } else { NEEDED };
            let (pick, notice) = picker.pick(access, from_s + f64::from(n) / 25.0, true, motion);
            decoded += u32::from(matches!(pick, Pick::Decode | Pick::Restart));
            notices.extend(notice);
        }
        (decoded, notices)
    }

    #[test]
    fn after_a_loss_nothing_is_decoded_until_a_key_picture() {
        let mut picker = Picker::new(Decode::All);
        let mut pick = |access| picker.pick(access, 0.0, true, true).0;
        assert_eq!(pick(NEEDED), Pick::NotDecodable, "the stream was joined in the middle");
        assert_eq!(
            [pick(KEY), pick(NEEDED), pick(LEADING)],
            [Pick::Restart, Pick::Decode, Pick::NotDecodable]
        );
        assert_eq!([pick(KEY), pick(LEADING)], [Pick::Decode, Pick::Decode]);
        picker.lost();
        let mut pick = |access| picker.pick(access, 0.0, true, true).0;
        assert_eq!(
            [pick(NEEDED), pick(DISPOSABLE), pick(KEY)],
            [Pick::NotDecodable, Pick::NotDecodable, Pick::Restart]
        );
    }

    #[test]
    fn what_leads_a_key_picture_after_a_loss_is_left_out_by_its_time_too() {
        let mut picker = Picker::new(Decode::All);
        let mut pick = |access, media_s| picker.pick(access, media_s, true, true).0;
        assert_eq!(pick(KEY, 10.0), Pick::Restart);
        assert_eq!([pick(NEEDED, 9.9), pick(NEEDED, 10.1)], [Pick::NotDecodable, Pick::Decode]);
        assert_eq!([pick(KEY, 11.0), pick(NEEDED, 10.9)], [Pick::Decode, Pick::Decode]);
    }

    #[test]
    fn what_neither_a_look_nor_another_picture_needs_is_left_out() {
        let mut picker = Picker::new(Decode::All);
        picker.pick(KEY, 0.0, true, true);
        assert_eq!(picker.pick(DISPOSABLE, 0.1, false, true).0, Pick::NotNeeded);
        assert_eq!(picker.pick(NEEDED, 0.2, false, true).0, Pick::Decode);
        assert_eq!(picker.pick(DISPOSABLE, 0.3, true, true).0, Pick::Decode);
        let upper = Access { layer: 1, ..DISPOSABLE };
        assert_eq!(picker.pick(upper, 0.4, false, true).0, Pick::NotNeeded);
        assert_eq!(picker.pick(DISPOSABLE, 0.5, false, true).0, Pick::Decode, "an upper layer may need it");
    }

    #[test]
    fn key_pictures_are_enough_for_what_stays_once_they_are_known_to_come() {
        let mut picker = Picker::new(Decode::Auto);
        let (decoded, notices) = play(&mut picker, 0.0, 60.0, 2.0, false);
        assert_eq!(notices, [Notice::KeyOnly(2.0)]);
        assert_eq!(decoded, 4 * 25 + 1 + 27, "all for two intervals, then one each 2 s");
    }

    #[test]
    fn while_a_rule_needs_movement_all_are_decoded_and_then_key_pictures_again() {
        let mut picker = Picker::new(Decode::Auto);
        play(&mut picker, 0.0, 10.0, 2.0, false);
        let (decoded, notices) = play(&mut picker, 10.0, 10.0, 2.0, true);
        assert_eq!((decoded, notices), (250, vec![Notice::ForMotion]));
        let (decoded, notices) = play(&mut picker, 20.0, 10.0, 2.0, false);
        assert_eq!((decoded, notices), (5, vec![Notice::KeyOnly(2.0)]));
    }

    #[test]
    fn key_pictures_that_come_too_seldom_bring_all_pictures_back() {
        let mut picker = Picker::new(Decode::Auto);
        let (decoded, notices) = play(&mut picker, 0.0, 60.0, 10.0, false);
        assert_eq!(decoded, 60 * 25, "nothing is lost when they were always too seldom");
        assert!(matches!(notices[..], [Notice::KeysTooSeldom(_)]), "said once: {notices:?}");
        let mut picker = Picker::new(Decode::Auto);
        play(&mut picker, 0.0, 10.0, 2.0, false);
        let (_, notices) = play(&mut picker, 10.0, 60.0, 10.0, false);
        assert!(matches!(notices[..], [Notice::KeysTooSeldom(s)] if s < 5.0), "noticed at once: {notices:?}");
    }

    #[test]
    fn key_pictures_that_come_faster_than_looks_are_not_all_decoded() {
        let mut picker = Picker::new(Decode::Key);
        let picks = [true, false, false, true].map(|due| picker.pick(KEY, 0.0, due, false).0);
        assert_eq!(picks, [Pick::Restart, Pick::NotNeeded, Pick::NotNeeded, Pick::Restart]);
    }
}
