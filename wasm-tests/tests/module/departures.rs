//! The client may hang up at any moment: one record, nothing in flight, nothing paid that was not used.

use wasm_tests::{End, Gateway, ProviderEnds, Reply, Request};

use crate::fixture::*;

/// Hangs up before each network event of an exchange in turn, each time in a fresh proxy.
fn at_every_moment(make: impl Fn() -> Gateway, request: impl Fn() -> Request, check: impl Fn(&Gateway, usize)) {
    for moment in 0.. {
        let gateway = make();
        let outcome = gateway.send_and_hang_up(request(), moment);
        let over = outcome.end != End::HungUp;
        // Before the first event there is no request.
        let records = u64::from(moment > 0);
        assert_eq!(
            recorded(&gateway),
            (records, 0),
            "hung up after {moment} events: {:?}",
            outcomes(&gateway)
        );
        if moment > 0 {
            let durations = gateway.process.metric("tollgate_request_duration_milliseconds", &[]);
            assert_eq!(durations, 1, "hung up after {moment} events");
        }
        check(&gateway, moment);
        if over {
            assert!(moment > 1, "there was nothing to hang up on");
            return;
        }
    }
}

fn paid(gateway: &Gateway) -> u64 {
    gateway.process.metric("tollgate_cost_nanodollars_total", &[])
}

#[test]
fn from_a_json_exchange() {
    for provider_ends in [ProviderEnds::BeforeTheLog, ProviderEnds::AfterTheLog] {
        let make = || {
            let gateway = gateway().with_provider_ending(provider_ends);
            gateway.answers("first", chat_reply().in_pieces_of(100));
            gateway
        };
        at_every_moment(
            make,
            || chat("best").in_pieces_of(40).ending_separately(),
            |gateway, _| {
                if outcomes(gateway) == [("ok".to_owned(), 1)] {
                    assert_eq!(paid(gateway), CHAT_COST);
                }
            },
        );
    }
}

#[test]
fn from_a_stream() {
    for provider_ends in [ProviderEnds::BeforeTheLog, ProviderEnds::AfterTheLog] {
        let make = || {
            let gateway = gateway().with_provider_ending(provider_ends);
            gateway.answers("first", Reply::stream(chat_events(5)));
            gateway
        };
        at_every_moment(
            make,
            || chat_stream("gpt-4o"),
            |gateway, moment| {
                let reported = gateway
                    .process
                    .metric("tollgate_tokens_total", &[("source", "reported")]);
                let estimated = gateway
                    .process
                    .metric("tollgate_tokens_total", &[("source", "estimated")]);
                // Events: headers, body, head, 7 chunks, usage, [DONE], end.
                match moment {
                    0 | 1 => assert_eq!((reported, estimated), (0, 0), "{moment}"),
                    2..=10 => assert!(reported == 0 && estimated > 0, "{moment}: {reported} {estimated}"),
                    _ => assert_eq!((reported, estimated), (1200, 0), "{moment}"),
                }
            },
        );
    }
}

#[test]
fn from_a_second_attempt() {
    let make = || {
        let gateway = gateway();
        gateway.answers("first", Reply::json(503, "{}"));
        gateway.answers("second", Reply::stream(chat_events(2)));
        gateway
    };
    at_every_moment(make, || chat_stream("gpt-4o"), |_, _| ());
}

#[test]
fn from_an_exchange_whose_headers_could_not_be_held() {
    let make = || {
        let gateway = gateway_without_holding();
        gateway.answers("first.test", Reply::stream(chat_events(2)));
        gateway
    };
    let request = || {
        chat_stream("gpt-4o")
            .header(":authority", "first.test")
            .in_pieces_of(60)
    };
    at_every_moment(make, request, |_, _| ());
}

#[test]
fn the_time_of_a_hang_up_is_told_from_that_of_a_break() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(5)));
    assert_eq!(gateway.send_and_hang_up(chat_stream("gpt-4o"), 6).end, End::HungUp);
    assert_eq!(outcomes(&gateway), [("interrupted_by_client".to_owned(), 1)]);
    gateway.answers_now("first", Reply::stream(chat_events(5)).cut_after(3));
    let outcome = gateway.send(chat_stream("gpt-4o"));
    assert_eq!(
        (outcome.end, outcome.status, outcome.attempts.len()),
        (End::Reset, 200, 1)
    );
    assert_eq!(
        outcomes(&gateway),
        [
            ("interrupted_by_client".to_owned(), 1),
            ("interrupted_by_provider".to_owned(), 1)
        ]
    );
    assert_eq!(recorded(&gateway), (2, 0));
}

#[test]
fn a_provider_that_never_answers_is_recorded_when_the_proxy_gives_up() {
    let gateway = gateway();
    // The only target: nobody else waits for the time that it takes.
    gateway.answers("second", Reply::silence());
    assert_eq!(gateway.send(chat("gpt-4o-mini")).end, End::Hung);
    assert_eq!(recorded(&gateway), (1, 0));
}

#[test]
fn forty_at_once_leave_nothing_behind() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(10)));
    let mut exchanges: Vec<_> = (0..40).map(|_| gateway.begin(chat_stream("gpt-4o"))).collect();
    for round in 0..9 {
        for exchange in &mut exchanges {
            exchange.step();
        }
        if round > 0 {
            assert_eq!(
                gateway
                    .process
                    .metric("tollgate_requests_in_flight", &[("key", "agent")]),
                40
            );
        }
    }
    for (index, exchange) in exchanges.into_iter().enumerate() {
        if index % 3 == 0 {
            exchange.hang_up();
        } else {
            assert_eq!(exchange.run().end, End::Complete);
        }
    }
    assert_eq!(recorded(&gateway), (40, 0));
    assert_eq!(
        outcomes(&gateway),
        [("interrupted_by_client".to_owned(), 14), ("ok".to_owned(), 26)]
    );
    assert_eq!(
        gateway
            .process
            .metric("tollgate_cost_nanodollars_total", &[("source", "reported")]),
        26 * CHAT_COST
    );
}
