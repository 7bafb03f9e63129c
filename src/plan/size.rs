//! How large the objects of a rule are, as the configuration limits it.

use toml::Spanned;

use crate::config::{ConfigFile, RuleConfig};
use crate::error::Result;
use crate::rule::SizeLimits;

/// Heights in the picture, 0-1.
const HEIGHT: (f32, f32) = (0.001, 1.0);
/// Widths in metres; a lorry with its trailer is 20 m long.
const WIDTH_M: (f64, f64) = (0.05, 100.0);

/// The limits of the rule about `slug`, on a camera that knows its ground or not.
pub(super) fn limits(
    file: &ConfigFile,
    slug: &str,
    change: &RuleConfig,
    has_ground: bool,
) -> Result<SizeLimits> {
    let key = |name: &str| format!("camera.zone.rule.{slug}.{name}");
    for (name, given) in [("min_width_m", &change.min_width_m), ("max_width_m", &change.max_width_m)] {
        if let Some(given) = given.as_ref().filter(|_| !has_ground) {
            let what = "metres are only known on a camera with `ground`";
            return Err(file.fault(&key(name), given.span(), what).help(
                "make the camera's ground with `gridpatrol calibrate camera`, or limit the height in the picture",
            ));
        }
    }
    let height = |name: &str, given| number(file, &key(name), given, HEIGHT, "of the picture's height");
    let width = |name: &str, given| number(file, &key(name), given, WIDTH_M, "metres");
    let limits = SizeLimits {
        min_height: height("min_height", change.min_height.as_ref())?,
        max_height: height("max_height", change.max_height.as_ref())?,
        min_width_m: width("min_width_m", change.min_width_m.as_ref())?,
        max_width_m: width("max_width_m", change.max_width_m.as_ref())?,
    };
    let over =
        |least: Option<f64>, most: Option<f64>| least.zip(most).is_some_and(|(least, most)| least > most);
    if let Some(given) = change.max_height.as_ref()
        && over(limits.min_height.map(f64::from), limits.max_height.map(f64::from))
    {
        return Err(file.fault(
            &key("max_height"),
            given.span(),
            "less than min_height: nothing is so large",
        ));
    }
    if let Some(given) = change.max_width_m.as_ref()
        && over(limits.min_width_m, limits.max_width_m)
    {
        return Err(file.fault(
            &key("max_width_m"),
            given.span(),
            "less than min_width_m: nothing is so wide",
        ));
    }
    Ok(limits)
}

fn number<T: Copy + PartialOrd + std::fmt::Display>(
    file: &ConfigFile,
    key: &str,
    given: Option<&Spanned<T>>,
    (low, high): (T, T),
    unit: &str,
) -> Result<Option<T>> {
    match given {
        None => Ok(None),
        Some(given) if (low..=high).contains(given.get_ref()) => Ok(Some(*given.get_ref())),
        Some(given) => {
            let what = format!("{} {unit}: expected {low} to {high}", given.get_ref());
            Err(file.fault(key, given.span(), what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &str, has_ground: bool) -> Result<SizeLimits> {
        let text = format!(
            "edge = {{ street = \"1\", box = \"b\" }}\n[[camera]]\nid = \"c\"\nsource = \"s\"\n[[camera.zone]]\n\
             id = \"z\"\nkind = \"no_parking\"\npolygon = []\n[camera.zone.rule.illegal_parking]\n{keys}\n"
        );
        let file: ConfigFile = ConfigFile::parse("edge.toml".as_ref(), text).unwrap();
        let rules = &file.config.cameras[0].zones[0].rules;
        limits(&file, "illegal_parking", rules.values().next().unwrap(), has_ground)
    }

    #[test]
    fn limits_are_read_and_what_is_not_said_is_not_limited() {
        let limits = check("min_height = 0.05\nmax_width_m = 3.5", true).unwrap();
        assert_eq!((limits.min_height, limits.max_height), (Some(0.05), None));
        assert_eq!((limits.min_width_m, limits.max_width_m), (None, Some(3.5)));
        assert_eq!(check("", false).unwrap(), SizeLimits::default());
    }

    #[test]
    fn limits_that_nothing_could_keep_are_refused_with_line_and_key() {
        for (keys, has_ground, part) in [
            ("min_height = 5.0", true, "min_height"),
            ("max_height = nan", true, "max_height"),
            ("min_width_m = 0.0", true, "min_width_m"),
            ("min_width_m = 1.0", false, "only known on a camera with `ground`"),
            ("min_height = 0.5\nmax_height = 0.2", true, "less than min_height"),
            ("min_width_m = 5.0\nmax_width_m = 2.0", true, "less than min_width_m"),
        ] {
            let said = check(keys, has_ground).unwrap_err().to_string();
            assert!(
                said.contains("edge.toml, line 1") && said.contains(part),
                "`{said}` does not say `{part}`"
            );
        }
    }
}
