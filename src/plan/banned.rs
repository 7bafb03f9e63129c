//! Places in which no camera may look, whatever the catalogue of a site calls them.
//!
//! The Regulations on Public Security Video Image Information Systems (公共安全视频图像信息系统管理条例, State Council
//! Decree 799, in force since 1 April 2025) forbid cameras inside of rooms in which guests, pupils or staff sleep,
//! private rooms of restaurants, and public baths, toilets, changing, nursing and fitting rooms, and wherever else
//! they could see what is private. Homes are not public places at all (Civil Code, article 1033).

use toml::Spanned;

use crate::config::ConfigFile;
use crate::error::{Error, Result};

/// Words of such places, as names of zone kinds spell them in English and in pinyin, and what they are.
const BANNED: &[(&str, &[&str])] = &[
    (
        "厕所、卫生间 toilet",
        &[
            "toilet",
            "restroom",
            "rest_room",
            "washroom",
            "wash_room",
            "lavatory",
            "wc",
            "urinal",
            "cesuo",
            "weishengjian",
            "xishoujian",
        ],
    ),
    (
        "浴室 bath",
        &["bath", "bathroom", "bath_room", "bathhouse", "shower", "sauna", "yushi", "linyu", "zaotang"],
    ),
    (
        "更衣室、试衣间 changing or fitting room",
        &[
            "changing_room",
            "changingroom",
            "change_room",
            "fitting_room",
            "fittingroom",
            "dressing_room",
            "locker_room",
            "lockerroom",
            "gengyishi",
            "shiyijian",
        ],
    ),
    (
        "哺乳室 nursing room",
        &["nursing_room", "lactation", "lactation_room", "baby_care_room", "muyingshi", "burushi"],
    ),
    (
        "宿舍、卧室 dormitory or bedroom",
        &[
            "dormitory",
            "dorm",
            "dorm_room",
            "bedroom",
            "bed_room",
            "sleeping_room",
            "sushe",
            "woshi",
            "qinshi",
        ],
    ),
    (
        "旅馆客房、包间 guest or private room",
        &[
            "hotel_room",
            "guest_room",
            "guestroom",
            "private_room",
            "private_dining",
            "karaoke_room",
            "ktv_room",
            "kefang",
            "baojian",
            "baoxiang",
        ],
    ),
    (
        "病房、诊室 ward or treatment room",
        &["ward", "hospital_room", "operating_room", "treatment_room", "bingfang"],
    ),
    (
        "住宅室内 inside of a home",
        &[
            "home",
            "inside_home",
            "home_interior",
            "living_room",
            "livingroom",
            "residence",
            "residence_interior",
            "apartment",
            "flat_interior",
            "household",
            "zhuzhai",
            "keting",
        ],
    ),
];

/// What place a zone of the kind `name` would be in that no camera may see; `None` for all others.
fn place(name: &str) -> Option<&'static str> {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let is = |word: &str, known: &str| word == known || word.strip_suffix('s') == Some(known);
    let names = |banned: &&str| {
        let banned: Vec<&str> = banned.split('_').collect();
        words
            .windows(banned.len())
            .any(|window| window.iter().zip(&banned).all(|(word, known)| is(word, known)))
    };
    BANNED.iter().find(|(_, spellings)| spellings.iter().any(|banned| names(banned))).map(|(place, _)| *place)
}

/// Refuses a zone of a kind in which no camera may look.
pub(super) fn check(file: &ConfigFile, kind: &Spanned<String>) -> Result<()> {
    match place(kind.get_ref()) {
        None => Ok(()),
        Some(place) => Err(fault(file, kind, place)),
    }
}

fn fault(file: &ConfigFile, kind: &Spanned<String>, place: &str) -> Error {
    let what = format!(
        "`{}` ({place}): 此类场所禁止安装图像采集设备 (no camera may look there)，依据《公共安全视频图像信息系统管理条例》\
         (国务院令第799号) and 民法典第一千零三十三条 (Civil Code, article 1033)",
        kind.get_ref()
    );
    file.fault("camera.zone.kind", kind.span(), what).help(
        "删除该区域，并调整摄像机或用 mask 遮挡 (remove the zone, and turn the camera away or hide the place with `mask`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_private_are_known_by_many_names() {
        for name in [
            "toilet",
            "toilets",
            "Women-Toilet",
            "public_toilet",
            "wc.2",
            "changing_room",
            "changing-rooms",
            "shower",
            "staff_dormitory",
            "bedroom",
            "hotel_room",
            "guest-room",
            "home",
            "inside_home",
            "nursing_room",
            "gengyishi",
        ] {
            assert!(place(name).is_some(), "{name}");
        }
    }

    #[test]
    fn places_whose_names_only_sound_like_it_are_not() {
        for name in [
            "sidewalk",
            "fire_lane",
            "corridor",
            "lift",
            "public_area",
            "no_parking",
            "bathing_beach",
            "homeland_square",
            "wcx",
            "warden",
            "room",
            "shopfront",
            "green",
            "towards",
            "gate_area",
        ] {
            assert_eq!(place(name), None, "{name}");
        }
        for known in crate::case::catalog::CATALOG.zone_kinds() {
            assert_eq!(place(known), None, "{known}");
        }
    }
}
