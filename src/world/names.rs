//! Which names are allowed, and under which text a host is found.
//!
//! Names become label values of metrics, where `;` ends a value and a control character is refused by the host, and where
//! a few words have a meaning of their own.

/// Longest name, in bytes.
const LONGEST: usize = 128;

/// Label values that stand for the absence of a name.
const RESERVED: [&str; 3] = ["unknown", "none", "other"];

/// What is wrong with the name of a key, team or model: the problem and its remedy.
pub fn objection(name: &str) -> Option<(String, String)> {
    if name.is_empty() {
        return Some(("the name is empty".to_owned(), "give it a name".to_owned()));
    }
    if name.len() > LONGEST {
        let problem = format!("the name has {} bytes, and {LONGEST} are allowed", name.len());
        return Some((problem, "choose a shorter one".to_owned()));
    }
    // Nearly all names are of letters in which there is nothing to find, and there are thousands.
    let plain = name.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    if let Some(objection) = (!plain).then(|| objection_to_letters(name)).flatten() {
        return Some(objection);
    }
    RESERVED.contains(&name).then(|| {
        let problem = format!("`{name}` is reserved: metrics use it where there is no name");
        (problem, "choose another name".to_owned())
    })
}

fn objection_to_letters(name: &str) -> Option<(String, String)> {
    if let Some(c) = name.chars().find(|c| c.is_control() || *c == ';') {
        let problem = format!("the name contains {c:?}, which metrics cannot carry");
        return Some((
            problem,
            "choose a name without semicolons and control characters".to_owned(),
        ));
    }
    (name.trim() != name).then(|| {
        let problem = "the name begins or ends with white space".to_owned();
        (problem, format!("write {:?}", name.trim()))
    })
}

/// What is wrong with the name of a provider, which also names a cluster in Envoy.
pub(super) fn provider_objection(name: &str) -> Option<(String, String)> {
    objection(name).or_else(|| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let wrong = name.chars().find(|c| !fits(*c))?;
        let problem = format!("the name contains {wrong:?}");
        Some((problem, "use lower-case letters, digits, `.`, `_` and `-`".to_owned()))
    })
}

/// The text a host is found under; `port` is `None` where it is the scheme's own.
pub(super) fn host_key(host: &str, port: Option<u16>) -> String {
    let host = host.to_ascii_lowercase();
    match port {
        Some(port) => format!("{host} {port}"),
        None => host,
    }
}
