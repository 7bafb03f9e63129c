//! Which version of MQTT is spoken to a broker. Pure; the session feeds it.
//!
//! # Invariants
//! - A version that the configuration names is spoken and no other.
//! - With `auto`, 3.1.1 is spoken only to a broker that has refused 5: with 3.1.1 a case could be taken for delivered
//!   that nobody has (`only_a_broker_that_refuses_5_is_spoken_to_in_3_1_1`).
//! - After each connection in 3.1.1, 5 is asked for again: the broker may have been renewed.

use std::io::ErrorKind;

use rumqttc::v5::mqttbytes::Error as Malformed;
use rumqttc::v5::mqttbytes::v5::ConnectReturnCode;
use rumqttc::v5::{ConnectionError, StateError};

use crate::config::MqttVersion;

/// How often in a row a broker must hang up on MQTT 5 until that is taken for a refusal. One that is just starting or
/// stopping does it too, but not for long.
const HANG_UPS: u32 = 3;

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mqtt) enum Version {
    /// MQTT 5.
    V5,
    /// MQTT 3.1.1.
    V3,
}

impl Version {
    /// As messages say it.
    pub(in crate::mqtt) fn as_str(self) -> &'static str {
        match self {
            Self::V5 => "5",
            Self::V3 => "3.1.1",
        }
    }
}

/// Which version comes next.
#[derive(Clone, Copy, Debug)]
pub(in crate::mqtt) struct Dialect {
    setting: MqttVersion,
    next: Version,
    hang_ups: u32,
    /// The last connection stood, and was in 3.1.1.
    knows_better: bool,
}

impl Dialect {
    /// The first attempt under `setting`.
    pub(in crate::mqtt) fn new(setting: MqttVersion) -> Self {
        let next = if setting == MqttVersion::V3 { Version::V3 } else { Version::V5 };
        Self { setting, next, hang_ups: 0, knows_better: false }
    }

    /// What is to be spoken now.
    pub(in crate::mqtt) fn version(&self) -> Version {
        self.next
    }

    /// An attempt, or the connection that came of it, has ended in `error`. `connected`: the broker had taken the box
    /// on.
    pub(in crate::mqtt) fn ended(&mut self, error: &ConnectionError, connected: bool) {
        if self.setting != MqttVersion::Auto {
            return;
        }
        if self.next == Version::V3 {
            *self = Self { knows_better: connected, ..Self::new(self.setting) };
            return;
        }
        self.hang_ups = if !connected && hung_up(error) { self.hang_ups + 1 } else { 0 };
        let is_clear = self.hang_ups >= HANG_UPS || (self.hang_ups > 0 && self.knows_better);
        if !connected && (refused_version(error) || is_clear) {
            self.next = Version::V3;
        }
    }
}

/// Whether the broker says that it does not speak MQTT 5.
fn refused_version(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::ConnectionRefused(ConnectReturnCode::UnsupportedProtocolVersion)
            | ConnectionError::MqttState(
                StateError::ConnFail { reason: ConnectReturnCode::UnsupportedProtocolVersion }
                    // MQTT 3.1.1, section 3.2.2.3: code 1 of a broker that does not know version 5.
                    | StateError::Deserialization(
                        Malformed::InvalidConnectReturnCode(1) | Malformed::MalformedPacket,
                    )
            )
    )
}

/// Whether the broker closed the connection. One of MQTT 3.1.1 answers with fewer bytes than MQTT 5 has and does so,
/// which the library does not tell from one that hangs up without a word. One that has not read all that it was sent
/// resets the connection.
fn hung_up(error: &ConnectionError) -> bool {
    let io = match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => return true,
        ConnectionError::Io(io)
        | ConnectionError::MqttState(StateError::Io(io) | StateError::Deserialization(Malformed::Io(io))) => {
            io
        }
        _ => return false,
    };
    matches!(io.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> ConnectionError {
        ConnectionError::ConnectionRefused(ConnectReturnCode::UnsupportedProtocolVersion)
    }

    fn hang_up() -> ConnectionError {
        ConnectionError::MqttState(StateError::ConnectionAborted)
    }

    fn unreachable() -> ConnectionError {
        ConnectionError::Io(std::io::ErrorKind::ConnectionRefused.into())
    }

    #[test]
    fn only_a_broker_that_refuses_5_is_spoken_to_in_3_1_1() {
        let mut dialect = Dialect::new(MqttVersion::Auto);
        for _ in 0..9 {
            dialect.ended(&unreachable(), false);
            dialect.ended(&hang_up(), true);
            dialect.ended(&hang_up(), false);
            dialect.ended(&hang_up(), false);
            assert_eq!(dialect.version(), Version::V5);
        }
        dialect.ended(&refusal(), false);
        assert_eq!(dialect.version(), Version::V3);
    }

    #[test]
    fn one_that_always_hangs_up_refuses_too_and_is_asked_again_after_each_connection() {
        let mut dialect = Dialect::new(MqttVersion::Auto);
        for _ in 0..2 {
            dialect.ended(&hang_up(), false);
            assert_eq!(dialect.version(), Version::V5);
        }
        dialect.ended(&hang_up(), false);
        assert_eq!(dialect.version(), Version::V3);
        dialect.ended(&hang_up(), true);
        assert_eq!(dialect.version(), Version::V5);
        // It is known by now: once is enough.
        dialect.ended(&hang_up(), false);
        assert_eq!(dialect.version(), Version::V3);
        // It did not work out, so nothing is known.
        dialect.ended(&unreachable(), false);
        dialect.ended(&hang_up(), false);
        assert_eq!(dialect.version(), Version::V5);
    }

    #[test]
    fn a_version_that_is_named_is_spoken_and_no_other() {
        for (setting, version) in [(MqttVersion::V5, Version::V5), (MqttVersion::V3, Version::V3)] {
            let mut dialect = Dialect::new(setting);
            for _ in 0..9 {
                dialect.ended(&refusal(), false);
                dialect.ended(&hang_up(), false);
                assert_eq!(dialect.version(), version);
            }
        }
    }
}
