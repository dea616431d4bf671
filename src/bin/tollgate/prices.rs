//! `tollgate prices`: what the bundled list of public prices says.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tollgate::document::spelling;
use tollgate::price::{self, Entry, Rates, Schedule};

use crate::{NO, table};

/// Look up or list the bundled prices.
///
/// All prices are in USD per million tokens. A document's own `prices` come before these; a model without either is served
/// and counted as unpriced.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A provider of the price list, such as `openai`.
    provider: Option<String>,

    /// A model as the provider calls it; dated and regional names find their model.
    model: Option<String>,

    /// Print JSON: an array of entries that can be copied into a document's `prices` and changed.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(provider) = &args.provider else {
        return show_all(price::entries().collect(), args.json);
    };
    let of_provider: Vec<Entry> = price::entries().filter(|entry| entry.provider == provider).collect();
    if of_provider.is_empty() {
        let mut known: Vec<&str> = price::entries().map(|entry| entry.provider).collect();
        known.dedup();
        let remedy = spelling::suggestion(provider, known.iter().copied(), "`tollgate prices` lists them");
        return not_found(&format!("the price list has no provider `{provider}`"), &remedy);
    }
    let Some(model) = &args.model else {
        return show_all(of_provider, args.json);
    };
    let Some(entry) = price::find(provider, model) else {
        let known = of_provider.iter().map(|entry| entry.model);
        let problem = format!("the price list has no model `{model}` at `{provider}`");
        return not_found(
            &problem,
            &spelling::suggestion(model, known, "add it to the document's `prices`"),
        );
    };
    if args.json {
        return show_all(vec![entry], true);
    }
    show_one(&entry, model)
}

fn show_all(entries: Vec<Entry>, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        let entries: Vec<Value> = entries.iter().map(as_written).collect();
        writeln!(out, "{:#}", Value::from(entries))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let Rates {
                input,
                cached_input,
                cache_write_5m,
                output,
                ..
            } = entry.price.standard.base;
            let rates = [input, cached_input, cache_write_5m, output].map(per_million);
            let [input, cached, write, output] = rates;
            let notes = notes(entry);
            [
                entry.provider.to_owned(),
                entry.model.to_owned(),
                input,
                cached,
                write,
                output,
                notes,
            ]
        })
        .collect();
    let heading = ["PROVIDER", "MODEL", "INPUT", "CACHED", "CACHE WRITE", "OUTPUT", "ALSO"];
    table::write(&mut out, heading, 2, &rows)?;
    writeln!(out, "\n{} prices, USD per million tokens", entries.len())?;
    Ok(ExitCode::SUCCESS)
}

fn show_one(entry: &Entry, asked: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let asked = if asked == entry.model {
        String::new()
    } else {
        format!(" (asked for as {asked})")
    };
    writeln!(
        out,
        "{} at {}{asked}, USD per million tokens",
        entry.model, entry.provider
    )?;
    let mut schedules = vec![("standard", &entry.price.standard)];
    schedules.extend(
        entry
            .price
            .service_tiers
            .iter()
            .map(|(name, schedule)| (name.as_str(), schedule)),
    );
    let mut rows = Vec::new();
    for (tier, schedule) in schedules {
        rows.push(row(tier, String::new(), &schedule.base));
        for step in &schedule.tiers {
            rows.push(row(tier, format!("prompt > {}", step.above_prompt_tokens), &step.rates));
        }
    }
    writeln!(out)?;
    let heading = [
        "TIER",
        "",
        "INPUT",
        "CACHED",
        "WRITE 5M",
        "WRITE 1H",
        "AUDIO IN",
        "OUTPUT",
        "REASONING",
        "AUDIO OUT",
    ];
    table::write(&mut out, heading, 2, &rows)?;
    if entry.price.per_request > 0 {
        writeln!(out, "\nand ${} per request", decimal(entry.price.per_request, 12))?;
    }
    if let Some(window) = entry.context_window {
        writeln!(out, "\ncontext window: {window} tokens")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(tier: &str, step: String, rates: &Rates) -> [String; 10] {
    let [
        input,
        cached,
        write_5m,
        write_1h,
        audio_in,
        output,
        reasoning,
        audio_out,
    ] = classes(rates).map(|(_, rate)| per_million(rate));
    [
        tier.to_owned(),
        step,
        input,
        cached,
        write_5m,
        write_1h,
        audio_in,
        output,
        reasoning,
        audio_out,
    ]
}

fn notes(entry: &Entry) -> String {
    let mut notes = Vec::new();
    if !entry.price.standard.tiers.is_empty() {
        notes.push("prompt sizes".to_owned());
    }
    notes.extend(entry.price.service_tiers.iter().map(|(name, _)| name.clone()));
    if entry.price.per_request > 0 {
        notes.push("per request".to_owned());
    }
    notes.join(", ")
}

fn not_found(problem: &str, remedy: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stderr(), "{problem}\n  remedy: {remedy}")?;
    Ok(ExitCode::from(NO))
}

/// The entry as the document's `prices` would have it.
fn as_written(entry: &Entry) -> Value {
    let price = &entry.price;
    let mut written = Map::new();
    written.insert("provider".to_owned(), json!(entry.provider));
    written.insert("model".to_owned(), json!(entry.model));
    written.extend(schedule(&price.standard));
    if price.per_request > 0 {
        written.insert("per_request".to_owned(), number(price.per_request, 12));
    }
    if !price.service_tiers.is_empty() {
        let tiers = price
            .service_tiers
            .iter()
            .map(|(name, tier)| (name.clone(), Value::Object(schedule(tier))));
        written.insert("service_tiers".to_owned(), Value::Object(tiers.collect()));
    }
    Value::Object(written)
}

fn schedule(schedule: &Schedule) -> Map<String, Value> {
    let rates = |rates: &Rates| classes(rates).map(|(name, rate)| (name.to_owned(), number(rate, 6)));
    let mut written = Map::from_iter(rates(&schedule.base));
    if !schedule.tiers.is_empty() {
        let tiers = schedule.tiers.iter().map(|tier| {
            let mut written = Map::from_iter(rates(&tier.rates));
            written.insert("above".to_owned(), json!(tier.above_prompt_tokens));
            Value::Object(written)
        });
        written.insert("tiers".to_owned(), tiers.collect());
    }
    written
}

fn classes(rates: &Rates) -> [(&'static str, u64); 8] {
    [
        ("input", rates.input),
        ("cached_input", rates.cached_input),
        ("cache_write_5m", rates.cache_write_5m),
        ("cache_write_1h", rates.cache_write_1h),
        ("input_audio", rates.input_audio),
        ("output", rates.output),
        ("reasoning", rates.reasoning),
        ("output_audio", rates.output_audio),
    ]
}

/// Picodollars per token as USD per million tokens, at least two decimals.
fn per_million(picodollars: u64) -> String {
    decimal(picodollars, 6)
}

/// `units` of 10^-`places`, exactly, with at least two decimals.
fn decimal(units: u64, places: usize) -> String {
    let digits = format!("{units:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{whole}.{:0<2}", fraction.trim_end_matches('0'))
}

fn number(units: u64, places: usize) -> Value {
    serde_json::from_str(&decimal(units, places)).unwrap_or_default()
}

const AFTER_HELP: &str = "\
Examples:
  tollgate prices                         all of them
  tollgate prices anthropic               one provider's
  tollgate prices openai gpt-4o           every rate of one model
  tollgate prices openai gpt-4o --json    as an entry of the document's `prices`

Exit codes:
  0  found
  1  the list has no such provider or model";
