//! The catalogue as `docs/providers.md` has it.

use super::Catalogue;

/// The page.
pub fn markdown() -> String {
    let mut page = String::new();
    for row in Catalogue::BUNDLED.rows() {
        page.push_str(row.kind);
    }
    page
}
