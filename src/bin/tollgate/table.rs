//! Columns of text.

use std::io::{self, Write};
use std::ops::Range;

/// Writes rows under a heading, the columns of `numbers` flush right and the others flush left, two spaces between.
pub(crate) fn write<const N: usize>(
    out: &mut dyn Write,
    heading: [&str; N],
    numbers: Range<usize>,
    rows: &[[String; N]],
) -> io::Result<()> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(heading.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    });
    let line = |cells: [&str; N]| {
        let padded =
            cells
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| match numbers.contains(&column) {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                });
        padded.collect::<Vec<_>>().join("  ")
    };
    writeln!(out, "{}", line(heading).trim_end())?;
    for row in rows {
        writeln!(out, "{}", line(row.each_ref().map(String::as_str)).trim_end())?;
    }
    Ok(())
}
