//! HTTP/1.1 on the client's side (RFC 9112): sockets, heads, bodies, response framing. Knows no application.

pub mod body;
pub mod chunked;
pub mod connection;
pub mod head;
pub mod listener;
pub mod lobby;
pub mod response;
pub mod socket;
