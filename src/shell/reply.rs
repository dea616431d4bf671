//! A provider's reply, read by whichever role sees it: the provider role, or the gateway role where there is no other.

use super::exchanges::Shared;
use super::host::{self, Side};
use super::series::{observe, survive};
use super::vms::with_books;
use crate::handoff::CLUSTER_PROPERTY;
use crate::limit::store::Unwritable;
use crate::metrics;
use crate::pipeline::{Heading, Now, Onward, ReplyHead, Sent};

use proxy_wasm::types::Action;

/// What stands in the host's buffer for what is held back: a buffer that is not empty can still be replaced when trailers
/// come instead of a last chunk.
const PLACE: &[u8] = b" ";

/// Reads the head of a provider's reply, and changes or holds it as the pipeline says.
pub(super) fn read_head(sent: &mut Sent, ends: bool) -> Action {
    match host::headers(Side::Response) {
        Err(error) => {
            survive(Err(error));
            Action::Continue
        }
        Ok(headers) => match sent.reply_head(&headers, ends, host::now()) {
            Heading::Held => Action::Pause,
            Heading::Passes(head) => {
                note(sent);
                change(&head);
                Action::Continue
            }
        },
    }
}

/// Changes the head of a reply, which has not gone on yet.
fn change(head: &ReplyHead) {
    for name in &head.remove {
        survive(host::remove_header(Side::Response, name));
    }
    if let Some(status) = head.status {
        survive(host::set_header(Side::Response, ":status", &status.to_string()));
    }
    for (name, value) in &head.set {
        survive(host::set_header(Side::Response, name, value));
    }
    if let Some(cluster) = &head.moves_to {
        survive(host::set_property(CLUSTER_PROPERTY, cluster));
    }
}

/// Reads a chunk of a provider's reply, and passes on what the pipeline says. `size`: of all that is in the host's buffer;
/// `placed`: how much of that stands for what is held back.
pub(super) fn read_chunk(exchange: &Shared, size: usize, placed: &mut usize, ends: bool) -> Action {
    let Ok(mut sent) = exchange.try_borrow_mut() else {
        return Action::Continue;
    };
    match host::body_from(Side::Response, *placed, size.saturating_sub(*placed)) {
        Err(error) => {
            survive(Err(error));
            Action::Continue
        }
        Ok(chunk) => {
            let now = if ends || sent.wants_time() {
                host::now()
            } else {
                Now::default()
            };
            let onward = sent.reply_chunk(&chunk, now, ends);
            if let Onward::Released(..) = onward {
                note(&mut sent);
            }
            drop(sent);
            go_on(onward, size, placed)
        }
    }
}

/// Has the provider's health take note of what is known by now.
fn note(sent: &mut Sent) {
    if sent.has_news()
        && let Err(Unwritable) = with_books(host::now(), |books| sent.note(None, books))
    {
        observe(&metrics::INTERNAL_ERRORS, &["shared_data_contended"], 1);
    }
}

fn go_on(onward: Onward, size: usize, placed: &mut usize) -> Action {
    match onward {
        Onward::Unchanged => {}
        Onward::Replaced(bytes) => survive(host::replace_body(Side::Response, size, &bytes)),
        Onward::Held => {
            survive(host::replace_body(Side::Response, size, PLACE));
            *placed = PLACE.len();
            return Action::Pause;
        }
        Onward::Released(head, bytes) => {
            change(&head);
            survive(host::replace_body(Side::Response, size, &bytes));
            *placed = 0;
        }
    }
    Action::Continue
}

/// The reply ended with trailers.
pub(super) fn read_end(exchange: &Shared, placed: &mut usize) {
    if let Ok(mut sent) = exchange.try_borrow_mut() {
        let onward = sent.reply_chunk(&[], host::now(), true);
        drop(sent);
        // Of what passes as it comes nothing can be added any more; only incomplete events are ever put by there.
        if let Onward::Released(..) = onward {
            go_on(onward, *placed, placed);
        }
    }
}
