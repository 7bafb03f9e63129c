//! How the model is run: providers, threads, workers.

use crate::config::ConfigFile;
use crate::detect::Provider;
use crate::error::Result;

/// Most threads of an inference, and most workers.
const MOST: u16 = 64;

pub(super) fn threads(file: &ConfigFile) -> Result<u16> {
    let Some(threads) = &file.config.model.threads else { return Ok(1) };
    match *threads.get_ref() {
        n @ 1..=MOST => Ok(n),
        n => Err(file.fault("model.threads", threads.span(), format!("{n} threads: expected 1 to {MOST}"))),
    }
}

pub(super) fn providers(file: &ConfigFile) -> Result<Vec<Provider>> {
    let Some(given) = &file.config.model.providers else { return Ok(vec![Provider::Cpu]) };
    let providers = given.get_ref();
    let fault = |what: String| Err(file.fault("model.providers", given.span(), what));
    if providers.is_empty() {
        return fault("the list is empty: expected at least one provider, such as \"cpu\"".to_owned());
    }
    if let Some(twice) = providers.iter().enumerate().find(|(at, p)| providers[..*at].contains(p)) {
        return fault(format!("`{}` is there twice", twice.1));
    }
    let cpu = providers.iter().position(|provider| *provider == Provider::Cpu);
    if cpu.is_some_and(|at| at + 1 < providers.len()) {
        return fault("`cpu` always works, so what comes after it is never tried: put it last".to_owned());
    }
    Ok(providers.clone())
}

/// Workers for `cameras` cameras.
pub(super) fn workers(file: &ConfigFile, cameras: usize) -> Result<usize> {
    let Some(given) = &file.config.model.workers else {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(default_workers(cameras, cores));
    };
    match *given.get_ref() {
        n @ 1..=MOST => Ok(usize::from(n)),
        n => Err(file.fault("model.workers", given.span(), format!("{n} workers: expected 1 to {MOST}"))),
    }
}

/// One worker serves two cameras at five looks a second even where an inference takes 90 ms, and one core is
/// left for decoding and delivery.
fn default_workers(cameras: usize, cores: usize) -> usize {
    cameras.div_ceil(2).min(cores.saturating_sub(1)).clamp(1, usize::from(MOST))
}

pub(super) fn pin(file: &ConfigFile) -> Result<bool> {
    let Some(pin) = &file.config.model.pin else { return Ok(false) };
    if *pin.get_ref() && threads(file)? != 1 {
        let what = "a pinned worker has one thread: expected model.threads = 1, or no pin";
        return Err(file.fault("model.pin", pin.span(), what));
    }
    Ok(*pin.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(model: &str) -> ConfigFile {
        let text = format!("edge = {{ street = \"1\", box = \"b\" }}\n[model]\n{model}\n");
        ConfigFile::parse(Path::new("edge.toml"), text).unwrap()
    }

    #[test]
    fn workers_are_one_for_two_cameras_and_leave_a_core_free() {
        for (cameras, cores, expected) in
            [(1, 1, 1), (1, 2, 1), (2, 8, 1), (3, 8, 2), (16, 4, 3), (16, 64, 8), (1000, 512, 64)]
        {
            assert_eq!(default_workers(cameras, cores), expected, "{cameras} cameras on {cores} cores");
        }
    }

    #[test]
    fn providers_that_could_never_be_tried_are_refused_with_the_line() {
        for (list, part) in [
            ("[]", "the list is empty"),
            ("[\"cpu\", \"openvino\"]", "put it last"),
            ("[\"cuda\", \"cuda\"]", "`cuda` is there twice"),
        ] {
            let error = providers(&file(&format!("providers = {list}"))).unwrap_err().to_string();
            assert!(error.contains("line 3") && error.contains(part), "{error}");
        }
        let found = providers(&file("providers = [\"openvino\", \"cpu\"]")).unwrap();
        assert_eq!(found, [Provider::OpenVino, Provider::Cpu]);
        assert_eq!(providers(&file("providers = [\"cuda\"]")).unwrap(), [Provider::Cuda]);
    }

    #[test]
    fn pinning_is_refused_with_more_than_one_thread() {
        assert!(pin(&file("pin = true")).unwrap());
        assert!(pin(&file("threads = 2\npin = true")).unwrap_err().to_string().contains("model.pin"));
        assert!(!pin(&file("threads = 2\npin = false")).unwrap());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(workers(&file("workers = 0"), 1).is_err());
        assert!(workers(&file("workers = 65"), 1).is_err());
        assert_eq!(workers(&file("workers = 3"), 1).unwrap(), 3);
        assert!(threads(&file("threads = 0")).is_err());
    }
}
