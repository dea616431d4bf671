//! Amazon's signatures, version 4.
//!
//! In: a request as it arrived and the secrets. Out: whether it is signed as
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> says. A credential's value is
//! `KEY:SECRET`; without credentials only the form of the signature is looked at.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::errors::Problem;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Seconds by which a signature's time may differ from the service's.
const SKEW: u64 = 300;
const REFUSED: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// A request, as far as it is signed.
#[derive(Debug)]
pub struct Request4<'a> {
    /// `POST`.
    pub method: &'a str,
    /// As it was sent, with its percent signs.
    pub path: &'a str,
    /// As it was sent, without the question mark.
    pub query: &'a str,
    /// The authority, where it is no header (HTTP/2).
    pub host: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Seconds since 1970.
    pub now: u64,
}

/// The name of the key that an `authorization` header says was used.
pub fn key(authorization: &str) -> Option<&str> {
    let (key, _) = part(authorization, "Credential=")?.split_once('/')?;
    Some(key)
}

/// Whether the request carries a bearer token instead of a signature.
pub fn is_bearer(headers: &HeaderMap) -> bool {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization.is_some_and(|value| value.starts_with("Bearer "))
}

fn part<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let parts = authorization.strip_prefix(ALGORITHM)?;
    parts.split(',').find_map(|part| part.trim().strip_prefix(name))
}

impl Request4<'_> {
    /// Verifies the signature, if there is one and not a bearer token.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn verify(&self, credentials: &[(String, String)]) -> Result<(), Problem> {
        if is_bearer(self.headers) {
            return Ok(());
        }
        let refuse = |message: &str| {
            Problem::invalid(message)
                .with_status(403)
                .for_reason("InvalidSignatureException")
        };
        let incomplete = |what: &str| {
            Problem::invalid(format!("Authorization header requires {what}."))
                .with_status(403)
                .for_reason("IncompleteSignatureException")
        };
        let authorization = self.header("authorization").unwrap_or_default();
        let scope = part(&authorization, "Credential=").ok_or_else(|| incomplete("'Credential' parameter"))?;
        let names = part(&authorization, "SignedHeaders=").ok_or_else(|| incomplete("'SignedHeaders' parameter"))?;
        let given = part(&authorization, "Signature=").ok_or_else(|| incomplete("'Signature' parameter"))?;
        let date = self
            .header("x-amz-date")
            .ok_or_else(|| incomplete("existence of either a 'X-Amz-Date' or a 'Date' header"))?;
        let [key, day, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(refuse("Credential should be scoped to a valid region."));
        };
        if service != "bedrock" {
            return Err(refuse("Credential should be scoped to correct service: 'bedrock'."));
        }
        if !date.starts_with(day) {
            return Err(refuse(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        let compact = |unix| clock::rfc3339(unix).replace(['-', ':'], "");
        let (from, to) = (compact(self.now.saturating_sub(SKEW)), compact(self.now + SKEW));
        if !(from..=to).contains(&date) {
            return Err(refuse(&format!(
                "Signature expired: {date} is now earlier than the service's time allows"
            )));
        }
        for required in ["host", "x-amz-date", "x-amz-security-token"] {
            let needed = required == "host" || self.headers.contains_key(required);
            if needed && !names.split(';').any(|name| name == required) {
                return Err(refuse(&format!(
                    "'{required}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        let mut known = credentials.iter().filter_map(|(_, value)| value.split_once(':'));
        let Some((_, secret)) = known.find(|(id, _)| *id == key) else {
            // Without credentials every key is as good as any other, if it has the form of a signature.
            let formed = given.len() == 64 && given.bytes().all(|byte| byte.is_ascii_hexdigit());
            return if formed { Ok(()) } else { Err(refuse(REFUSED)) };
        };
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let canonical = self.canonical(names).ok_or_else(|| refuse(REFUSED))?;
        let text = format!(
            "{ALGORITHM}\n{date}\n{scope}\n{}",
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let mut signing = hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
        for step in [region, service, "aws4_request"] {
            signing = hmac(&signing, step.as_bytes());
        }
        if hex(&hmac(&signing, text.as_bytes())) == given {
            Ok(())
        } else {
            Err(refuse(REFUSED))
        }
    }

    /// The canonical request, or nothing if a signed header is missing or the body is another than the one signed.
    fn canonical(&self, names: &str) -> Option<String> {
        let mut query: Vec<(&str, &str)> = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        query.sort_unstable();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = String::new();
        for name in names.split(';') {
            let value = self.header(name)?;
            let value: Vec<&str> = value.split_whitespace().collect();
            let _ = writeln!(headers, "{name}:{}", value.join(" "));
        }
        let hash = hex(&Sha256::digest(self.body));
        let hash = match self.header("x-amz-content-sha256") {
            Some(told) if told == "UNSIGNED-PAYLOAD" => told,
            Some(told) if told != hash => return None,
            _ => hash,
        };
        Some(format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{hash}",
            self.method,
            encoded(self.path),
            query.join("&"),
        ))
    }

    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if values.is_empty() {
            return (name == "host").then(|| self.host.map(str::to_owned)).flatten();
        }
        Some(values.join(","))
    }
}

/// A path that is encoded already, encoded once more: all services but S3 sign that.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 2104 with SHA-256, whose block has 64 bytes.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = if key.len() > 64 {
        Sha256::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    block.resize(64, 0);
    let padded = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_code_of_rfc_4231() {
        let code = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            hex(&code),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    /// Signed with botocore's `SigV4Auth` for `AKIDEXAMPLE` and `SECRET` at 2026-01-31T23:59:59Z.
    #[test]
    fn a_signature_of_botocore_is_a_good_one() {
        let headers = |signature: &str| {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
            );
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("authorization", authorization.as_str()),
                ("content-type", "application/json"),
                ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
                ("x-amz-date", "20260131T235959Z"),
            ] {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            headers
        };
        let verified = |signature: &str, secret: &str, body: &[u8]| {
            Request4 {
                method: "POST",
                path: "/model/amazon.nova-lite-v1%3A0/converse",
                query: "",
                host: None,
                headers: &headers(signature),
                body,
                now: 1_769_903_999,
            }
            .verify(&[("aws".to_owned(), format!("AKIDEXAMPLE:{secret}"))])
        };
        let good = "a13be46306ab72ef8ef848198674ba15ca2281507659275ccb21a9fe29491618";
        assert_eq!(verified(good, "SECRET", b"{}"), Ok(()));
        assert_eq!(verified(good, "OTHER", b"{}").unwrap_err().status, 403);
        assert_eq!(verified(good, "SECRET", b"{ }").unwrap_err().status, 403);
        assert!(verified(&"0".repeat(64), "SECRET", b"{}").is_err());
    }
}
