//! The model named in a multipart form (audio transcriptions, image edits).

use std::ops::Range;

use memchr::memmem;

/// The longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// The value of the `model` part of a multipart form, and where it stands in the body.
///
/// `None` when the content type is no multipart form, when there is no such part, and when there are several: whoever
/// reads the form next might take another one.
pub fn multipart_model(content_type: &str, body: &[u8]) -> Option<(String, Range<usize>)> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut found = None;
    let mut part: Option<usize> = None;
    for at in memmem::find_iter(body, delimiter.as_bytes()) {
        // A delimiter begins a line; anything else is content that happens to contain it.
        let before = body.get(..at)?;
        let line_end = if before.ends_with(b"\r\n") {
            2
        } else {
            usize::from(before.ends_with(b"\n"))
        };
        if at > 0 && line_end == 0 {
            continue;
        }
        if let Some(start) = part
            && let Some(value) = model_part(body, start..at - line_end)
            && found.replace(value).is_some()
        {
            return None;
        }
        part = Some(at + delimiter.len());
    }
    let span: Range<usize> = found?;
    let value = std::str::from_utf8(body.get(span.clone())?).ok()?;
    Some((value.to_owned(), span))
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim().trim_matches('"'))
    })?;
    (!boundary.is_empty() && boundary.len() <= LONGEST_BOUNDARY).then_some(boundary)
}

/// Where the value of a part stands, if its name is `model`. `part` runs from behind the delimiter to before the next.
fn model_part(body: &[u8], part: Range<usize>) -> Option<Range<usize>> {
    const LONGEST_HEAD: usize = 4096;
    let bytes = body.get(part.clone())?;
    let line = [&b"\r\n"[..], b"\n"].into_iter().find(|line| bytes.starts_with(line))?;
    let blank = [line, line].concat();
    let head = memmem::find(bytes.get(..LONGEST_HEAD).unwrap_or(bytes), &blank)?;
    let names_model = std::str::from_utf8(bytes.get(..head)?).ok()?.lines().any(|header| {
        let Some((name, value)) = header.split_once(':') else {
            return false;
        };
        name.trim().eq_ignore_ascii_case("content-disposition")
            && value.split(';').any(|parameter| match parameter.split_once('=') {
                Some((name, value)) => {
                    name.trim().eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == "model"
                }
                None => false,
            })
    });
    names_model.then_some(part.start + head + blank.len()..part.end)
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

    #[test]
    fn the_model_is_found_among_other_parts() {
        let body = form(&[("file", "RIFF\u{0}binary"), ("model", "whisper-1"), ("language", "de")]);
        let (model, span) = multipart_model(FORM, &body).unwrap();
        assert_eq!(model, "whisper-1");
        assert_eq!(&body[span], b"whisper-1");
    }

    #[test]
    fn a_quoted_boundary_and_bare_line_feeds_are_understood() {
        let body = b"--x\nContent-Disposition: form-data; name=model\n\ngpt-4o-transcribe\n--x--\n";
        let content_type = "Multipart/Form-Data; charset=utf-8; Boundary=\"x\"";
        assert_eq!(multipart_model(content_type, body).unwrap().0, "gpt-4o-transcribe");
    }

    #[test]
    fn two_models_are_none() {
        assert_eq!(
            multipart_model(FORM, &form(&[("model", "cheap"), ("model", "dear")])),
            None
        );
    }

    #[test]
    fn what_is_no_form_has_no_model() {
        let body = form(&[("model", "whisper-1")]);
        assert_eq!(multipart_model("application/json", &body), None);
        assert_eq!(multipart_model("multipart/form-data", &body), None);
        assert_eq!(multipart_model("multipart/form-data; boundary=", &body), None);
        assert_eq!(multipart_model("multipart/form-data; boundary=other", &body), None);
        assert_eq!(multipart_model(FORM, &form(&[("file", "x")])), None);
        assert_eq!(multipart_model(FORM, b""), None);
    }

    #[test]
    fn a_name_inside_a_file_is_not_the_model() {
        let body = form(&[
            ("file", "Content-Disposition: form-data; name=\"model\"\r\n\r\nevil"),
            ("model", "whisper-1"),
        ]);
        assert_eq!(multipart_model(FORM, &body).unwrap().0, "whisper-1");
    }

    proptest::proptest! {
        #[test]
        fn no_form_panics(content_type: String, body: Vec<u8>) {
            multipart_model(&content_type, &body);
            multipart_model("multipart/form-data; boundary=a", &[b"--a\r\n", &body[..], b"\r\n--a--"].concat());
        }
    }
}
