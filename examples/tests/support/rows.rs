//! The rows of a ladder, as two observers of one call must agree on them.

/// A row of a ladder without its times, which two observers cannot share to the millisecond.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub words: String,
    /// Of a row of voice; 0 in others.
    pub packets: u32,
}

/// The rows of a ladder; voice that begins within the same millisecond may stand in either order.
pub fn rows_of(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = text
        .lines()
        .filter_map(|line| {
            let (time, rest) = line.trim().split_once(' ')?;
            time.parse::<f32>().ok().filter(|_| rest.contains('|'))?;
            Some(row(rest.trim()))
        })
        .collect();
    let is_voice = |row: &Row| row.words.contains("RTP");
    for voice in rows.chunk_by_mut(|a, b| is_voice(a) == is_voice(b)) {
        if voice.first().is_some_and(is_voice) {
            voice.sort();
        }
    }
    rows
}

/// Takes `200 packets, 3.984 s, SSRC ...` apart, where a row has that.
fn row(line: &str) -> Row {
    let counted = line.split_once("|  ").and_then(|(arrow, rest)| {
        let (count, rest) = rest.split_once(" packets, ")?;
        Some((arrow, count.parse().ok()?, rest))
    });
    let Some((arrow, packets, rest)) = counted else {
        return Row {
            words: line.to_owned(),
            packets: 0,
        };
    };
    let kept: Vec<&str> = rest
        .split(", ")
        .filter(|part| !part.ends_with(" s"))
        .collect();
    Row {
        words: format!("{arrow}|  {}", kept.join(", ")),
        packets,
    }
}
