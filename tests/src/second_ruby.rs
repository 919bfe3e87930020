//! Another Ruby than the machine's.

use crate::command::repository;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Ruby that `rake second_ruby` puts into `target/second-ruby`, with Rack 3 and an extension built for it.
pub struct SecondRuby {
    home: PathBuf,
}

impl SecondRuby {
    /// None if it could not be obtained; that is said, and not only when the scenario fails.
    pub fn obtained() -> Option<Self> {
        let this = Self { home: repository().join("target/second-ruby") };
        if this.interpreter().exists() {
            return Some(this);
        }
        // Not `eprintln!`: what a passing test prints by that is not shown.
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no second Ruby; `rake second_ruby` gets one");
        None
    }

    /// Its `ruby`.
    pub fn interpreter(&self) -> PathBuf {
        self.home.join("usr/bin/ruby")
    }

    /// Makes a gem directory in which it has compiled Passenger's extension, as its `gem install` does.
    pub fn install_extension(&self, gem_home: &Path) {
        let built = self.home.join("cargo/debug/libpassenger_ruby.so");
        assert!(built.exists(), "{} is missing: build it with `rake second_ruby`", built.display());
        let places =
            "print File.join(Gem::Platform.local.to_s, Gem.extension_api_version), ' ', RUBY_VERSION[/\\d+\\.\\d+/]";
        let output = Command::new(self.interpreter()).args(["-e", places]).output().expect("the second Ruby runs");
        let output = String::from_utf8(output.stdout).expect("two names");
        let (platform, abi) = output.split_once(' ').expect("two names");
        let gem = format!("passenger-{}", env!("CARGO_PKG_VERSION"));
        let directory = gem_home.join("extensions").join(platform).join(gem).join("passenger").join(abi);
        fs::create_dir_all(&directory).expect("the gem directory");
        symlink(built, directory.join("passenger_ruby.so")).expect("the extension");
    }
}
