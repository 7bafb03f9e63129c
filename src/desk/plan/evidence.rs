//! Which stores the desk may ask for pictures. A message names an address; without this list it could name any machine
//! that the desk can reach, and have the desk ask it.

use std::path::PathBuf;

use super::existing;
use crate::config::TomlFile;
use crate::desk::config::DeskConfig;
use crate::error::Result;

/// Where pictures are fetched from that boxes put into a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidencePlan {
    /// The stores that may be asked.
    pub hosts: Vec<StoreHost>,
    /// File of the authority to trust; `None` for those that the system trusts.
    pub ca: Option<PathBuf>,
    /// File of the bearer token, which goes over TLS only.
    pub token: Option<PathBuf>,
}

/// A store that may be asked for pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHost {
    /// Its name or address, as in a URL: in lower case, IPv6 in brackets.
    pub host: String,
    /// Its port; `None` for the usual one of `http` and `https`.
    pub port: Option<u16>,
}

impl EvidencePlan {
    /// Whether `url` is of a store that may be asked.
    pub fn lists(&self, url: &url::Url) -> bool {
        // `Url::port` is `None` for the usual port, also where it is written out.
        url.host_str().is_some_and(|host| {
            self.hosts.iter().any(|known| known.host == host && known.usual_of(url) == url.port())
        })
    }
}

impl StoreHost {
    /// Its port as `Url::port` would say it of an address of the scheme of `url`.
    fn usual_of(&self, url: &url::Url) -> Option<u16> {
        let usual = if url.scheme() == "https" { 443 } else { 80 };
        self.port.filter(|port| *port != usual)
    }
}

impl std::fmt::Display for StoreHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// The address of a picture in a store, if `text` is one: `http` or `https`, without user name, password or fragment.
pub(in crate::desk) fn picture_url(text: &str) -> Option<url::Url> {
    /// Longest address of a picture.
    const MAX_URL: usize = 1000;
    let is_plain = text.len() <= MAX_URL && text.bytes().all(|b| b.is_ascii_graphic());
    url::Url::parse(text).ok().filter(|url| {
        is_plain
            && matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.has_host()
    })
}

/// What the configuration says of them.
///
/// # Errors
/// [`crate::error::Kind::Config`] for a host that is none, or a file that is not there.
pub(super) fn plan(file: &TomlFile<DeskConfig>) -> Result<EvidencePlan> {
    let evidence = &file.config.evidence;
    let mut hosts = Vec::new();
    for host in &evidence.hosts {
        // Read as an address is, so that both spell a name alike.
        let sound = url::Url::parse(&format!("https://{}/", host.get_ref())).ok().filter(|url| {
            url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
                && !host.get_ref().contains(['/', '?', '#', '@'])
        });
        let name = sound.as_ref().and_then(url::Url::host_str).map(str::to_owned);
        let Some(name) = name else {
            return Err(file.fault(
                "evidence.hosts",
                host.span(),
                "expected a host, or host:port, e.g. store.example.cn or 192.0.2.5:9000",
            ));
        };
        // Of a written port 443 the reader says nothing, as it is the usual one.
        let written = host.get_ref().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        hosts.push(StoreHost { host: name, port: written });
    }
    for (key, path) in
        [("evidence.ca_file", &evidence.ca_file), ("evidence.token_file", &evidence.token_file)]
    {
        if let Some(path) = path
            && hosts.is_empty()
        {
            return Err(file.fault(key, path.span(), "is set without evidence.hosts"));
        }
    }
    Ok(EvidencePlan {
        hosts,
        ca: existing(file, "evidence.ca_file", evidence.ca_file.as_ref())?,
        token: existing(file, "evidence.token_file", evidence.token_file.as_ref())?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn plan_of(lines: &str) -> Result<EvidencePlan> {
        let text = format!("street = \"s\"\n[[grid]]\nid = \"g\"\n[evidence]\n{lines}\n");
        plan(&TomlFile::parse(Path::new("desk.toml"), text).unwrap())
    }

    #[test]
    fn only_what_is_listed_may_be_asked() {
        let plan =
            plan_of(r#"hosts = ["Store.example", "192.0.2.5:9000", "[2001:db8::1]", "tls.example:443"]"#)
                .unwrap();
        let may = |text: &str| picture_url(text).is_some_and(|url| plan.lists(&url));
        for good in [
            "https://store.example/a.jpg",
            "http://STORE.example:80/a.jpg",
            "https://store.example:443/a.jpg?x=1",
            "http://192.0.2.5:9000/evidence/a.jpg",
            "https://[2001:db8::1]/a.jpg",
            "https://tls.example/a.jpg",
        ] {
            assert!(may(good), "{good}");
        }
        for bad in [
            "https://store.example:8443/a.jpg",
            "https://192.0.2.5/a.jpg",
            "https://192.0.2.5:9001/a.jpg",
            "https://evil.example/store.example/a.jpg",
            "https://store.example.evil.example/a.jpg",
            "https://store.example@evil.example/a.jpg",
            "https://user:password@store.example/a.jpg",
            "https://store.example/a.jpg#x",
            "https://evil.example\\@store.example/a.jpg",
            "ftp://store.example/a.jpg",
            "file:///etc/passwd",
            "http://tls.example/a.jpg",
            "https://store.example/ a.jpg",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert!(!may(bad), "{bad}");
        }
        assert!(!EvidencePlan::default().lists(&picture_url("https://store.example/a.jpg").unwrap()));
    }

    #[test]
    fn a_host_that_is_none_is_named() {
        for bad in ["", "https://store.example", "store.example/path", "a@b", "a b", "2001:db8::1", "x:99999"]
        {
            let error = plan_of(&format!("hosts = [{bad:?}]")).unwrap_err().to_string();
            assert!(error.contains("evidence.hosts"), "{bad}: {error}");
        }
        let error = plan_of("ca_file = \"ca.pem\"").unwrap_err().to_string();
        assert!(error.contains("evidence.ca_file"), "{error}");
    }
}
