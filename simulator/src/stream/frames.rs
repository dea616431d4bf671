//! Amazon's event stream encoding.
//!
//! In: the name of an event and its payload. Out: one message: total length, length of the headers and a CRC-32 of both;
//! headers; payload; a CRC-32 of all before it. All numbers are big endian. As described in
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>.

/// A message of the event `name`, or of an exception, if the name ends so (botocore names a stream's exceptions as it
/// does its events).
pub fn message(name: &str, payload: &[u8]) -> Vec<u8> {
    let kind = if name.ends_with("Exception") {
        "exception"
    } else {
        "event"
    };
    let mut headers = Vec::new();
    for (header, value) in [
        (format!(":{kind}-type"), name),
        (":content-type".to_owned(), "application/json"),
        (":message-type".to_owned(), kind),
    ] {
        headers.push(header.len() as u8);
        headers.extend_from_slice(header.as_bytes());
        // Seven is the type of a string, whose length has two bytes.
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 12 + headers.len() + payload.len() + 4;
    let mut message = Vec::with_capacity(total);
    message.extend_from_slice(&(total as u32).to_be_bytes());
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_the_encoding_says() {
        let message = message("messageStop", b"{}");
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        assert_eq!(number(0) as usize, message.len());
        assert_eq!(number(8), crc32fast::hash(&message[..8]));
        assert_eq!(
            number(message.len() - 4),
            crc32fast::hash(&message[..message.len() - 4])
        );
        assert_eq!(&message[12..24], b"\x0b:event-type");
        assert_eq!(&message[24..38], b"\x07\0\x0bmessageStop");
        assert_eq!(number(4) as usize, message.len() - 12 - 2 - 4);
        let failed = super::message("throttlingException", b"{}");
        assert!(failed.windows(15).any(|part| part == b":exception-type"));
    }
}
