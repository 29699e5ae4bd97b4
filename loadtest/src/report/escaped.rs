//! Text in markup.

/// Escapes markup, since servers and users choose some of the strings. It serves HTML and XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
