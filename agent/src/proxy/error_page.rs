//! What a client sees when the agent has to answer for the application.

use std::io;

use super::handshake;
use crate::http::connection::Connection;
use crate::http::head::Rejection;
use crate::http::response::{self, Context, Framing};
use crate::pool::session::Ending;
use crate::spawn::SpawnError;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:4em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}pre{background:#f4f4f4;padding:1em;overflow:auto;white-space:pre-wrap}dt{font-weight:bold}dd{margin:0 0 1em}";

/// An answer that is the agent's own.
struct Page {
    status: u16,
    title: &'static str,
    text: String,
    headers: Vec<(&'static str, String)>,
}

/// Answers a request that the application did not answer; returns whether the connection goes on.
///
/// # Errors
/// When the client's connection broke.
pub async fn send(
    connection: &mut Connection,
    ending: &Ending,
    context: &Context,
    show_details: bool,
) -> io::Result<bool> {
    let page = match ending {
        Ending::NotSpawned(error) => not_spawned(error, show_details),
        Ending::QueueFull => Page::plain(
            503,
            "This website is under heavy load",
            "Too many requests are waiting already. Please try again in a moment.",
        )
        .retry_after(5),
        Ending::Overdue => Page::plain(
            504,
            "The application took too long",
            "It did not answer this request within the time that it has. The server's log tells more.",
        ),
        Ending::WaitedTooLong => Page::plain(
            504,
            "This website is under heavy load",
            "Your request has waited for its turn for too long. Please try again in a moment.",
        )
        .retry_after(5),
        Ending::Closing => {
            Page::plain(503, "This website is restarting", "Please try again in a moment.").retry_after(1)
        }
        Ending::Unbuffered(_) => Page::plain(507, "The answer could not be stored", "Please try again later."),
        Ending::Cancelled | Ending::Complete | Ending::Lost { .. } | Ending::Moved => Page::plain(
            502,
            "The application did not answer",
            "Its process ended or failed while it served this request. The server's log tells more.",
        ),
    };
    page.send(connection, context).await
}

/// Answers when the application named a file that is not there.
///
/// # Errors
/// When the client's connection broke.
pub async fn no_file(connection: &mut Connection, context: &Context) -> io::Result<bool> {
    Page::plain(404, "The file is not there", "The server's log tells which one it would have been.")
        .send(connection, context)
        .await
}

/// Answers what could not be understood.
///
/// # Errors
/// When the client's connection broke.
pub async fn reject(connection: &mut Connection, rejection: &Rejection) -> io::Result<()> {
    let protocol = passenger_native::request::Protocol::Http11;
    let context = Context { protocol, is_head: false, keep_alive: false, sticks_to: None };
    Page::refusal(rejection).send(connection, &context).await.map(drop)
}

/// Answers a request that is understood but can't be served: a WebSocket handshake that can't be accepted (RFC 6455, 4.4),
/// or something for an application that is not here.
///
/// # Errors
/// When the client's connection broke.
pub async fn refuse(connection: &mut Connection, rejection: &Rejection, context: &Context) -> io::Result<bool> {
    let headers = match rejection.status {
        426 => {
            let version = ("Sec-WebSocket-Version", handshake::VERSION.to_owned());
            vec![("Connection", "Upgrade".to_owned()), ("Upgrade", "websocket".to_owned()), version]
        }
        _ => Vec::new(),
    };
    Page { headers, ..Page::refusal(rejection) }.send(connection, context).await
}

fn not_spawned(error: &SpawnError, show_details: bool) -> Page {
    let title = "The application could not be started";
    if !show_details {
        return Page::plain(503, title, "The server's log tells why. Please try again later.").retry_after(10);
    }
    let mut text = format!(
        "<dl><dt>Application</dt><dd>{}</dd><dt>While</dt><dd>{}</dd><dt>What happened</dt><dd>{}</dd>",
        escape(&error.app_root.to_string_lossy()),
        escape(&error.step),
        escape(&error.reason),
    );
    if let Some(hint) = &error.hint {
        text.push_str(&format!("<dt>What to do</dt><dd>{}</dd>", escape(hint)));
    }
    text.push_str("</dl>");
    if !error.output.is_empty() {
        text.push_str(&format!("<pre>{}</pre>", escape(&error.output)));
    }
    text.push_str(&paragraph("When it is mended, touch tmp/restart.txt or reload this page in a moment."));
    Page { status: 503, title, text, headers: Vec::new() }.retry_after(1)
}

impl Page {
    fn plain(status: u16, title: &'static str, text: &str) -> Self {
        Self { status, title, text: paragraph(text), headers: Vec::new() }
    }

    fn refusal(rejection: &Rejection) -> Self {
        let title = http::StatusCode::from_u16(rejection.status).ok().and_then(|status| status.canonical_reason());
        let text = format!("The request was refused: {}.", rejection.reason);
        Self::plain(rejection.status, title.unwrap_or("Error"), &text)
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push(("Retry-After", seconds.to_string()));
        self
    }

    async fn send(&self, connection: &mut Connection, context: &Context) -> io::Result<bool> {
        let Self { status, title, text, headers } = self;
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1>{text}</body></html>\n"
        );
        let out = &mut connection.output;
        response::status_line(out, *status);
        response::header(out, b"Content-Type", b"text/html; charset=utf-8");
        response::header(out, b"Cache-Control", b"no-store");
        for (name, value) in headers {
            response::header(out, name.as_bytes(), value.as_bytes());
        }
        response::date(out);
        response::finish(out, Framing::Length(body.len() as u64), context);
        if !context.is_head {
            out.extend_from_slice(body.as_bytes());
        }
        connection.write(&[]).await?;
        Ok(context.keep_alive)
    }
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
