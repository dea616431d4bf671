use super::*;
use crate::document::{Document, Key};

const SECRET: &str = "tg-GrGG6HJoQ5B7UzNmn9vQylec33tRHyUlS2ud5o6YtKE";

fn show(headers: &[(&str, &'static str)]) -> Option<&'static str> {
    let shown = presented(|name| {
        headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_bytes())
    });
    shown.map(|bytes| std::str::from_utf8(bytes).unwrap())
}

/// A world with one key, of [`SECRET`].
fn world(change: impl FnOnce(&mut Key)) -> World {
    let mut document = Document::parse(r#"{"providers": {}}"#).unwrap();
    let mut key = Key {
        name: "agent".to_owned(),
        sha256: digest(SECRET.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        ..Key::default()
    };
    change(&mut key);
    document.keys.push(key);
    World::compile(&document, &|_| None).unwrap()
}

#[test]
fn the_first_credential_by_precedence_counts() {
    for (headers, expected) in [
        (&[][..], None),
        (&[("authorization", "Bearer a")], Some("a")),
        (&[("authorization", "bEARER   a ")], Some("a")),
        (&[("authorization", "Bearer\ta b")], Some("a b")),
        (&[("x-api-key", "b")], Some("b")),
        (&[("api-key", " c ")], Some("c")),
        (
            &[("authorization", "Bearer a"), ("x-api-key", "b"), ("api-key", "c")],
            Some("a"),
        ),
        (&[("api-key", "c"), ("x-api-key", "b")], Some("b")),
        (&[("authorization", "Basic YTpi"), ("x-api-key", "b")], Some("b")),
        (
            &[("authorization", "Bearer "), ("x-api-key", ""), ("api-key", "c")],
            Some("c"),
        ),
        (&[("authorization", "Bearer")], None),
        (&[("authorization", "Bearera")], None),
        (&[("authorization", "a")], None),
        (&[("authorization", "Bearé a")], None),
        (&[("cookie", "a")], None),
    ] {
        assert_eq!(show(headers), expected, "{headers:?}");
    }
}

#[test]
fn a_key_is_recognised_by_its_whole_text() {
    let world = world(|_| ());
    let ask = |secret: Option<&str>| authenticate(&world, secret.map(str::as_bytes), UnixSeconds(0));
    let key = ask(Some(SECRET)).unwrap();
    assert_eq!(&*world.key(key).unwrap().name, "agent");
    assert_eq!(ask(None), Err(Refusal::Missing));
    assert_eq!(ask(Some("")), Err(Refusal::Unknown));
    assert_eq!(ask(SECRET.get(1..)), Err(Refusal::Unknown));
    assert_eq!(ask(Some(&SECRET.to_lowercase())), Err(Refusal::Unknown));
    let hash = digest(SECRET.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    assert_eq!(
        ask(Some(&hash)),
        Err(Refusal::Unknown),
        "whoever reads the document has no key"
    );
}

#[test]
fn a_disabled_key_is_refused_even_when_it_has_expired_too() {
    let world = world(|key| {
        key.disabled = true;
        key.expires = Some("1970-01-01T00:00:00Z".to_owned());
    });
    let answer = authenticate(&world, Some(SECRET.as_bytes()), UnixSeconds(1));
    assert!(matches!(answer, Err(Refusal::Disabled(_))), "{answer:?}");
}

#[test]
fn a_key_ends_with_its_last_second() {
    let world = world(|key| key.expires = Some("1970-01-01T00:01:40Z".to_owned()));
    let at = |seconds| authenticate(&world, Some(SECRET.as_bytes()), UnixSeconds(seconds));
    assert!(at(99).is_ok());
    assert!(matches!(at(100), Err(Refusal::Expired(_))));
    assert!(matches!(at(101), Err(Refusal::Expired(_))));
}
