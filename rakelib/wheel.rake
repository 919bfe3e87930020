# frozen_string_literal: true

# Both distributions, by maturin; python/ext/build.rs adds the agent to the wheel.
module Wheel
  # Where all of it is kept between runs.
  FOLDER = File.join(Build::ROOT, "target/wheel")
  # A target directory of its own, because maturin compiles pyo3 in another way than `rake build`.
  ENVIRONMENT = { **PythonTools::ENVIRONMENT, "CARGO_TARGET_DIR" => File.join(FOLDER, "cargo") }.freeze

  def self.build(folder, *options, **environment)
    [{ **ENVIRONMENT, **environment.transform_keys(&:to_s) },
     PythonTools.path("maturin"), "build", "--locked", "--out", folder, *options]
  end

  def self.sdist(folder)
    [ENVIRONMENT, PythonTools.path("maturin"), "sdist", "--out", folder]
  end
end

desc "Build pkg/passenger-VERSION-*.whl and pkg/passenger-VERSION.tar.gz"
task wheel: %w[version python_tools] do
  pkg = File.join(Build::ROOT, "pkg")
  sh(*Wheel.build(pkg, "--release"), chdir: "python")
  sh(*Wheel.sdist(pkg), chdir: "python")
end

namespace :test do
  # Built without optimisation, around the agent of the checkout: this is about packaging.
  desc "Build the wheel and the sdist, install them into empty virtual environments, use them there"
  task wheel: %w[build python_tools] do
    folder = File.join(Wheel::FOLDER, "dist")
    rm_rf folder
    agent = Build.environment("debug")["PASSENGER_AGENT"]
    sh(*Wheel.build(folder, "--profile", "dev", PASSENGER_AGENT_BIN: agent), chdir: "python")
    sh(*Wheel.sdist(folder), chdir: "python")
    pytest = [PythonTools.path("python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    sh PythonTools::ENVIRONMENT, *pytest, "tests/wheel"
  end
end
