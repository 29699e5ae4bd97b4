//! The part of a trail that a client asked for.

use super::point::Point;
use std::time::Duration;

/// Points of a trail, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// After the first, there is at most one point in each stretch of so much time.
    pub every: Duration,
    /// The points.
    pub points: Vec<Point>,
}

impl Excerpt {
    /// At most `count` of the points, which are of spans that last `every`. Where there are more, it keeps the first,
    /// which was shown before all others, and of each stretch of several spans the last.
    ///
    /// Stretches begin at multiples of their length, so that a later request finds the same points.
    pub(super) fn new<'a>(
        mut points: impl DoubleEndedIterator<Item = &'a Point> + ExactSizeIterator + Clone,
        count: usize,
        every: Duration,
    ) -> Self {
        if points.len() <= count {
            return Self { every, points: points.copied().collect() };
        }
        let mut kept = Vec::with_capacity(count);
        if count > 1 {
            kept.extend(points.next());
        }
        let (oldest, newest) = (points.clone().next(), points.clone().next_back());
        let spans = oldest.zip(newest).map_or(1, |(oldest, newest)| newest.span() - oldest.span() + 1);
        let stretch = Stretch::of(spans, count - kept.len());
        let mut last = None;
        for point in points {
            let own = Some(stretch.place(point.span()));
            if last == own {
                kept.pop();
            }
            last = own;
            kept.push(*point);
        }
        Self { every: every.saturating_mul(stretch.spans), points: kept }
    }
}

/// Neighbouring spans of which one point is kept.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    spans: u32,
    /// All spans are in one.
    is_whole: bool,
}

impl Stretch {
    /// The stretches of which `count` are enough for so many neighbouring spans.
    fn of(spans: u32, count: usize) -> Self {
        match u32::try_from(count).unwrap_or(u32::MAX) {
            0 | 1 => Self { spans, is_whole: true },
            // The spans touch at most 2 + (spans − 2) / length stretches, wherever the first one begins.
            count => Self { spans: spans.saturating_sub(2) / (count - 1) + 1, is_whole: false },
        }
    }

    fn place(self, span: u32) -> u32 {
        if self.is_whole { 0 } else { span / self.spans }
    }
}
