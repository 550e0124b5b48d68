//! A ladder as text.

use std::fmt;

use super::picture::{Event, Ladder, Row};

/// Characters before the first column: the time.
const GUTTER: usize = 11;
/// Least distance of two columns.
const LEAST_SPAN: usize = 26;

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.calls {
            writeln!(f, "Call {}: {} -> {}", call.call_id, call.from, call.to)?;
        }
        let page = Page::of(self);
        page.line(f, |page, line| {
            page.heads(line, |index| self.columns[index].role.as_str().to_owned());
        })?;
        page.line(f, |page, line| {
            page.heads(line, |index| self.columns[index].address.to_string());
        })?;
        page.line(f, Page::lifelines)?;
        for row in &self.rows {
            page.line(f, |page, line| page.row(line, row))?;
        }
        if self.left_out > 0 {
            writeln!(f, "... and {} more messages", self.left_out)?;
        }
        Ok(())
    }
}

/// Where the columns stand.
struct Page {
    centres: Vec<usize>,
}

impl Page {
    fn of(ladder: &Ladder) -> Self {
        let label = |row: &Row| row.label().chars().count() + 8;
        let head = |index: usize| ladder.columns[index].address.to_string().len() + 4;
        let labels = ladder.rows.iter().map(label);
        let heads = (0..ladder.columns.len()).map(head);
        let span = labels.chain(heads).fold(LEAST_SPAN, usize::max);
        let first = GUTTER + (0..ladder.columns.len()).map(head).next().unwrap_or(0) / 2;
        let centres = (0..ladder.columns.len())
            .map(|index| first + index * span)
            .collect();
        Self { centres }
    }

    /// Writes a line without the spaces at its end.
    fn line(&self, f: &mut fmt::Formatter<'_>, draw: impl FnOnce(&Self, &mut Line)) -> fmt::Result {
        let mut line = Line::default();
        draw(self, &mut line);
        let text: String = line.0.into_iter().collect();
        writeln!(f, "{}", text.trim_end())
    }

    fn heads(&self, line: &mut Line, head: impl Fn(usize) -> String) {
        for (index, centre) in self.centres.iter().enumerate() {
            let head = head(index);
            line.put(centre.saturating_sub(head.chars().count() / 2), &head);
        }
    }

    fn lifelines(&self, line: &mut Line) {
        for centre in &self.centres {
            line.put(*centre, "|");
        }
    }

    fn row(&self, line: &mut Line, row: &Row) {
        line.put(0, &format!("{:>9.3}", row.at.as_secs_f64()));
        self.lifelines(line);
        let label = row.label();
        let (from, to) = (self.centres[row.from], self.centres[row.to]);
        if from == to {
            line.put(from + 1, &format!(" {label} (to itself)"));
        } else {
            arrow(line, from, to, &label, matches!(row.event, Event::Voice(_)));
        }
        if let Some(remark) = row.remark() {
            let last = self.centres.last().copied().unwrap_or_default();
            line.put(last + 3, &remark);
        }
    }
}

/// An arrow with its label in the middle; double for voice.
fn arrow(line: &mut Line, from: usize, to: usize, label: &str, is_voice: bool) {
    let (left, right) = (from.min(to) + 1, from.max(to) - 1);
    let stroke = if is_voice { "=" } else { "-" };
    line.put(left, &stroke.repeat(right + 1 - left));
    if from < to {
        line.put(right, ">");
    } else {
        line.put(left, "<");
    }
    let label = format!(" {label} ");
    let middle = usize::midpoint(left, right + 1);
    line.put(middle.saturating_sub(label.chars().count() / 2), &label);
}

/// Characters of a line, written anywhere.
#[derive(Default)]
struct Line(Vec<char>);

impl Line {
    fn put(&mut self, at: usize, text: &str) {
        for (index, c) in text.chars().enumerate() {
            let place = at + index;
            if self.0.len() <= place {
                self.0.resize(place + 1, ' ');
            }
            self.0[place] = c;
        }
    }
}
