//! What holds of every row.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::json;

use super::*;
use crate::document::Document;
use crate::price;
use crate::provider::Origin;
use crate::world::World;

const TEXT: &str = include_str!("../catalogue.jsonl");

fn rows() -> Vec<Row<'static>> {
    TEXT.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// The world of a document that has this kind alone, under its own name.
fn world(row: &Row<'_>) -> World {
    let document = json!({"providers": {(row.kind): row.example()}}).to_string();
    let document = Document::parse(&document).unwrap();
    World::compile(&document, &|_| Some("k".to_owned())).unwrap_or_else(|problems| panic!("{}: {problems:?}", row.kind))
}

#[test]
fn every_row_can_be_read_and_kinds_are_sorted_and_unique() {
    let rows = rows();
    assert!(rows.len() >= 100, "{}", rows.len());
    assert!(rows.iter().map(|row| row.kind).is_sorted_by(|a, b| a < b));
    let read: Vec<_> = Catalogue::BUNDLED.rows().collect();
    assert_eq!(read, rows);
    assert!(Catalogue::BUNDLED.kinds().eq(rows.iter().map(|row| row.kind)));
    for row in rows {
        assert_eq!(Catalogue::BUNDLED.row(row.kind).as_ref(), Some(&row));
    }
}

#[test]
fn endpoints_are_urls_with_exactly_the_settings_that_are_named() {
    for row in rows() {
        let kind = row.kind;
        let url = row.url(|name| row.settings.get(name).copied()).unwrap();
        let origin = Origin::parse(&url).unwrap_or_else(|error| panic!("{kind}: {url}: {error:?}"));
        let local = &*origin.host == "127.0.0.1";
        assert_eq!(origin.tls, !local, "{kind}");
        assert!(!url.ends_with('/'), "{kind}");
        for name in row.settings.keys() {
            assert!(row.endpoint.contains(&format!("{{{name}}}")), "{kind}: {name}");
        }
        if !row.settings.is_empty() {
            assert!(row.url(|_| None).is_err(), "{kind}");
        }
    }
}

#[test]
fn every_row_says_where_it_comes_from() {
    for row in rows() {
        let kind = row.kind;
        assert!(row.docs.starts_with("https://") && !row.docs.contains(' '), "{kind}");
        assert!(!row.seen.is_empty(), "{kind}");
        let date: Vec<&str> = row.checked.split('-').collect();
        assert_eq!(
            date.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [4, 2, 2],
            "{kind}"
        );
        assert!(!row.name.is_empty() && !row.name.contains('|'), "{kind}");
        // A credential that is a header's needs one to be named, or a file.
        let variable = row.auth().header().is_some() && row.auth() != Auth::OAuth;
        assert_eq!(row.credential.is_some(), variable, "{kind}");
    }
}

#[test]
fn prices_are_of_the_price_list() {
    for row in rows() {
        let kind = row.kind;
        let url = row.url(|name| row.settings.get(name).copied()).unwrap();
        let host = Origin::parse(&url).unwrap().host;
        if let Some(price) = row.price {
            assert_eq!(price::provider_named(price), Some(price), "{kind}");
            assert!(
                price::provider_for_host(&host).is_none_or(|by_host| by_host == price),
                "{kind}"
            );
        }
    }
}

#[test]
fn a_document_that_has_nothing_but_the_credential_is_a_good_one_for_every_kind() {
    for row in rows() {
        let world = world(&row);
        let provider = &world.providers[0];
        let kind = row.kind;
        let warnings: Vec<_> = world
            .warnings
            .iter()
            .filter(|warning| warning.path.starts_with("providers"))
            .collect();
        assert!(warnings.is_empty(), "{kind}: {warnings:?}");
        assert_eq!(provider.kind.as_deref(), Some(kind));
        assert_eq!(provider.dialect, row.dialect);
        assert_eq!(provider.auth, row.auth());
        assert_eq!(provider.facts, row.facts());
        assert_eq!(provider.credential().is_some(), row.credential.is_some(), "{kind}");
    }
}

#[test]
fn the_documentation_is_these_rows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == markdown(),
        "docs/providers.md differs; UPDATE_GOLDEN=1 cargo test rewrites it"
    );
}

#[test]
fn the_documents_in_the_documentation_are_good_ones() {
    let page = markdown();
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (text, _) = rest.split_once("\n```").unwrap();
    World::compile(&Document::parse(text).unwrap(), &|_| Some("k".to_owned())).unwrap();
}
