# frozen_string_literal: true

require "json"

module Bench
  # Load by wrk from the same machine. One wrk thread: it outruns every server here, and more would only take the
  # processors away from them.
  module Load
    SCRIPT = File.join(__dir__, "load.lua")
    ERRORS = %w[status connect read write timeout].freeze

    module_function

    # Runs +connections+ clients against +url+ for +seconds+; returns wrk's figures (see load.lua) as a Hash.
    def run(url, connections:, seconds:)
      command = ["wrk", "-t", "1", "-c", connections.to_s, "-d", "#{seconds}s", "--timeout", "10s", "-s", SCRIPT, url]
      output = IO.popen(command, err: %i[child out], &:read)
      JSON.parse(output.lines.last.to_s)
    rescue JSON::ParserError
      raise "wrk failed: #{command.join(' ')}\n#{output}"
    end

    # What makes a figure worthless, in words; nil when every answer was a whole 2xx.
    def fault(figures, body_bytes)
      return "no answers" if figures["requests"].zero?

      counts = figures.slice(*ERRORS).reject { |_kind, count| count.zero? }
      return counts.map { |kind, count| "#{count} #{kind} errors" }.join(", ") if counts.any?

      "short bodies" if figures["bytes"] < figures["requests"] * body_bytes
    end
  end
end
