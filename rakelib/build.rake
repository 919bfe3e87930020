# frozen_string_literal: true

# The agent and the extensions, where the `passenger` of a checkout, the tests and the benchmarks find them.
module Build
  ROOT = File.expand_path("..", __dir__)
  PACKAGES = %w[-p passenger-agent -p passenger-ruby -p passenger-python].freeze

  # Environment that makes `ruby/exe/passenger` and the scenarios use the build of +profile+ ("debug" or "release").
  def self.environment(profile)
    target = File.join(ENV.fetch("CARGO_TARGET_DIR", File.join(ROOT, "target")), profile)
    {
      "PASSENGER_AGENT" => File.join(target, "passenger-agent"),
      "PASSENGER_RUBY_EXT" => File.join(target, "libpassenger_ruby.so"),
      "PASSENGER_RUBY_LIBDIR" => File.join(ROOT, "ruby/lib"),
      "PASSENGER_PYTHON_EXT" => File.join(target, "lib_native.so"),
      "PASSENGER_PYTHON_LIBDIR" => File.join(ROOT, "python")
    }
  end
end

desc "Build agent and extensions for development (target/debug)"
task build: :version do
  sh "cargo", "build", *Build::PACKAGES
end

desc "Build agent and extensions as users get them (target/release)"
task "build:release" => :version do
  sh "cargo", "build", "--release", *Build::PACKAGES
end
