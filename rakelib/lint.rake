# frozen_string_literal: true

namespace :lint do
  task :rust do
    sh "cargo", "fmt", "--all", "--check"
    sh "cargo", "clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"
    # A workspace of its own, as nothing else needs what it depends on.
    load = ["--manifest-path", "bench/ws_load/Cargo.toml"]
    sh "cargo", "fmt", *load, "--check"
    sh "cargo", "clippy", *load, "--quiet", "--", "-D", "warnings"
  end

  task :ruby do
    sh "rubocop", "--no-server", "--format", "simple"
  end
end

desc "Check formatting, clippy and rubocop; warnings are errors"
task lint: %w[lint:rust lint:ruby]
