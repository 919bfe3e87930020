# frozen_string_literal: true

require_relative "processes"
require_relative "load"
require_relative "server"
require_relative "measurement"
require_relative "workload"

module Bench
  # Visits the servers in turn, round after round, so that whatever else the machine does hits all of them alike.
  class Comparison
    WARM_UP_SECONDS = 1

    def initialize(settings, workloads)
      @settings = settings
      @workloads = workloads
    end

    # All Measurements; each is also yielded, one visit after the other. Needs a block.
    def run(&each)
      @workloads.flat_map do |workload|
        (1..@settings.rounds).flat_map do |round|
          workload.commands.keys.flat_map { |server| visit(workload, server, round).each(&each) }
        end
      end
    end

    private

    # A server that fails does not end the comparison: its figures do not count, and say why.
    def visit(workload, server, round)
      labels = { app: workload.name, server:, round: }
      Server.run(workload.commands.fetch(server), workload.dir) do |running|
        running.verify(workload.body)
        workload.load.run(running.url, connections: 32, seconds: WARM_UP_SECONDS)
        @settings.connections.map { |connections| measure(running, workload, connections:, **labels) }
      end
    rescue Server::Failed => e
      warn e.message
      @settings.connections.map { |connections| Measurement.failed(e.reason, connections:, **labels) }
    end

    def measure(running, workload, **labels)
      Measurement.take(running, workload.load, seconds: @settings.seconds, body_bytes: workload.body.bytesize, **labels)
    end
  end
end
