//! OpenAI's chat completions, as a client and as a provider speaks it.
#![allow(missing_docs, dead_code, unused_variables)]
use super::*;
use crate::conversation::members::Unreadable;
use crate::conversation::*;
pub fn read_request(body: &[u8]) -> Result<Request, Unreadable> {
    Ok(Request::default())
}
pub fn write_reply(reply: &Reply, told: &Told<'_>) -> Vec<u8> {
    Vec::new()
}
#[derive(Clone, Debug)]
pub struct StreamWriter;
impl StreamWriter {
    pub fn new(told: &Told<'_>) -> Self {
        Self
    }
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {}
}
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    Vec::new()
}
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    Err(Unanswered::Malformed)
}
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    Refusal::new(Cause::Server, "")
}
#[derive(Clone, Debug, Default)]
pub struct StreamReader;
impl StreamReader {
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        Ok(())
    }
    pub fn finish(&mut self, out: &mut Vec<Event>) {}
}
