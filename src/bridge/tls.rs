//! How an application's server uses TLS ([`crate::io::tls_config`]).

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Result};
use napi::{Error, Status};
use napi_derive::napi;
use rustls::ServerConfig;

use super::server::NativeServer;
use crate::io::adopt_fd;
use crate::io::host::Released;
use crate::io::tls_config::{self, Identity, TlsOptions};

/// The options of TLS; the caller has read keys and certificates.
#[napi(object)]
pub struct TlsContextOptions {
    /// A client gets the first that it can use.
    pub identities: Vec<TlsIdentity>,
    /// The authorities of clients' certificates, DER. Then every client must have one.
    pub client_authorities: Option<Vec<Buffer>>,
    /// Whether clients may use TLS 1.2.
    #[napi(js_name = "allowsTLS12")]
    pub allows_1_2: bool,
    /// Whether clients may use TLS 1.3.
    #[napi(js_name = "allowsTLS13")]
    pub allows_1_3: bool,
    /// The protocols that clients may ask for (ALPN), the preferred one first.
    pub alpn_protocols: Vec<String>,
}

/// A key and its certificates.
#[napi(object)]
pub struct TlsIdentity {
    /// PKCS #8, DER.
    pub key: Buffer,
    /// DER, the key's own certificate first.
    pub chain: Vec<Buffer>,
}

/// How the clients of a server use TLS.
#[napi]
pub struct TlsContext {
    config: Arc<ServerConfig>,
    has_certificates: bool,
}

#[napi]
impl TlsContext {
    /// Throws an error that says what cannot be used.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: TlsContextOptions) -> Result<Self> {
        let ders = |certificates: Vec<Buffer>| certificates.iter().map(|it| it.to_vec()).collect();
        let identities = options.identities.into_iter().map(|identity| Identity {
            key: identity.key.to_vec(),
            chain: ders(identity.chain),
        });
        let has_certificates = options.client_authorities.is_some();
        let config = tls_config::configure(TlsOptions {
            identities: identities.collect(),
            client_authorities: options.client_authorities.map(ders),
            allows_1_2: options.allows_1_2,
            allows_1_3: options.allows_1_3,
            alpn_protocols: options
                .alpn_protocols
                .into_iter()
                .map(String::into_bytes)
                .collect(),
        });
        let config = config.map_err(|error| Error::new(Status::InvalidArg, error.to_string()))?;
        Ok(Self {
            config,
            has_certificates,
        })
    }
}

#[napi]
impl NativeServer {
    /// Takes a connection from Node, of which nothing was read, and has it begin with TLS. Then the caller
    /// destroys its own half.
    ///
    /// @param fd its descriptor, which Node does not read
    /// @param owner as for `takeHttp`
    /// @param tls how it uses TLS
    /// @returns whether it was taken
    #[napi(catch_unwind)]
    pub fn take_tls(&self, fd: i32, owner: i64, tls: &TlsContext) -> bool {
        let Ok(taken) = adopt_fd::take(fd) else {
            return false;
        };
        let owner = owner.cast_unsigned();
        let taken = taken.released(Released::new(self.queue.clone(), owner));
        // An error closes the connection.
        let _ = self
            .front
            .take_tls(taken, owner, tls.config.clone(), tls.has_certificates);
        true
    }
}
