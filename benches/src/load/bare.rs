//! The yardstick: the HTTP library alone, which reads a request's body and answers bytes of a given number.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{Result, while_doing};

/// Serves until it is killed; the first line that it prints is its address. It has as many threads as Ringwork has.
pub(crate) fn serve(body_bytes: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(while_doing("start the runtime"))?;
    runtime.block_on(accept(Bytes::from(vec![b'x'; body_bytes])))
}

async fn accept(body: Bytes) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(while_doing("listen"))?;
    println!("{}", listener.local_addr().map_err(while_doing("listen"))?);
    loop {
        let (stream, _) = listener.accept().await.map_err(while_doing("accept"))?;
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, body.clone()));
            let _ended = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    body: Bytes,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let _received = request.into_body().collect().await;
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    headers.insert(
        "x-amzn-requestid",
        HeaderValue::from_static("0199f0a2-7c1e-7d3f-9a54-2f6f0c1d2e3f"),
    );
    headers.insert("server", HeaderValue::from_static("Ringwork"));
    Ok(response)
}
