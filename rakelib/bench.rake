# frozen_string_literal: true

# Peers and load generators, made when they are missing.
module BenchTools
  VENV = "target/bench-python"
  # The packages as they were installed: made again when the list has changed.
  INSTALLED = File.join(VENV, "peers.txt")
  PEERS = "bench/python_peers.txt"
  # Debian's, unless told otherwise: built for speed, and what most servers run.
  PYTHON = ENV.fetch("PYTHON", "/usr/bin/python3")

  WS_LOAD = "target/bench-ws-load/release/ws_load"
end

file BenchTools::INSTALLED => BenchTools::PEERS do
  sh BenchTools::PYTHON, "-m", "venv", "--clear", BenchTools::VENV
  sh "#{BenchTools::VENV}/bin/pip", "install", "--quiet", "--use-pep517", "--requirement", BenchTools::PEERS
  cp BenchTools::PEERS, BenchTools::INSTALLED
end

file BenchTools::WS_LOAD => FileList["bench/ws_load/{Cargo.*,src/*.rs}"] do
  sh "cargo", "build", "--release", "--locked", "--manifest-path", "bench/ws_load/Cargo.toml",
     "--target-dir", "target/bench-ws-load"
end

namespace :bench do
  usage = "SERVERS=ours,NAME ROUNDS=3 SECONDS=3 CONNECTIONS=1,32,256"

  desc "Passenger beside other Ruby servers; ONLY=hello #{usage}"
  task ruby: "build:release" do
    ruby "bench/ruby.rb"
  end

  desc "Passenger beside other Python servers; ONLY=hello_wsgi #{usage}"
  task python: ["build:release", BenchTools::INSTALLED, BenchTools::WS_LOAD] do
    ruby "bench/python.rb"
  end

  desc "What refork_after saves; ONLY=rails,django REQUESTS=5000 ROUNDS=3 REFORK_AFTER=50,200"
  task refork: ["build:release", BenchTools::INSTALLED] do
    ruby "bench/refork.rb"
  end

  desc "What the pool itself costs a request, for 1 to 256 workers and 1 to 1000 groups"
  task :pool do
    sh Build.environment("release"), "cargo", "bench", "-p", "passenger-agent", "--bench", "pool"
    ruby "bench/pool.rb"
  end

  desc "Deployments under load, beside Puma and Passenger 6; SERVERS=ours_ruby,NAME RESTARTS=20 SECONDS=5"
  task restarts: ["build:release", BenchTools::INSTALLED] do
    ruby "bench/restarts.rb"
  end
end
