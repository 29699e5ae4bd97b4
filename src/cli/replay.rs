//! `tickfan replay`: what a configuration file with one feed would say.

use clap::Args;
use std::path::PathBuf;

/// A recording to serve.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Replay {
    /// The files, merged by their times of receipt
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The venue whose frames these are [default: the one that the files name]
    #[arg(long, value_name = "VENUE")]
    pub protocol: Option<String>,
    /// The symbols, separated by commas; SYMBOL=NAME where the venue's name cannot be derived [default: those that the
    /// files name]
    #[arg(long, value_name = "SYMBOLS", value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// How many times as fast as recorded, or max
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub speed: String,
    /// Begin again at the end
    #[arg(long = "loop")]
    pub repeats: bool,
    /// The address that the frames came from, where what they say depends on it
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

impl Replay {
    /// The configuration, as a file would have it.
    pub fn config(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| quoted(&file.to_string_lossy())).collect();
        let mut text = format!("[[feed]]\nvenue = \"replay\"\nfiles = [{}]\n", files.join(", "));
        if let Some(protocol) = &self.protocol {
            text += &format!("protocol = {}\n", quoted(protocol));
        }
        if !self.symbols.is_empty() {
            text += &format!("symbols = {}\n", self.listed());
        }
        if let Some(url) = &self.url {
            text += &format!("url = {}\n", quoted(url));
        }
        // A number stands without quotes; what is none is shown as it was written.
        let is_number = self.speed.parse::<f64>().is_ok_and(f64::is_finite);
        let speed = if is_number { self.speed.clone() } else { quoted(&self.speed) };
        text + &format!("speed = {speed}\nloop = {}\n", self.repeats)
    }

    /// A list, or a table where a venue's name is given.
    fn listed(&self) -> String {
        let symbols = self.symbols.iter().map(|symbol| symbol.split_once('='));
        if symbols.clone().all(|named| named.is_none()) {
            return format!("[{}]", self.symbols.iter().map(|symbol| quoted(symbol)).collect::<Vec<_>>().join(", "));
        }
        let entries = self.symbols.iter().zip(symbols).map(|(symbol, named)| {
            let (symbol, name) = named.unwrap_or((symbol, symbol));
            format!("{} = {}", quoted(symbol), quoted(name))
        });
        format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
    }
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => quoted += &format!("\\u{:04X}", u32::from(character)),
            character => quoted.push(character),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(files: &[&str]) -> Replay {
        Replay {
            files: files.iter().map(PathBuf::from).collect(),
            protocol: None,
            symbols: Vec::new(),
            speed: "1".to_owned(),
            repeats: false,
            url: None,
        }
    }

    #[test]
    fn the_arguments_become_a_feed() {
        let plain =
            "[[feed]]\nvenue = \"replay\"\nfiles = [\"a.gz\", \"b \\\"\\\\\\u000A\"]\nspeed = 1\nloop = false\n";
        assert_eq!(replay(&["a.gz", "b \"\\\n"]).config(), plain);
        let full = Replay {
            protocol: Some("kraken".to_owned()),
            symbols: ["BTC-USD", "X=Y/Z"].map(str::to_owned).to_vec(),
            speed: "max".to_owned(),
            repeats: true,
            url: Some("wss://a.example".to_owned()),
            ..replay(&["a"])
        };
        let expected = "[[feed]]\nvenue = \"replay\"\nfiles = [\"a\"]\nprotocol = \"kraken\"\n\
                        symbols = { \"BTC-USD\" = \"BTC-USD\", \"X\" = \"Y/Z\" }\nurl = \"wss://a.example\"\n\
                        speed = \"max\"\nloop = true\n";
        assert_eq!(full.config(), expected);
        let listed = Replay { symbols: vec!["A".to_owned(), "B".to_owned()], ..replay(&["a"]) };
        assert!(listed.config().contains("symbols = [\"A\", \"B\"]\n"));
    }
}
