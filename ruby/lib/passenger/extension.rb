# frozen_string_literal: true

require "rbconfig"
require_relative "version"

module Passenger
  # Finds and loads the native extension that was compiled for this Ruby.
  module Extension
    NAME = "passenger_ruby.#{RbConfig::CONFIG['DLEXT']}".freeze

    # Raises LoadError with what to do about it.
    def self.load
      path = candidates.find { |candidate| File.file?(candidate) }
      raise LoadError, "it is missing; looked for #{candidates.join(' and ')}" unless path

      require path
    rescue LoadError => e
      raise LoadError, <<~TEXT
        Passenger's native extension can't be loaded by Ruby #{RUBY_VERSION} (#{RbConfig.ruby}): #{e.message}
        Install Passenger for this Ruby with `#{RbConfig.ruby} -S gem install passenger -v #{VERSION}`, \
        or choose another Ruby for the application with --ruby.
      TEXT
    end

    def self.candidates
      given = ENV["PASSENGER_RUBY_EXT"]
      return [File.expand_path(given)] if given && !given.empty?

      abi = RbConfig::CONFIG.values_at("MAJOR", "MINOR").join(".")
      [abi, "."].map { |folder| File.expand_path("#{folder}/#{NAME}", __dir__) }
    end
    private_class_method :candidates
  end
end
