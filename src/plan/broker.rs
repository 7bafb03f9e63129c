//! The `[mqtt]` section.

use super::BrokerPlan;
use super::build::existing;
use crate::config::{MqttConfig, TomlFile};
use crate::error::Result;
use crate::mqtt::command::Verb;

/// Where the configuration does not name a broker.
const DEFAULT_URL: &str = "mqtt://127.0.0.1:1883";

/// Checks `mqtt`, the `[mqtt]` section of `file`.
pub(crate) fn plan<C>(file: &TomlFile<C>, mqtt: &MqttConfig) -> Result<BrokerPlan> {
    let (url, span) = match &mqtt.url {
        Some(url) => (url.get_ref().as_str(), url.span()),
        None => (DEFAULT_URL, 0..0),
    };
    let fault = |what: &str| {
        file.fault("mqtt.url", span.clone(), what).help("write it as mqtt://host:1883 or mqtts://host:8883")
    };
    let (tls, rest) = match url.split_once("://") {
        Some(("mqtt", rest)) => (false, rest),
        Some(("mqtts", rest)) => (true, rest),
        _ => return Err(fault("expected an address that starts with mqtt:// or mqtts://")),
    };
    // Credentials in an address end up in logs and process lists, so they are not taken from there.
    if rest.contains('@') {
        return Err(file
            .secret_fault("mqtt.url", span, "user name and password do not belong in the address")
            .help("set mqtt.username and mqtt.password_file"));
    }
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => {
            (host, port.parse().map_err(|_| fault("the port is not a number from 1 to 65535"))?)
        }
        None => (rest, if tls { 8883 } else { 1883 }),
    };
    if host.is_empty() || host.contains('/') || port == 0 {
        return Err(fault("expected a host name and, if it is not the usual one, a port"));
    }
    let tls_ca = match (tls, &mqtt.ca_file) {
        (true, Some(path)) => Some(existing(file, "mqtt.ca_file", path)?),
        (true, None) => {
            return Err(fault("mqtts needs to know which certificate authority to trust").help(
                "set mqtt.ca_file to the PEM file of the authority that signed the broker's certificate",
            ));
        }
        (false, Some(path)) => {
            let what = "is set, but mqtt.url does not start with mqtts://";
            return Err(file.fault("mqtt.ca_file", path.span(), what));
        }
        (false, None) => None,
    };
    let login = match (&mqtt.username, &mqtt.password_file) {
        (Some(name), Some(path)) => Some((name.clone(), existing(file, "mqtt.password_file", path)?)),
        (None, None) => None,
        (Some(_), None) => return Err(fault("mqtt.username is set without mqtt.password_file")),
        (None, Some(path)) => {
            return Err(file.fault("mqtt.password_file", path.span(), "is set without mqtt.username"));
        }
    };
    let client = match (&mqtt.client_cert_file, &mqtt.client_key_file) {
        (Some(certificate), Some(key)) if tls => Some((
            existing(file, "mqtt.client_cert_file", certificate)?,
            existing(file, "mqtt.client_key_file", key)?,
        )),
        (Some(path), Some(_)) => {
            let what = "is set, but mqtt.url does not start with mqtts://";
            return Err(file.fault("mqtt.client_cert_file", path.span(), what));
        }
        (Some(path), None) => {
            return Err(file.fault(
                "mqtt.client_cert_file",
                path.span(),
                "is set without mqtt.client_key_file",
            ));
        }
        (None, Some(path)) => {
            return Err(file.fault(
                "mqtt.client_key_file",
                path.span(),
                "is set without mqtt.client_cert_file",
            ));
        }
        (None, None) => None,
    };
    // RFC 7301, section 3.1.
    if mqtt.alpn.iter().any(|name| name.is_empty() || name.len() > 255) {
        return Err(fault("a name in mqtt.alpn has not 1 to 255 bytes"));
    }
    if !tls && !mqtt.alpn.is_empty() {
        return Err(fault("mqtt.alpn is set, but the address does not start with mqtts://"));
    }
    let mut commands = mqtt.commands.clone().unwrap_or_else(|| Verb::USUAL.to_vec());
    commands.sort_unstable();
    commands.dedup();
    let command_key = mqtt
        .command_key_file
        .as_ref()
        .map(|path| existing(file, "mqtt.command_key_file", path))
        .transpose()?;
    let alpn = mqtt.alpn.clone();
    let version = mqtt.version;
    Ok(BrokerPlan {
        host: host.to_owned(),
        port,
        version,
        tls_ca,
        login,
        client,
        alpn,
        commands,
        command_key,
    })
}
