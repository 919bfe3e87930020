# frozen_string_literal: true

require "json"
require "net/http"
require_relative "harness/command"
require_relative "harness/processes"
require_relative "harness/server"

module Bench
  # The memory of one server with many workers of one application: when all have started, and after they have served.
  class ReforkMemory
    WORKERS = 8
    # From more clients than there are workers, so that every worker gets some.
    CLIENTS = 16

    STEADY_SECONDS = 2
    STEADY_WITHIN = 0.01
    SETTLING_SECONDS = 60

    # What was taken of one server; KiB. +private+ is what only one process has.
    Taken = Struct.new(:app, :setting, :round, :started, :warm, :private, :generation, :seconds, :fault,
                       keyword_init: true) do
      # For progress.
      def line
        found = fault || "#{started} KiB at start, #{warm} after the requests (#{self[:private]} private), " \
                         "generation #{generation}, #{seconds.round} s"
        "#{app.ljust(8)} #{setting.ljust(16)} round #{round}  #{found}"
      end
    end

    # +app+ is a name and a directory; +paths+ are requested in turn, +requests+ in all.
    def initialize(app:, dir:, paths:, requests:, options:)
      @app = app
      @dir = dir
      @paths = paths
      @requests = requests
      @options = options
    end

    # Starts the server with +refork_after+ (as the option has it; 0 is off), and takes its memory.
    def take(refork_after, round)
      taken = Taken.new(app: @app, setting: refork_after == "0" ? "off" : refork_after, round:)
      Server.run(command(refork_after), @dir) do |server|
        wait_for_workers
        taken.started = settled(server)
        taken.seconds = clock { serve(server) }
        taken.warm = settled(server)
        taken.private = Processes.memory(server.pids, "Private_Clean", "Private_Dirty")
        taken.generation = group["generation"]
      end
      taken
    rescue Server::Failed => e
      warn e.message
      taken.tap { taken.fault = e.reason }
    end

    def command(refork_after)
      Command.new(
        name: "ours", version: [*PASSENGER, "version"], environment: ENVIRONMENT,
        arguments: lambda { |dir:, port:, scratch:|
          @registry = "#{scratch}/registry"
          [*PASSENGER, "start", dir, *@options, "-e", "production", "-a", "127.0.0.1", "-p", port.to_s,
           "--workers", WORKERS.to_s, "--max-request-queue-size", "1024", "--instance-registry-dir", @registry,
           "--refork-after", refork_after, "--no-user-switching"]
        }
      )
    end

    PASSENGER = ["ruby", "#{ROOT}/ruby/exe/passenger"].freeze
    ENVIRONMENT = {
      "PASSENGER_AGENT" => "#{RELEASE}/passenger-agent",
      "PASSENGER_RUBY_EXT" => "#{RELEASE}/libpassenger_ruby.so",
      "PASSENGER_PYTHON_LIBDIR" => "#{ROOT}/python",
      "PASSENGER_PYTHON_EXT" => "#{RELEASE}/lib_native.so",
      "SECRET_KEY_BASE" => "0" * 64
    }.freeze

    private

    # As `passenger status` has it.
    def group
      status = IO.popen(ENVIRONMENT, [*PASSENGER, "status", "--json", "--instance-registry-dir", @registry], &:read)
      JSON.parse(status).dig("instances", 0, "groups", 0)
    end

    def wait_for_workers
      deadline = now + SETTLING_SECONDS
      sleep 0.2 until group["workers"].size == WORKERS || now > deadline
    end

    # PSS of all processes once it stays the same and no workers are being replaced.
    def settled(server)
      deadline = now + SETTLING_SECONDS
      before = Processes.memory(server.pids, "Pss")
      loop do
        sleep STEADY_SECONDS
        after = Processes.memory(server.pids, "Pss")
        is_steady = (after - before).abs <= before * STEADY_WITHIN && group["restart"].nil?
        return after if is_steady

        server.failed("did not settle: its memory kept changing") if now > deadline
        before = after
      end
    end

    def serve(server)
      left = Queue.new
      @requests.times { |number| left << @paths[number % @paths.size] }
      Array.new(CLIENTS) { Thread.new { request(server, left) } }.each(&:join)
    end

    def request(server, left)
      Net::HTTP.start("127.0.0.1", server.port) do |http|
        while (path = take_one(left))
          response = http.get(path)
          server.failed("answered #{path} with #{response.code}") unless response.code == "200"
        end
      end
    end

    def take_one(left)
      left.pop(true)
    rescue ThreadError
      nil
    end

    def clock
      started = now
      yield
      now - started
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
