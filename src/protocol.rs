//! What crosses between Rust and JavaScript: every number, name and letter that both sides must
//! agree on, defined once.
//!
//! `bridge::protocol` exports [`GROUPS`] to JavaScript as an object of objects, and
//! `lib/native/protocol.js` reads it when it is loaded. Both sides come from the same build of the
//! addon, so a number may be changed here alone. What must stay true: this module knows no other one,
//! and JavaScript has no copy of a value that is defined here (`__test__` looks for them).
//!
//! ```text
//! Rust ──▶ JavaScript   a batch of records, by RecordKind: what happened
//! JavaScript ──▶ Rust   a batch of commands, by CommandCode: what the application does
//! return values         RequestVerdict or Refusal, SessionAnswer, ChannelReports
//! ```
//!
//! # Records
//! A batch is one JSON array, in which a record is six values: `kind, subject, a, b, attachments,
//! payload`. [`RecordKind`] says what each of them is; one that is not mentioned there is 0.
//! `attachments` is [`NONE`], or `place * ATTACHMENT_RADIX + count`: where the first one is in the list
//! beside the text, and how many there are. A method is `instance * METHOD_RADIX + index`. Where a
//! payload is MessagePack, it is the one attachment, and 0 stands in its place.
//!
//! # Commands
//! A batch is text, a line for each command: its code and its fields, separated by tabs, which JSON
//! always escapes. [`CommandCode`] has the fields. A field in brackets may be empty, a field with a
//! question mark is 0 or 1. The codes in capitals have the number of their attachments as first field;
//! in MessagePack that is one, which stands for the JSON.

use std::fmt;

/// A value for JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constant {
    Number(i64),
    Letter(char),
}

/// A group of constants: an object in JavaScript.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) constants: &'static [(&'static str, Constant)],
}

/// All groups, which are exported to JavaScript.
pub(crate) const GROUPS: &[&Group] = &[
    &LAYOUT,
    &LIMITS,
    &RecordKind::GROUP,
    &CloseReason::GROUP,
    &SubscriptionEnd::GROUP,
    &ChannelReport::GROUP,
    &PacketFlag::GROUP,
    &RelayAction::GROUP,
    &CommandCode::GROUP,
    &EmitFlag::GROUP,
    &Refusal::GROUP,
    &RequestVerdict::GROUP,
    &SessionAnswer::GROUP,
];

/// Defines an enum whose values JavaScript knows by number: `NAME_IN_JAVASCRIPT: Variant = number`.
/// The data of a variant, if it has any, stays in Rust or is passed beside the number.
macro_rules! numbers {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident {
        $($(#[$doc:meta])* $constant:ident: $variant:ident $(($payload:ty))? = $number:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$doc])* $variant $(($payload))?,)+
        }

        impl $name {
            const GROUP: Group = Group {
                name: stringify!($name),
                constants: &[$((stringify!($constant), Constant::Number($number)),)+],
            };

            /// Its number in JavaScript.
            #[inline]
            $visibility const fn number(self) -> i64 {
                match self {
                    $(Self::$variant { .. } => $number,)+
                }
            }
        }
    };
}

/// Defines an enum whose values JavaScript writes as a letter: `NAME_IN_JAVASCRIPT: Variant = 'letter'`.
macro_rules! letters {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident {
        $($(#[$doc:meta])* $constant:ident: $variant:ident = $letter:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            const GROUP: Group = Group {
                name: stringify!($name),
                constants: &[$((stringify!($constant), Constant::Letter($letter)),)+],
            };

            /// The value that JavaScript writes as this letter.
            #[inline]
            $visibility const fn of(letter: char) -> Option<Self> {
                match letter {
                    $($letter => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// Stands for no value in a record or an argument: no acknowledgement, no method, no attachments, no
/// descriptor.
pub(crate) const NONE: i64 = -1;

/// The number of values in a record.
pub(crate) const RECORD_FIELDS: usize = 6;

/// The place of the first attachment is multiplied by this before their number is added. It is more than
/// the attachments that one message can have.
pub(crate) const ATTACHMENT_RADIX: i64 = 1 << 14;

/// What the number of a LoopbackSocket is multiplied by before the index of a method is added: how
/// many methods one LoopbackSocket can bind.
pub(crate) const METHOD_RADIX: i64 = 1 << 24;

/// The number of values in a report of the addon's class `Channel`.
pub(crate) const CHANNEL_REPORT_FIELDS: usize = 4;

/// The ids with which clients acknowledge items of subscriptions, from the first one up to the end, which
/// is not one of them. Rust chooses them and handles their acknowledgements; JavaScript uses no id
/// between them. They fit in 32 bits with a sign, which is what socket.io-client-java reads.
pub(crate) const ITEM_ACK_START: i64 = 1 << 30;
/// See [`ITEM_ACK_START`].
pub(crate) const ITEM_ACK_END: i64 = 1 << 31;

/// How many arguments an event or an acknowledgement of a client may have. JavaScript passes each of them to
/// listeners on its stack, of about 1 MB, which some 100,000 arguments overflow; wrappers around a listener, such as
/// instrumentations, pass them on, each on its own part of the stack.
pub(crate) const MAX_ARGUMENTS: usize = 1000;

const LIMITS: Group = Group {
    name: "Limits",
    constants: &[("MAX_ARGUMENTS", Constant::Number(MAX_ARGUMENTS as i64))],
};

const LAYOUT: Group = Group {
    name: "Layout",
    constants: &[
        ("NONE", Constant::Number(NONE)),
        ("RECORD_FIELDS", Constant::Number(RECORD_FIELDS as i64)),
        ("ATTACHMENT_RADIX", Constant::Number(ATTACHMENT_RADIX)),
        ("METHOD_RADIX", Constant::Number(METHOD_RADIX)),
        (
            "CHANNEL_REPORT_FIELDS",
            Constant::Number(CHANNEL_REPORT_FIELDS as i64),
        ),
        ("ITEM_ACK_START", Constant::Number(ITEM_ACK_START)),
        ("ITEM_ACK_END", Constant::Number(ITEM_ACK_END)),
    ],
};

numbers! {
    /// What a record tells JavaScript.
    pub(crate) enum RecordKind {
        /// A client sent an event. Subject: the socket; a: the client's id for its acknowledgement, one
        /// less if that is below 0, or `NONE`; b: the method to run, or `NONE`; payload:
        /// `["name",args…]`.
        EVENT: Event = 1,
        /// Another method runs for the event before. Subject: the socket; b: the method.
        METHOD: Method = 2,
        /// The event before has credentials, with which an attempt to authenticate begins when JavaScript takes
        /// them. Subject: the socket; a: the number of the LoopbackSocket.
        AUTHENTICATION: Authentication = 3,
        /// A client asks to join a namespace. Subject: the socket; a: the connection; b: the namespace, of
        /// which JavaScript may have made another one since; payload: `{id,nsp,query,auth}`. An attachment
        /// is the MessagePack of `auth`.
        CONNECT: Connect = 4,
        /// A socket ended. Subject: the socket; a: the [`CloseReason`]; payload: for an invalid frame
        /// what is wrong with it.
        DISCONNECT: Disconnect = 5,
        /// A client acknowledged an event. Subject: the socket; a: the id it was sent with; payload:
        /// `[args…]`.
        ACKNOWLEDGEMENT: Acknowledgement = 6,
        /// A connection ended, after its sockets did. Subject: the connection; a and payload: as for
        /// `Disconnect`.
        CLOSED: Closed = 7,
        /// The response to a request of long polling; its body is the one attachment. Subject: the
        /// request; a: the HTTP status; payload: the headers as an object. If the request is refused
        /// there is only b, the [`Refusal`]; otherwise that is `NONE`.
        RESPONSE: Response = 8,
        /// A client asks to join a namespace that does not exist. Subject: the connection; payload:
        /// `{nsp,query,auth}`, as for `Connect`.
        NAMESPACE_REQUEST: NamespaceRequest = 9,
        /// A connection moved from polling to websocket. Subject: the connection.
        UPGRADED: Upgraded = 10,
        /// JavaScript does something with a stream that it relays; an attachment is what it writes.
        /// Subject: the relay; a: the [`RelayAction`].
        RELAY: Relay = 11,
        /// An Engine.IO packet was received or queued, on a connection whose packets JavaScript watches;
        /// its data is the one attachment. Subject: the connection; a: the packet's type by its digit;
        /// b: [`PacketFlag`]s, added up.
        PACKET: Packet = 12,
        /// A client sent something that is not a Socket.IO packet, so its connection ends. Subject: the
        /// socket.
        MALFORMED: Malformed = 13,
        /// The descriptor of a websocket is closed. Subject: the number of what had accepted it.
        #[cfg_attr(not(unix), expect(dead_code, reason = "only the front in Rust has it"))]
        RELEASED: Released = 14,
        /// A command cannot be carried out: a mistake of our JavaScript, or of another version than
        /// the addon. Payload: what is wrong, as a string.
        INVALID_COMMAND: InvalidCommand = 15,
        /// A broadcast that clients are to acknowledge is sent: before anything that they acknowledge it
        /// with. Subject: the namespace; a: the acknowledgement id; payload: the sockets it is sent to.
        BROADCAST_SENT: BroadcastSent = 16,
        /// A subscription has ended, and nothing more of it is sent. Subject: the socket; a: the
        /// subscription; b: the [`SubscriptionEnd`].
        SUBSCRIPTION_ENDED: SubscriptionEnded = 17,
        /// A client has acknowledged items of a subscription whose channel reports that. Subject: the
        /// socket; a: the subscription; b: how many more.
        SUBSCRIPTION_CREDIT: SubscriptionCredit = 18,
        /// A request that JavaScript has not seen has opened a connection. Subject: the connection; a: the
        /// version of Engine.IO; b: 1 for a websocket, 2 more if the
        /// client came by TLS; payload: `[sid,address,request]`, where the address
        /// is `null` for what is no TCP stream.
        #[cfg_attr(not(unix), expect(dead_code, reason = "only the front in Rust has it"))]
        OPENED: Opened = 19,
        /// A connection of HTTP is Node's again; what was read of it is the first attachment. Subject: the
        /// number of what had accepted it; a: its descriptor. If Node gets the decrypted bytes of a client
        /// that came by TLS, the payload is an object with the addresses and what the handshake agreed on, as
        /// Node names them; a second attachment is the client's certificate.
        #[cfg_attr(not(unix), expect(dead_code, reason = "only the front in Rust has it"))]
        HANDED_BACK: HandedBack = 20,
    }
}

numbers! {
    /// Why a subscription ended without JavaScript having ended it.
    pub(crate) enum SubscriptionEnd {
        /// Too much was queued for it, or its client did not acknowledge in time.
        SLOW: Slow = 0,
        /// Its channel has finished, and everything was sent.
        FINISHED: Finished = 1,
    }
}

numbers! {
    /// What the addon's class `Channel` has its owner do: a report is `kind, subscriber, a, b`, where one that
    /// is not mentioned here is 0.
    pub(crate) enum ChannelReport {
        /// Sends an item. a: its offset; b: the number of the acknowledgement request that goes with it, or
        /// `NONE`.
        DELIVER: Deliver = 0,
        /// The client has acknowledged items. a: how many more.
        CREDIT: Credit = 1,
        /// The subscriber is removed. a: the [`SubscriptionEnd`].
        ENDED: Ended = 2,
    }
}

numbers! {
    /// Why a socket or a connection ended. `lib/socketio/disconnect-reasons.js` has the words of
    /// Socket.IO for each, and the details that it gives.
    pub(crate) enum CloseReason {
        /// `client namespace disconnect`
        CLIENT_NAMESPACE_DISCONNECT: ClientNamespaceDisconnect = 0,
        /// `server namespace disconnect`
        SERVER_NAMESPACE_DISCONNECT: ServerNamespaceDisconnect = 1,
        /// `transport close`
        TRANSPORT_CLOSE: TransportClose = 2,
        /// `transport error`
        TRANSPORT_ERROR: TransportError = 3,
        /// `ping timeout`
        PING_TIMEOUT: PingTimeout = 4,
        /// `parse error`: what was received is not an Engine.IO packet
        PARSE_ERROR: ParseError = 5,
        /// `server shutting down`
        SERVER_SHUTTING_DOWN: ServerShuttingDown = 6,
        /// `transport error`, because the client did not read what was sent
        BACKPRESSURE: Backpressure = 7,
        /// `forced server close`: the connection ends once a polling client has fetched what is queued
        /// for it
        FORCED_SERVER_CLOSE: ForcedServerClose = 8,
        /// `forced close`, by the application, or because of what the client sent
        FORCED_CLOSE: ForcedClose = 9,
        /// The application refused the socket: it never joined its namespace
        REFUSED: Refused = 10,
        /// `transport error`: a poll while another one waits
        POLL_OVERLAP: PollOverlap = 11,
        /// `transport error`: packets while others are being sent
        DATA_OVERLAP: DataOverlap = 12,
        /// `transport error`: a body of a type that Engine.IO 4 does not have
        INVALID_CONTENT: InvalidContent = 13,
        /// `transport error`: a body above the maximum length
        PAYLOAD_TOO_LARGE: PayloadTooLarge = 14,
        /// `transport error`: the client left without the answer to its poll
        POLL_CLOSED: PollClosed = 15,
        /// `transport error`: the client left in the middle of sending
        DATA_CLOSED: DataClosed = 16,
        /// `transport error`: a ping where the server pings, or a pong where the client does
        HEARTBEAT_DIRECTION: HeartbeatDirection = 17,
        /// `transport error`: a violation of the WebSocket protocol
        INVALID_FRAME: InvalidFrame(ProtocolError) = 18,
        /// `server namespace disconnect`: the client of the socket did not authenticate in time
        AUTHENTICATION_TIMEOUT: AuthenticationTimeout = 19,
    }
}

impl CloseReason {
    /// The reason of a request of long polling that went wrong, by its number: only those that
    /// JavaScript, which reads the requests, finds out by itself.
    pub(crate) fn of_request(number: i64) -> Self {
        [
            Self::DataOverlap,
            Self::PayloadTooLarge,
            Self::PollClosed,
            Self::DataClosed,
        ]
        .into_iter()
        .find(|reason| reason.number() == number)
        .unwrap_or(Self::TransportError)
    }
}

/// A violation of the WebSocket protocol by a client. JavaScript gets it as text, in the words of the npm
/// package `ws`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    /// `RSV2` or `RSV3` is set.
    ReservedBits,
    /// `RSV1` is set, and no extension was agreed on, or not in the first frame of a message.
    CompressionBit,
    /// An unknown opcode, or one that may not come here.
    Opcode(u8),
    /// A fragment of a control frame.
    FragmentedControl,
    /// A control frame with an invalid length, which is the value of the frame's second byte.
    ControlLength(u8),
    Unmasked,
    /// A close code that may not be sent.
    CloseCode(u16),
    /// A text that is not UTF-8.
    Text,
    /// A compressed message that cannot be inflated.
    Compression,
    /// A message above the maximum length.
    TooBig,
    /// A length that a JavaScript number cannot hold exactly.
    LengthTooLarge,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const INVALID: &str = "RangeError: Invalid WebSocket frame";
        match self {
            Self::ReservedBits => write!(f, "{INVALID}: RSV2 and RSV3 must be clear"),
            Self::CompressionBit => write!(f, "{INVALID}: RSV1 must be clear"),
            Self::Opcode(opcode) => write!(f, "{INVALID}: invalid opcode {opcode}"),
            Self::FragmentedControl => write!(f, "{INVALID}: FIN must be set"),
            Self::ControlLength(length) => write!(f, "{INVALID}: invalid payload length {length}"),
            Self::Unmasked => write!(f, "{INVALID}: MASK must be set"),
            Self::CloseCode(code) => write!(f, "{INVALID}: invalid status code {code}"),
            Self::Text => f.write_str("Error: Invalid WebSocket frame: invalid UTF-8 sequence"),
            Self::Compression => f.write_str("Error: invalid compressed data"),
            Self::TooBig => f.write_str("RangeError: Max payload size exceeded"),
            Self::LengthTooLarge => {
                f.write_str("RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

numbers! {
    /// The properties of an Engine.IO packet that JavaScript watches.
    pub(crate) enum PacketFlag {
        /// The server sends it; otherwise it was received.
        SENT: Sent = 1,
        /// Its data is text; otherwise it is binary.
        TEXT: Text = 2,
        /// The application asked for it not to be compressed.
        UNCOMPRESSED: Uncompressed = 4,
    }
}

numbers! {
    /// What JavaScript does with a stream that it relays.
    pub(crate) enum RelayAction {
        /// Writes the attachment.
        WRITE: Write = 0,
        /// Continues to read.
        RESUME: Resume = 1,
        /// Ends it after what was written.
        END: End = 2,
        /// Ends it at once.
        DESTROY: Destroy = 3,
    }
}

letters! {
    /// What the application does. `json` is an array, unless it says otherwise; `sid` is the id of an
    /// Engine.IO session.
    pub(crate) enum CommandCode {
        /// `socket ack json`: answers a client's event, by the client's id for its acknowledgement.
        ANSWER: Answer = 'a',
        ANSWER_WITH_ATTACHMENTS: AnswerWithAttachments = 'A',
        /// `socket [ack] [flags] json`: emits an event to one socket. Flags: [`EmitFlag`]s.
        EMIT: Emit = 'e',
        EMIT_WITH_ATTACHMENTS: EmitWithAttachments = 'E',
        /// `namespace audience [ack] [flags] json`: broadcasts an event. The audience is the JSON object
        /// `{rooms,sockets,except,exceptSockets}`, all of them lists of numbers.
        BROADCAST: Broadcast = 'b',
        BROADCAST_WITH_ATTACHMENTS: BroadcastWithAttachments = 'B',
        /// `socket room`: joins a room.
        JOIN: Join = 'j',
        /// `socket room`: leaves a room.
        LEAVE: Leave = 'l',
        /// `socket`: accepts a socket into its namespace.
        ACCEPT: Accept = 'c',
        /// `socket id pid`: the same, and tells a client of protocol 5 the id of its socket, which is
        /// that of the socket whose state was recovered, if one was, and the secret id of its session,
        /// with which the client can have its state recovered later.
        ACCEPT_RECOVERABLE: AcceptRecoverable = 'n',
        /// `socket [json]`: refuses a socket; the JSON is what its client is told, any value.
        REFUSE: Refuse = 'x',
        REFUSE_WITH_ATTACHMENTS: RefuseWithAttachments = 'X',
        /// `socket`: ends a socket that has not joined its namespace, without telling its client.
        WITHDRAW: Withdraw = 'g',
        /// `sid request`: lets a client join the namespace it asked for, now that it exists. The
        /// request is the payload of [`RecordKind::NamespaceRequest`].
        ALLOW_NAMESPACE: AllowNamespace = 'o',
        ALLOW_NAMESPACE_WITH_ATTACHMENTS: AllowNamespaceWithAttachments = 'O',
        /// `sid request`: tells a client that there is no such namespace.
        REFUSE_NAMESPACE: RefuseNamespace = 'r',
        /// `socket muted?`: mutes a socket, which then receives no broadcasts, or unmutes it.
        MUTE: Mute = 'h',
        /// `socket`: disconnects a socket.
        DISCONNECT: Disconnect = 'd',
        /// `socket`: ends the connection of a socket whose message cannot be parsed.
        MALFORMED: Malformed = 'm',
        /// `sid`: ends a connection.
        CLOSE_CONNECTION: CloseConnection = 'z',
        /// `sid watched?`: reports what is sent on a connection, or no more.
        WATCH_SENT: WatchSent = 'w',
        /// `channel namespace options`: defines a channel. JavaScript numbers channels, and uses no number
        /// twice. The options are the JSON object
        /// `{window,history,maxQueuedBytes,overflow,ackTimeout,reportsCredit}`.
        DEFINE_CHANNEL: DefineChannel = 's',
        /// `channel offset json`: publishes an item, as the event that is sent; offsets grow.
        PUBLISH: Publish = 'p',
        PUBLISH_WITH_ATTACHMENTS: PublishWithAttachments = 'P',
        /// `socket subscription channel from`: subscribes a socket to a channel, from the item with this
        /// offset on. The subscription's number is JavaScript's, and is used once for a socket.
        SUBSCRIBE: Subscribe = 'i',
        /// `socket subscription held?`: has the items of a subscription wait, or no longer.
        HOLD: Hold = 'k',
        /// `socket subscription`: ends a subscription.
        UNSUBSCRIBE: Unsubscribe = 'u',
        /// `channel`: there are no more items; each subscription ends once everything is sent.
        FINISH_CHANNEL: FinishChannel = 'f',
        /// `channel`: drops a channel, with the subscriptions that are left.
        CLOSE_CHANNEL: CloseChannel = 'y',
    }
}

letters! {
    /// How an event is sent.
    pub(crate) enum EmitFlag {
        /// Dropped for a client that has something else queued.
        VOLATILE: Volatile = 'v',
        /// Not to be compressed.
        UNCOMPRESSED: Uncompressed = 'u',
        /// Of a broadcast with acknowledgements: JavaScript knows who receives it, and is not told.
        UNREPORTED: Unreported = 'r',
    }
}

numbers! {
    /// Why a request for Engine.IO is refused. `src/engineio/http/refusal.rs` has the codes of Engine.IO,
    /// the words and the responses; JavaScript names those that it finds out by itself. None is below 0:
    /// those are [`RequestVerdict`]s.
    pub(crate) enum Refusal {
        UNKNOWN_TRANSPORT: UnknownTransport = 0,
        UNKNOWN_SESSION: UnknownSession = 1,
        /// Only a GET opens a session.
        BAD_HANDSHAKE_METHOD: BadHandshakeMethod = 2,
        /// The session is on another transport.
        TRANSPORT_MISMATCH: TransportMismatch = 3,
        UNSUPPORTED_PROTOCOL: UnsupportedProtocol = 4,
        /// The session has another version of Engine.IO.
        PROTOCOL_MISMATCH: ProtocolMismatch = 5,
        /// A websocket was requested without an upgrade, or an upgrade for polling.
        NOT_AN_UPGRADE: NotAnUpgrade = 6,
        /// Sessions may not be upgraded.
        UPGRADE_NOT_ALLOWED: UpgradeNotAllowed = 7,
        /// The application's id for the session is invalid, or that of another session.
        INVALID_SESSION_ID: InvalidSessionId = 8,
        /// The `Origin` is no value of a header.
        INVALID_ORIGIN: InvalidOrigin = 9,
        /// Pages of this origin may not connect.
        ORIGIN_NOT_ALLOWED: OriginNotAllowed = 10,
        /// The application does not allow the connection.
        FORBIDDEN: Forbidden = 11,
        /// A middleware of the application failed.
        MIDDLEWARE_FAILURE: MiddlewareFailure = 12,
        /// The server began to close while the application was asked.
        SERVER_CLOSING: ServerClosing = 13,
        /// The handshake of a websocket is no GET.
        WEBSOCKET_METHOD: WebsocketMethod = 14,
        /// The handshake of a websocket has another `Upgrade`.
        WEBSOCKET_UPGRADE: WebsocketUpgrade = 15,
        /// The handshake of a websocket has no valid `Sec-WebSocket-Key`.
        WEBSOCKET_KEY: WebsocketKey = 16,
        /// The handshake of a websocket has no `Sec-WebSocket-Version` that is spoken.
        WEBSOCKET_VERSION: WebsocketVersion = 17,
        /// `Sec-WebSocket-Protocol` is no list of different names.
        WEBSOCKET_PROTOCOL: WebsocketProtocol = 18,
        /// The server is closing. This one and those below are told with a status alone.
        UNAVAILABLE: Unavailable = 19,
        /// A request of a session that is neither a GET nor a POST.
        METHOD: Method = 20,
        /// The client sends packets while others of it are being received.
        DATA_OVERLAP: DataOverlap = 21,
        /// A body is larger than `maxHttpBufferSize`.
        PAYLOAD_TOO_LARGE: PayloadTooLarge = 22,
        /// The session ended while it was asked, or what the client sent cannot be read.
        UNSERVED: Unserved = 23,
        /// The operating system did not let us take the websocket.
        NOT_TAKEN: NotTaken = 24,
        /// `Sec-WebSocket-Extensions` is invalid, or offers only what is not accepted.
        WEBSOCKET_EXTENSIONS: WebsocketExtensions = 25,
    }
}

impl Refusal {
    /// The refusal of a number that JavaScript was given, or names.
    pub(crate) fn of_number(number: i64) -> Option<Self> {
        [
            Self::UnknownTransport,
            Self::UnknownSession,
            Self::BadHandshakeMethod,
            Self::TransportMismatch,
            Self::UnsupportedProtocol,
            Self::ProtocolMismatch,
            Self::NotAnUpgrade,
            Self::UpgradeNotAllowed,
            Self::InvalidSessionId,
            Self::InvalidOrigin,
            Self::OriginNotAllowed,
            Self::Forbidden,
            Self::MiddlewareFailure,
            Self::ServerClosing,
            Self::WebsocketMethod,
            Self::WebsocketUpgrade,
            Self::WebsocketKey,
            Self::WebsocketVersion,
            Self::WebsocketProtocol,
            Self::Unavailable,
            Self::Method,
            Self::DataOverlap,
            Self::PayloadTooLarge,
            Self::Unserved,
            Self::NotTaken,
            Self::WebsocketExtensions,
        ]
        .into_iter()
        .find(|refusal| refusal.number() == number)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownTransport => "the transport is unknown or not allowed",
            Self::UnknownSession => "there is no session with this id",
            Self::BadHandshakeMethod => "a session is opened by GET",
            Self::TransportMismatch => "the session is on another transport",
            Self::UnsupportedProtocol => "this version of Engine.IO is not allowed",
            Self::ProtocolMismatch => "the session is of another version of Engine.IO",
            Self::NotAnUpgrade => "a websocket needs an upgrade, and polling none",
            Self::UpgradeNotAllowed => "sessions may not be upgraded",
            Self::InvalidSessionId => "the id for the session is invalid or in use",
            Self::InvalidOrigin => "the origin is no value of a header",
            Self::OriginNotAllowed => "pages of this origin may not connect",
            Self::Forbidden => "the application does not allow the connection",
            Self::MiddlewareFailure => "a middleware of the application failed",
            Self::ServerClosing => "the server began to close meanwhile",
            Self::WebsocketMethod => "the handshake of a websocket is a GET",
            Self::WebsocketUpgrade => "the upgrade is not to a websocket",
            Self::WebsocketKey => "Sec-WebSocket-Key is missing or invalid",
            Self::WebsocketVersion => "Sec-WebSocket-Version is missing or not spoken",
            Self::WebsocketProtocol => "Sec-WebSocket-Protocol is no list of different names",
            Self::Unavailable => "the server is closing",
            Self::Method => "a session is used by GET and POST",
            Self::DataOverlap => "packets of the session are being received already",
            Self::PayloadTooLarge => "the body is larger than maxHttpBufferSize",
            Self::Unserved => "the session ended meanwhile, or what was sent cannot be read",
            Self::WebsocketExtensions => "Sec-WebSocket-Extensions is invalid or not accepted",
            Self::NotTaken => "the operating system did not let the websocket be taken",
        })
    }
}

impl std::error::Error for Refusal {}

numbers! {
    /// The verdict on a request for Engine.IO that is not refused.
    pub(crate) enum RequestVerdict {
        /// It is served on a connection that exists.
        SERVED: Served = -1,
        /// It opens a connection.
        OPENS: Opens = -2,
        /// A POST of a session: its body is to be received.
        RECEIVES: Receives = -3,
        /// The application is to be asked about the origin.
        ASKS_ORIGIN: AsksOrigin = -4,
    }
}

numbers! {
    /// What a session answers to the outcome of a handler, besides the index of the onConnected
    /// handler to run.
    pub(crate) enum SessionAnswer {
        /// There is nothing to do.
        NOTHING: Nothing = -1,
        /// Report the methods with `bound`.
        BIND: Bind = -2,
        /// Emit `unauthorized`.
        UNAUTHORIZED: Unauthorized = -3,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_and_no_value_is_there_twice_in_a_group() {
        for group in GROUPS {
            let names: HashSet<_> = group.constants.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), group.constants.len(), "{}", group.name);
            let values: HashSet<_> = group
                .constants
                .iter()
                .map(|(_, value)| format!("{value:?}"))
                .collect();
            assert_eq!(values.len(), group.constants.len(), "{}", group.name);
        }
        let groups: HashSet<_> = GROUPS.iter().map(|group| group.name).collect();
        assert_eq!(groups.len(), GROUPS.len());
    }

    #[test]
    fn a_letter_is_read_as_what_it_was_written_for_and_another_one_as_nothing() {
        assert_eq!(CommandCode::of('a'), Some(CommandCode::Answer));
        assert_eq!(CommandCode::of('W'), None);
        assert_eq!(EmitFlag::of('u'), Some(EmitFlag::Uncompressed));
    }

    #[test]
    fn refusals_and_verdicts_can_be_told_apart() {
        let numbers = |group: &Group| -> Vec<_> {
            let number = |&(_, constant): &(_, Constant)| match constant {
                Constant::Number(number) => number,
                Constant::Letter(letter) => panic!("{letter}"),
            };
            group.constants.iter().map(number).collect()
        };
        assert!(numbers(&Refusal::GROUP).iter().all(|&number| number >= 0));
        assert!(
            numbers(&RequestVerdict::GROUP)
                .iter()
                .all(|&number| number < 0)
        );
        assert!(
            numbers(&SessionAnswer::GROUP)
                .iter()
                .all(|&number| number < 0)
        );
    }

    #[test]
    fn a_refusal_is_found_by_its_number() {
        for &(name, constant) in Refusal::GROUP.constants {
            let Constant::Number(number) = constant else {
                panic!("{name}");
            };
            let refusal = Refusal::of_number(number);
            assert_eq!(refusal.map(Refusal::number), Some(number), "{name}");
        }
        assert_eq!(Refusal::of_number(-1), None);
        assert_eq!(Refusal::of_number(99), None);
    }

    #[test]
    fn a_request_that_went_wrong_ends_its_connection_for_the_reason_given_if_there_is_such_a_reason()
     {
        let reason = CloseReason::DataClosed;
        assert_eq!(CloseReason::of_request(reason.number()), reason);
        for odd in [CloseReason::PingTimeout.number(), -1, 99] {
            assert_eq!(CloseReason::of_request(odd), CloseReason::TransportError);
        }
    }
}
