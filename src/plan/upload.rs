//! The `[evidence.upload]` section.

use toml::Spanned;
use url::{Host, Url};

use super::build::existing;
use crate::config::{ConfigFile, UploadConfig};
use crate::error::{Error, Result};
use crate::upload::{Login, UploadPlan};

const KEY: &str = "evidence.upload.url";

/// Where pictures are uploaded, if they are. `names` are street and box.
pub(super) fn plan(file: &ConfigFile, (street, box_id): (&str, &str)) -> Result<Option<UploadPlan>> {
    let Some(upload) = &file.config.evidence.upload else { return Ok(None) };
    let (url, is_private) = address(file, &upload.url)?;
    let login = login(file, upload, is_private)?;
    let ca = match &upload.ca_file {
        Some(path) if url.starts_with("https://") => Some(existing(file, "evidence.upload.ca_file", path)?),
        Some(path) => {
            let what = format!("is set, but {KEY} does not start with https://");
            return Err(file.fault("evidence.upload.ca_file", path.span(), what));
        }
        None => None,
    };
    Ok(Some(UploadPlan { url, login, ca, prefix: format!("{street}/{box_id}") }))
}

/// The address without a slash at its end, and whether nobody can listen in on the way there.
fn address(file: &ConfigFile, given: &Spanned<String>) -> Result<(String, bool)> {
    let help = "write it as https://host[:port]/path, e.g. https://store.example/bucket";
    // The address may hold a password, so the line is not shown.
    let secret_fault = |what: &str| file.secret_fault(KEY, given.span(), what).help(help);
    let url = Url::parse(given.get_ref()).map_err(|_| secret_fault("it is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        let help = "set evidence.upload.username and password_file, token_file or s3";
        return Err(secret_fault("user name and password do not belong in the address").help(help));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(secret_fault("an address has nothing after ? or #: keys do not belong there"));
    }
    let fault = |what: &str| file.fault(KEY, given.span(), what).help(help);
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fault("expected an address that starts with https:// or http://"));
    }
    let Some(host) = url.host() else { return Err(fault("there is no host name")) };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._~-".contains(&b);
    if !url.path().bytes().all(is_plain) {
        return Err(fault("the path has characters other than 0-9 A-Z a-z / . _ ~ -"));
    }
    let is_here = match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let text = url.as_str().trim_end_matches('/').to_owned();
    Ok((text, is_here || url.scheme() == "https"))
}

fn login(file: &ConfigFile, upload: &UploadConfig, is_private: bool) -> Result<Login> {
    let UploadConfig { url, token_file, username, password_file, s3, .. } = upload;
    let many = "more than one of token_file, username and s3 is set: expected one way to log in";
    let login = match (token_file, username, password_file, s3) {
        (None, None, None, None) => return Ok(Login::None),
        (Some(path), None, None, None) => Login::Token(existing(file, "evidence.upload.token_file", path)?),
        (None, Some(user), Some(path), None) => {
            // RFC 7617, section 2.
            if user.get_ref().contains(':') || user.get_ref().chars().any(char::is_control) {
                let what = "a name that is sent by HTTP has no colon and no control characters";
                return Err(file.fault("evidence.upload.username", user.span(), what));
            }
            let file_of = existing(file, "evidence.upload.password_file", path)?;
            Login::Password { user: user.get_ref().clone(), file: file_of }
        }
        (None, None, None, Some(s3)) => {
            for (key, value) in [("region", &s3.region), ("access_key", &s3.access_key)] {
                let is_word = |b: u8| b.is_ascii_alphanumeric() || b"._-+=".contains(&b);
                if !(1..=128).contains(&value.get_ref().len()) || !value.get_ref().bytes().all(is_word) {
                    let what = "expected 1 to 128 characters of 0-9 A-Z a-z . _ - + =";
                    return Err(file.fault(&format!("evidence.upload.s3.{key}"), value.span(), what));
                }
            }
            // Signed, so that the secret does not leave the box, over TLS or not.
            return Ok(Login::S3 {
                region: s3.region.get_ref().clone(),
                access_key: s3.access_key.get_ref().clone(),
                secret: existing(file, "evidence.upload.s3.secret_key_file", &s3.secret_key_file)?,
            });
        }
        (None, Some(user), None, None) => {
            let what = "is set without evidence.upload.password_file";
            return Err(file.fault("evidence.upload.username", user.span(), what));
        }
        (None, None, Some(path), None) => {
            let what = "is set without evidence.upload.username";
            return Err(file.fault("evidence.upload.password_file", path.span(), what));
        }
        _ => return Err(file.fault("evidence.upload", url.span(), many)),
    };
    if is_private { Ok(login) } else { Err(in_clear(file, url)) }
}

fn in_clear(file: &ConfigFile, url: &Spanned<String>) -> Error {
    file.fault(KEY, url.span(), "a token or a password would be sent in clear over http://")
        .help("use https://, with ca_file for a certificate of your own")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn upload(settings: &str) -> Result<Option<UploadPlan>> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["token", "password", "secret", "ca.pem"] {
            std::fs::write(folder.path().join(name), "s3cret\n").unwrap();
        }
        let text = format!("edge = {{ street = \"1\", box = \"b\" }}\n[evidence.upload]\n{settings}\n");
        let file = ConfigFile::parse(&folder.path().join("edge.toml"), text)?;
        plan(&file, ("1", "b"))
    }

    #[test]
    fn each_way_to_log_in_is_read() {
        let https = "url = \"https://store.example/bucket/\"\n";
        let plan = upload(https).unwrap().unwrap();
        assert_eq!(
            (plan.url.as_str(), plan.login, plan.prefix.as_str()),
            ("https://store.example/bucket", Login::None, "1/b")
        );
        let login = |settings: &str| upload(&format!("{https}{settings}")).unwrap().unwrap().login;
        assert!(matches!(login("token_file = \"token\""), Login::Token(_)));
        assert!(matches!(login("username = \"u\"\npassword_file = \"password\""), Login::Password { .. }));
        let s3 = "s3 = { region = \"cn-north-1\", access_key = \"AK\", secret_key_file = \"secret\" }";
        assert!(matches!(login(s3), Login::S3 { .. }));
        assert!(upload(&format!("{https}ca_file = \"ca.pem\"")).unwrap().unwrap().ca.is_some());
        // The signature gives nothing away.
        assert!(upload(&format!("url = \"http://10.0.0.9:9000/bucket\"\n{s3}")).is_ok());
        assert!(upload("url = \"http://127.0.0.1:9000/bucket\"\ntoken_file = \"token\"").is_ok());
        let file =
            ConfigFile::parse(Path::new("e.toml"), "edge = { street = \"1\", box = \"b\" }".to_owned());
        assert_eq!(super::plan(&file.unwrap(), ("1", "b")).unwrap(), None);
    }

    #[test]
    fn what_cannot_work_or_would_give_a_secret_away_is_refused_and_not_repeated() {
        for (settings, what) in [
            ("url = \"store.example\"", "it is not an address"),
            ("url = \"ftp://store.example/x\"", "https:// or http://"),
            ("url = \"https://me:s3cret@store.example/\"", "do not belong in the address"),
            ("url = \"https://store.example/x?sig=s3cret\"", "keys do not belong there"),
            ("url = \"https://store.example/a b\"", "the path has characters"),
            ("url = \"http://store.example/x\"\ntoken_file = \"token\"", "in clear"),
            ("url = \"http://store.example/x\"\nca_file = \"ca.pem\"", "does not start with https://"),
            ("url = \"https://store.example/x\"\ntoken_file = \"nowhere\"", "there is no file"),
            ("url = \"https://store.example/x\"\nusername = \"u\"", "without evidence.upload.password_file"),
            (
                "url = \"https://store.example/x\"\npassword_file = \"password\"",
                "without evidence.upload.username",
            ),
            (
                "url = \"https://store.example/x\"\nusername = \"a:b\"\npassword_file = \"password\"",
                "no colon",
            ),
            (
                "url = \"https://s/x\"\ntoken_file = \"token\"\nusername = \"u\"\npassword_file = \"password\"",
                "one way to log in",
            ),
            (
                "url = \"https://s/x\"\ns3 = { region = \"a/b\", access_key = \"AK\", secret_key_file = \"secret\" }",
                "s3.region",
            ),
        ] {
            let error = upload(settings).unwrap_err();
            let mut shown = String::new();
            miette::GraphicalReportHandler::new().render_report(&mut shown, &error).unwrap();
            assert!(error.to_string().contains(what), "{settings}: {error}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
