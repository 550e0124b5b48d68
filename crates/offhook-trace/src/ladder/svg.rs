//! A ladder as a picture.

use std::fmt::Write as _;

use super::picture::{Event, Ladder, Row};

/// Pixels before the first column, between columns, between rows, and for the remarks.
const LEFT: usize = 150;
const SPAN: usize = 280;
const STEP: usize = 26;
const RIGHT: usize = 480;

impl Ladder {
    /// The ladder as an SVG document, for a browser. Text of strangers is escaped.
    pub fn to_svg(&self) -> String {
        let top = 60 + 18 * self.calls.len();
        let width = LEFT + SPAN * self.columns.len().saturating_sub(1) + RIGHT;
        let height = top + STEP * (self.rows.len() + 2);
        let mut svg = String::new();
        // Writing to memory cannot fail.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"monospace\" font-size=\"13\">\n\
             <defs><marker id=\"head\" markerWidth=\"8\" markerHeight=\"8\" refX=\"8\" refY=\"4\" \
             orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        );
        for (index, call) in self.calls.iter().enumerate() {
            let title = format!("Call {}: {} -> {}", call.call_id, call.from, call.to);
            text(&mut svg, (10, 20 + 18 * index), "start", &title);
        }
        for (index, column) in self.columns.iter().enumerate() {
            let x = x(index);
            text(&mut svg, (x, top - 30), "middle", column.role.as_str());
            text(
                &mut svg,
                (x, top - 12),
                "middle",
                &column.address.to_string(),
            );
            let _ = writeln!(
                svg,
                "<line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{}\" stroke=\"#999\"/>",
                height - STEP
            );
        }
        for (index, row) in self.rows.iter().enumerate() {
            self.draw_row(&mut svg, top + STEP * (index + 1), row);
        }
        if self.left_out > 0 {
            let more = format!("... and {} more messages", self.left_out);
            text(&mut svg, (10, height - 8), "start", &more);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_row(&self, svg: &mut String, y: usize, row: &Row) {
        let time = format!("{:.3}", row.at.as_secs_f64());
        text(svg, (LEFT - 90, y + 4), "end", &time);
        let (from, to) = (x(row.from), x(row.to));
        let is_voice = matches!(row.event, Event::Voice(_));
        let (colour, stroke) = if is_voice { ("#06c", 3) } else { ("black", 1) };
        let _ = writeln!(
            svg,
            "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" stroke=\"{colour}\" \
             stroke-width=\"{stroke}\" marker-end=\"url(#head)\"/>"
        );
        text(
            svg,
            (usize::midpoint(from, to), y - 5),
            "middle",
            &row.label(),
        );
        if let Some(remark) = row.remark() {
            text(
                svg,
                (x(self.columns.len().saturating_sub(1)) + 12, y + 4),
                "start",
                &remark,
            );
        }
    }
}

const fn x(column: usize) -> usize {
    LEFT + SPAN * column
}

fn text(svg: &mut String, (x, y): (usize, usize), anchor: &str, text: &str) {
    let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">");
    for c in text.chars() {
        match c {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            c => svg.push(c),
        }
    }
    svg.push_str("</text>\n");
}
