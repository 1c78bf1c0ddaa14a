//! The source over HTTP/1.1: what a request asks, how long it waits, and what goes back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::topology::serve::source::{Source, SourceAnswer};
use crate::topology::serve::status;

/// The longest that an answer is held back.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// A client that hasn't said what it wants by then is let go.
const HEAD_MAX: Duration = Duration::from_secs(60);
/// The name of our deltas, as RFC 3229 has clients ask for them.
pub const DELTA_NAME: &str = "ringshift-delta";

const PAGE: &str = include_str!("page.html");
const A_IM: HeaderName = HeaderName::from_static("a-im");
const IM: HeaderName = HeaderName::from_static("im");
const DELTA_BASE: HeaderName = HeaderName::from_static("delta-base");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Answers the requests of one connection until it ends, or the source is closed.
pub async fn attend(connection: impl AsyncRead + AsyncWrite + Unpin, source: Arc<Source>) {
    let mut news = source.subscribe();
    let service = service_fn(|request| {
        let source = Arc::clone(&source);
        async move { Ok::<_, Infallible>(respond(request, &source).await) }
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(connection), service)
    );
    // A connection that breaks off concerns nobody but its client.
    tokio::select! {
        _ = served.as_mut() => return,
        _ = news.wait_for(|news| news.closed) => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

async fn respond(request: Request<Incoming>, source: &Source) -> Response<Full<Bytes>> {
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        let mut response = reply(
            StatusCode::METHOD_NOT_ALLOWED,
            text,
            "only GET is answered\n",
        );
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/topology" => topology(request.headers(), source).await,
        "/status.json" => {
            let json = HeaderValue::from_static("application/json");
            reply(StatusCode::OK, json, status::json(source))
        }
        "/" => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            let mut response = reply(StatusCode::OK, html, PAGE);
            let policy = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
            let policy = HeaderValue::from_static(policy);
            response
                .headers_mut()
                .insert(CONTENT_SECURITY_POLICY, policy);
            response
        }
        _ => reply(
            StatusCode::NOT_FOUND,
            text,
            "ask for /topology, /status.json or /\n",
        ),
    }
}

async fn topology(headers: &HeaderMap, source: &Source) -> Response<Full<Bytes>> {
    let tags: Vec<&str> = words(headers, &IF_NONE_MATCH)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .collect();
    let deltas = words(headers, &A_IM).any(|name| name == DELTA_NAME);
    let answer = wait(source, &tags, deltas, patience(headers)).await;
    source.count(&answer);
    let octets = HeaderValue::from_static("application/octet-stream");
    let (mut response, tag, base) = match answer {
        SourceAnswer::Missing => {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            return reply(StatusCode::NOT_FOUND, text, "there is no topology yet\n");
        }
        SourceAnswer::Unchanged { tag } => (reply(StatusCode::NOT_MODIFIED, octets, ""), tag, None),
        SourceAnswer::Whole { tag, bytes } => (reply(StatusCode::OK, octets, bytes), tag, None),
        SourceAnswer::Delta { tag, base, bytes } => {
            (reply(StatusCode::IM_USED, octets, bytes), tag, Some(base))
        }
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("a-im, if-none-match"));
    headers.extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    if let Some(base) = base {
        headers.insert(IM, HeaderValue::from_static(DELTA_NAME));
        headers.extend(HeaderValue::try_from(base).map(|base| (DELTA_BASE, base)));
    }
    response
}

/// The answer, once there is news, or nothing to wait for any longer.
async fn wait(source: &Source, tags: &[&str], deltas: bool, patience: Duration) -> SourceAnswer {
    let until = Instant::now() + patience;
    // Before the first look, so that what comes after it is heard of.
    let mut news = source.subscribe();
    let _waiting = source.waiting();
    loop {
        let answer = source.answer(tags, deltas);
        let closed = news.borrow_and_update().closed;
        if !matches!(answer, SourceAnswer::Unchanged { .. }) || closed || patience.is_zero() {
            return answer;
        }
        tokio::select! {
            _ = news.changed() => {}
            () = sleep_until(until) => return answer,
        }
    }
}

/// What stands between the commas of all headers of that name.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// How long the client would rather wait than be told that there is no news.
fn patience(headers: &HeaderMap) -> Duration {
    let seconds = words(headers, &PREFER)
        .filter_map(|preference| preference.strip_prefix("wait="))
        .find_map(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(WAIT_MAX)
}

fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    // What is kept by a cache must be asked about each time.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
