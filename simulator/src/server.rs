//! Connections and routes.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::call::{DropConnection, no_such_method, no_such_path};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::prices::{Model, PriceSheet};
use crate::steering::Steering;
use crate::text::Texts;
use crate::{Options, anthropic, bedrock, gemini, openai};

/// Everything the requests share.
#[derive(Debug)]
pub struct App {
    /// How it was started.
    pub options: Options,
    /// How requests are answered that do not say.
    pub steering: Steering,
    /// The models served and their prices.
    pub models: HashMap<String, Arc<Model>>,
    sheet: PriceSheet,
    /// The books.
    pub ledger: Arc<Ledger>,
    /// Requests and tokens per minute.
    pub limits: Limits,
    /// Token counts and answers.
    pub texts: Texts,
    serial: AtomicU64,
    flaky: AtomicU64,
}

impl App {
    fn new(options: Options) -> Result<Self, String> {
        let mut sheet = match &options.prices {
            None => PriceSheet::bundled()?,
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
                PriceSheet::parse(&text)?
            }
        };
        for name in &options.models {
            sheet.add_unpriced(name);
        }
        Ok(Self {
            steering: Steering::default().with(&options.simulate)?,
            models: sheet
                .models()
                .map(|(name, model)| (name.to_owned(), Arc::new(model.clone())))
                .collect(),
            sheet,
            ledger: Arc::default(),
            limits: Limits::new(options.rpm, options.tpm),
            texts: Texts::default(),
            serial: AtomicU64::new(1),
            flaky: AtomicU64::new(0),
            options,
        })
    }

    /// The model as the price sheet calls it, and its price.
    pub fn model(&self, name: &str) -> Option<(String, Arc<Model>)> {
        let (known, _) = self.sheet.model(name)?;
        self.models
            .get(known)
            .map(|model| (known.to_owned(), Arc::clone(model)))
    }

    /// A number no other request of this server has.
    pub fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this one of the flaky requests is one that fails: `percent` of any hundred in a row are.
    pub fn is_flaky(&self, percent: u64) -> bool {
        let n = self.flaky.fetch_add(1, Ordering::Relaxed);
        (n + 1) * percent / 100 > n * percent / 100
    }
}

/// Starts to serve. The returned future runs until it is dropped, or until the listener fails for good.
///
/// # Errors
/// If the options are wrong: an unknown knob in `simulate`, a price sheet that cannot be read.
pub fn serve(listener: TcpListener, options: Options) -> io::Result<impl Future<Output = io::Result<()>>> {
    let app = App::new(options).map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem))?;
    app.texts.warm();
    let router = router(Arc::new(app));
    Ok(async move {
        loop {
            let (socket, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                // Of one connection, or of too many: the next one may be better.
                Err(_) => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                }
            };
            let _ = socket.set_nodelay(true);
            let router = router.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let mut router = router.clone();
                    async move {
                        let Ok(response) = router.call(request).await;
                        if response.extensions().get::<DropConnection>().is_some() {
                            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "dropped on request"));
                        }
                        Ok::<Response, io::Error>(response)
                    }
                });
                // An error here is a connection that ended early, often because a request asked for it.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    })
}

fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/v1/chat/completions", post(openai::chat::handle))
        .route("/v1/completions", post(openai::completions::handle))
        .route("/v1/embeddings", post(openai::embeddings::handle))
        .route("/v1/responses", post(openai::responses::handle))
        .route("/v1/images/generations", post(openai::other::images))
        .route("/v1/audio/transcriptions", post(openai::other::transcriptions))
        .route("/v1/moderations", post(openai::other::moderations))
        .route("/v1/rerank", post(openai::other::rerank))
        .route("/v1/files", post(openai::files::upload).get(openai::files::list))
        .route("/v1/files/{id}", get(openai::files::retrieve))
        .route(
            "/v1/batches",
            post(openai::files::create_batch).get(openai::files::list),
        )
        .route("/v1/batches/{id}", get(openai::files::retrieve_batch))
        .route("/v1/messages", post(anthropic::messages::handle))
        .route("/v1/messages/count_tokens", post(anthropic::messages::count_tokens))
        .route("/v1beta/models", get(openai::models::list))
        .route("/v1beta/models/{operation}", post(gemini::handle))
        .route(
            "/v1/projects/{project}/locations/{location}/publishers/google/models/{operation}",
            post(gemini::handle_vertex),
        )
        .route(
            "/v1beta1/projects/{project}/locations/{location}/publishers/google/models/{operation}",
            post(gemini::handle_vertex),
        )
        .route("/model/{id}/converse", post(bedrock::converse::handle))
        .route("/model/{id}/converse-stream", post(bedrock::converse::handle_stream))
        .route("/model/{id}/invoke", post(bedrock::invoke::handle))
        .route("/v1/models", get(openai::models::list))
        .route("/v1/models/{id}", get(openai::models::retrieve).post(gemini::handle))
        .method_not_allowed_fallback(no_such_method);
    let base = app.options.base_path.trim_matches('/').to_owned();
    let mut router = api.clone();
    if !base.is_empty() {
        router = router.nest(&format!("/{base}"), api);
    }
    router
        .route("/ledger", get(ledger))
        .route("/ledger/reset", post(reset))
        .route("/healthz", get(async || "ok\n"))
        .fallback(no_such_path)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(app)
}

async fn ledger(State(app): State<Arc<App>>) -> Response {
    Json(app.ledger.report()).into_response()
}

async fn reset(State(app): State<Arc<App>>) -> Response {
    let before = app.ledger.report();
    app.ledger.reset();
    Json(before).into_response()
}
