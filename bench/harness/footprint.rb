# frozen_string_literal: true

require "net/http"
require_relative "processes"
require_relative "server"

module Bench
  # Memory of many workers of one application: when all have started, and after each has served its share of requests.
  class Footprint
    WORKERS = 8
    # All together, from more clients than there are workers, so that every worker gets some.
    REQUESTS = 2000
    CLIENTS = 16

    STEADY_SECONDS = 2
    STEADY_WITHIN = 0.01
    SETTLING_SECONDS = 30

    # One server in one round; KiB.
    Taken = Struct.new(:server, :round, :processes, :started, :warm, :fault, keyword_init: true) do
      # For progress.
      def line = "memory       #{server.ljust(16)} round #{round}  #{fault || "#{started} KiB at start, #{warm} warm"}"
    end

    # +workload+ has commands that start WORKERS workers.
    def initialize(workload, rounds)
      @workload = workload
      @rounds = rounds
    end

    # All that was Taken; each is also yielded.
    def run(&each)
      (1..@rounds).flat_map do |round|
        @workload.commands.keys.map { |server| visit(server, round).tap(&each) }
      end
    end

    private

    def visit(name, round)
      Server.run(@workload.commands.fetch(name), @workload.dir) do |server|
        server.verify(@workload.body)
        started = settled(server)
        warm_up(server)
        Taken.new(server: name, round:, started:, warm: settled(server), processes: server.pids.size)
      end
    rescue Server::Failed => e
      warn e.message
      Taken.new(server: name, round:, fault: e.reason)
    end

    # PSS of all processes once it stays the same: workers that load by themselves come after the first answer.
    def settled(server)
      deadline = now + SETTLING_SECONDS
      before = pss(server)
      loop do
        sleep STEADY_SECONDS
        after = pss(server)
        return after if (after - before).abs <= before * STEADY_WITHIN

        server.failed("did not settle: its memory kept changing") if now > deadline
        before = after
      end
    end

    def warm_up(server)
      Array.new(CLIENTS) do
        Thread.new { (REQUESTS / CLIENTS).times { server.verify(@workload.body) } }
      end.each(&:join)
    end

    def pss(server) = Processes.memory(server.pids, "Pss")
    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
