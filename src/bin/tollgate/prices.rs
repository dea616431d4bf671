//! `tollgate prices`: what the bundled list of public prices says.

use std::io::Write;
use std::process::ExitCode;

use tollgate::document::spelling;
use tollgate::price::{self, Entry, Price, PriceSpec, Rates, Schedule, ServiceTierSpec, TierSpec};

use crate::{NO, table};

/// Writes every rate of `$rates` into `$spec`, whose kinds have these fields in common and no type.
macro_rules! write_rates {
    ($spec:ident, $rates:expr) => {
        write_rates!($spec, $rates, input cached_input cache_write_5m cache_write_1h input_audio output reasoning output_audio)
    };
    ($spec:ident, $rates:expr, $($class:ident)*) => {
        $($spec.$class = Some(number($rates.$class, 6));)*
    };
}

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
    let Some(listed) = price::provider_named(provider) else {
        let remedy = spelling::suggestion(provider, price::providers(), "`tollgate prices` lists them");
        return not_found(&format!("the price list has no provider `{provider}`"), &remedy);
    };
    let of_provider = || price::entries().filter(|entry| entry.provider == listed);
    let Some(model) = &args.model else {
        return show_all(of_provider().collect(), args.json);
    };
    let Some(entry) = price::find(provider, model) else {
        let known: Vec<&str> = of_provider().map(|entry| entry.model).collect();
        let problem = format!("the price list has no model `{model}` at `{listed}`");
        let otherwise = "add it to the document's `prices`";
        return not_found(&problem, &spelling::suggestion(model, known.into_iter(), otherwise));
    };
    if args.json {
        return show_all(vec![entry], true);
    }
    show_one(&entry, model)
}

fn show_all(entries: Vec<Entry>, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        let entries: Vec<PriceSpec> = entries.iter().map(as_written).collect();
        serde_json::to_writer_pretty(&mut out, &entries)?;
        writeln!(out)?;
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
    table::write(&mut out, heading, 2..6, &rows)?;
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
    table::write(&mut out, heading, 2..10, &rows)?;
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
    ] = rates.classes().map(per_million);
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

/// The entry as the document's `prices` would have it. Rates are written even where leaving them out would mean the same.
fn as_written(entry: &Entry) -> PriceSpec {
    let Price {
        standard,
        service_tiers,
        per_request,
    } = &entry.price;
    let mut spec = PriceSpec {
        provider: entry.provider.to_owned(),
        model: entry.model.to_owned(),
        per_request: (*per_request > 0).then(|| number(*per_request, 12)),
        tiers: steps(standard),
        ..PriceSpec::default()
    };
    write_rates!(spec, standard.base);
    for (name, schedule) in service_tiers {
        let mut tier = ServiceTierSpec {
            tiers: steps(schedule),
            ..ServiceTierSpec::default()
        };
        write_rates!(tier, schedule.base);
        spec.service_tiers.insert(name.clone(), tier);
    }
    spec
}

fn steps(schedule: &Schedule) -> Vec<TierSpec> {
    let steps = schedule.tiers.iter().map(|step| {
        let mut tier = TierSpec {
            above: step.above_prompt_tokens,
            ..TierSpec::default()
        };
        write_rates!(tier, step.rates);
        tier
    });
    steps.collect()
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

/// The same as the number nearest to it.
fn number(units: u64, places: usize) -> f64 {
    decimal(units, places).parse().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_printed_as_json_means_what_the_list_means() {
        for entry in price::entries() {
            let spec = as_written(&entry);
            assert_eq!(
                spec.compile(),
                Ok(entry.price.clone()),
                "{} at {}",
                entry.model,
                entry.provider
            );
        }
    }

    #[test]
    fn amounts_are_printed_exactly_and_with_two_decimals_at_least() {
        for (picodollars, text) in [(0, "0.00"), (2_500_000, "2.50"), (8_750, "0.00875"), (1, "0.000001")] {
            assert_eq!(per_million(picodollars), text);
        }
        assert_eq!(decimal(10_000_000_000, 12), "0.01");
        assert_eq!(decimal(u64::MAX, 12), "18446744.073709551615");
    }
}
