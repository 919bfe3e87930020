# frozen_string_literal: true

require_relative "configuration"

module Passenger
  # Loads an application: first what decides where its gems come from, then config/passenger.rb, then config.ru.
  class Loader
    # +app+ is an App; the working directory is its root.
    def initialize(app, progress)
      @app = app
      @progress = progress
    end

    # Returns what answers requests (Rack's +call+).
    def load
      set_up_load_paths
      configure
      load_rack_app
    end

    private

    def set_up_load_paths
      override = path("config/setup_load_paths.rb")
      if File.exist?(override)
        @progress.begin("running config/setup_load_paths.rb")
        require override
      elsif bundled?
        @progress.begin("starting Bundler")
        require "bundler/setup"
      end
    end

    def bundled?
      !ENV.fetch("BUNDLE_GEMFILE", "").empty? || %w[Gemfile gems.rb].any? { |name| File.exist?(path(name)) }
    end

    def configure
      file = path("config/passenger.rb")
      return unless File.exist?(file)

      @progress.begin("loading config/passenger.rb")
      Configuration.new.instance_eval(File.read(file), file)
    end

    def load_rack_app
      @progress.begin("loading #{File.basename(@app.startup_file)}")
      require "rack"
      # Rack 2 returns options, too: what the first line of config.ru would tell `rackup`.
      result = ::Rack::Builder.parse_file(@app.startup_file)
      result.is_a?(Array) ? result.first : result
    end

    def path(name)
      File.join(@app.root, name)
    end
  end
end
