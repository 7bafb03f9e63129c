//! Whether pictures are taken, and what they are redacted with.

use std::path::PathBuf;

use toml::Spanned;

use super::RedactionPlan;
use super::build::model_folder;
use crate::config::ConfigFile;
use crate::error::Result;

const FACES: &str = "models/faces-centerface";
const PLATES: &str = "models/plates-retinaface";
/// Least score of what is hidden. The models call what they are sure of 0.5 and more; on street pictures faces of 8
/// pixels come at 0.2, and so do cones and signs: a mosaic too many costs little.
const LEAST_SCORE: f32 = 0.2;

/// How pictures are redacted; `None` when the configuration wants none.
pub(super) fn redaction(file: &ConfigFile) -> Result<Option<RedactionPlan>> {
    let privacy = &file.config.privacy;
    if privacy.pictures == Some(false) {
        return Ok(None);
    }
    let folder = |key: &str, given: &Option<Spanned<PathBuf>>, usual: &str| {
        model_folder(file, key, given.as_ref(), usual).map_err(|e| {
            e.help(format!(
                "set {key} to the folder of a model that finds what pictures must not show, or \
                 `privacy.pictures = false` to send cases without pictures"
            ))
        })
    };
    Ok(Some(RedactionPlan {
        faces: folder("privacy.faces", &privacy.faces, FACES)?,
        plates: folder("privacy.plates", &privacy.plates, PLATES)?,
        face_score: score(file, "privacy.face_score", privacy.face_score.as_ref())?,
        plate_score: score(file, "privacy.plate_score", privacy.plate_score.as_ref())?,
    }))
}

fn score(file: &ConfigFile, key: &str, given: Option<&Spanned<f32>>) -> Result<f32> {
    match given {
        None => Ok(LEAST_SCORE),
        Some(given) if (0.05..=1.0).contains(given.get_ref()) => Ok(*given.get_ref()),
        Some(given) => {
            Err(file.fault(key, given.span(), format!("a score of {}: expected 0.05 to 1", given.get_ref())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(privacy: &str) -> ConfigFile {
        let text = format!("edge = {{ street = \"1\", box = \"b\" }}\n[privacy]\n{privacy}\n");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("edge.toml");
        ConfigFile::parse(&here, text).unwrap()
    }

    #[test]
    fn pictures_are_taken_unless_they_are_switched_off() {
        let plan = redaction(&file("")).unwrap().unwrap();
        assert!(plan.faces.ends_with(FACES) && plan.plates.ends_with(PLATES), "{plan:?}");
        assert_eq!(redaction(&file("pictures = false\nfaces = \"nowhere\"")).unwrap(), None);
    }

    #[test]
    fn a_model_that_is_not_there_is_an_error_that_says_how_to_do_without() {
        for key in ["faces", "plates"] {
            let error = redaction(&file(&format!("{key} = \"nowhere\""))).unwrap_err();
            assert!(error.to_string().contains(&format!("line 3, privacy.{key}")), "{error}");
            let help = miette::Diagnostic::help(&error).unwrap().to_string();
            assert!(help.contains("privacy.pictures = false"), "{help}");
        }
    }

    #[test]
    fn a_score_that_hides_everything_or_nothing_is_refused() {
        for bad in ["0.0", "-1.0", "1.5", "nan"] {
            assert!(redaction(&file(&format!("face_score = {bad}"))).is_err(), "{bad}");
            assert!(redaction(&file(&format!("plate_score = {bad}"))).is_err(), "{bad}");
        }
        let plan = redaction(&file("face_score = 0.3\nplate_score = 0.4")).unwrap().unwrap();
        assert_eq!((plan.face_score, plan.plate_score), (0.3, 0.4));
    }
}
