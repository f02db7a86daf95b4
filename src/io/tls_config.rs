//! How connections use TLS: certificates, versions, resumption.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{
    ClientHello, ResolvesServerCert, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Sessions of clients of TLS 1.2 without tickets that are remembered, so that they can be resumed.
const MAX_SESSIONS: usize = 1024;

/// What the application has set.
#[derive(Debug, Default)]
pub(crate) struct TlsOptions {
    /// At least one. A client gets the first whose key it can use.
    pub(crate) identities: Vec<Identity>,
    /// The authorities of clients' certificates, which a client must have then.
    pub(crate) client_authorities: Option<Vec<Vec<u8>>>,
    pub(crate) allows_1_2: bool,
    pub(crate) allows_1_3: bool,
    /// The protocols that clients may ask for, the preferred one first.
    pub(crate) alpn_protocols: Vec<Vec<u8>>,
}

/// A key and its certificates.
#[derive(Debug)]
pub(crate) struct Identity {
    /// PKCS #8, DER.
    pub(crate) key: Vec<u8>,
    /// DER; the key's own certificate first, then that of its issuer, and so on.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// The configuration of rustls.
///
/// # Errors
/// A key that does not belong to its certificate, and whatever else rustls cannot use.
pub(crate) fn configure(options: TlsOptions) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut identities = Vec::new();
    for identity in options.identities {
        identities.push(identity.certified(&provider)?);
    }
    let versions: [(bool, &'static SupportedProtocolVersion); 2] =
        [(options.allows_1_3, &TLS13), (options.allows_1_2, &TLS12)];
    let versions: Vec<_> = versions
        .into_iter()
        .filter_map(|(allows, version)| allows.then_some(version))
        .collect();
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions)?;
    let builder = match options.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority.into())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = verifier.build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| rustls::Error::General(error.to_string()))?,
            )
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Identities(identities)));
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(MAX_SESSIONS);
    config.alpn_protocols = options.alpn_protocols;
    Ok(config.into())
}

impl Identity {
    fn certified(self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, rustls::Error> {
        let chain = self.chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key));
        let key = provider.key_provider.load_private_key(key)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match()?;
        Ok(certified.into())
    }
}

/// The keys of a server.
#[derive(Debug)]
struct Identities(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(schemes).is_some();
        // Without any, the client would be told that it has no access, rather than that there is no cipher for both.
        self.0.iter().find(usable).or(self.0.first()).cloned()
    }
}
