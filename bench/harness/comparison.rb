# frozen_string_literal: true

require_relative "processes"
require_relative "load"
require_relative "server"
require_relative "measurement"

module Bench
  # Visits the servers in turn, round after round, so that whatever else the machine does hits all of them alike.
  class Comparison
    WARM_UP_SECONDS = 1

    # +commands+ is { name => Command }, +apps+ the folder with one folder an app.
    def initialize(settings, commands, apps)
      @settings = settings
      @commands = commands
      @apps = apps
    end

    # All Measurements; each is also yielded when it is there.
    def run(&each)
      @settings.apps.flat_map do |app|
        (1..@settings.rounds).flat_map do |round|
          @settings.servers.flat_map { |server| visit(app, server, round, &each) }
        end
      end
    end

    private

    def visit(app, name, round, &each)
      Server.run(@commands.fetch(name), File.join(@apps, app)) do |server|
        body_bytes = server.answer.bytesize
        Load.run(server.url, connections: 32, seconds: WARM_UP_SECONDS)
        @settings.connections.map do |connections|
          Measurement.take(server, connections:, seconds: @settings.seconds, body_bytes:, app:, server: name, round:)
                     .tap(&each)
        end
      end
    end
  end
end
