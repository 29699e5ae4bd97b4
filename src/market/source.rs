//! Which of a symbol's feeds.

/// One of the feeds that a symbol can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The feed that lists it, or lists it without `standby_for`.
    Primary,
    /// The feed that stands in for its primary.
    Standby,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Standby];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Primary => Self::Standby,
            Self::Standby => Self::Primary,
        }
    }
}
