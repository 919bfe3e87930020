# frozen_string_literal: true

module Bench
  # One figure set: one server, one app, one number of clients, one round.
  Measurement = Struct.new(
    :app, :server, :round, :connections,
    :requests, :per_second, :p50, :p99, # latencies in microseconds
    :cpu,   # microseconds a request, user and system, all processes of the server
    :pss,   # KiB, all processes of the server, after the load
    :fault, # why the figures do not count; nil when they do
    keyword_init: true
  ) do
    # Puts +load+ on +server+ and measures what it did meanwhile.
    def self.take(server, load, connections:, seconds:, body_bytes:, **labels)
      before = Processes.cpu(server.pids)
      figures = load.run(server.url, connections:, seconds:)
      pids = server.pids
      after = Processes.cpu(pids)
      new(**labels, connections:, **rates(figures), cpu: spent(before, after) / [figures["requests"], 1].max,
                    pss: Processes.memory(pids, "Pss"), fault: load.fault(figures, body_bytes) || died(before, after))
    end

    # Of a server that could not be measured.
    def self.failed(reason, **labels)
      new(**labels, requests: 0, per_second: 0.0, p50: 0, p99: 0, cpu: 0.0, pss: 0, fault: reason)
    end

    def self.rates(figures)
      seconds = figures["microseconds"] / 1e6
      { requests: figures["requests"], per_second: figures["requests"] / seconds,
        p50: figures["p50"], p99: figures["p99"] }
    end

    def self.spent(before, after)
      after.sum { |pid, used| used - before.fetch(pid, 0) }.to_f
    end

    def self.died(before, after)
      "processes of the server ended" if (before.keys - after.keys).any?
    end

    private_class_method :rates, :spent, :died

    def valid? = fault.nil?
  end
end
