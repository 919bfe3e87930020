# frozen_string_literal: true

# What checks, tests and packs the Python side, in a virtual environment of its own: nothing is installed into Python.
module PythonTools
  # Exact, so that the same sources always get the same answer.
  PACKAGES = %w[maturin==1.16.0 mypy==2.4.1 pytest==9.2.0 ruff==0.17.6 starlette==1.10.0 uvloop==0.23.0].freeze
  HOME = File.join(Build::ROOT, "target/python-tools")
  STAMP = File.join(HOME, "installed")
  # Not of whoever runs this.
  ENVIRONMENT = { "PYTHONPATH" => nil, "PYTHONHOME" => nil, "VIRTUAL_ENV" => nil }.freeze

  def self.path(name)
    File.join(HOME, "bin", name)
  end

  # What the environment depends on; absolute paths are written into it.
  def self.state
    [HOME, `python3 --version`.strip, *PACKAGES].join(" ")
  end

  def self.current?
    File.exist?(STAMP) && File.read(STAMP) == state
  end
end

desc "Get maturin, mypy, pytest, ruff and what the suite uses into target/python-tools"
task :python_tools do
  next if PythonTools.current?

  rm_rf PythonTools::HOME
  sh PythonTools::ENVIRONMENT, "python3", "-m", "venv", PythonTools::HOME
  pip = [PythonTools.path("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
  sh PythonTools::ENVIRONMENT, *pip, *PythonTools::PACKAGES
  File.write(PythonTools::STAMP, PythonTools.state)
end

namespace :lint do
  task python: :python_tools do
    files = ["--config", "pyproject.toml", ".", "../tests/wheel"]
    sh PythonTools.path("ruff"), "check", "--quiet", *files, chdir: "python"
    sh PythonTools.path("ruff"), "format", "--quiet", "--check", *files, chdir: "python"
    sh PythonTools.path("mypy"), chdir: "python"
  end
end

task lint: "lint:python"

namespace :test do
  desc "The wheel's Python suite"
  task python: %w[build python_tools] do
    environment = { **PythonTools::ENVIRONMENT, **Build.environment("debug") }
    sh environment, PythonTools.path("python"), "-m", "pytest", "-q", chdir: "python"
  end
end
