//! A floor line of the bench: what answers its calls is `socketioxide` on `hyper`, without
//! JavaScript. It listens on a port of its own choice, prints `ready <port>`, and lives as long as
//! its standard input.

use std::convert::Infallible;
use std::io::Read;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use tokio::net::TcpListener;

/// What a client calls `double` with.
#[derive(Deserialize)]
struct Call {
    /// What comes back doubled.
    value: u64,
}

/// The answer to a call.
#[derive(Serialize)]
struct Answer {
    /// What the method gave.
    result: Doubled,
}

/// What `double` gives.
#[derive(Serialize)]
struct Doubled {
    /// Twice what came.
    value: u64,
}

/// Takes what a client says. This is middleware: a handler of connections runs when its client may
/// have said something already, which would be lost.
async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    socket.on(
        "authentication",
        async |socket: SocketRef, Data::<Value>(_)| {
            // A client that has left meanwhile needs no answer.
            socket.emit("authenticated", &true).ok();
        },
    );
    socket.on("double", async |Data::<Call>(call), ack: AckSender| {
        let result = Doubled {
            value: 2 * call.value,
        };
        ack.send(&Answer { result }).ok();
    });
    Ok(())
}

/// There is nothing to do when a client is connected.
async fn connected() {}

/// Serves for good.
async fn serve() -> std::io::Result<()> {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", connected.with(listen));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("ready {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // A connection that ends otherwise than it should is the client's affair.
            connection.await.ok();
        });
    }
}

fn main() -> std::io::Result<()> {
    std::thread::spawn(|| {
        let mut buffer = [0; 256];
        while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve())
}
