//! ASGI on multiplexed channels (docs/protocol.md): many requests at once, all on one event loop.
//!
//! ```text
//! loop ── readable ─▶ Channel ── start(stream, scope) ─▶ Python makes a task of the application
//!                       │  ▲                                 │ receive() ─▶ Wait
//!       Window, Message,│  │ frames                          │ send() ────▶ Done or Wait
//!              Cancel   ▼  │                                 ▼
//!                      Stream: Link (the way out) + Http or WebSocket (what ASGI says may come next)
//! ```
//!
//! A stream may borrow its channel, never the other way round.

mod awaitable;
mod channel;
mod http;
mod inbox;
mod link;
mod message;
mod names;
mod outgoing;
mod response;
mod scope;
mod stream;
mod websocket;

pub(crate) use channel::Channel;
pub(crate) use stream::Stream;
