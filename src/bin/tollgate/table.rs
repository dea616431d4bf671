//! Columns of text.

use std::io::{self, Write};

/// Writes rows under a heading, the first `left` columns flush left and the others flush right, two spaces between.
pub(crate) fn write<const N: usize>(
    out: &mut dyn Write,
    heading: [&str; N],
    left: usize,
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
        let padded = cells
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| match column < left {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
        padded.collect::<Vec<_>>().join("  ")
    };
    writeln!(out, "{}", line(heading).trim_end())?;
    for row in rows {
        writeln!(out, "{}", line(row.each_ref().map(String::as_str)).trim_end())?;
    }
    Ok(())
}
