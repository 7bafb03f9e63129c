//! The contract as an AsyncAPI 3.0 document with the MQTT bindings of version 0.2.0.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Channel, Direction, Payload, STATUS, TABLE};
use crate::error::{Error, Kind, Result};
use crate::evidence::Role;
use crate::mqtt::command::Verb;
use crate::mqtt::link;
use crate::mqtt::orders;

/// Version of the MQTT bindings that are used.
const BINDING: &str = "0.2.0";
/// Version of the contract: its major is that in the topics.
const VERSION: &str = "1.0.0";

const ABOUT: &str = "gridpatrol 巡格 tells grid cases that it saw through street cameras.\n\n\
    All messages are MQTT 5, QoS 1 unless they say otherwise, JSON in UTF-8 with times in RFC 3339 with offset, scores and \
    boxes from 0 to 1. A consumer ignores members that it does not know. A message with QoS 1 may come twice: events are \
    told apart by `source` and `id`. With a broker of MQTT 3.1.1 there are no user properties, no content type, no expiry, \
    no response topic and no correlation data: topics and payloads are the same, and answers come on `cmd/{verb}/ack`.\n\n\
    消息采用 MQTT 5，除另有说明外均为 QoS 1；JSON 为 UTF-8，时间为带时区的 RFC 3339。未知字段应忽略；重复消息以 source 与 id 去重。";

/// The contract as an AsyncAPI 3.0 document: what the application, the box, sends and receives. Made from [`TABLE`];
/// the schemas of all messages are in it.
///
/// # Errors
/// [`Kind::System`] when two types of one name differ, which is a mistake in the types of the messages.
pub fn document() -> Result<Value> {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    let mut schemas = Schemas::new();
    for row in TABLE {
        channels.insert(row.name.to_owned(), channel(row));
        operations.insert(operation_name(row), operation(row));
        messages.insert(row.name.to_owned(), message(row, &mut schemas));
    }
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "gridpatrol",
            "version": VERSION,
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "broker": server() },
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas.all()? },
    }))
}

fn server() -> Value {
    json!({
        "host": "{host}:{port}",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "The broker of mqtt.url in the box's configuration: mqtts with a CA file, or mqtt.",
        "variables": {
            "host": { "default": "localhost", "description": "The broker's host name." },
            "port": { "default": "8883", "description": "8883 with TLS, 1883 without, unless mqtt.url says otherwise." },
        },
        "bindings": { "mqtt": {
            "clientId": "patrol-{street}-{box}",
            "cleanSession": false,
            "lastWill": {
                "topic": STATUS.address(),
                "qos": STATUS.qos as u8,
                "message": "The status with state offline.",
                "retain": STATUS.retained,
            },
            "keepAlive": link::KEEP_ALIVE.as_secs(),
            "sessionExpiryInterval": link::SESSION_EXPIRY_S,
            "maximumPacketSize": orders::MAX_PACKET,
            "bindingVersion": BINDING,
        }},
    })
}

fn channel(row: &Channel) -> Value {
    let parameters: Map<String, Value> =
        row.parameters().into_iter().map(|name| (name.clone(), parameter(&name))).collect();
    json!({
        "address": row.address(),
        "title": row.title,
        "description": row.about,
        "parameters": parameters,
        "messages": { row.name: { "$ref": format!("#/components/messages/{}", row.name) } },
    })
}

/// What a level of a topic stands for.
fn parameter(name: &str) -> Value {
    match name {
        "street" => json!({ "description": "Code of the street or town: edge.street." }),
        "box" => json!({ "description": "The box, unique in its street: edge.box." }),
        "grid" => json!({ "description": "Id of the grid that is responsible." }),
        "kind" => json!({ "description": "Kind of case, as `gridpatrol kinds` lists them." }),
        "case" => json!({ "description": "Id of the case, a UUID." }),
        "camera" => json!({ "description": "Id of the camera." }),
        "role" => {
            let roles: Vec<&str> =
                Role::ALL.into_iter().filter(|role| *role != Role::Clip).map(Role::as_str).collect();
            json!({ "description": "What the picture shows.", "enum": roles })
        }
        "verb" => {
            let verbs: Vec<&str> = Verb::ALL.map(Verb::as_str).into_iter().chain(["unknown"]).collect();
            json!({ "description": "The command's verb; `unknown` for one that there is not.", "enum": verbs })
        }
        other => json!({ "description": other }),
    }
}

fn operation_name(row: &Channel) -> String {
    match row.direction {
        Direction::FromBox => format!("send_{}", row.name),
        Direction::ToBox => format!("receive_{}", row.name),
    }
}

fn operation(row: &Channel) -> Value {
    let mut binding = json!({ "qos": row.qos as u8, "retain": row.retained, "bindingVersion": BINDING });
    if let Some(seconds) = row.expiry_s {
        binding["messageExpiryInterval"] = seconds.into();
    }
    let mut operation = json!({
        "action": match row.direction { Direction::FromBox => "send", Direction::ToBox => "receive" },
        "channel": { "$ref": format!("#/channels/{}", row.name) },
        "title": row.title,
        "summary": row.about,
        "messages": [{ "$ref": format!("#/channels/{0}/messages/{0}", row.name) }],
        "bindings": { "mqtt": binding },
    });
    if let Some(answer) = row.answered_on {
        operation["reply"] = json!({
            "channel": { "$ref": format!("#/channels/{answer}") },
            "messages": [{ "$ref": format!("#/channels/{answer}/messages/{answer}") }],
        });
    }
    operation
}

fn message(row: &Channel, schemas: &mut Schemas) -> Value {
    let mut binding = json!({ "contentType": row.content_type, "bindingVersion": BINDING });
    let payload = match row.payload {
        Payload::Json(_, schema) => {
            binding["payloadFormatIndicator"] = 1.into();
            schemas.add(row.direction, schema)
        }
        Payload::File => {
            binding["payloadFormatIndicator"] = 0.into();
            json!({ "type": "string", "contentMediaType": row.content_type, "description": "The file's bytes as they are." })
        }
    };
    if row.answered_on.is_some() {
        let topics = format!("^patrol/v1/[^/]+/[^/]+/{}/ack(/[^/+#]{{1,64}})?$", row.below);
        binding["responseTopic"] = json!({
            "type": "string",
            "pattern": topics,
            "description": "Where the answer is to go. Without one it goes to cmd/{verb}/ack.",
        });
        binding["correlationData"] = json!({
            "type": "string",
            "description": "Comes back with the answer; at most 256 bytes, longer ones are left out.",
        });
    }
    let mut message = json!({
        "name": row.name,
        "title": row.title,
        "contentType": row.content_type,
        "payload": payload,
        "bindings": { "mqtt": binding },
    });
    if !row.properties.is_empty() {
        let property = |&(name, about): &(&str, &str)| {
            (name.to_owned(), json!({ "type": "string", "description": about }))
        };
        let names: Vec<&str> = row.properties.iter().map(|(name, _)| *name).collect();
        message["headers"] = json!({
            "type": "object",
            "description": "MQTT 5 user properties.",
            "properties": row.properties.iter().map(property).collect::<Map<_, _>>(),
            "required": names,
        });
    } else if row.direction == Direction::ToBox {
        message["headers"] = json!({
            "type": "object",
            "description": "MQTT 5 user properties.",
            "properties": { "signature": {
                "type": "string",
                "pattern": "^[0-9a-fA-F]{64}$",
                "description": "Where the box has mqtt.command_key_file: HMAC-SHA256 under its key over \
                                {street}/{box}/{verb}, a line feed and the payload, in hex.",
            }},
        });
    }
    message
}

/// The schemas of the messages, draft 7, which AsyncAPI takes without a word, all under `components`.
struct Schemas {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let mut settings = SchemaSettings::draft07();
        settings.definitions_path = "/components/schemas".into();
        // What may be left out when reading, and what is always there when writing, differ.
        let written = settings.clone().for_serialize().into_generator();
        Self { written, read: settings.into_generator() }
    }

    fn add(&mut self, direction: Direction, schema: fn(&mut SchemaGenerator) -> schemars::Schema) -> Value {
        let generator = match direction {
            Direction::FromBox => &mut self.written,
            Direction::ToBox => &mut self.read,
        };
        schema(generator).to_value()
    }

    fn all(mut self) -> Result<Map<String, Value>> {
        let mut all = self.written.take_definitions(true);
        for (name, schema) in self.read.take_definitions(true) {
            if all.get(&name).is_some_and(|known| *known != schema) {
                let what = format!("two types of the contract are called {name} and differ");
                return Err(Error::new(Kind::System, what));
            }
            all.insert(name, schema);
        }
        Ok(all)
    }
}
