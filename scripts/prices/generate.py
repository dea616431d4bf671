#!/usr/bin/env python3
"""Generates src/price/list.jsonl, the bundled list of public prices, from the PyPI package genai-prices.

    pip install genai-prices==0.2.3
    scripts/prices/generate.py            writes the list
    scripts/prices/generate.py --check    fails if the committed list is not what this script generates

The list is a function of three things that are all in the repository: the package's version and the date (both pinned
below, so that generating twice gives the same bytes), and supplement.json, for what the package does not carry. To
bring prices up to date, raise both constants, generate, and read the diff.

genai-prices is Copyright (c) Pydantic Services Inc. and MIT-licensed; its notice is in THIRD-PARTY.md beside this file.
"""

import argparse
import datetime
import difflib
import functools
import itertools
import json
import re
import sys
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from pathlib import Path

PACKAGE_VERSION = "0.2.3"
# Prices with a date are taken as they stand at the end of this day (UTC).
AS_OF = datetime.date(2026, 11, 23)

HERE = Path(__file__).resolve().parent
LIST = HERE.parent.parent / "src" / "price" / "list.jsonl"
SUPPLEMENT = HERE / "supplement.json"

# The package's unit → the class of tokens of `Usage`. A cache write of unstated duration is one of five minutes.
CLASSES = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "output_audio",
}
# `Usage` does not tell text tokens from image and video tokens. Models that make pictures are priced at the dearest of
# the kinds; models that only look at them, at the text rate.
PICTURE_CLASSES = {
    "input_image_mtok": "input",
    "input_video_mtok": "input",
    "cache_image_read_mtok": "cached_input",
    "output_image_mtok": "output",
    "output_video_mtok": "output",
}
# What the package prices and no reply's usage counts as tokens: searches, pages, hours, characters, messages. Entries
# with nothing else are left out, which makes such models unpriced rather than free.
NOT_TOKENS = re.compile(r"(_kcount|_kpages|_hours|_mchars|_gpixels|_citation_mtok|cache_audio_read_mtok)$")
# Circumstances of a request that the package prices → the service tier whose name stands for it. Others are left out.
TIERS = {
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("processing", "batch"): "batch",
    ("speed", "fast"): "fast",
}
PICO = Decimal("0.000001")


def fail(text):
    sys.exit(f"generate.py: {text}")


# Prices


def steps(value, TieredPrices):
    """A price as {threshold: USD per million tokens}, the base at 0, rounded to whole picodollars a token."""
    if isinstance(value, TieredPrices):
        pairs = [(0, value.base), *((tier.start, tier.price) for tier in value.tiers)]
    else:
        pairs = [(0, value)]
    return {above: price.quantize(PICO, ROUND_HALF_UP).normalize() for above, price in pairs}


def dearest(first, second):
    """Threshold by threshold the higher of two prices."""
    def at(price, above):
        return price[max(a for a in price if a <= above)]

    return {above: max(at(first, above), at(second, above)) for above in sorted(first | second)}


def in_force(model, types):
    """The prices of a model on AS_OF, as {unit: value}. Of prices that depend on the time of day, the highest."""
    if isinstance(model.prices, types.ModelPrice):
        return written(model.prices)
    dated = [p for p in model.prices if not isinstance(p.constraint, types.TimeOfDateConstraint)]
    timed = [p for p in model.prices if isinstance(p.constraint, types.TimeOfDateConstraint)]
    current = [p for p in dated if p.constraint is None or p.constraint.start_date <= AS_OF] or dated[:1]
    prices = written(current[-1].prices)
    for price in timed:
        for unit, value in written(price.prices).items():
            if unit in prices and isinstance(value, types.TieredPrices) | isinstance(prices[unit], types.TieredPrices):
                fail(f"{model.id}: a price by time of day with tiers is not understood")
            prices[unit] = max(prices.get(unit, value), value)
    return prices


def written(price):
    return {unit: value for unit, value in vars(price).items() if value is not None and not unit.startswith("_")}


def classes(model_id, prices, types):
    """{class: {threshold: USD per million tokens}} and USD per request, from {unit: value}."""
    rates, per_request = {}, None
    makes_pictures = "image" in model_id or any(re.match("output_(image|video)", unit) for unit in prices)
    for unit, value in prices.items():
        if unit in CLASSES:
            cls = CLASSES[unit]
        elif unit in PICTURE_CLASSES:
            if not makes_pictures:
                continue
            cls = PICTURE_CLASSES[unit]
        elif unit == "requests_kcount":
            per_request = value / 1000
            continue
        elif NOT_TOKENS.search(unit):
            continue
        else:
            fail(f"{model_id}: the unit {unit} is new; say above what it means")
        price = steps(value, types.TieredPrices)
        rates[cls] = dearest(rates[cls], price) if cls in rates else price
    return rates, per_request


def number(value):
    text = format(value.normalize(), "f")
    return int(text) if "." not in text else float(text)


def schedule(rates):
    """What a price or a service tier says: its base, and tiers with only what changes."""
    out = {cls: number(rates[cls][0]) for cls in dict.fromkeys(CLASSES.values()) if cls in rates}
    tiers = []
    for above in sorted({a for price in rates.values() for a in price} - {0}):
        tiers.append({"above": above, **{cls: number(rates[cls][above]) for cls in out if above in rates[cls]}})
    return out | ({"tiers": tiers} if tiers else {})


# Patterns


def glob(literal):
    if re.search(r"[*#&!\"\\]", literal) or not literal.isascii():
        fail(f"{literal!r} has a character that means something in a pattern")
    return literal.lower()


# What a regular expression is made of: an optional group, digits, a choice of characters, an escaped character, a plain
# one, the end; and anything else, which is not understood.
TOKEN = re.compile(
    r"\(([^()?]+)\)\?|\\d(?:\{(\d+)\})?|\[([^\]\\]+)\]|\\(.)|([^\\()\[\]{}|?+*$.])|(\$$)|(.)"
)


def expand(regex):
    """A regular expression as patterns, any one of which must fit. Only the few forms that occur are understood."""
    if regex == r"^(?!.*-[tT][tT][sS](?:$|-))":
        return [["!*-tts", "!*-tts-*"]]
    body = regex.removeprefix("^")
    if body == regex:
        fail(f"the regular expression {regex} is not anchored")
    tail = "" if body.endswith("$") else "*"
    alternatives = [""]
    for token in TOKEN.finditer(body):
        optional, count, choice, escaped, plain, end, other = token.groups()
        if other:
            fail(f"the regular expression {regex} is not understood at {other!r}")
        if optional:
            parts = ["", *("".join(p) for p in expand("^" + optional + "$"))]
        elif token[0].startswith(r"\d"):
            parts = ["#" * int(count or 1)]
        elif choice:
            parts = [glob(c) for c in choice]
        elif end:
            parts = [""]
        else:
            parts = [glob(escaped or plain)]
        alternatives = [a + p for a, p in itertools.product(alternatives, parts)]
    return [[a + tail] for a in alternatives]


def patterns(rule):
    """A match rule as alternatives, each a list of patterns that must all fit."""
    kind = type(rule).__name__
    if kind == "ClauseOr":
        return [alternative for clause in rule.or_ for alternative in patterns(clause)]
    if kind == "ClauseAnd":
        return [sum(parts, []) for parts in itertools.product(*map(patterns, rule.and_))]
    if kind == "ClauseRegex":
        return expand(rule.regex)
    text = {
        "ClauseEquals": lambda: glob(rule.equals),
        "ClauseStartsWith": lambda: glob(rule.starts_with) + "*",
        "ClauseEndsWith": lambda: "*" + glob(rule.ends_with),
        "ClauseContains": lambda: "*" + glob(rule.contains) + "*",
    }[kind]()
    return [[text]]


@functools.cache
def compiled(pattern):
    """A pattern as this script checks it: `*` is any run of characters, `#` one digit, `!` in front negates."""
    body = re.escape(pattern.removeprefix("!")).replace(r"\*", ".*").replace(r"\#", "[0-9]")
    return pattern.startswith("!"), re.compile(body + r"\Z", re.DOTALL)


def fits(alternatives, name):
    return any(all(bool(r.match(name)) != negated for negated, r in map(compiled, a)) for a in alternatives)


# The list


def entry(provider, model, types, supplement):
    prices = in_force(model, types)
    rates, per_request = classes(model.id, prices, types)
    if not prices and model.id.endswith(":free"):
        rates = {"input": {0: Decimal(0)}, "output": {0: Decimal(0)}}
    variants = {}
    for variant in model.price_variants or []:
        if len(variant.when) != 1:
            fail(f"{model.id}: a price for several circumstances at once is not understood")
        name = TIERS.get(next(iter(variant.when.items())))
        if name and (variant.constraint is None or variant.constraint.start_date <= AS_OF):
            # Of several in force the package takes the first, price by price.
            variants[name] = written(variant.prices) | variants.get(name, {})
    tiers = {}
    for name, variant in variants.items():
        own, _ = classes(model.id, prices | variant, types)
        if any(cls not in rates for cls in own):
            fail(f"{model.id}: the service tier {name} prices what the standard does not")
        # Only what differs from the standard is written.
        tiers[name] = {cls: price for cls, price in own.items() if price != rates[cls]}
    supplement.apply(provider.id, model.id, rates, tiers)
    if not rates and per_request is None:
        return None
    if rates and "input" not in rates:
        fail(f"{provider.id} {model.id}: no price for input")

    alternatives = patterns(model.match)
    also = {"&".join(sorted(a)) for a in alternatives} - {model.id.lower()}
    # A name that another pattern of the same entry covers says nothing.
    wide = [[p] for p in also if "*" in p and not re.search("[&!]", p)]
    also = sorted(p for p in also if re.search("[*#&!]", p) or not fits(wide, p))
    line = {"model": model.id}
    if also:
        line["also"] = also
    if model.context_window:
        line["context"] = model.context_window
    line |= schedule(rates)
    if per_request is not None:
        line["per_request"] = number(per_request)
    written_tiers = {name: schedule(own) for name, own in sorted(tiers.items()) if own}
    if written_tiers:
        line["service_tiers"] = written_tiers
    return line


class Supplement:
    """supplement.json: rates the package lacks, each with its source. It adds, and never replaces."""

    def __init__(self, path):
        self.entries = json.loads(path.read_text())["entries"]
        self.used = set()

    def apply(self, provider, model, rates, tiers):
        for index, entry in enumerate(self.entries):
            if provider not in entry["providers"] or not fits([[entry["model"]]], model.lower()):
                continue
            for cls, value in entry.get("rates", {}).items():
                if cls not in rates:
                    rates[cls] = {0: Decimal(str(value))}
                    self.used.add(index)
            for cls, factor in entry.get("times_input", {}).items():
                for price, base in [(rates, rates), *((own, rates | own) for own in tiers.values())]:
                    if cls not in price and "input" in price and entry.get("if_priced", "input") in base:
                        price[cls] = {
                            above: (value * Decimal(str(factor))).quantize(PICO, ROUND_HALF_UP)
                            for above, value in price["input"].items()
                        }
                        self.used.add(index)

    def check(self):
        for index, entry in enumerate(self.entries):
            if index not in self.used:
                fail(f"supplement.json: entries[{index}] ({entry['model']}) adds nothing; remove it")


def generate():
    installed = version("genai-prices")
    if installed != PACKAGE_VERSION:
        fail(f"genai-prices is {installed}, and not: pip install genai-prices=={PACKAGE_VERSION}")
    from genai_prices import types
    from genai_prices.data import providers

    supplement = Supplement(SUPPLEMENT)
    lines = []
    for provider in sorted(providers, key=lambda p: p.id):
        if [m.id for m in provider.models] != sorted(m.id for m in provider.models):
            fail(f"{provider.id}: its models are not sorted, and the order decides which rule comes first")
        heading = {"provider": provider.id}
        if provider.fallback_model_providers:
            heading["else"] = provider.fallback_model_providers
        lines.append(heading)
        lines += filter(None, (entry(provider, model, types, supplement) for model in provider.models))
        check_patterns(provider)
    supplement.check()
    for provider, model, day in to_come(providers):
        print(f"to come: {provider} {model} changes on {day}", file=sys.stderr)
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def to_come(providers):
    """The changes of price after AS_OF that the package knows of already."""
    changes = {
        (provider.id, model.id, price.constraint.start_date)
        for provider in providers
        for model in provider.models
        for price in [*(model.prices if isinstance(model.prices, list) else []), *(model.price_variants or [])]
        if getattr(price.constraint, "start_date", AS_OF) > AS_OF
    }
    return sorted(changes, key=lambda change: (change[2], change))


def check_patterns(provider):
    """The patterns find the model that the package's own rules find, for every name in these rules and some more."""
    rules = [(model, [[glob(model.id)], *patterns(model.match)]) for model in provider.models]
    texts = {text for _, rule in rules for a in rule for text in a}
    names = {text.strip("!*").replace("#", "7") for text in texts}
    open_ended = {text.strip("!*").replace("#", "7") for text in texts if "*" in text}
    names |= {n + suffix for n in open_ended for suffix in ("-20261123", "-2026-11-23", "-tts", "@20261123", ":0", "x")}
    for name in sorted(names):
        theirs = next((m.id for m in provider.models if m.is_match(name)), None)
        ours = next((m.id for m in provider.models if m.id.lower() == name), None) or next(
            (m.id for m, rule in rules if fits(rule, name)), None
        )
        if ours != theirs and not (theirs is None and ours.lower() == name):
            fail(f"{provider.id}: {name} is {ours} by the patterns and {theirs} by the package's rules")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed list instead of writing it")
    arguments = parser.parse_args()
    text = generate()
    if not arguments.check:
        LIST.write_text(text)
        print(f"{LIST}: {text.count(chr(10))} lines, {len(text)} bytes")
    elif (committed := LIST.read_text() if LIST.exists() else "") != text:
        lines = committed.splitlines(), text.splitlines()
        diff = difflib.unified_diff(*lines, "committed", "generated", lineterm="", n=0)
        print("\n".join(itertools.islice(diff, 40)))
        fail("src/price/list.jsonl is not what this script generates; run it without --check")


if __name__ == "__main__":
    main()
