//! What a request says that has no place between dialects, kept where both sides speak the same.
//!
//! In: a client's body, the same in its own words again, and what its reader had no place for. Out: the latter with the members
//! at the top that were lost so, as the client wrote them. It knows no dialect, and nothing of what stands deeper.

use std::collections::HashSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::conversation::Losses;

/// Puts members of `original` that are losses into `written`, and takes them off the losses. There a member may stand
/// already, with what is said where a client says nothing of it (`store`): the client's counts.
pub(super) fn keep(original: &[u8], written: &mut Vec<u8>, losses: &mut Losses) {
    let (Ok(Object(original)), Ok(Object(mut members))) = (
        serde_json::from_slice(original),
        serde_json::from_slice::<Object>(written),
    ) else {
        return;
    };
    // An answer is put together from one choice alone.
    let is_kept = |name: &str| name != "n";
    let lost: HashSet<&str> = losses
        .iter()
        .map(|loss| &*loss.member)
        .filter(|name| is_kept(name))
        .collect();
    let kept: Vec<_> = original
        .into_iter()
        .filter(|(name, _)| lost.contains(name.as_str()))
        .collect();
    let names: HashSet<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    members.retain(|(name, _)| !names.contains(name));
    members.extend(kept);
    let Ok(body) = serde_json::to_vec(&Object(members)) else {
        return;
    };
    losses.retain(|loss| !names.contains(&*loss.member));
    *written = body;
}

/// The members of an object, in order, each as it stands there.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_has_no_place_for_stays_as_it_stands() {
        let original =
            br#"{"model":"m","inference_geo": "eu","n":2,"store":true,"x":{"b":1.50},"tools":[{"type":"t"}]}"#;
        let mut written = br#"{"model":"p","store":false,"tools":[]}"#.to_vec();
        let mut losses = Losses::default();
        losses.meaning("inference_geo");
        losses.meaning("n");
        losses.hint("store");
        losses.unknown("x".to_owned());
        losses.meaning_at("tools[0].t".to_owned(), "tools");
        keep(original, &mut written, &mut losses);
        let body = String::from_utf8(written).unwrap();
        assert_eq!(
            body,
            r#"{"model":"p","tools":[],"inference_geo":"eu","store":true,"x":{"b":1.50}}"#
        );
        let left: Vec<_> = losses.iter().map(|loss| loss.member.to_string()).collect();
        assert_eq!(left, ["n", "tools[0].t"]);
    }
}
