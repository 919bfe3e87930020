# frozen_string_literal: true

require "digest"

# A virtual environment with the frameworks that the Python fixtures use.
module PythonApps
  HOME = File.join(Build::ROOT, "target/python-apps")
  REQUIREMENTS = File.join(Build::ROOT, "tests/apps/requirements.txt")
  STAMP = File.join(HOME, "installed")
  # Not of whoever runs this: the environment has packages of its own alone.
  ENVIRONMENT = { "PYTHONPATH" => nil, "PYTHONHOME" => nil, "VIRTUAL_ENV" => nil }.freeze

  # What the environment depends on; absolute paths are written into it.
  def self.state
    "#{HOME} #{`python3 --version`.strip} #{Digest::SHA256.file(REQUIREMENTS)}"
  end

  def self.current?
    File.exist?(STAMP) && File.read(STAMP) == state
  end
end

desc "Get Flask, Django, FastAPI and Starlette into target/python-apps"
task :python_apps do
  next if PythonApps.current?

  rm_rf PythonApps::HOME
  pip = [File.join(PythonApps::HOME, "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
  sh PythonApps::ENVIRONMENT, "python3", "-m", "venv", PythonApps::HOME
  sh PythonApps::ENVIRONMENT, *pip, "-r", PythonApps::REQUIREMENTS do |ok,|
    next File.write(PythonApps::STAMP, PythonApps.state) if ok

    puts "SKIPPED: all tests with Python's frameworks"
  end
end
