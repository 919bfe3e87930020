# frozen_string_literal: true

require "rbconfig"
require_relative "version"

module Passenger
  # Finds and loads the native extension that was compiled for this Ruby.
  module Extension
    # Extensions for several Rubies can be installed together: each has a folder that is named after its Ruby.
    ABI = RbConfig::CONFIG.values_at("MAJOR", "MINOR").join(".").freeze
    NAME = "passenger_ruby.#{RbConfig::CONFIG['DLEXT']}".freeze

    # Raises LoadError with what to do about it.
    def self.load
      path = candidates.find { |candidate| File.file?(candidate) }
      raise LoadError, "It is missing; looked for\n  #{candidates.join("\n  ")}" unless path

      require path
    rescue LoadError => e
      raise LoadError, <<~TEXT, cause: nil
        Passenger's native extension can't be loaded by Ruby #{RUBY_VERSION}. \
        Install it with `#{RbConfig.ruby} -S gem install passenger -v #{VERSION}`, \
        or choose another Ruby for the application with --ruby.
        #{e.message}
      TEXT
    end

    # The file that the environment names is for one Ruby, and the application's may be another. Then counts what was
    # installed with these files, then what this Ruby's own `gem install` has compiled.
    def self.candidates
      given = ENV["PASSENGER_RUBY_EXT"]
      return [File.expand_path(given)] if given && !given.empty? && !foreign?(given)

      [File.expand_path("#{ABI}/#{NAME}", __dir__), *installed]
    end

    # Asked before it is loaded, because what refuses to be loaded stays in memory.
    def self.foreign?(path)
      made_for = File.binread(path)[/passenger-ruby-abi:(..)/mn, 1] if File.file?(path)
      made_for && made_for.bytes.join(".") != ABI
    end

    # In the gem directories, found without RubyGems' index: nothing may be activated before the application's Bundler
    # is set up.
    def self.installed
      return [] unless defined?(Gem)

      Gem.path.map do |folder|
        compiled = Gem.default_ext_dir_for(folder) ||
                   File.join(folder, "extensions", Gem::Platform.local.to_s, Gem.extension_api_version)
        File.join(compiled, "passenger-#{VERSION}/passenger/#{ABI}/#{NAME}")
      end
    end
    private_class_method :candidates, :foreign?, :installed
  end
end
