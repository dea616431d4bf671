//! AWS Bedrock's Converse, as a provider speaks it.
#![allow(missing_docs, dead_code, unused_variables)]
use super::*;
use crate::conversation::members::Unreadable;
use crate::conversation::*;
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
pub fn path(model: &str, stream: bool) -> String {
    String::new()
}
