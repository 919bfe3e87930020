# frozen_string_literal: true

module Bench
  # What a run covers, from environment variables (which `rake bench:ruby NAME=value` sets as well).
  class Settings
    # Worker processes of every server: equal, or the comparison says nothing.
    WORKERS = 2

    # env ONLY apps, comma separated; all when unset
    attr_reader :apps
    # env SERVERS names, comma separated; all when unset
    attr_reader :servers
    # env ROUNDS how often each server is visited
    attr_reader :rounds
    # env SECONDS length of one measurement
    attr_reader :seconds
    # env CONNECTIONS numbers of concurrent clients, comma separated
    attr_reader :connections

    # +known_apps+ and +known_servers+ are the names that may be asked for. Raises ArgumentError for another name or a
    # number below one.
    def initialize(env, known_apps:, known_servers:)
      @apps = names(env, "ONLY", known_apps)
      @servers = names(env, "SERVERS", known_servers)
      @rounds = number(env, "ROUNDS", 3)
      @seconds = number(env, "SECONDS", 3)
      @connections = env.fetch("CONNECTIONS", "1,32,256").split(",").map { |text| Integer(text) }
    end

    def to_h
      { apps:, servers:, workers: WORKERS, rounds:, seconds:, connections: }
    end

    private

    def names(env, variable, known)
      chosen = env[variable]&.split(",") || known
      unknown = chosen - known
      return chosen if unknown.empty?

      raise ArgumentError, "#{variable}: unknown #{unknown.join(', ')}; known are #{known.join(', ')}"
    end

    def number(env, variable, default)
      value = Integer(env.fetch(variable, default))
      raise ArgumentError, "#{variable} must be at least 1, not #{value}" if value < 1

      value
    end
  end
end
