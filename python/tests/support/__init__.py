"""The agent's side of docs/protocol.md, written from that text and not from the code that is tested."""
