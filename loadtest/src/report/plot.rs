//! Line plots as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 40.0;
/// Grid lines of a linear y axis.
const LINES: u32 = 5;
/// The most labels on the x axis.
const LABELS_MAX: f64 = 10.0;

/// One line of a plot.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot. `value` formats the labels of the y axis, `place` those of the x axis.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    /// The smallest step between labels of the x axis.
    pub(super) x_step_min: f64,
    pub(super) place: fn(f64) -> String,
    pub(super) value: fn(f64) -> String,
    /// Whether the y axis is logarithmic, as for times, whose tail would otherwise flatten the rest.
    pub(super) is_logarithmic: bool,
    pub(super) lines: Vec<Line<'a>>,
}

impl Plot<'_> {
    /// The figure, or an empty string if no line has a point.
    pub(super) fn figure(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        if points().next().is_none() {
            return String::new();
        }
        let x_max = points().map(|(x, _)| x).fold(f64::MIN_POSITIVE, f64::max);
        let scale = Scale::new(points().map(|(_, y)| y), self.is_logarithmic);
        let mut out = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title, self.title
        );
        // Writing to a string cannot fail.
        let _ = self.axes(&mut out, x_max, &scale);
        for (index, line) in self.lines.iter().enumerate() {
            let _ = draw(&mut out, index, line, x_max, &scale);
        }
        out.push_str("</svg><ul class=\"legend\">");
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.points.is_empty()) {
            let _ = write!(out, "<li class=\"c{index}\">{}</li>", line.name);
        }
        out.push_str("</ul></figure>");
        out
    }

    fn axes(&self, out: &mut String, x_max: f64, scale: &Scale) -> std::fmt::Result {
        for share in scale.marks() {
            let y = y_at(share);
            let value = (self.value)(scale.value(share));
            write!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - RIGHT)?;
            write!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", LEFT - 8.0, y + 4.0)?;
        }
        // A whole number, as the labels are.
        let step = rounded_up(x_max / LABELS_MAX).max(self.x_step_min).ceil();
        for number in (0..).map(|number| f64::from(number) * step).take_while(|place| *place <= x_max) {
            let x = x_at(number / x_max);
            let place = (self.place)(number);
            write!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{place}</text>", HEIGHT - BOTTOM + 18.0)?;
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        write!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>", HEIGHT - 4.0, self.x)
    }
}

fn draw(out: &mut String, index: usize, line: &Line<'_>, x_max: f64, scale: &Scale) -> std::fmt::Result {
    let place = |(x, y): (f64, f64)| (x_at(x / x_max), y_at(scale.share(y)));
    if let [point] = line.points[..] {
        let (x, y) = place(point);
        return write!(out, "<circle class=\"c{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    write!(out, "<polyline class=\"c{index}\" points=\"")?;
    for point in &line.points {
        let (x, y) = place(*point);
        write!(out, "{x:.1},{y:.1} ")?;
    }
    write!(out, "\"/>")
}

fn x_at(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn y_at(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// Maps values to the height of a plot.
struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64> + Clone, is_logarithmic: bool) -> Self {
        let high = values.clone().fold(f64::MIN_POSITIVE, f64::max);
        if is_logarithmic {
            let low = values.fold(f64::MAX, f64::min).max(1.0).log10().floor();
            return Self { low, high: high.max(1.0).log10().ceil().max(low + 1.0), is_logarithmic };
        }
        Self { low: 0.0, high: rounded_up(high), is_logarithmic }
    }

    fn share(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.max(1.0).log10() } else { value };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The heights of the grid lines: each power of ten, or equal steps.
    fn marks(&self) -> impl Iterator<Item = f64> {
        let count = if self.is_logarithmic { (self.high - self.low) as u32 } else { LINES };
        (0..=count).map(move |step| f64::from(step) / f64::from(count))
    }

    fn value(&self, share: f64) -> f64 {
        let value = self.low + share * (self.high - self.low);
        if self.is_logarithmic { 10_f64.powf(value) } else { value }
    }
}

/// The next round number, on which an axis ends.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|round| *round >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>, is_logarithmic: bool) -> String {
        let lines = vec![Line { name: "p50", points }];
        let show = |value: f64| format!("{value:.0}");
        Plot { title: "t", x: "s", x_step_min: 1.0, place: show, value: show, is_logarithmic, lines }.figure()
    }

    #[test]
    fn a_line_goes_through_its_points_and_the_axis_ends_on_a_round_number() {
        let figure = plot(vec![(0.0, 0.0), (10.0, 40.0)], false);
        assert!(figure.contains("points=\"72.0,220.0 704.0,56.8 \""), "{figure}");
        assert!(figure.contains(">50</text>"));
        let figure = plot(vec![(0.0, 10.0), (10.0, 1_000.0)], true);
        assert!(figure.contains("points=\"72.0,220.0 704.0,16.0 \""), "{figure}");
    }

    #[test]
    fn places_on_the_x_axis_are_where_they_say() {
        let figure = plot(vec![(0.0, 1.0), (23.0, 1.0)], false);
        let places: Vec<&str> = figure.split("\"middle\">").skip(1).filter_map(|text| text.split('<').next()).collect();
        assert_eq!(places, ["0", "3", "6", "9", "12", "15", "18", "21", "s"]);
    }

    #[test]
    fn a_plot_without_points_or_height_draws() {
        assert_eq!(plot(vec![], false), "");
        for figure in [plot(vec![(0.0, 0.0)], false), plot(vec![(0.0, 0.0), (1.0, 0.0)], true)] {
            assert!(!figure.contains("NaN") && !figure.contains("inf"), "{figure}");
        }
    }
}
