//! How many feeds, connections and symbols a configuration may have.

/// The most feeds: each has a task, a socket and a series in every metric of feeds.
pub const FEEDS_MAX: usize = 64;
/// The most symbols of all feeds together: at 1 KiB each with their names and states, 100 MB.
pub const SYMBOLS_MAX: usize = 100_000;
/// The most connections of a feed, unless the file or the venue sets another limit: eight times a venue's list is a
/// large feed.
pub const CONNECTIONS_DEFAULT: usize = 8;
/// The most connections that a file may set for a feed: each has a socket and a task.
pub const CONNECTIONS_MAX: usize = 64;
