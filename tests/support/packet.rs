//! Packets of MQTT 5 by hand, for a broker that does what no real one can be made to do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::mosquitto::PATIENCE;

/// The connection of the client that comes next, told that its session is resumed.
pub(crate) fn resume(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(packet(&mut stream).unwrap().0, 0x10, "CONNECT");
    stream.write_all(&[0x20, 3, 1, 0, 0]).unwrap();
    stream
}

/// Kind and body of the next packet.
pub(crate) fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte).ok()?;
    let kind = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte).ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((kind, body))
}

/// A PUBLISH of quality of service 1 (MQTT 5, section 3.3).
pub(crate) fn publish(topic: &str, payload: &[u8], id: u16) -> Vec<u8> {
    let topic = topic.as_bytes();
    let mut body = Vec::new();
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend(topic);
    body.extend(id.to_be_bytes());
    body.push(0);
    body.extend_from_slice(payload);
    let mut packet = vec![0x32];
    let mut left = body.len();
    while left >= 0x80 {
        packet.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    packet.push(left as u8);
    packet.extend(body);
    packet
}
