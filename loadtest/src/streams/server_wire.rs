//! The wire of the server under load, and the path of its streams.

/// The wire of the server under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// tickfan's wire: every event is checked.
    Tickfan,
    /// Any Server-Sent Events under a path: they are counted, and the latency of trades that carry `trade_ts` is
    /// measured.
    Plain {
        /// The path and query of each stream, a template in which `{symbols}` stands for the list.
        path: String,
    },
}

impl Wire {
    /// The path and query of a stream with these symbols. In a template `{symbols}` stands for them joined by commas,
    /// and `{symbols:SEPARATOR}` for them joined by that separator, for servers that take a parameter per symbol.
    pub(crate) fn path(&self, symbols: &[&str]) -> String {
        match self {
            Self::Tickfan => format!("/v1/stream?symbols={}", symbols.join(",")),
            Self::Plain { path } => fill(path, symbols),
        }
    }
}

fn fill(template: &str, symbols: &[&str]) -> String {
    let Some((before, rest)) = template.split_once("{symbols") else { return template.to_owned() };
    let Some((separator, after)) = rest.split_once('}') else { return template.to_owned() };
    let separator = separator.strip_prefix(':').unwrap_or(",");
    format!("{before}{}{after}", symbols.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_template_takes_the_symbols_with_its_separator() {
        for (template, path) in [
            ("/sub?id={symbols}", "/sub?id=A,B"),
            ("/hub?topic={symbols:&topic=}&x=1", "/hub?topic=A&topic=B&x=1"),
            ("/events", "/events"),
        ] {
            assert_eq!(Wire::Plain { path: template.to_owned() }.path(&["A", "B"]), path);
        }
        assert_eq!(Wire::Tickfan.path(&["A", "B"]), "/v1/stream?symbols=A,B");
    }
}
