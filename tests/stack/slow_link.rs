//! A link of little bandwidth between a program and a server: `slow-link LISTEN SERVER BYTES_PER_S`.
//!
//! Each connection has this bandwidth in each direction. Ends when it is killed.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// How many parts of a second's bytes are passed on one after the other.
const PARTS_PER_S: usize = 20;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [listen, server, rate] = &args[..] else {
        eprintln!("usage: slow-link LISTEN SERVER BYTES_PER_S");
        std::process::exit(2);
    };
    let rate: usize = rate.parse().map_err(io::Error::other)?;
    let part = (rate / PARTS_PER_S).max(1);
    for client in TcpListener::bind(listen)?.incoming() {
        let (client, server) = (client?, TcpStream::connect(server)?);
        let back = (server.try_clone()?, client.try_clone()?);
        for (from, to) in [(client, server), back] {
            std::thread::spawn(move || {
                // Either end has gone; the other one hears of it.
                let _ = pass(&from, &to, part);
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }
    Ok(())
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, part: usize) -> io::Result<()> {
    let mut bytes = vec![0; part];
    loop {
        let count = from.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..count])?;
        // In proportion, so that small packets pass quickly.
        let micros = 1_000_000 * count / (part * PARTS_PER_S);
        std::thread::sleep(Duration::from_micros(micros as u64));
    }
}
