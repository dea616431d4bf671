//! The model named in a multipart form (audio transcriptions, image edits).
//!
//! In: a content type and a body. Out: the value of the `model` part and where it stands. The name decides what a key may
//! use and what the request costs, so a form that the provider's server might read differently is refused: the reading is
//! as strict as the writing of every client library is regular. It knows no other field.
//!
//! Sources: RFC 7578 (form data), RFC 2046 section 5.1 (multipart).

use std::ops::Range;

use memchr::memmem;

use super::AskError;

/// The longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// The longest head of a part that is read.
const LONGEST_HEAD: usize = 16 * 1024;

/// The value of the `model` part of a multipart form, and where it stands in the body; `None` when there is no such part.
///
/// # Errors
///
/// [`AskError::FormMalformed`] for anything but a form written plainly, and for one with several models.
pub fn multipart_model(content_type: &str, body: &[u8]) -> Result<Option<(String, Range<usize>)>, AskError> {
    let malformed = |what| AskError::FormMalformed { what };
    let boundary = boundary(content_type).ok_or(malformed("its content type has no plain boundary"))?;
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let mut found = None;
    // The first delimiter begins the body, so it lacks the line break before it.
    let first = delimiter.trim_start();
    if !body.starts_with(first.as_bytes()) {
        return Err(malformed("it does not begin with its boundary"));
    }
    let mut at = first.len();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix(b"--") {
            return match after {
                b"" | b"\r\n" => Ok(found),
                _ => Err(malformed("something follows its end")),
            };
        }
        let rest = rest
            .strip_prefix(b"\r\n")
            .ok_or(malformed("a boundary is not alone in its line"))?;
        let (start, length) = (at + 2, finder.find(rest).ok_or(malformed("its end is missing"))?);
        let (head, value) =
            split(rest.get(..length).unwrap_or_default()).ok_or(malformed("a part has no head, or too long a one"))?;
        if names_model(head).map_err(malformed)? {
            let span = start + value..start + length;
            let text = body.get(span.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let text = text.ok_or(malformed("its model is not UTF-8"))?;
            if found.replace((text.to_owned(), span)).is_some() {
                return Err(malformed("it names several models"));
            }
        }
        at = start + length + delimiter.len();
    }
}

/// The one parameter `boundary` of the content type, with none but `charset` beside it.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut boundary = None;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("boundary") {
            let value = value
                .strip_prefix('"')
                .map_or(Some(value), |value| value.strip_suffix('"'))?;
            if boundary.replace(value).is_some() {
                return None;
            }
        } else if !name.eq_ignore_ascii_case("charset") {
            return None;
        }
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    boundary.filter(|value| (1..=LONGEST_BOUNDARY).contains(&value.len()) && value.bytes().all(plain))
}

/// A part's head, and where in the part its value begins.
fn split(part: &[u8]) -> Option<(&[u8], usize)> {
    let head = memmem::find(part.get(..LONGEST_HEAD).unwrap_or(part), b"\r\n\r\n")?;
    Some((part.get(..head)?, head + 4))
}

/// Whether a part's head names the field `model`.
fn names_model(head: &[u8]) -> Result<bool, &'static str> {
    const BROKEN: &str = "a part's head is folded or broken";
    let mut field = None;
    let mut encoded = false;
    // No line holds a line break of its own: what `\r\n` does not part is refused.
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.contains(&b'\r') || line.contains(&0) || line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(BROKEN);
        }
        let (name, value) = line
            .split_at_checked(memchr::memchr(b':', line).ok_or(BROKEN)?)
            .ok_or(BROKEN)?;
        if name.eq_ignore_ascii_case(b"content-disposition")
            && field.replace(disposed(value.get(1..).unwrap_or_default())?).is_some()
        {
            return Err("a part has two dispositions");
        }
        encoded |= name.trim_ascii().eq_ignore_ascii_case(b"content-transfer-encoding");
    }
    match field.ok_or("a part has no name")? {
        b"model" if encoded => Err("its model is encoded"),
        b"model" => Ok(true),
        // Some servers would take these for it.
        name if name.trim_ascii().eq_ignore_ascii_case(b"model") => Err("a part is almost named 'model'"),
        _ => Ok(false),
    }
}

/// The `name` in a disposition: `form-data; name="…"`, and perhaps `; filename="…"`.
fn disposed(disposition: &[u8]) -> Result<&[u8], &'static str> {
    const WRONG: &str = "a part's disposition is not plain";
    let mut field = None;
    let mut rest = disposition.trim_ascii();
    rest = match rest.split_at_checked(b"form-data".len()) {
        Some((kind, rest)) if kind.eq_ignore_ascii_case(b"form-data") => rest.trim_ascii_start(),
        _ => return Err(WRONG),
    };
    while !rest.is_empty() {
        rest = rest.strip_prefix(b";").ok_or(WRONG)?;
        let equals = memchr::memchr(b'=', rest).ok_or(WRONG)?;
        let parameter = rest.get(..equals).ok_or(WRONG)?.trim_ascii();
        let after = rest.get(equals + 1..).ok_or(WRONG)?;
        let value;
        (value, rest) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = memchr::memchr(b'"', quoted).ok_or(WRONG)?;
                (
                    quoted.get(..end).ok_or(WRONG)?,
                    quoted.get(end + 1..).ok_or(WRONG)?.trim_ascii_start(),
                )
            }
            None => after
                .split_at_checked(memchr::memchr(b';', after).unwrap_or(after.len()))
                .ok_or(WRONG)?,
        };
        let quotes = value.contains(&b'"') || value.contains(&b'\\');
        // An escape is read in more than one way.
        if quotes || parameter.eq_ignore_ascii_case(b"name*") {
            return Err(WRONG);
        }
        if parameter.eq_ignore_ascii_case(b"name") && (value.contains(&b'%') || field.replace(value).is_some()) {
            return Err(WRONG);
        }
    }
    field.ok_or("a part has no name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; boundary=----abc";

    fn form(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut body = String::new();
        for (name, value) in parts {
            body += &format!("------abc\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        (body + "------abc--\r\n").into_bytes()
    }

    fn with_head(head: &str) -> Vec<u8> {
        format!("------abc\r\n{head}\r\n\r\nwhisper-1\r\n------abc--\r\n").into_bytes()
    }

    fn model(content_type: &str, body: &[u8]) -> Option<String> {
        multipart_model(content_type, body).unwrap().map(|(model, span)| {
            assert_eq!(&body[span], model.as_bytes());
            model
        })
    }

    #[test]
    fn the_model_is_found_among_other_parts() {
        let body = form(&[("file", "RIFF\u{0}binary"), ("model", "whisper-1"), ("language", "de")]);
        assert_eq!(model(FORM, &body).as_deref(), Some("whisper-1"));
        assert_eq!(model(FORM, &form(&[("file", "x")])), None);
    }

    #[test]
    fn what_client_libraries_write_is_understood() {
        for content_type in [
            "Multipart/Form-Data; charset=utf-8; Boundary=\"----abc\"",
            "multipart/form-data;boundary=----abc",
        ] {
            assert_eq!(model(content_type, &form(&[("model", "m")])).as_deref(), Some("m"));
        }
        for head in [
            "content-disposition: form-data; name=model",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"model\"",
            "Content-Disposition:form-data;name=\"model\";filename=\"a; b \u{fc}.txt\"",
            "Content-Disposition: form-data; name=\"model\"; filename*=UTF-8''a.txt",
        ] {
            assert_eq!(model(FORM, &with_head(head)).as_deref(), Some("whisper-1"), "{head}");
        }
        let file = form(&[("model", "whisper-1")]);
        let no_break_at_the_end = &file[..file.len() - 2];
        assert_eq!(model(FORM, no_break_at_the_end).as_deref(), Some("whisper-1"));
    }

    #[test]
    fn a_file_name_that_is_no_text_hides_no_model() {
        let mut body =
            b"------abc\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xff\xfe\"\r\n\r\nx\r\n".to_vec();
        body.extend(form(&[("model", "whisper-1")]));
        assert_eq!(model(FORM, &body).as_deref(), Some("whisper-1"));
    }

    #[test]
    fn whatever_two_servers_might_read_differently_is_refused() {
        let plain = form(&[("model", "cheap")]);
        let long = format!(
            "X-Long: {}\r\nContent-Disposition: form-data; name=\"model\"",
            "x".repeat(LONGEST_HEAD)
        );
        let bodies = [
            form(&[("model", "cheap"), ("model", "dear")]),
            form(&[("model", "cheap"), ("Model", "dear")]),
            form(&[("model ", "dear")]),
            form(&[("mod%65l", "dear")]),
            with_head("Content-Disposition: form-data;\r\n name=\"model\""),
            with_head("Content-Disposition: form-data; name=\"model\"\r\nContent-Disposition: form-data; name=\"x\""),
            with_head("Content-Disposition: form-data; name=\"x\"; name=\"model\""),
            with_head("Content-Disposition: form-data; name*=UTF-8''model"),
            with_head("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64"),
            with_head("X-Nothing: 1"),
            with_head(&long),
            plain[..plain.len() - 4].to_vec(),
            [&b"preamble\r\n"[..], &plain].concat(),
            [&plain[..], b"------abc\r\n"].concat(),
            String::from_utf8(plain.clone())
                .unwrap()
                .replacen("abc\r\n", "abc \r\n", 1)
                .into_bytes(),
            String::from_utf8(plain.clone())
                .unwrap()
                .replace("\r\n", "\n")
                .into_bytes(),
            Vec::new(),
        ];
        for body in bodies {
            let read = multipart_model(FORM, &body);
            assert!(read.is_err(), "{read:?}: {}", String::from_utf8_lossy(&body));
        }
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=other",
            "multipart/form-data; boundary=\"a;b\"",
            "multipart/form-data; boundary=x; boundary=----abc",
            "multipart/mixed; boundary=----abc",
        ] {
            assert!(multipart_model(content_type, &plain).is_err(), "{content_type}");
        }
    }

    #[test]
    fn a_name_inside_a_file_is_not_the_model() {
        let body = form(&[
            (
                "file",
                "Content-Disposition: form-data; name=\"model\"\r\n\r\nevil\r\n--other",
            ),
            ("model", "whisper-1"),
        ]);
        assert_eq!(model(FORM, &body).as_deref(), Some("whisper-1"));
    }

    proptest::proptest! {
        #[test]
        fn no_form_panics(content_type: String, body: Vec<u8>) {
            let _ = multipart_model(&content_type, &body);
            let _ = multipart_model("multipart/form-data; boundary=a", &[b"--a\r\n", &body[..], b"\r\n--a--"].concat());
        }
    }
}
