//! Parses the commands that JavaScript writes; [`CommandCode`] has their fields.
//!
//! Parsing allocates nothing: the JSON of a command is borrowed from the batch.

use std::fmt;
use std::str::FromStr;

use memchr::memchr;

use super::super::events::{AckId, NamespaceIndex, SocketNumber, SubscriptionNumber};
use super::super::namespace::Audience;
use super::super::rooms::RoomNumber;
use super::super::subscriptions::ChannelNumber;
use crate::engineio::Sid;
use crate::protocol::{CommandCode, EmitFlag};

/// A command of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// Answers a client's event, by the client's id for its acknowledgement.
    Answer {
        socket: SocketNumber,
        ack: AckId,
        json: &'a str,
    },
    /// Emits an event to one socket.
    Emit {
        socket: SocketNumber,
        ack: Option<AckId>,
        flags: Flags,
        json: &'a str,
    },
    Broadcast(Broadcast<'a>),
    Join {
        socket: SocketNumber,
        room: RoomNumber,
    },
    Leave {
        socket: SocketNumber,
        room: RoomNumber,
    },
    /// Accepts a socket into its namespace.
    Accept {
        socket: SocketNumber,
    },
    /// Accepts a socket whose state can be recovered later, under this id.
    AcceptRecoverable {
        socket: SocketNumber,
        id: Sid,
        pid: Sid,
    },
    /// Refuses a socket, and tells its client why.
    Refuse {
        socket: SocketNumber,
        json: &'a str,
    },
    /// Ends a socket that has not joined its namespace, without telling its client.
    Withdraw {
        socket: SocketNumber,
    },
    /// Answers a client that asked for a namespace that did not exist.
    AnswerNamespaceRequest {
        sid: Sid,
        request: &'a str,
        exists: bool,
    },
    /// Mutes a socket, which then receives no broadcasts, or unmutes it.
    Mute {
        socket: SocketNumber,
        muted: bool,
    },
    /// Disconnects a socket.
    Disconnect {
        socket: SocketNumber,
    },
    /// Ends the connection of a socket whose message cannot be parsed.
    Malformed {
        socket: SocketNumber,
    },
    CloseConnection {
        sid: Sid,
    },
    /// Whether packets that are sent on a connection are reported.
    WatchSent {
        sid: Sid,
        watched: bool,
    },
    Publish(Publish<'a>),
    Channel(ChannelCommand<'a>),
}

/// A command about channels and subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelCommand<'a> {
    Define {
        channel: ChannelNumber,
        namespace: NamespaceIndex,
        options: &'a str,
    },
    Subscribe {
        socket: SocketNumber,
        subscription: SubscriptionNumber,
        channel: ChannelNumber,
        from: u64,
    },
    /// Has the items of a subscription wait, or no longer.
    Hold {
        socket: SocketNumber,
        subscription: SubscriptionNumber,
        held: bool,
    },
    Unsubscribe {
        socket: SocketNumber,
        subscription: SubscriptionNumber,
    },
    Finish {
        channel: ChannelNumber,
    },
    Close {
        channel: ChannelNumber,
    },
}

/// An item of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Publish<'a> {
    pub(super) channel: ChannelNumber,
    pub(super) offset: u64,
    pub(super) json: &'a str,
}

/// An event for many sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broadcast<'a> {
    pub(super) namespace: NamespaceIndex,
    audience: &'a str,
    pub(super) ack: Option<AckId>,
    pub(super) flags: Flags,
    pub(super) json: &'a str,
}

impl Broadcast<'_> {
    /// The sockets it is for.
    ///
    /// # Errors
    /// `Json` if the field cannot be parsed.
    pub(super) fn audience(&self) -> Result<Audience, CommandError> {
        json("audience", self.audience)
    }

    /// Whether both can be sent as one series: to the same sockets, without flags or acknowledgements.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let is_plain = |one: &Self| one.ack.is_none() && one.flags == Flags::default();
        self.namespace == other.namespace
            && self.audience == other.audience
            && is_plain(self)
            && is_plain(other)
    }
}

/// How an event is sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) volatile: bool,
    pub(super) uncompressed: bool,
    pub(super) unreported: bool,
}

/// The line of a batch that starts at `at`, which moves on to the next one.
pub(super) fn next_line<'a>(text: &'a str, at: &mut usize) -> Option<&'a str> {
    let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
    let end = memchr(b'\n', rest.as_bytes());
    let line = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    *at += line.len() + 1;
    Some(line)
}

/// A line of a batch.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The number of its attachments in the batch, even if the command is invalid.
    pub(super) attachments: usize,
    pub(super) command: Result<Command<'a>, CommandError>,
}

impl<'a> Line<'a> {
    /// Parses a line.
    pub(super) fn parse(line: &'a str) -> Self {
        let mut fields = Fields(Some(line));
        let mut attachments = 0;
        let command = fields.code().and_then(|code| {
            if has_attachments(code) {
                attachments = fields.value("attachments")?;
            }
            fields.command(code)
        });
        Self {
            attachments,
            command,
        }
    }
}

/// A fast check whether a line may be a broadcast for [`Broadcast::is_like`].
pub(super) fn may_be_broadcast(line: &str) -> bool {
    matches!(
        line.chars().next().and_then(CommandCode::of),
        Some(CommandCode::Broadcast | CommandCode::BroadcastWithAttachments)
    )
}

/// A fast check whether a line may be an item of a channel.
pub(super) fn may_be_publish(line: &str) -> bool {
    matches!(
        line.chars().next().and_then(CommandCode::of),
        Some(CommandCode::Publish | CommandCode::PublishWithAttachments)
    )
}

/// A fast check whether a line may be about one socket that stays: what takes no longer than a message to it.
pub(super) fn may_be_brief(line: &str) -> bool {
    matches!(
        line.chars().next().and_then(CommandCode::of),
        Some(
            CommandCode::Answer
                | CommandCode::AnswerWithAttachments
                | CommandCode::Emit
                | CommandCode::EmitWithAttachments
                | CommandCode::Accept
                | CommandCode::AcceptRecoverable
                | CommandCode::Mute
                | CommandCode::Join
                | CommandCode::Leave
        )
    )
}

fn has_attachments(code: CommandCode) -> bool {
    matches!(
        code,
        CommandCode::AnswerWithAttachments
            | CommandCode::EmitWithAttachments
            | CommandCode::BroadcastWithAttachments
            | CommandCode::RefuseWithAttachments
            | CommandCode::AllowNamespaceWithAttachments
            | CommandCode::PublishWithAttachments
    )
}

/// Parses JSON that JavaScript wrote.
///
/// # Errors
/// `Json` if it is not valid.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(
    field: &'static str,
    text: &'a str,
) -> Result<T, CommandError> {
    serde_json::from_str(text).map_err(|source| CommandError::Json { field, source })
}

/// The rest of a line, field by field.
struct Fields<'a>(Option<&'a str>);

impl<'a> Fields<'a> {
    fn code(&mut self) -> Result<CommandCode, CommandError> {
        let mut letters = self.next("code")?.chars();
        match (letters.next().and_then(CommandCode::of), letters.next()) {
            (Some(code), None) => Ok(code),
            _ => Err(CommandError::Invalid("code")),
        }
    }

    fn command(mut self, code: CommandCode) -> Result<Command<'a>, CommandError> {
        use CommandCode as Code;
        Ok(match code {
            Code::Answer | Code::AnswerWithAttachments => Command::Answer {
                socket: self.value("socket")?,
                ack: ack_id(self.next("ack")?).ok_or(CommandError::Invalid("ack"))?,
                json: self.rest("json")?,
            },
            Code::Emit | Code::EmitWithAttachments => Command::Emit {
                socket: self.value("socket")?,
                ack: self.optional_value("ack")?,
                flags: self.flags()?,
                json: self.rest("json")?,
            },
            Code::Broadcast | Code::BroadcastWithAttachments => Command::Broadcast(Broadcast {
                namespace: self.value("namespace")?,
                audience: self.next("audience")?,
                ack: self.optional_value("ack")?,
                flags: self.flags()?,
                json: self.rest("json")?,
            }),
            Code::Join => Command::Join {
                socket: self.value("socket")?,
                room: self.last_value("room")?,
            },
            Code::Leave => Command::Leave {
                socket: self.value("socket")?,
                room: self.last_value("room")?,
            },
            Code::Accept => Command::Accept {
                socket: self.last_value("socket")?,
            },
            Code::AcceptRecoverable => Command::AcceptRecoverable {
                socket: self.value("socket")?,
                id: self.value("id")?,
                pid: self.last_value("pid")?,
            },
            Code::Refuse | Code::RefuseWithAttachments => Command::Refuse {
                socket: self.value("socket")?,
                json: self.rest("json")?,
            },
            Code::Withdraw => Command::Withdraw {
                socket: self.last_value("socket")?,
            },
            Code::AllowNamespace | Code::AllowNamespaceWithAttachments | Code::RefuseNamespace => {
                Command::AnswerNamespaceRequest {
                    sid: self.value("sid")?,
                    request: self.rest("request")?,
                    exists: code != Code::RefuseNamespace,
                }
            }
            Code::Mute => Command::Mute {
                socket: self.value("socket")?,
                muted: self.last_flag("muted")?,
            },
            Code::Disconnect => Command::Disconnect {
                socket: self.last_value("socket")?,
            },
            Code::Malformed => Command::Malformed {
                socket: self.last_value("socket")?,
            },
            Code::CloseConnection => Command::CloseConnection {
                sid: self.last_value("sid")?,
            },
            Code::WatchSent => Command::WatchSent {
                sid: self.value("sid")?,
                watched: self.last_flag("watched")?,
            },
            Code::Publish | Code::PublishWithAttachments => Command::Publish(Publish {
                channel: self.value("channel")?,
                offset: self.value("offset")?,
                json: self.rest("json")?,
            }),
            Code::DefineChannel
            | Code::Subscribe
            | Code::Hold
            | Code::Unsubscribe
            | Code::FinishChannel
            | Code::CloseChannel => Command::Channel(self.channel_command(code)?),
        })
    }

    // Apart from the others, which are more frequent: together they would all take more instructions.
    #[inline(never)]
    fn channel_command(mut self, code: CommandCode) -> Result<ChannelCommand<'a>, CommandError> {
        use CommandCode as Code;
        Ok(match code {
            Code::DefineChannel => ChannelCommand::Define {
                channel: self.value("channel")?,
                namespace: self.value("namespace")?,
                options: self.rest("options")?,
            },
            Code::Subscribe => ChannelCommand::Subscribe {
                socket: self.value("socket")?,
                subscription: self.value("subscription")?,
                channel: self.value("channel")?,
                from: self.last_value("from")?,
            },
            Code::Hold => ChannelCommand::Hold {
                socket: self.value("socket")?,
                subscription: self.value("subscription")?,
                held: self.last_flag("held")?,
            },
            Code::Unsubscribe => ChannelCommand::Unsubscribe {
                socket: self.value("socket")?,
                subscription: self.last_value("subscription")?,
            },
            Code::FinishChannel => ChannelCommand::Finish {
                channel: self.last_value("channel")?,
            },
            Code::CloseChannel => ChannelCommand::Close {
                channel: self.last_value("channel")?,
            },
            _ => return Err(CommandError::Invalid("code")),
        })
    }

    fn next(&mut self, field: &'static str) -> Result<&'a str, CommandError> {
        let rest = self.0.take().ok_or(CommandError::Missing(field))?;
        let Some(end) = rest.bytes().position(|byte| byte == b'\t') else {
            return Ok(rest);
        };
        self.0 = rest.get(end + 1..);
        Ok(rest.get(..end).unwrap_or_default())
    }

    /// The rest of the line, which is its JSON.
    fn rest(&mut self, field: &'static str) -> Result<&'a str, CommandError> {
        self.0.take().ok_or(CommandError::Missing(field))
    }

    fn value<T: FromStr>(&mut self, field: &'static str) -> Result<T, CommandError> {
        parsed(self.next(field)?, field)
    }

    fn last_value<T: FromStr>(&mut self, field: &'static str) -> Result<T, CommandError> {
        parsed(self.rest(field)?, field)
    }

    fn optional_value<T: FromStr>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<T>, CommandError> {
        match self.next(field)? {
            "" => Ok(None),
            text => parsed(text, field).map(Some),
        }
    }

    fn last_flag(&mut self, field: &'static str) -> Result<bool, CommandError> {
        match self.rest(field)? {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(CommandError::Invalid(field)),
        }
    }

    fn flags(&mut self) -> Result<Flags, CommandError> {
        let mut flags = Flags::default();
        for letter in self.next("flags")?.chars() {
            match EmitFlag::of(letter) {
                Some(EmitFlag::Volatile) => flags.volatile = true,
                Some(EmitFlag::Uncompressed) => flags.uncompressed = true,
                Some(EmitFlag::Unreported) => flags.unreported = true,
                None => return Err(CommandError::Invalid("flags")),
            }
        }
        Ok(flags)
    }
}

fn parsed<T: FromStr>(text: &str, field: &'static str) -> Result<T, CommandError> {
    text.parse().map_err(|_| CommandError::Invalid(field))
}

/// The id of a client's acknowledgement. JavaScript rounds it beyond 2⁵³, as in Socket.IO.
fn ack_id(digits: &str) -> Option<AckId> {
    digits
        .parse()
        .or_else(|_| digits.parse().map(|rounded: f64| rounded as AckId))
        .ok()
}

/// Why a command cannot be executed: a mistake in `lib/`, or a `lib/` of another version than the addon.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The line ends before this field.
    Missing(&'static str),
    /// The field has an invalid value.
    Invalid(&'static str),
    /// The field is not the JSON that is expected.
    Json {
        field: &'static str,
        source: serde_json::Error,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the field `{field}` is missing"),
            Self::Invalid(field) => write!(f, "the field `{field}` has an impossible value"),
            Self::Json { field, .. } => write!(f, "the field `{field}` has unexpected JSON"),
        }
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json { source, .. } => Some(source),
            Self::Missing(_) | Self::Invalid(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Command<'_> {
        Line::parse(line).command.unwrap()
    }

    fn error(line: &str) -> String {
        Line::parse(line).command.unwrap_err().to_string()
    }

    #[test]
    fn a_line_is_read_into_its_command() {
        let json = r#"["a\tb",1]"#;
        assert_eq!(
            read(&format!("a\t7\t3\t{json}")),
            Command::Answer {
                socket: 7,
                ack: 3,
                json
            }
        );
        let flags = Flags {
            volatile: true,
            uncompressed: true,
            unreported: false,
        };
        assert_eq!(
            read(&format!("e\t7\t\tvu\t{json}")),
            Command::Emit {
                socket: 7,
                ack: None,
                flags,
                json
            }
        );
        assert_eq!(read("j\t7\t2"), Command::Join { socket: 7, room: 2 });
        assert_eq!(
            read("n\t7\tabc\tdef"),
            Command::AcceptRecoverable {
                socket: 7,
                id: "abc".parse().unwrap(),
                pid: "def".parse().unwrap()
            }
        );
        assert_eq!(read("d\t7"), Command::Disconnect { socket: 7 });
        assert_eq!(
            read("x\t7\t"),
            Command::Refuse {
                socket: 7,
                json: ""
            }
        );
    }

    #[test]
    fn the_attachments_of_a_line_are_counted_even_if_the_rest_of_it_cannot_be_read() {
        let line = Line::parse("A\t2\t7\t3\t[]");
        assert_eq!(line.attachments, 2);
        assert!(line.command.is_ok());
        let line = Line::parse("A\t2\tx\t3\t[]");
        assert_eq!(line.attachments, 2);
        assert!(line.command.is_err());
        assert_eq!(Line::parse("a\t7\t3\t[]").attachments, 0);
    }

    #[test]
    fn an_acknowledgement_id_beyond_what_a_double_holds_is_rounded() {
        let ack = |line| match read(line) {
            Command::Answer { ack, .. } => ack,
            other => panic!("{other:?}"),
        };
        assert_eq!(ack("a\t1\t9007199254740992\t[]"), 1 << 53);
        assert_eq!(ack("a\t1\t1e+21\t[]"), AckId::MAX);
        assert_eq!(ack("a\t1\t-1\t[]"), -1);
    }

    #[test]
    fn broadcasts_are_alike_if_they_reach_the_same_sockets_for_sure_and_none_acknowledges() {
        let broadcast = |line| match read(line) {
            Command::Broadcast(broadcast) => broadcast,
            other => panic!("{other:?}"),
        };
        let one = broadcast("b\t0\t{\"rooms\":[1]}\t\t\t[1]");
        assert!(one.is_like(&broadcast("b\t0\t{\"rooms\":[1]}\t\t\t[2]")));
        for other in [
            "b\t1\t{\"rooms\":[1]}\t\t\t[2]",
            "b\t0\t{\"rooms\":[2]}\t\t\t[2]",
            "b\t0\t{\"rooms\":[1]}\t0\t\t[2]",
            "b\t0\t{\"rooms\":[1]}\t\tv\t[2]",
        ] {
            let other = broadcast(other);
            assert!(!one.is_like(&other) && !other.is_like(&one), "{other:?}");
        }
        assert!(one.audience().is_ok());
        assert!(broadcast("b\t0\t{]\t\t\t[1]").audience().is_err());
    }

    #[test]
    fn a_line_that_cannot_be_read_says_which_field_is_wrong() {
        assert_eq!(error(""), "the field `code` has an impossible value");
        assert_eq!(error("?\t1"), "the field `code` has an impossible value");
        assert_eq!(
            error("aa\t1\t1\t[]"),
            "the field `code` has an impossible value"
        );
        assert_eq!(error("a\t1\t1"), "the field `json` is missing");
        assert_eq!(
            error("a\t-1\t1\t[]"),
            "the field `socket` has an impossible value"
        );
        assert_eq!(
            error("e\t1\tx\t\t[]"),
            "the field `ack` has an impossible value"
        );
        assert_eq!(
            error("e\t1\t\tw\t[]"),
            "the field `flags` has an impossible value"
        );
        assert_eq!(
            error("h\t1\t2"),
            "the field `muted` has an impossible value"
        );
        assert_eq!(
            error("j\t1\t2\t3"),
            "the field `room` has an impossible value"
        );
        assert_eq!(
            error("n\t1\ta\"b\tc"),
            "the field `id` has an impossible value"
        );
        assert_eq!(
            error("A\tx\t1\t1\t[]"),
            "the field `attachments` has an impossible value"
        );
    }
}
