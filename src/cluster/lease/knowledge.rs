//! What a node knows of a shard's lease, and when that lets it claim.

use super::{
    super::{
        clock::Boot,
        json::JsonError,
        names::{Instance, NodeName},
        token::Token,
    },
    event::Standing,
    timing::{CATCH_UP, GRANTED, LeaseTiming, QUIET, RANK, UNSYNCED, UP},
    value::{FORMER_MAX, Former, LeaseState, LeaseValue, ValueError},
};
use crate::{market::UnixMicros, wire::Epoch};
use std::time::Duration;

/// As many reads in a row show an older revision before it counts: the store has lost its last writes. One such read
/// may only be stale.
const OLDER_READS: u32 = 3;

/// The lease as far as a node knows it.
#[derive(Debug)]
pub(super) struct Knowledge {
    started: Boot,
    known: Option<Known>,
    /// Who wrote the newest value that was read, and under which token. Messages name newer revisions of it.
    holder: Option<(Token, NodeName)>,
    /// Who wrote the newest value that counted, and how long its lease lasts, if it says so.
    lease: Option<(NodeName, Duration)>,
    /// The highest token that was read or heard.
    highest: Option<Token>,
    /// The newest message's token and arrival.
    message: Option<(Token, Boot)>,
    /// A write has shown that the known revision is not the newest.
    refuted: bool,
    older_reads: u32,
    /// Since when the store names an owner whose token all nodes drop, because a higher one was known before.
    fenced_since: Option<Boot>,
}

#[derive(Debug)]
struct Known {
    /// `None` if the key does not exist.
    revision: Option<u64>,
    content: Content,
    /// When this node first learned of this revision. The owner sent it before.
    since: Boot,
}

/// What is known of a revision's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// There is none.
    Absent,
    /// The owner's messages name the revision; it was not read yet.
    Unread(Token),
    /// The value.
    Value(LeaseValue),
    /// Bytes that are not a lease.
    Garbage,
    /// A lease of another version, which this node must not overwrite.
    OtherVersion,
}

impl Content {
    pub(super) fn of(value: Result<LeaseValue, ValueError>) -> Self {
        match value {
            Ok(value) => Self::Value(value),
            Err(ValueError::Json(JsonError::Version { .. })) => Self::OtherVersion,
            Err(_) => Self::Garbage,
        }
    }

    fn token(&self) -> Option<Token> {
        match self {
            Self::Unread(token) => Some(*token),
            Self::Value(value) => Some(value.token),
            Self::Absent | Self::Garbage | Self::OtherVersion => None,
        }
    }
}

/// What a claim replaces, and what it goes on with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Basis {
    /// The revision to replace.
    pub(super) expected: Option<u64>,
    /// The claim's term.
    pub(super) term: u64,
    /// The epoch that the shard had, if it had one.
    pub(super) epoch: Option<Epoch>,
    /// The epochs before that.
    pub(super) former: Former,
    /// The last batch of the epoch, if the node has it and may go on with the epoch.
    pub(super) after: Option<u64>,
}

impl Knowledge {
    pub(super) fn new(started: Boot) -> Self {
        Self {
            started,
            known: None,
            holder: None,
            lease: None,
            highest: None,
            message: None,
            refuted: false,
            older_reads: 0,
            fenced_since: None,
        }
    }

    /// The highest token that was read or heard.
    pub(super) fn highest(&self) -> Option<Token> {
        self.highest
    }

    /// The revision that is known, if one is.
    pub(super) fn revision(&self) -> Option<u64> {
        self.known.as_ref().and_then(|known| known.revision)
    }

    /// Who holds the shard, as far as is known.
    pub(super) fn owner(&self) -> Option<NodeName> {
        match &self.known.as_ref()?.content {
            Content::Value(value) if value.state == LeaseState::Held => Some(value.node.clone()),
            Content::Unread(token) => self.holder.as_ref().filter(|held| held.0 == *token).map(|held| held.1.clone()),
            _ => None,
        }
    }

    /// The token of the known value, and the epochs before; `None` while the value is not known.
    pub(super) fn former(&self) -> Option<(Token, &Former)> {
        match &self.known.as_ref()?.content {
            Content::Value(value) => Some((value.token, &value.former)),
            _ => None,
        }
    }

    /// Who wrote the newest value, and how long its lease lasts by its own configuration.
    pub(super) fn lease(&self) -> Option<&(NodeName, Duration)> {
        self.lease.as_ref()
    }

    /// Whether the value of the known revision must be read before a claim.
    pub(super) fn is_unread(&self) -> bool {
        self.known.as_ref().is_none_or(|known| matches!(known.content, Content::Unread(_)))
    }

    /// Takes what a read found.
    pub(super) fn read(&mut self, revision: Option<u64>, content: Content, now: Boot) {
        self.raise(content.token());
        if let Content::Value(value) = &content
            && value.state == LeaseState::Held
        {
            self.holder = Some((value.token, value.node.clone()));
        }
        if content.token().is_some_and(|token| Some(token) < self.highest) {
            self.fenced_since.get_or_insert(now);
        }
        if let Some(known) = &mut self.known {
            let same_content = match &known.content {
                Content::Unread(token) => content.token() == Some(*token),
                of_known => *of_known == content,
            };
            if known.revision == revision && same_content {
                // A read of the same leaves the time alone at which this node learned of it.
                known.content = content;
                self.older_reads = 0;
                return self.learn_lease();
            }
            if revision < known.revision && !self.refuted {
                self.older_reads += 1;
                if self.older_reads < OLDER_READS {
                    return;
                }
            }
        }
        self.learn(revision, content, now);
    }

    /// Takes a message of the owner.
    pub(super) fn heard(&mut self, token: Token, revision: u64, now: Boot) {
        self.raise(Some(token));
        if self.message.is_none_or(|(newest, _)| token >= newest) {
            self.message = Some((token, now));
        }
        let is_news = self.known.as_ref().is_none_or(|known| {
            let outranks = known.content.token().is_none_or(|of_known| token >= of_known);
            outranks && Some(revision) > known.revision
        });
        if is_news {
            self.learn(Some(revision), Content::Unread(token), now);
        }
    }

    /// Takes a value of which it is certain that it was written.
    pub(super) fn written(&mut self, revision: u64, value: LeaseValue, now: Boot) {
        self.raise(Some(value.token));
        if Some(revision) > self.revision() {
            self.learn(Some(revision), Content::Value(value), now);
        }
    }

    /// A write met another revision than the known one: the next read counts, whatever it shows.
    pub(super) fn refute(&mut self) {
        self.refuted = true;
    }

    fn learn(&mut self, revision: Option<u64>, content: Content, since: Boot) {
        self.known = Some(Known { revision, content, since });
        self.refuted = false;
        self.older_reads = 0;
        self.learn_lease();
    }

    fn learn_lease(&mut self) {
        if let Some(Known { content: Content::Value(value), .. }) = &self.known {
            let last = |millis| (value.node.clone(), Duration::from_millis(millis));
            self.lease = value.lease_ms.map(last);
        }
    }

    /// Takes a token that was read or heard.
    fn raise(&mut self, token: Option<Token>) {
        if token.is_some() && token >= self.highest {
            self.highest = token;
            self.fenced_since = None;
        }
    }

    /// When the node may claim, by what it knows so far.
    pub(super) fn claim_at(
        &self,
        node: &NodeName,
        instance: Instance,
        timing: LeaseTiming,
        standing: Standing,
    ) -> Option<Boot> {
        let known = self.known.as_ref()?;
        // A shard without an owner so far has no state to lose. If none of the nodes has it, the first does not wait.
        let may_go_first = standing.synced || standing.rank == 0 || self.highest.is_none();
        let unsynced = if may_go_first { Duration::ZERO } else { UNSYNCED };
        let turn = RANK * standing.rank + unsynced;
        // An owner under a token that the nodes drop renews its lease, but none of them follows it.
        let since = self.fenced_since.map_or(known.since, |since| since.min(known.since));
        // The owner holds as long as its own configuration says, which may be another one, even if the key was lost.
        let take = self.lease.as_ref().map_or(timing.take, |(_, lease)| timing.take.max(*lease));
        let expired = self.after_silence(since.after(take + turn));
        match &known.content {
            Content::OtherVersion => None,
            Content::Absent if self.highest.is_none() => Some(known.since.max(self.started.after(UP)).after(turn)),
            Content::Absent | Content::Unread(_) | Content::Garbage => Some(expired),
            Content::Value(value) => match &value.state {
                // No other node owns by this instance's lease, and this instance does not.
                LeaseState::Held if value.instance == instance => Some(self.after_silence(known.since)),
                LeaseState::Held => Some(expired),
                LeaseState::Free { .. } => Some(known.since.after(turn)),
                LeaseState::Granted { to, .. } if to != node => Some(known.since.after(GRANTED + turn)),
                LeaseState::Granted { last, .. } if self.may_go_on(value, *last, standing) => Some(known.since),
                LeaseState::Granted { .. } => Some(known.since.after(CATCH_UP)),
            },
        }
    }

    /// The time, or when the owner has been silent for long enough.
    fn after_silence(&self, at: Boot) -> Boot {
        let token = self.known.as_ref().and_then(|known| known.content.token());
        match self.message {
            Some((heard, arrival)) if token.is_none_or(|token| heard >= token) => at.max(arrival.after(QUIET)),
            _ => at,
        }
    }

    /// The epoch and the last batch that the node lacks, if the shard is granted to it.
    pub(super) fn lacks(&self, node: &NodeName, standing: Standing) -> Option<(Epoch, u64)> {
        let Some(Known { content: Content::Value(value), .. }) = &self.known else { return None };
        match &value.state {
            LeaseState::Granted { to, last } if to == node && !self.may_go_on(value, *last, standing) => {
                Some((value.token.epoch, *last))
            }
            _ => None,
        }
    }

    /// What a claim is built on; `None` while the value is not known.
    pub(super) fn basis(&self, node: &NodeName, standing: Standing, wall: UnixMicros) -> Option<Basis> {
        let known = self.known.as_ref()?;
        // A store that has lost everything would begin with the first term, and the nodes that know a later one would
        // drop all that this node publishes. So terms also rise with the time, in seconds since 1970.
        let seconds = u64::try_from(wall.0 / 1_000_000).unwrap_or_default();
        let term = self.highest.map_or(0, |token| token.term).saturating_add(1).max(seconds);
        let (epoch, former, after) = match &known.content {
            Content::Unread(_) | Content::OtherVersion => return None,
            Content::Absent | Content::Garbage => (self.highest.map(|token| token.epoch), Former::new(), None),
            Content::Value(value) => {
                let after = match &value.state {
                    LeaseState::Granted { to, last } if to == node && self.may_go_on(value, *last, standing) => {
                        Some(*last)
                    }
                    _ => None,
                };
                (Some(value.token.epoch), value.former.clone(), after)
            }
        };
        Some(Basis { expected: known.revision, term, epoch, former, after })
    }

    /// Whether the successor that the owner named has all of the owner's batches, and so may go on with the epoch.
    ///
    /// No other node may: if the store lost the successor's claim, two would go on with the same numbers. After a
    /// higher token the numbers may have gone on already.
    fn may_go_on(&self, value: &LeaseValue, last: u64, standing: Standing) -> bool {
        let has_last = standing.applied.is_some_and(|(epoch, batch)| epoch == value.token.epoch && batch >= last);
        has_last && self.highest == Some(value.token)
    }
}

/// The epochs before a new one.
pub(super) fn former(epoch: Option<Epoch>, before: &[Epoch]) -> Former {
    epoch.into_iter().chain(before.iter().copied()).take(FORMER_MAX).collect()
}
