//! Connections and routes. A connection that can be reset is in `socket`.

mod socket;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service as _;

use socket::Socket;

use crate::call::{DropConnection, no_such_method, no_such_path};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::prices::{Model, PriceSheet};
use crate::steering::Steering;
use crate::text::Texts;
use crate::weather::{Forecast, Weather};
use crate::{Options, anthropic, bedrock, gemini, openai};

/// Before a further attempt at what failed.
const PAUSE: Duration = Duration::from_millis(10);

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
    /// What goes wrong for everybody.
    pub weather: Weather,
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
            weather: Weather::default(),
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
    let app = Arc::new(app);
    let address = listener.local_addr()?;
    let router = router(Arc::clone(&app));
    Ok(async move {
        let mut listener = Some(listener);
        loop {
            if app.weather.refuses() {
                listener = None;
                app.weather.turns().await;
                continue;
            }
            let Some(open) = &listener else {
                // Somebody else may have the port for a moment; it is ours again when they are gone.
                match TcpListener::bind(address).await {
                    Ok(opened) => listener = Some(opened),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
                continue;
            };
            tokio::select! {
                accepted = open.accept() => match accepted {
                    Ok((socket, _)) => attend(socket, router.clone()),
                    // Of one connection, or of too many: the next one may be better.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                () = app.weather.turns() => {}
            }
        }
    })
}

/// Serves one connection, on its own.
fn attend(socket: TcpStream, router: Router) {
    let _ = socket.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let socket = Socket::new(socket, Arc::clone(&reset));
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let (mut router, reset) = (router.clone(), Arc::clone(&reset));
            async move {
                let Ok(response) = router.call(request).await;
                match response.extensions().get::<DropConnection>() {
                    None => Ok::<Response, io::Error>(response),
                    Some(DropConnection { reset: resets }) => {
                        reset.store(*resets, Ordering::Relaxed);
                        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "dropped on request"))
                    }
                }
            }
        });
        // An error here is a connection that ended early, often because a request asked for it.
        let _ = auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(socket), service)
            .await;
    });
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
        .route("/weather", get(weather).post(set_weather))
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

async fn weather(State(app): State<Arc<App>>) -> Response {
    Json(app.weather.report()).into_response()
}

async fn set_weather(State(app): State<Arc<App>>, Json(forecast): Json<Forecast>) -> Response {
    let (rpm, tpm) = (forecast.rpm, forecast.tpm);
    if let Err(problem) = app.weather.set(forecast) {
        return (StatusCode::BAD_REQUEST, problem).into_response();
    }
    app.limits
        .set(rpm.unwrap_or(app.options.rpm), tpm.unwrap_or(app.options.tpm));
    Json(app.weather.report()).into_response()
}
