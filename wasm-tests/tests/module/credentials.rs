//! Whatever attempts a request makes, in whatever order: each provider sees its own credential and nobody else's, and nothing
//! of what was said to the gateway alone.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Headers, Reply, Request};

use crate::fixture::*;

/// A provider, its dialect, how it is shown its credential, the variable that has it, and the credential.
const PROVIDERS: [(&str, &str, &str, &str, &str); 6] = [
    ("plain", "openai", "bearer", "A", "credential-of-plain"),
    ("second", "openai", "bearer", "B", "credential-of-second"),
    ("azure", "openai", "api-key", "C", "credential-of-azure"),
    ("claude", "anthropic", "x-api-key", "D", "credential-of-claude"),
    ("google", "gemini", "x-goog-api-key", "E", "credential-of-google"),
    ("amazon", "bedrock", "bearer", "F", "credential-of-amazon"),
];

/// What a client may say to the gateway that is for nobody else.
const PRIVATE: [&str; 16] = [
    "cookie",
    "proxy-authorization",
    "openai-organization",
    "openai-project",
    "accept-encoding",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-real-ip",
    "x-http-method-override",
    "x-envoy-external-address",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
];

const SECRET: &str = "said-to-the-gateway-alone";

/// Numbers that look drawn, and are the same in each run.
struct Lots(u64);

impl Lots {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

fn document_of_six(order: &[usize]) -> Value {
    let mut document = document();
    document["providers"] = json!({});
    for (name, dialect, auth, variable, _) in PROVIDERS {
        document["providers"][name] = json!({"dialect": dialect, "auth": auth, "credential": {"env": variable},
            "endpoint": format!("https://{name}.test/of/{name}")});
    }
    let target =
        |index: &usize| json!({"provider": PROVIDERS[*index].0, "model": format!("model-of-{}", PROVIDERS[*index].0)});
    let targets: Vec<_> = order.iter().map(target).collect();
    document["models"] = json!({"m": {"targets": targets, "failover": {"attempts": 6}}});
    document["prices"] = json!([]);
    document.as_object_mut().unwrap().remove("default_provider");
    document
}

fn failures() -> Vec<Reply> {
    let error = json!({"error": {"message": "Internal.", "type": "server_error", "code": null}}).to_string();
    vec![
        Reply::refused(),
        Reply::reset(),
        Reply::json(500, "{}"),
        Reply::json(503, "{}").header("x-tollgate-retry", "1"),
        Reply::json(429, "{}").header("set-cookie", "theirs"),
        Reply::json(401, "{}"),
        Reply::json(
            404,
            r#"{"error":{"code":"model_not_found","message":"No such model."}}"#,
        ),
        Reply::json(200, &error),
        Reply::json(200, "<html>"),
        Reply::stream([format!("data: {error}\n\n")]),
        Reply::silence(),
        Reply::json(400, "{}"),
    ]
}

fn request(lots: &mut Lots) -> Request {
    let stream = lots.below(2) == 0;
    let mut request = match lots.below(2) {
        0 => Request::post(CHAT).bearer(AGENT_KEY).json(chat_body("m", stream)),
        _ => {
            let body = json!({"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "x"}]});
            Request::post(MESSAGES)
                .header("x-api-key", AGENT_KEY)
                .json(body.to_string())
        }
    };
    for name in PRIVATE {
        if lots.below(2) == 0 {
            request = request.header(name, SECRET);
        }
    }
    for name in [
        "x-tollgate-retry",
        "x-tollgate-provider",
        "x-tollgate-anything",
        "x-goog-api-key",
        "api-key",
    ] {
        if lots.below(3) == 0 {
            request = request.header(name, SECRET);
        }
    }
    request
}

fn seen(name: &str, headers: &Headers, what: &str) {
    let (_, _, auth, _, own) = PROVIDERS.into_iter().find(|provider| provider.0 == name).unwrap();
    let shown = match auth {
        "bearer" => ("authorization", format!("Bearer {own}")),
        auth => (auth, own.to_owned()),
    };
    for header in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        let expected: &[&[u8]] = if header == shown.0 { &[shown.1.as_bytes()] } else { &[] };
        assert_eq!(headers.all(header), expected, "{header} of {name}: {what}");
    }
    for (other, .., theirs) in PROVIDERS {
        assert!(
            other == name || !headers.mention(theirs),
            "{name} sees the credential of {other}: {what}"
        );
    }
    assert!(!headers.mention(AGENT_KEY), "{name} sees the client's key: {what}");
    assert!(!headers.mention(SECRET), "{name} sees {headers:?}: {what}");
    for (header, _) in headers.iter() {
        assert!(!PRIVATE.contains(&header), "{name} sees {header}: {what}");
        assert!(!header.starts_with("x-tollgate-"), "{name} sees {header}: {what}");
    }
    assert_eq!(headers.text(":authority").unwrap(), format!("{name}.test"), "{what}");
    let path = headers.text(":path").unwrap();
    assert!(path.starts_with(&format!("/of/{name}/")), "{path} at {name}: {what}");
}

#[test]
fn a_provider_sees_its_own_credential_and_nobody_elses() {
    let mut lots = Lots(0x9E37_79B9_7F4A_7C15);
    let failures = failures();
    let env = PROVIDERS.map(|(.., variable, credential)| (variable, credential));
    let mut most = 0;
    for round in 0..12 {
        let mut order: Vec<usize> = (0..PROVIDERS.len()).collect();
        for index in (1..order.len()).rev() {
            order.swap(index, lots.below(index + 1));
        }
        let document = document_of_six(&order);
        let gateway = Gateway::start(&document, &env);
        for _ in 0..3 {
            for (name, ..) in PROVIDERS {
                gateway.answers_now(name, lots.one_of(&failures));
            }
            let mut exchange = gateway.begin(request(&mut lots));
            // Now and then a newer VM takes over in the midst of it.
            let renewed = lots.below(9);
            while exchange.step() {
                if exchange.events() == renewed && lots.below(2) == 0 {
                    gateway.worker.renew_vm();
                    assert!(gateway.configure(&document));
                }
            }
            let outcome = exchange.run();
            let what = format!("round {round}, {order:?}");
            for attempt in &outcome.attempts {
                let Some(headers) = &attempt.headers else { continue };
                seen(&attempt.cluster, headers, &what);
                let body = String::from_utf8_lossy(&attempt.body);
                assert!(!body.contains(AGENT_KEY) && !body.contains("credential-of"), "{what}");
            }
            for (.., credential) in PROVIDERS {
                assert!(
                    !outcome.headers.mention(credential) && !outcome.text().contains(credential),
                    "{what}"
                );
            }
            for header in ["x-tollgate-retry", "set-cookie"] {
                assert!(!outcome.headers.has(header), "{header}: {what}");
            }
            most = most.max(outcome.attempts.len());
        }
        assert_eq!(recorded(&gateway), (3, 0), "round {round}");
        for word in ["credential-of", AGENT_KEY, SECRET] {
            assert!(
                !gateway.process.log_text().contains(word),
                "{word} is in the log: round {round}"
            );
            assert!(
                gateway
                    .process
                    .series()
                    .iter()
                    .all(|series| !series.encoded.contains(word))
            );
        }
    }
    assert!(most >= 5, "no request made more than {most} attempts");
}
