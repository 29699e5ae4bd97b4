//! Line plots as SVG: lines that break where data are missing, marks of what happened, and the values at the pointer.

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
/// The colours of lines, after which they begin again.
const COLOURS: usize = 8;
/// The most places whose values are shown at the pointer. They are some hundred bytes each.
const PLACES_MAX: usize = 240;
/// A line breaks where its next point is so many steps away.
const STEPS_APART: f64 = 2.5;
/// A limit that is so many times higher than the highest value is left out of a linear plot, whose lines it would
/// flatten.
const LIMIT_FAR: f64 = 3.0;

/// One line of a plot. A point without a value breaks it.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// Something that went on for a while, such as an outage.
pub(super) struct Band {
    /// The class, which colours it.
    pub(super) kind: &'static str,
    /// What it is, if its class does not say all.
    pub(super) what: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A value that was not to be crossed.
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) value: f64,
}

/// A plot. `value` formats the labels of the y axis, `place` those of the x axis.
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: &'static str,
    /// The smallest step between labels of the x axis.
    pub(super) x_step_min: f64,
    /// Lines that are sampled apart from each other by less share a place.
    pub(super) apart: f64,
    pub(super) place: fn(f64) -> String,
    pub(super) value: fn(f64) -> String,
    /// Whether the y axis is logarithmic, as for times, whose tail would otherwise flatten the rest.
    pub(super) is_logarithmic: bool,
    pub(super) lines: Vec<Line>,
    pub(super) bands: Vec<Band>,
    pub(super) limits: Vec<Limit>,
}

impl Plot {
    /// The figure, or an empty string if no line has a value.
    pub(super) fn figure(&self) -> String {
        let points = || self.lines.iter().flat_map(Line::values);
        if points().next().is_none() {
            return String::new();
        }
        let x_max = points().map(|(x, _)| x).fold(f64::MIN_POSITIVE, f64::max);
        let y_max = points().map(|(_, y)| y).fold(f64::MIN_POSITIVE, f64::max);
        let is_near = |limit: &&Limit| self.is_logarithmic || limit.value <= y_max * LIMIT_FAR;
        let limits = || self.limits.iter().filter(is_near);
        let scale = Scale::new(points().map(|(_, y)| y).chain(limits().map(|limit| limit.value)), self.is_logarithmic);
        let mut out = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title, self.title
        );
        // Writing to a string cannot fail.
        let _ = self.draw_bands(&mut out, x_max);
        let _ = self.axes(&mut out, x_max, &scale);
        for limit in limits() {
            let y = y_at(scale.share(limit.value));
            let _ = write!(
                out,
                "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            );
        }
        for (index, line) in self.lines.iter().enumerate() {
            let _ = draw(&mut out, index % COLOURS, line, x_max, &scale);
        }
        let _ = self.values_at_the_pointer(&mut out, x_max);
        out.push_str("</svg><ul class=\"legend\">");
        let _ = self.legend(&mut out, is_near);
        out.push_str("</ul></figure>");
        out
    }

    fn legend(&self, out: &mut String, is_near: impl Fn(&&Limit) -> bool) -> std::fmt::Result {
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| line.values().next().is_some()) {
            write!(out, "<li class=\"c{}\">{}</li>", index % COLOURS, line.name)?;
        }
        for limit in &self.limits {
            let far = if is_near(&limit) { "" } else { ", far above" };
            write!(out, "<li class=\"limit\">{}: {}{far}</li>", limit.name, (self.value)(limit.value))?;
        }
        let mut kinds: Vec<&str> = self.bands.iter().map(|band| band.kind).collect();
        kinds.dedup();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.iter().try_for_each(|kind| write!(out, "<li class=\"{kind}\">{kind}</li>"))
    }

    fn draw_bands(&self, out: &mut String, x_max: f64) -> std::fmt::Result {
        for Band { kind, what, from, to } in &self.bands {
            let from = x_at((from / x_max).clamp(0.0, 1.0));
            // An outage of no length is seen too.
            let width = (x_at((to / x_max).clamp(0.0, 1.0)) - from).max(1.5);
            let height = HEIGHT - TOP - BOTTOM;
            write!(
                out,
                "<rect class=\"{kind}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\">\
                 <title>{kind} {what}</title></rect>"
            )?;
        }
        Ok(())
    }

    /// A column for each place of the x axis: when the pointer is in it, it shows the values there.
    fn values_at_the_pointer(&self, out: &mut String, x_max: f64) -> std::fmt::Result {
        let mut places: Vec<f64> = self.lines.iter().flat_map(Line::values).map(|(x, _)| x).collect();
        places.sort_unstable_by(f64::total_cmp);
        // Lines that are sampled apart from each other share a place if they are close.
        let near = (x_max / PLACES_MAX as f64).max(self.apart);
        places.dedup_by(|x, before| *x - *before < near);
        for (index, &x) in places.iter().enumerate() {
            let begin = index.checked_sub(1).map_or(0.0, |before| f64::midpoint(places[before], x));
            let end = places.get(index + 1).map_or(x_max, |after| f64::midpoint(x, *after));
            let values = self.lines.iter().filter_map(|line| {
                // Of several in a column the highest is what the eye sees.
                let in_column = line.values().filter(|(at, _)| (begin..=end).contains(at));
                let y = in_column.map(|(_, y)| y).reduce(f64::max)?;
                Some(format!("{} {}", line.name, (self.value)(y)))
            });
            let values: Vec<String> = values.collect();
            let [begin, end, at] = [begin, end, x].map(|x| x_at(x / x_max));
            let (width, height, bottom) = (end - begin, HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM);
            write!(
                out,
                "<g class=\"at\"><rect x=\"{begin:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>\
                 <line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{}\" y=\"{}\">{}: {}</text></g>",
                LEFT + 6.0,
                TOP - 4.0,
                (self.place)(x),
                values.join(", ")
            )?;
        }
        Ok(())
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
            write!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{place}</text>", HEIGHT - BOTTOM + 20.0)?;
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        write!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>", HEIGHT - 4.0, self.x)
    }
}

impl Line {
    /// Its points that have a value.
    fn values(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().filter_map(|(x, y)| Some((*x, (*y)?)))
    }

    /// Its parts, between which data are missing.
    fn parts(&self) -> Vec<Vec<(f64, f64)>> {
        let mut steps: Vec<f64> = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let apart = steps.get(steps.len() / 2).map_or(f64::INFINITY, |step| step * STEPS_APART);
        let mut parts: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
        let mut before: Option<f64> = None;
        for &(x, y) in &self.points {
            if y.is_none() || before.is_some_and(|before| x - before > apart) {
                parts.push(Vec::new());
            }
            if let (Some(y), Some(part)) = (y, parts.last_mut()) {
                part.push((x, y));
            }
            before = Some(x);
        }
        parts.retain(|part| !part.is_empty());
        parts
    }
}

fn draw(out: &mut String, colour: usize, line: &Line, x_max: f64, scale: &Scale) -> std::fmt::Result {
    let place = |(x, y): (f64, f64)| (x_at(x / x_max), y_at(scale.share(y)));
    for part in line.parts() {
        if let [point] = part[..] {
            let (x, y) = place(point);
            write!(out, "<circle class=\"c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")?;
            continue;
        }
        write!(out, "<polyline class=\"c{colour}\" points=\"")?;
        for point in part {
            let (x, y) = place(point);
            write!(out, "{x:.1},{y:.1} ")?;
        }
        write!(out, "\"/>")?;
    }
    Ok(())
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

    fn with(points: Vec<(f64, Option<f64>)>, is_logarithmic: bool) -> Plot {
        Plot {
            title: "t".into(),
            x: "s",
            x_step_min: 1.0,
            apart: 0.0,
            place: |x| format!("{x:.0}"),
            value: |y| format!("{y:.0}"),
            is_logarithmic,
            lines: vec![Line { name: "p50".into(), points }],
            bands: Vec::new(),
            limits: Vec::new(),
        }
    }

    fn plot(points: Vec<(f64, f64)>, is_logarithmic: bool) -> String {
        with(points.into_iter().map(|(x, y)| (x, Some(y))).collect(), is_logarithmic).figure()
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

    #[test]
    fn a_line_breaks_where_there_are_no_data() {
        let at = |x: u32, y| (f64::from(x), y);
        let points =
            vec![at(1, Some(1.0)), at(2, Some(2.0)), at(3, None), at(4, Some(1.0)), at(5, Some(2.0)), at(9, Some(3.0))];
        let figure = with(points, false).figure();
        let lines: Vec<&str> = figure.split("points=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        // Seconds 1 and 2, 4 and 5; the ninth stands alone.
        assert_eq!(lines.iter().map(|line| line.split_whitespace().count()).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(figure.matches("<circle").count(), 1);
    }

    #[test]
    fn outages_and_limits_are_marked() {
        let mut plot = with(vec![(0.0, Some(10.0)), (10.0, Some(40.0))], false);
        plot.bands =
            [(2.0, 4.0), (6.0, 6.0)].map(|(from, to)| Band { kind: "outage", what: String::new(), from, to }).into();
        plot.limits = vec![Limit { name: "a".into(), value: 80.0 }, Limit { name: "b".into(), value: 400.0 }];
        let figure = plot.figure();
        assert!(figure.contains("<rect class=\"outage\" x=\"198.4\" y=\"16\" width=\"126.4\""), "{figure}");
        assert!(figure.contains("width=\"1.5\""), "{figure}");
        assert_eq!(
            (figure.matches("<line class=\"limit\"").count(), figure.matches("<li class=\"outage\">").count()),
            (1, 1)
        );
        assert!(figure.contains("a: 80</li>") && figure.contains("b: 400, far above</li>"), "{figure}");
    }

    #[test]
    fn the_pointer_shows_the_values_of_its_place() {
        let mut plot = with((0..5_000).map(|x| (f64::from(x), Some(f64::from(x)))).collect(), false);
        assert!(plot.figure().matches("class=\"at\"").count() <= PLACES_MAX);
        plot.lines =
            ["a", "b"].map(|name| Line { name: name.into(), points: vec![(1.0, Some(3.0)), (2.0, Some(4.0))] }).into();
        plot.lines[1].points[0].1 = None;
        let figure = plot.figure();
        assert!(figure.contains(">1: a 3</text>") && figure.contains(">2: a 4, b 4</text>"), "{figure}");
    }
}
