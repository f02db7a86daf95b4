//! What a request may do, for every front alike.

use http::{HeaderMap, Method};

use super::Sid;
use super::connection::{Connection, Data};
use super::engine::Engine;
use super::http::Config;
use super::http::origin::Verdict;
use super::http::query::Query;
use super::http::verify::{self, Asks, Session};
use crate::protocol::Refusal;

/// What a request asks for, if it may.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Checked {
    Asks(Asks),
    /// The application has to be asked about its origin.
    Origin,
}

impl<D: Data> Engine<Connection<D>> {
    /// Checks what a request asks for of the sessions there are.
    ///
    /// # Errors
    /// The refusal that the client is told.
    pub(crate) fn verify(
        &self,
        method: &Method,
        query: &Query<'_>,
        is_upgrade: bool,
    ) -> Result<Asks, Refusal> {
        verify::verify(&self.config, method, query, is_upgrade, |sid| {
            let connection = self.connection(sid)?;
            Some(Session {
                transport: connection.transport()?,
                protocol: connection.protocol,
            })
        })
    }

    /// Checks the page that makes a request which asks for something it may have.
    ///
    /// # Errors
    /// The refusal that the client is told.
    pub(crate) fn check_origin(
        &self,
        asks: Asks,
        http: &Config,
        query: &Query<'_>,
        headers: &HeaderMap,
    ) -> Result<Checked, Refusal> {
        let Some(allowed) = &http.allowed_origins else {
            return Ok(Checked::Asks(asks));
        };
        match allowed.check(headers, query.jsonp.is_some()) {
            Verdict::Allowed => Ok(Checked::Asks(asks)),
            Verdict::Ask => Ok(Checked::Origin),
            Verdict::Forbidden => Err(Refusal::OriginNotAllowed),
        }
    }

    /// Checks, when everything else allows a session to be opened, its protocol and its id.
    ///
    /// # Errors
    /// The refusal that the client is told.
    pub(crate) fn check_opening(&self, query: &Query<'_>, id: &str) -> Result<Sid, Refusal> {
        verify::verify_protocol(&self.config, Asks::Open, query.protocol)?;
        let id = id.parse().map_err(|_| Refusal::InvalidSessionId)?;
        match self.connection(id) {
            None => Ok(id),
            Some(_) => Err(Refusal::InvalidSessionId),
        }
    }
}
