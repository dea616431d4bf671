//! What a provider is shown, and where it comes from.
//!
//! In: a secret, and how the provider wants it. Out: one header. It does not know whose turn it is among several.

use std::fmt;

use super::Auth;

/// A provider's API key or token, ready to be sent.
pub struct Credential {
    header: &'static str,
    value: Secret,
}

/// A text that must not be shown: `Debug` prints nothing of it.
pub struct Secret(Box<str>);

/// A secret that cannot be the value of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// Nothing but white space.
    Empty,
    /// A line break or another control character, or not ASCII.
    Unsendable,
    /// The provider wants no key or token.
    Unwanted,
}

/// Where what a provider is shown comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// An environment variable: the module reads it once and sends it.
    Env(Box<str>),
    /// A file on Envoy's machine, which something else renews: Envoy watches it and adds what it holds. The module, which
    /// has no files, sends nothing.
    File(Box<str>),
    /// Envoy's own environment on AWS: it signs each request.
    Aws,
}

impl Credential {
    /// The secret as a provider wants it that is shown who asks by `auth`. White space around it, a file's last line
    /// break above all, is dropped.
    pub fn new(auth: Auth, secret: &str) -> Result<Self, SecretError> {
        let (header, before) = auth.header().ok_or(SecretError::Unwanted)?;
        let secret = secret.trim();
        if secret.is_empty() {
            return Err(SecretError::Empty);
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(SecretError::Unsendable);
        }
        Ok(Self {
            header,
            value: Secret(format!("{before}{secret}").into()),
        })
    }

    /// The name and value of the header that carries it.
    pub fn header(&self) -> (&'static str, &str) {
        (self.header, &self.value.0)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_trimmed_and_must_be_a_header_value() {
        let shown = |auth, secret| Credential::new(auth, secret).map(|c| c.header().1.to_owned());
        assert_eq!(shown(Auth::Bearer, " sk-1\n").as_deref(), Ok("Bearer sk-1"));
        assert_eq!(shown(Auth::ApiKey, "1").as_deref(), Ok("1"));
        assert_eq!(shown(Auth::Bearer, "\n"), Err(SecretError::Empty));
        assert_eq!(shown(Auth::Bearer, "sk-1\nx: y"), Err(SecretError::Unsendable));
        assert_eq!(shown(Auth::Bearer, "sk-é"), Err(SecretError::Unsendable));
        assert_eq!(shown(Auth::AwsSigV4, "sk-1"), Err(SecretError::Unwanted));
    }

    #[test]
    fn a_credential_does_not_show_itself() {
        let credential = Credential::new(Auth::XApiKey, "sk-ant-1").unwrap();
        assert_eq!(credential.header(), ("x-api-key", "sk-ant-1"));
        assert_eq!(
            format!("{credential:?} {:?}", credential.value),
            "Credential { header: \"x-api-key\", .. } Secret(..)"
        );
    }
}
