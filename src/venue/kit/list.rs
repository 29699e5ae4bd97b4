//! Lists in JSON, element by element: however many there are, one is kept at a time.

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::venue) enum Place {
    /// Where an element begins.
    Element(usize),
    /// Behind the bracket that ends the list.
    End(usize),
}

/// The place of the first element of the list that begins here. `None` if none does.
pub(in crate::venue) fn begin(json: &[u8], at: usize) -> Option<Place> {
    let at = after_blanks(json, at);
    if json.get(at)? != &b'[' {
        return None;
    }
    let first = after_blanks(json, at + 1);
    Some(if json.get(first)? == &b']' { Place::End(first + 1) } else { Place::Element(first) })
}

/// Hands over the elements from this place on, until `take` wants no more. `read` reads the one at a place and says
/// where it ends. Returns how far it came; `None` where no list goes on: those before it stand.
pub(super) fn walk<T>(
    json: &[u8],
    from: Place,
    read: impl Fn(usize) -> Option<(T, usize)>,
    mut take: impl FnMut(T) -> bool,
) -> Option<Place> {
    let Place::Element(mut at) = from else { return Some(from) };
    loop {
        let (element, end) = read(at)?;
        let wants_more = take(element);
        at = after_blanks(json, end);
        match json.get(at)? {
            b',' => at = after_blanks(json, at + 1),
            b']' => return Some(Place::End(at + 1)),
            _ => return None,
        }
        if !wants_more {
            return Some(Place::Element(at));
        }
    }
}

/// The first byte from here on that is not a blank of JSON.
pub(super) fn after_blanks(json: &[u8], from: usize) -> usize {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
    from + json[from..].iter().take_while(is_blank).count()
}
