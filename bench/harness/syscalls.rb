# frozen_string_literal: true

require "tempfile"

module Bench
  # System calls a request, counted by strace in a run of their own: being traced slows a server down several times.
  module Syscalls
    CONNECTIONS = 32
    SECONDS = 2
    ATTACH_SECONDS = 1
    SHOWN = 12

    module_function

    # { total:, by_name: { "sendmsg" => 1.0, ... } } a request, over all of the server's processes.
    def measure(server)
      requests, summary = trace(server)
      calls = parse(summary).transform_values { |count| (count.to_f / requests).round(3) }
      most = calls.sort_by { |_name, count| -count }.first(SHOWN).to_h
      { requests:, total: calls.values.sum.round(2), by_name: most }
    end

    def trace(server)
      output = Tempfile.create("strace")
      tracer = Process.spawn("strace", "-c", "-f", "-o", output.path, *server.pids.flat_map { |pid| ["-p", pid.to_s] },
                             err: File::NULL)
      sleep ATTACH_SECONDS
      requests = Load::HTTP.run(server.url, connections: CONNECTIONS, seconds: SECONDS)["requests"]
      Process.kill("INT", tracer)
      Process.wait(tracer)
      [requests, output.read]
    ensure
      File.unlink(output) if output
    end

    # Lines read "% time, seconds, usecs/call, calls, [errors,] syscall".
    def parse(summary)
      rows = summary.lines.map(&:split).select { |fields| fields.first.to_s.match?(/\A\d/) && fields.last != "total" }
      rows.to_h { |fields| [fields.last, fields[3].to_i] }
    end

    private_class_method :trace, :parse
  end
end
