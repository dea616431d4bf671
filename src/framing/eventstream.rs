//! stub
#![allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;
#[derive(Clone, Debug, Default)]
pub struct Frames;
#[derive(Debug)]
pub struct Message<'a> {
    pub message_type: &'a [u8],
    pub name: &'a [u8],
    pub payload: &'a [u8],
}
impl Frames {
    pub fn feed(&mut self, _bytes: &[u8], _each: impl FnMut(Message<'_>)) -> Result<(), Broken> {
        Ok(())
    }
}
