//! `generateContent`, `streamGenerateContent` and `countTokens`.

use serde_json::Value;

use super::reading::{in_order, sign_call};
use super::{member, read, reading};
use crate::answering::{Answering, Ending, Part, signature};
use crate::call::{Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};

/// What an image or a document in a prompt costs in tokens, whatever it shows.
const MEDIUM: u64 = 258;

pub(super) fn compose(call: &mut Call, model: &str, body: &[u8], stream: bool) -> Result<Reply, Problem> {
    let ask = read(call, "GenerateContentRequest", body)?;
    let charged = call.model(Some(model))?;
    // Since Gemini 3 calls have ids and must come back with their signatures.
    let signs = model.starts_with("gemini-3");
    in_order(&ask, signs)?;
    let understood = reading::read(&ask)?;
    let prompt = understood.tokens(&call.app.texts, MEDIUM);
    let mut answering = Answering::decide(call, &understood, prompt)?;
    let copies = understood.number("n").unwrap_or(1).clamp(1, 8);
    answering.tokens.output *= copies;
    let most = understood.number("max_tokens").unwrap_or(answering.tokens.completion());
    call.admit(&charged, answering.tokens.prompt().saturating_add(most))?;
    let shape = Shape {
        model: call.steering.reply_model.clone().unwrap_or_else(|| model.to_owned()),
        id: call.id("", 22),
        shown: call.steering.show_reasoning || understood.reasoning.get("shown") == Some(&Value::Bool(true)),
        signs,
        copies,
        vertex: call.target.contains("/publishers/"),
    };
    let script = if stream {
        shape.stream(call, &answering)
    } else {
        shape.json(call, &answering)
    };
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream,
        error_event: None,
    })
}

pub(super) fn count(call: &Call, model: &str, body: &[u8]) -> Result<Object, Problem> {
    let ask = read(call, "CountTokensRequest", body)?;
    call.model(Some(model))?;
    let understood = reading::read(member(&ask, "generateContentRequest").unwrap_or(&ask))?;
    let prompt = understood.tokens(&call.app.texts, MEDIUM);
    let tokens = call.steering.prompt.unwrap_or(prompt);
    Ok(object! {"totalTokens": tokens, "promptTokensDetails": details(&[("TEXT", tokens)])})
}

struct Shape {
    model: String,
    id: String,
    /// Whether thoughts are in the answer.
    shown: bool,
    /// Whether calls have ids, and signatures in any case.
    signs: bool,
    copies: u64,
    vertex: bool,
}

impl Shape {
    fn json(&self, call: &Call, answering: &Answering) -> Script {
        let candidates: Vec<Object> = (0..self.copies)
            .map(|index| {
                let parts: Vec<Object> = (0..)
                    .zip(&answering.parts)
                    .filter_map(|(nth, part)| self.part(call, answering, nth, part))
                    .collect();
                self.candidate(index, &parts, Some(&answering.ending))
            })
            .collect();
        let usage = (!call.steering.no_usage).then(|| self.usage(&answering.tokens));
        Script::json(self.reply(answering, &candidates, usage).to_string(), call.tells_all())
    }

    /// A part as it is written whole.
    fn part(&self, call: &Call, answering: &Answering, nth: u64, part: &Part) -> Option<Object> {
        let thinks = answering.tokens.reasoning > 0;
        Some(match part {
            Part::Thought(answer) if self.shown => object! {"text": answer.text, "thought": true},
            Part::Thought(_) | Part::Sealed(_) => return None,
            Part::Text(answer) | Part::Refusal(answer) => {
                let mut written = object! {"text": answer.text};
                let alone = !answering.parts.iter().any(|part| matches!(part, Part::Call { .. }));
                written.put_some("thoughtSignature", &(thinks && alone).then(|| signature(&answer.text)));
                written
            }
            Part::Call { name, arguments } => {
                let mut called = object! {"name": name, "args": Written(&arguments.text)};
                called.put_some("id", &self.signs.then(|| call.nth_id("", nth, 8)));
                let mut written = object! {"functionCall": called};
                let is_first = answering
                    .parts
                    .iter()
                    .position(|part| matches!(part, Part::Call { .. }))
                    .is_some_and(|first| first as u64 == nth);
                if is_first && (thinks || self.signs) {
                    let arguments = serde_json::from_str(&arguments.text).ok();
                    written.put("thoughtSignature", &sign_call(name, arguments.as_ref()));
                }
                written
            }
        })
    }

    fn candidate(&self, index: u64, parts: &[Object], ending: Option<&Ending>) -> Object {
        let mut content = Object::default();
        if !parts.is_empty() {
            content.put("parts", &parts);
        }
        content.put("role", &"model");
        let mut candidate = object! {"content": content};
        candidate.put_some("finishReason", &ending.map(finish_reason));
        candidate.and(&object! {"index": index})
    }

    fn reply(&self, answering: &Answering, candidates: &[Object], usage: Option<Object>) -> Object {
        let mut reply = Object::default();
        if answering.ending == Ending::Blocked {
            reply.put("promptFeedback", &object! {"blockReason": "PROHIBITED_CONTENT"});
        } else {
            reply.put("candidates", &candidates);
        }
        reply.put_some("usageMetadata", &usage);
        reply.and(&object! {"modelVersion": self.model, "responseId": self.id})
    }

    fn stream(&self, call: &Call, answering: &Answering) -> Script {
        let tokens = answering.tokens;
        let pace = Pace::new(&call.steering, tokens.reasoning);
        let mut script = Script::events(&call.steering, pace).with_crlf().framed(call.framing);
        let reports = !call.steering.no_usage;
        if answering.ending == Ending::Blocked {
            let whole = self.reply(answering, &[], reports.then(|| self.usage(&tokens)));
            script.push(None, &[&whole.to_string()], Produced::Everything, call.tells_all());
            return script;
        }
        let mut said = 0;
        for copy in 0..self.copies {
            let mut chunk = |parts: Vec<Object>, so_far: u64| {
                let part = Tokens {
                    output: so_far.min(tokens.output),
                    output_audio: 0,
                    ..tokens
                };
                let candidates = [self.candidate(copy, &parts, None)];
                let reply = self.reply(answering, &candidates, reports.then(|| self.usage(&part)));
                let tells = if reports { Tells::So(part) } else { Tells::Nothing };
                script.push(None, &[&reply.to_string()], Produced::Answer(so_far), tells);
            };
            for (nth, part) in (0..).zip(&answering.parts) {
                match part {
                    Part::Call { .. } => {
                        said += part.tokens();
                        chunk(self.part(call, answering, nth, part).into_iter().collect(), said);
                    }
                    Part::Thought(answer) if self.shown => {
                        for piece in &answer.pieces {
                            chunk(vec![object! {"text": piece.text, "thought": true}], said);
                        }
                    }
                    Part::Thought(_) | Part::Sealed(_) => {}
                    Part::Text(answer) | Part::Refusal(answer) => {
                        for piece in &answer.pieces {
                            chunk(vec![object! {"text": piece.text}], said + piece.so_far);
                        }
                        said += answer.tokens;
                    }
                }
            }
            let mut last = object! {"text": ""};
            let signed = tokens.reasoning > 0 && answering.ending != Ending::Calls;
            last.put_some("thoughtSignature", &signed.then(|| signature("")));
            let candidates = [self.candidate(copy, &[last], Some(&answering.ending))];
            let reply = self.reply(answering, &candidates, reports.then(|| self.usage(&tokens)));
            let tells = if copy + 1 == self.copies {
                call.tells_all()
            } else {
                Tells::Nothing
            };
            let produced = if copy + 1 == self.copies {
                Produced::Everything
            } else {
                Produced::Answer(said)
            };
            script.push(None, &[&reply.to_string()], produced, tells);
        }
        script
    }

    /// The usage: thoughts are beside the candidates' tokens, what is cached is among the prompt's.
    fn usage(&self, tokens: &Tokens) -> Object {
        let mut usage = object! {"promptTokenCount": tokens.prompt()};
        if tokens.cached_input > 0 {
            usage.put("cachedContentTokenCount", &tokens.cached_input);
            usage.put("cacheTokensDetails", &details(&[("TEXT", tokens.cached_input)]));
        }
        let output = tokens.output + tokens.output_audio;
        usage.put("candidatesTokenCount", &output);
        usage.put_some(
            "thoughtsTokenCount",
            &(tokens.reasoning > 0).then_some(tokens.reasoning),
        );
        usage.put("totalTokenCount", &(tokens.prompt() + tokens.completion()));
        let prompt = [
            ("TEXT", tokens.prompt() - tokens.input_audio),
            ("AUDIO", tokens.input_audio),
        ];
        usage.put("promptTokensDetails", &details(&prompt));
        let answer = [("TEXT", tokens.output), ("AUDIO", tokens.output_audio)];
        usage.put("candidatesTokensDetails", &details(&answer));
        usage.put_some("trafficType", &self.vertex.then_some("ON_DEMAND"));
        usage
    }
}

fn details(modalities: &[(&str, u64)]) -> Vec<Object> {
    let counted = modalities.iter().filter(|(name, count)| *count > 0 || *name == "TEXT");
    counted
        .map(|(name, count)| object! {"modality": *name, "tokenCount": *count})
        .collect()
}

fn finish_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Length => "MAX_TOKENS",
        Ending::Filtered => "SAFETY",
        Ending::Blocked => "PROHIBITED_CONTENT",
        Ending::Stop | Ending::Calls | Ending::StopSequence(_) | Ending::Refused => "STOP",
    }
}
