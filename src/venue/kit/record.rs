//! Messages as structs of fields that may be read plain, exact or by the scan.

/// Declares a struct whose fields are those of a message that are used, each under the venue's own key. A parser reads
/// it, of [`Plain`](super::raw::Plain) or [`Exact`](super::raw::Exact) fields; `set` fills it from a scan.
macro_rules! record {
    ($(#[$about:meta])* $name:ident { $($field:ident = $key:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, serde::Deserialize)]
        #[serde(bound(deserialize = "V: serde::Deserialize<'de> + Default"), default)]
        pub(super) struct $name<V> {
            $(#[serde(rename = $key)] $field: V,)+
        }

        impl<'a> $name<$crate::venue::kit::raw::Plain<'a>> {
            /// Sets a field, if it is used. `None` if it is set already: a parser says what such an object is.
            fn set(&mut self, key: &str, value: $crate::venue::kit::raw::Raw<'a>) -> Option<()> {
                let field = match key {
                    $($key => &mut self.$field,)+
                    _ => return Some(()),
                };
                let is_free = !$crate::venue::kit::raw::Value::is_there(*field);
                is_free.then(|| *field = $crate::venue::kit::raw::Plain(value))
            }
        }
    };
}
pub(in crate::venue) use record;

#[cfg(test)]
mod tests {
    mod part {
        super::super::record! {
            /// A message.
            Part { price = "p", kind = "type", }
        }

        use crate::venue::kit::raw::{Exact, Plain, Raw, Value as _};

        #[test]
        fn a_scan_fills_what_a_parser_reads() {
            let parsed: Part<Plain<'_>> = serde_json::from_str(r#"{"type":"a","p":"1","x":2}"#).unwrap();
            let mut scanned = Part::default();
            for (key, value) in [("type", Raw::Text("a")), ("p", Raw::Text("1")), ("x", Raw::Whole(2))] {
                assert_eq!(scanned.set(key, value), Some(()));
            }
            assert_eq!(scanned, parsed);
            assert_eq!(scanned.set("p", Raw::Text("2")), None, "it is there twice");
            let exact: Part<Exact<'_>> = serde_json::from_str(r#"{"p":1.5,"type":"a"}"#).unwrap();
            assert_eq!([exact.price.raw(), exact.kind.raw()], [Raw::Json("1.5"), Raw::Text("a")]);
        }
    }
}
