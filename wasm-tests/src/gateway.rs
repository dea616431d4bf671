//! A proxy ready for requests: one process, one worker, both roles configured, providers that answer from a script.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::exchange::{Exchange, Outcome, Shape, Upstream};
use crate::process::Process;
use crate::request::Request;
use crate::upstream::Reply;
use crate::worker::{ProviderEnds, Role, Worker};

/// A proxy. At the end of the test it fails, if module and host ever disagreed.
pub struct Gateway {
    /// What all workers share: metrics, clock, log.
    pub process: Process,
    /// Where the requests go.
    pub worker: Worker,
    upstreams: Rc<RefCell<BTreeMap<String, Upstream>>>,
    shape: Shape,
}

impl Gateway {
    /// A proxy with this document, in the shape the document asks for (`hold_headers`), whose module sees this
    /// environment. Fails the test if the module refuses the document.
    pub fn start(document: &serde_json::Value, env: &[(&str, &str)]) -> Self {
        let process = Process::start();
        let worker = Worker::start(&process, env);
        let hold_headers = document
            .get("hold_headers")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(true);
        // The rendered route buffers as much as the document allows a body to have, and a little more.
        let limit = document
            .get("max_body_bytes")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(32 << 20);
        let buffer_limit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(64 << 10);
        let shape = Shape {
            hold_headers,
            buffer_limit,
            provider_ends: ProviderEnds::default(),
        };
        let gateway = Self {
            process,
            worker,
            upstreams: Rc::default(),
            shape,
        };
        assert!(
            gateway.configure(document),
            "the document was refused: {}",
            gateway.process.log_text()
        );
        gateway
    }

    /// Another worker of the same process, with the same providers.
    pub fn another_worker(&self, document: &serde_json::Value, env: &[(&str, &str)]) -> Self {
        let (process, worker) = (self.process.clone(), Worker::start(&self.process, env));
        let gateway = Self {
            process,
            worker,
            upstreams: Rc::clone(&self.upstreams),
            shape: self.shape,
        };
        assert!(
            gateway.configure(document),
            "the document was refused: {}",
            gateway.process.log_text()
        );
        gateway
    }

    /// The same, with the provider filter's end on the other side of the log.
    pub fn with_provider_ending(mut self, provider_ends: ProviderEnds) -> Self {
        self.shape.provider_ends = provider_ends;
        self
    }

    /// The same, in a proxy that does not let a filter hold headers, whatever the document says.
    pub fn without_the_flag(mut self) -> Self {
        self.shape.hold_headers = false;
        self
    }

    /// The same, in a proxy that buffers no more than that.
    pub fn with_buffer_limit(mut self, bytes: usize) -> Self {
        self.shape.buffer_limit = bytes;
        self
    }

    /// Gives both roles a new document. Whether they accepted it.
    pub fn configure(&self, document: &serde_json::Value) -> bool {
        let document = document.to_string();
        // The order in which Envoy updates its filters is nobody's promise; a provider filter is never the older one.
        self.worker.configure(Role::Provider, &document) && self.worker.configure(Role::Gateway, &document)
    }

    /// Lets a second pass, and the worker's root contexts tick at its end.
    pub fn tick(&self) {
        self.process.advance(std::time::Duration::from_secs(1));
        self.worker.tick();
    }

    /// Adds to what a cluster (without held headers: a host) answers; the last reply is repeated for ever.
    pub fn answers(&self, cluster: &str, reply: Reply) -> &Self {
        self.upstreams
            .borrow_mut()
            .entry(cluster.to_owned())
            .or_default()
            .replies
            .push_back(reply);
        self
    }

    /// Forgets what a cluster answers, and lets it answer this.
    pub fn answers_now(&self, cluster: &str, reply: Reply) -> &Self {
        self.upstreams.borrow_mut().remove(cluster);
        self.answers(cluster, reply)
    }

    /// Begins an exchange, to be driven event by event.
    pub fn begin(&self, request: Request) -> Exchange {
        Exchange::new(self.worker.clone(), Rc::clone(&self.upstreams), self.shape, request)
    }

    /// A whole exchange.
    pub fn send(&self, request: Request) -> Outcome {
        self.begin(request).run()
    }

    /// An exchange whose client hangs up after so many network events.
    pub fn send_and_hang_up(&self, request: Request, after_events: usize) -> Outcome {
        let mut exchange = self.begin(request);
        while exchange.events() < after_events && exchange.step() {}
        exchange.hang_up()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let complaints = self.process.forgive();
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "module and host disagree: {complaints:#?}");
        }
    }
}
