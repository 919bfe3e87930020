# frozen_string_literal: true

require "fileutils"
require "open3"
require "tmpdir"

# The gem that `rake gem` built, installed once into an empty GEM_HOME that goes away with the tests.
module InstalledGem
  ROOT = File.expand_path("../..", __dir__)
  # Built without optimisation and kept between runs: this is about packaging.
  BUILD = { PASSENGER_CARGO_PROFILE: "dev", PASSENGER_CARGO_TARGET_DIR: "#{ROOT}/target/gem" }.freeze
  # What points at the checkout, or at the Bundler and gems of whoever runs the tests.
  NOT_INHERITED = %w[
    PASSENGER_AGENT PASSENGER_RUBY_EXT PASSENGER_RUBY_LIBDIR GEM_PATH RUBYOPT RUBYLIB BUNDLE_GEMFILE
  ].to_h { |name| [name, nil] }.freeze

  class << self
    attr_reader :home
  end

  module_function

  # Ends the run when the gem does not install: then there is nothing to test.
  def install
    @home = Dir.mktmpdir("passenger-gem-home")
    Minitest.after_run { FileUtils.remove_entry(home) }
    gem = Dir.glob("#{ROOT}/pkg/passenger-*.gem").max_by { |path| File.mtime(path) }
    output, success = capture("gem", "install", "--local", "--no-document", gem, **BUILD)
    abort "gem install failed:\n#{output}" unless success
  end

  def environment
    # Everything here is in directories of whoever runs the tests, root's included.
    NOT_INHERITED.merge("GEM_HOME" => home, "PATH" => "#{home}/bin:#{ENV.fetch('PATH')}",
                        "PASSENGER_USER_SWITCHING" => "false")
  end

  # The gem's folder inside GEM_HOME.
  def folder = Dir.glob("#{home}/gems/passenger-*").first

  # The one place where the version is written.
  def cargo_version = File.read("#{ROOT}/Cargo.toml")[/^version = "(.+)"/, 1]

  # Output of +command+ in +dir+, and whether it succeeded.
  def capture(*command, dir: home, **environment)
    output, status = Open3.capture2e(self.environment.merge(environment.transform_keys(&:to_s)), *command, chdir: dir)
    [output, status.success?]
  end
end
