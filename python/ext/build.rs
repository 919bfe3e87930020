//! With the feature `bundle-agent`: builds the agent for the wheel, which takes it from this script's output directory.
//! `PASSENGER_AGENT_BIN` names one that was built already.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=PASSENGER_AGENT_BIN");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_BUNDLE_AGENT").is_none() {
        return Ok(());
    }
    let output = PathBuf::from(variable("OUT_DIR")?);
    let agent = match env::var_os("PASSENGER_AGENT_BIN") {
        Some(given) => PathBuf::from(given),
        None => build(&output)?,
    };
    println!("cargo::rerun-if-changed={}", agent.display());
    fs::copy(&agent, output.join("passenger-agent"))
        .map_err(|error| format!("the agent can't be taken from {}: {error}", agent.display()))?;
    Ok(())
}

/// Builds the agent with a cargo of its own, in a directory of its own: the one that runs this script holds the lock of
/// the usual one.
fn build(output: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../..");
    for source in ["agent/src", "agent/Cargo.toml", "native/src", "native/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    let target = variable("TARGET")?;
    // What cargo calls `debug` here is the profile `dev`.
    let (profile, folder) = match variable("PROFILE")?.as_str() {
        "debug" => ("dev", "debug"),
        _ => ("release", "release"),
    };
    let directory = output.join("agent");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["build", "--package", "passenger-agent", "--bin", "passenger-agent", "--profile", profile]);
    cargo.args(["--target", &target]).arg("--target-dir").arg(&directory).current_dir(&workspace);
    // Meant for this crate: the flags with which extensions are linked, for example.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_FEATURE_") || name.starts_with("CARGO_CFG_") || name == "CARGO_ENCODED_RUSTFLAGS" {
            cargo.env_remove(&*name);
        }
    }
    if !cargo.status()?.success() {
        return Err("building the agent has failed; what cargo says about it is above".into());
    }
    Ok(directory.join(target).join(folder).join("passenger-agent"))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo has not set {name}"))
}
