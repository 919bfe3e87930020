# frozen_string_literal: true

require "json"
require "uri"

module Bench
  # A load generator on this machine, in one thread: each outruns every server here, and more threads would only take
  # the processors away from them. Ends with one line of JSON in the words of load.lua.
  class Load
    ERRORS = %w[status connect read write timeout echo].freeze

    # What is counted, in the singular: "request".
    attr_reader :unit

    # The block makes the command from a URI, the number of clients and the seconds.
    def initialize(unit, &command)
      @unit = unit
      @command = command
    end

    # Runs +connections+ clients against +url+ for +seconds+; returns the figures (see load.lua) as a Hash.
    def run(url, connections:, seconds:)
      command = @command.call(URI(url), connections, seconds).map(&:to_s)
      output = IO.popen(command, err: %i[child out], &:read)
      JSON.parse(output.lines.last.to_s)
    rescue JSON::ParserError
      raise "#{command.first} failed: #{command.join(' ')}\n#{output}"
    end

    # What makes a figure worthless, in words; nil when every answer was a whole one.
    def fault(figures, body_bytes)
      return "no answers" if figures["requests"].zero?

      counts = figures.slice(*ERRORS).reject { |_kind, count| count.zero? }
      return counts.map { |kind, count| "#{count} #{kind} errors" }.join(", ") if counts.any?

      "short bodies" if figures["bytes"] < figures["requests"] * body_bytes
    end

    HTTP = new("request") do |url, connections, seconds|
      ["wrk", "-t", 1, "-c", connections, "-d", "#{seconds}s", "--timeout", "10s", "-s", "#{__dir__}/load.lua", url]
    end

    # Echoes of 64 bytes, one in flight a client, each compared; see bench/ws_load.
    WEBSOCKET = new("message") do |url, connections, seconds|
      [File.join(ROOT, "target/bench-ws-load/release/ws_load"), "#{url.host}:#{url.port}", connections, seconds]
    end
  end
end
