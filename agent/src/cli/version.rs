//! `passenger version`

use super::failure::Failure;
use clap::Command;

pub(super) const NAME: &str = "version";

pub(super) fn command() -> Command {
    Command::new(NAME).about("Show the version")
}

pub(super) fn run() -> Result<(), Failure> {
    // Deployment tools parse the beginning of this line.
    super::print(concat!("Phusion Passenger(R) ", env!("CARGO_PKG_VERSION"), "\n"))
}
