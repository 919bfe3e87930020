# frozen_string_literal: true

require "rbconfig"
require_relative "version"

module Passenger
  # Finds and loads the native extension that was compiled for this Ruby. The one of another Ruby refuses to be loaded,
  # so the first that loads is the right one.
  module Extension
    # Below a directory of libraries; each Ruby has its own, so that one gem can have them for several.
    FILE = File.join("passenger", RbConfig::CONFIG.values_at("MAJOR", "MINOR").join("."),
                     "passenger_ruby.#{RbConfig::CONFIG['DLEXT']}").freeze

    # Raises LoadError with what to do about it.
    def self.load
      failures = []
      candidates.each do |path|
        return require path if File.file?(path)

        failures << "#{path}: not there"
      rescue LoadError => e
        failures << "#{path}: #{e.message.delete_suffix(" - #{path}")}"
      end
      raise LoadError, <<~TEXT
        Passenger's native extension is not installed for Ruby #{RUBY_VERSION} (#{RbConfig.ruby}). \
        Install it with `#{RbConfig.ruby} -S gem install passenger -v #{VERSION}`, \
        or choose another Ruby for the application with --ruby. Looked for:
        #{failures.join("\n")}
      TEXT
    end

    # The file that the environment names comes first, but it is for one Ruby: the application's may be another. Then
    # what was installed with these files, then what this Ruby's own `gem install` has compiled.
    def self.candidates
      [ENV["PASSENGER_RUBY_EXT"].to_s, File.expand_path("../#{FILE}", __dir__), *installed]
        .reject(&:empty?).map { |path| File.expand_path(path) }
    end

    # In the gem directories, found without RubyGems' index: nothing may be loaded or activated before the application's
    # Bundler is set up.
    def self.installed
      return [] unless defined?(Gem)

      Gem.path.map do |folder|
        compiled = Gem.default_ext_dir_for(folder) ||
                   File.join(folder, "extensions", Gem::Platform.local.to_s, Gem.extension_api_version)
        File.join(compiled, "passenger-#{VERSION}", FILE)
      end
    end
    private_class_method :candidates, :installed
  end
end
