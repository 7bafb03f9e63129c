//! A TCP proxy before a server that damages what it passes on, as a bad cable behind a careless switch would.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The proxy. Its threads end with their connections.
pub(super) struct Proxy {
    port: u16,
    damaged: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy before `server` that damages 3 of 100 RTP packets: some bytes of the payload are changed, or the packet
    /// is left out.
    pub(super) fn damaging(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let damaged = Arc::new(AtomicU64::new(0));
        let count = damaged.clone();
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().flatten().enumerate() {
                let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let (up_in, mut up_out) = (upstream.try_clone().unwrap(), upstream);
                let (mut down_in, down_out) = (client.try_clone().unwrap(), client);
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut down_in, &mut up_out);
                    let _ = up_out.shutdown(std::net::Shutdown::Both);
                });
                let count = count.clone();
                std::thread::spawn(move || {
                    let out = down_out.try_clone().unwrap();
                    let _ = pass_on(up_in, down_out, 1 + number as u64, &count);
                    let _ = out.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { port, damaged }
    }

    /// Packets damaged so far.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The address of the stream `name` through the proxy.
    pub(super) fn url(&self, name: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{name}", self.port)
    }
}

/// Passes RTSP messages on as they are and damages interleaved packets of even channels, which are RTP.
fn pass_on(mut from: TcpStream, mut to: TcpStream, seed: u64, damaged: &AtomicU64) -> std::io::Result<()> {
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut roll = move |below: u64| {
        // Knuth's MMIX generator; the high bits are good.
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let mut first = [0; 1];
    loop {
        from.read_exact(&mut first)?;
        if first[0] != b'$' {
            // A message: byte by byte up to the blank line; its body, if any, holds no `$` at a line's start here.
            to.write_all(&first)?;
            continue;
        }
        let mut header = [0; 3];
        from.read_exact(&mut header)?;
        let mut packet = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        from.read_exact(&mut packet)?;
        if header[0] % 2 == 0 && packet.len() > 20 && roll(100) < 3 {
            damaged.fetch_add(1, Ordering::Relaxed);
            if roll(2) == 0 {
                continue;
            }
            for _ in 0..4 {
                let at = 12 + roll(packet.len() as u64 - 12) as usize;
                packet[at] ^= 1 << roll(8);
            }
        }
        to.write_all(&[b"$", &header[..], &packet].concat())?;
    }
}
