//! A provider's reply, read by whichever role sees it: the provider role, or the gateway role where there is no other.

use super::exchanges::Shared;
use super::host::{self, Side};
use super::series::survive;
use crate::meter::Passed;
use crate::pipeline::{Now, Sent};

/// Reads the head of a provider's reply and changes it as the pipeline says.
pub(super) fn read_head(sent: &mut Sent, ends: bool) {
    match host::headers(Side::Response) {
        Err(error) => survive(Err(error)),
        Ok(headers) => {
            let head = sent.reply_head(&headers, ends, host::now());
            for name in &head.remove {
                survive(host::remove_header(Side::Response, name));
            }
            if let Some(status) = head.status {
                survive(host::set_header(Side::Response, ":status", &status.to_string()));
            }
            for (name, value) in &head.set {
                survive(host::set_header(Side::Response, name, value));
            }
        }
    }
}

/// Reads a chunk of a provider's reply, and passes on what the pipeline says.
pub(super) fn read_chunk(exchange: &Shared, size: usize, ends: bool) {
    let Ok(mut sent) = exchange.try_borrow_mut() else {
        return;
    };
    match host::body(Side::Response, size) {
        Err(error) => survive(Err(error)),
        Ok(chunk) => {
            let now = if ends || sent.wants_time() {
                host::now()
            } else {
                Now::default()
            };
            if let Passed::Replaced(bytes) = sent.reply_chunk(&chunk, now, ends) {
                drop(sent);
                survive(host::replace_body(Side::Response, size, &bytes));
            }
        }
    }
}

/// The reply ended with trailers.
pub(super) fn read_end(exchange: &Shared) {
    if let Ok(mut sent) = exchange.try_borrow_mut() {
        // Nothing can be added to the body any more; only incomplete events are ever held back.
        let _ = sent.reply_chunk(&[], host::now(), true);
    }
}
