//! What Tollgate itself answers about limits: a key about itself, an operator about everything, and the release of what
//! the loop guard holds.
//!
//! In: the request's headers and the books. Out: JSON, or the fault. Nothing of a request's content is in it, and no
//! secret: keys are names.
//!
//! - `GET /tollgate/v1/me` with a virtual key.
//! - `GET /tollgate/v1/keys?after=NAME&most=N` or `?key=NAME` with an operator's key.
//! - `POST /tollgate/v1/release?key=NAME&session=ID` with an operator's key.

use serde_json::{Map, Value, json};

use super::{Answered, Arrival, refused_key, subjects};
use crate::caller::{self, Refusal};
use crate::endpoint;
use crate::fault::{Answer, Fault};
use crate::guard::table::{self, Bucket, Place, Release};
use crate::headers::Headers;
use crate::limit::cell::Cell;
use crate::limit::judge::{Measure, Scope};
use crate::limit::rule::{Rules, Unit};
use crate::limit::standing::{Standing, standings};
use crate::limit::store::{Books, Unwritable};
use crate::world::{Key, World};

/// The most keys on a page, and how many there are unless asked.
const MOST: usize = 1_000;

/// Answers.
pub(super) fn answer(
    arrival: &mut Arrival,
    headers: &Headers,
    path: &str,
    books: &mut Books<'_>,
) -> Result<Answered, Fault> {
    let method = headers.text(":method").unwrap_or_default();
    let (what, query) = match endpoint::status(path) {
        Some(found) => found,
        None => return Err(Fault::PathUnknown),
    };
    let reads = matches!(method, "GET" | "HEAD");
    let body = match (what.as_str(), method) {
        ("me", _) if reads => {
            caller(arrival, headers)?;
            let key = arrival
                .key
                .and_then(|id| arrival.world.key(id))
                .ok_or(Fault::Internal)?;
            let mut body = of_key(&arrival.world, key, books);
            if let (Value::Object(members), Some(guard)) = (&mut body, &key.guard) {
                members.insert(
                    "loop_guard".to_owned(),
                    of_guard(key, headers.value(&guard.session_header), books),
                );
            }
            body
        }
        ("keys", _) if reads => {
            operator(arrival, headers)?;
            keys(&arrival.world, &query, books)?
        }
        ("release", "POST") => {
            operator(arrival, headers)?;
            release(&arrival.world, &query, books)?
        }
        ("me" | "keys", _) => return Err(Fault::MethodWrong { allowed: "GET" }),
        ("release", _) => return Err(Fault::MethodWrong { allowed: "POST" }),
        _ => return Err(Fault::PathUnknown),
    };
    let answer = Answer::new(200, &arrival.request_id, body.to_string().into_bytes());
    Ok(Answered {
        arrival: arrival.clone(),
        answer,
    })
}

fn caller(arrival: &mut Arrival, headers: &Headers) -> Result<(), Fault> {
    let credential = caller::presented(|name| headers.value(name));
    let id = caller::authenticate(&arrival.world, credential, arrival.since.seconds()).map_err(refused_key)?;
    arrival.key = Some(id);
    Ok(())
}

/// Whoever has a key but not an operator's learns that it is not enough; whoever has none learns nothing.
fn operator(arrival: &mut Arrival, headers: &Headers) -> Result<(), Fault> {
    let credential = caller::presented(|name| headers.value(name));
    let secret = credential.ok_or_else(|| refused_key(Refusal::Missing))?;
    if arrival.world.operator_by_digest(&caller::digest(secret)).is_some() {
        return Ok(());
    }
    caller(arrival, headers)?;
    Err(Fault::OperatorOnly)
}

fn keys(world: &World, query: &[(String, String)], books: &mut Books<'_>) -> Result<Value, Fault> {
    if let Some(name) = value(query, "key") {
        let key = world.keys.iter().find(|key| &*key.name == name);
        return Ok(json!({ "keys": [of_key(world, key.ok_or(Fault::SubjectUnknown)?, books)] }));
    }
    let most = value(query, "most").and_then(|most| most.parse().ok()).unwrap_or(MOST);
    let most = most.clamp(1, MOST);
    let after = value(query, "after");
    let start = match after {
        None => 0,
        Some(name) => {
            let index = world.keys.iter().position(|key| &*key.name == name);
            index.ok_or(Fault::SubjectUnknown)? + 1
        }
    };
    let page = world.keys.iter().skip(start).take(most);
    let of_keys: Vec<Value> = page.map(|key| of_key(world, key, books)).collect();
    let end = start.saturating_add(of_keys.len());
    let next = (end < world.keys.len())
        .then(|| world.keys.get(end.saturating_sub(1)))
        .flatten()
        .map(|key| &*key.name);
    let mut body = json!({ "keys": of_keys, "next_after": next });
    if after.is_none()
        && let Value::Object(members) = &mut body
    {
        members.extend(others(world, books));
    }
    Ok(body)
}

/// Everything that is no key: on the first page.
fn others(world: &World, books: &mut Books<'_>) -> Map<String, Value> {
    let mut members = Map::new();
    let of = |scope, name: &str, cell: &str, rules: Option<&Rules>, books: &mut Books<'_>| {
        rules.map(|rules| json!({ "name": name, "rules": of_subject(scope, cell, rules, books) }))
    };
    let teams = world.teams.iter().filter_map(|team| {
        of(
            Scope::Team,
            &team.name,
            &subjects::team_cell(&team.name),
            team.rules.as_deref(),
            books,
        )
    });
    let teams: Vec<Value> = teams.collect();
    let models = world.models.iter().filter_map(|model| {
        of(
            Scope::Model,
            &model.name,
            &subjects::model_cell(model),
            model.rules.as_deref(),
            books,
        )
    });
    let models: Vec<Value> = models.collect();
    let providers = world.providers.iter().filter_map(|provider| {
        let cell = subjects::provider_cell(&provider.name);
        of(Scope::Provider, &provider.name, &cell, provider.rules.as_deref(), books)
    });
    let providers: Vec<Value> = providers.collect();
    let all = world
        .all
        .as_ref()
        .map(|rules| of_subject(Scope::All, subjects::ALL, rules, books));
    members.insert("teams".to_owned(), teams.into());
    members.insert("models".to_owned(), models.into());
    members.insert("providers".to_owned(), providers.into());
    members.insert("all".to_owned(), all.unwrap_or_default().into());
    members
}

fn of_key(world: &World, key: &Key, books: &mut Books<'_>) -> Value {
    let cell = subjects::key_cell(key);
    let mut rules = Vec::new();
    if let Some(own) = &key.rules {
        rules.extend(of_subject(Scope::Key, &cell, own, books));
    }
    for (id, own) in key.per_model.iter() {
        if let Some(model) = world.model(*id) {
            let cell = subjects::key_model_cell(key, model);
            let named = of_subject(Scope::KeyModel, &cell, own, books)
                .into_iter()
                .map(|mut rule| {
                    if let Value::Object(members) = &mut rule {
                        members.insert("model".to_owned(), json!(&*model.name));
                    }
                    rule
                });
            rules.extend(named);
        }
    }
    let team = key.team.and_then(|id| world.team(id));
    if let Some((team, own)) = team.and_then(|team| Some((team, team.rules.as_ref()?))) {
        rules.extend(of_subject(Scope::Team, &subjects::team_cell(&team.name), own, books));
    }
    let shadow = world.shadow || key.shadow || team.is_some_and(|team| team.shadow);
    json!({
        "key": &*key.name,
        "team": team.map(|team| &*team.name),
        "mode": mode(shadow),
        "in_flight": read(&cell, books).present(),
        "rules": rules,
    })
}

fn of_subject(scope: Scope, cell: &str, rules: &Rules, books: &mut Books<'_>) -> Vec<Value> {
    let mut cell = read(cell, books);
    let clock = books.clock;
    let standings = standings(scope, &mut cell, rules, clock);
    standings
        .iter()
        .map(|standing| {
            let mut rule = of_standing(standing);
            let at = standing.resets_at(clock).map(|at| at.to_string());
            rule.insert("resets_at".to_owned(), json!(at));
            Value::Object(rule)
        })
        .collect()
}

fn of_standing(standing: &Standing) -> Map<String, Value> {
    let mut rule = Map::new();
    let mut set = |name: String, value: Value| {
        rule.insert(name, value);
    };
    set("rule".to_owned(), json!(standing.rule.to_string()));
    set("scope".to_owned(), json!(standing.rule.scope.name()));
    let unit = match standing.rule.measure {
        Measure::Rpm | Measure::Parallel => "requests",
        Measure::Tpm | Measure::Budget(Unit::Tokens, _) => "tokens",
        Measure::Budget(Unit::Nanodollars, _) => "nanodollars",
    };
    let amounts = [
        ("limit", standing.most),
        ("used", standing.used),
        ("set_aside", standing.set_aside),
        ("remaining", standing.remaining()),
    ];
    set("unit".to_owned(), json!(unit));
    for (name, amount) in amounts {
        set(name.to_owned(), json!(amount));
        if unit == "nanodollars" {
            set(format!("{name}_usd"), json!(amount as f64 / 1e9));
        }
    }
    set("warn_at".to_owned(), json!(f64::from(standing.warn_at.0) / 1e3));
    set("then".to_owned(), json!(standing.then.name()));
    set("mode".to_owned(), json!(mode(standing.shadow)));
    if let Some(until) = standing.raised_until {
        set("raised_until".to_owned(), json!(until.to_string()));
    }
    rule
}

fn of_guard(key: &Key, session: Option<&[u8]>, books: &mut Books<'_>) -> Value {
    let session = session.and_then(crate::guard::conversation::session_hash);
    let place = Place::of(&key.name, session);
    let bytes = books.store.read(&table::bucket_name(place.bucket()));
    let mut bucket = Bucket::decode(&bytes.map(|(bytes, _)| bytes).unwrap_or_default());
    let blocked = bucket
        .find(&place)
        .and_then(|session| session.blocked_ms(books.clock.steady));
    json!({
        "blocked_by": blocked.map(|(sign, _)| sign.name()),
        "blocked_for_seconds": blocked.map(|(_, milliseconds)| milliseconds.div_ceil(1_000)),
    })
}

fn release(world: &World, query: &[(String, String)], books: &mut Books<'_>) -> Result<Value, Fault> {
    let name = value(query, "key").ok_or(Fault::SubjectUnknown)?;
    if !world.keys.iter().any(|key| &*key.name == name) {
        return Err(Fault::SubjectUnknown);
    }
    let release = Release::of(name, value(query, "session").map(str::as_bytes));
    let mut lifted = 0;
    for bucket in release.buckets() {
        let now = books.clock.steady;
        let released = books.update(&table::bucket_name(bucket), |bytes, _| {
            match release.apply(&bytes, now) {
                Some((bytes, lifted)) => (Some(bytes), lifted),
                None => (None, 0),
            }
        });
        lifted += released.map_err(|Unwritable| Fault::Internal)?;
    }
    Ok(json!({ "released": lifted }))
}

fn read(cell: &str, books: &mut Books<'_>) -> Cell {
    let bytes = books.store.read(cell).map(|(bytes, _)| bytes).unwrap_or_default();
    Cell::decode(bytes, books.census)
}

fn value<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn mode(shadow: bool) -> &'static str {
    match shadow {
        true => "shadow",
        false => "enforce",
    }
}
