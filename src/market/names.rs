//! The names that a closed set has outside the process: on the wire, in metrics, in the configuration.

/// Gives an enum its names from one list, so that no value lacks one and none is listed twice.
macro_rules! names {
    ($type:ident { $($value:ident $(($inner:path))? = $name:literal,)+ }) => {
        impl $type {
            /// All values with their names.
            pub const NAMES: [(Self, &'static str); [$($name),+].len()] =
                [$((Self::$value $(($inner))?, $name)),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value $(($inner))? => $name,)+ }
            }
        }
    };
}
pub(super) use names;
