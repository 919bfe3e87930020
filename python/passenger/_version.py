"""The version of Passenger."""

VERSION = "7.0.0"
"""Generated from Cargo.toml by `rake version`."""
