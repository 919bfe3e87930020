# frozen_string_literal: true

# Restarts under load: what clients notice when a new version is deployed again and again. See bench/README.md.

require "fileutils"
require "tmpdir"
require_relative "harness/deployment"
require_relative "harness/interruption"
require_relative "harness/load"
require_relative "harness/machine"
require_relative "harness/median"
require_relative "harness/processes"
require_relative "harness/report"
require_relative "harness/server"
require_relative "harness/settings"
require_relative "harness/table"
require_relative "restart_servers"

module Bench
  # One server: loads without and with a restart in turn, so that whatever else the machine does hits both alike.
  class Restarts
    CLIENTS = 100
    # Into a load, in seconds, until the restart.
    LEAD = 0.5
    # What is counted as a failure of a request or a connection.
    FAILURES = Load::ERRORS.freeze

    def initialize(name, entry, count:, seconds:)
      @name = name
      @entry = entry
      @count = count
      @seconds = seconds
      @middle = count / 2
    end

    # The figures as a Hash.
    def run
      Dir.mktmpdir("passenger-restarts") do |scratch|
        dir = File.join(scratch, "app")
        FileUtils.cp_r(File.join(__dir__, "apps", @entry.app), dir)
        @deployment = Deployment.new(dir, @entry.file)
        @deployment.deploy
        Server.run(@entry.command, dir) { |server| measure(server, dir) }
      end
    end

    private

    def measure(server, dir)
      server.verify(@deployment.body)
      load(server, 1)
      quiet = []
      rolls = []
      @count.times do |index|
        quiet << load(server, @seconds)
        rolls << restart(server, dir, is_broken: index == @middle)
        calm, during = [quiet, rolls].map { |loads| (loads.last["p99"] / 1000.0).round(2) }
        puts "#{@name}: restart #{index + 1}: p99 #{calm} ms quiet, #{during} ms during, #{failures([rolls.last])}"
      end
      { server: @name, quiet:, rolls:, **summary(quiet, rolls) }
    end

    # A restart under load. A broken version is repaired and restarted while the load goes on.
    def restart(server, dir, is_broken:)
      load = Thread.new { load(server, @seconds) }
      sleep LEAD
      if is_broken
        @deployment.break_it
        @entry.restart.call(server, dir)
        sleep @seconds / 2.0
      end
      @deployment.deploy
      @entry.restart.call(server, dir)
      took = @deployment.settle(server)
      { **load.value, "broken" => is_broken, "took" => took }
    end

    def load(server, seconds) = Load::HTTP.run(server.url, connections: CLIENTS, seconds:)

    def summary(quiet, rolls)
      calm, during = [quiet, rolls].map { |loads| Median.of(loads.map { |load| load["p99"] }) }
      took = rolls.map { |roll| roll["took"] }
      { requests: rolls.sum { |roll| roll["requests"] }, failed: rolls.sum { |roll| roll["status"] },
        errors: rolls.sum { |roll| (FAILURES - ["status"]).sum { |kind| roll.fetch(kind, 0) } },
        p99_quiet: calm, p99_during: during, p99_worst: rolls.map { |roll| roll["p99"] }.max,
        p99_ratio: during.fdiv(calm),
        finished: took.compact.size, took: took.compact.empty? ? nil : Median.of(took.compact) }
    end

    def failures(loads)
      counts = FAILURES.to_h { |kind| [kind, loads.sum { |load| load.fetch(kind, 0) }] }
      counts.reject! { |_, count| count.zero? }
      counts.empty? ? "no failures" : counts.map { |kind, count| "#{count} #{kind}" }.join(", ")
    end
  end

  # Figures of Restarts for people.
  module RestartTable
    HEADINGS = ["server", "restarts finished", "requests", "failed requests", "connection errors", "p99 quiet",
                "p99 during", "during : quiet", "worst p99", "a restart takes"].freeze

    def self.to_markdown(count, rows)
      cells = rows.map do |row|
        [row[:server], "#{row[:finished]} of #{count}", row[:requests], row[:failed], row[:errors],
         Table.milliseconds(row[:p99_quiet]), Table.milliseconds(row[:p99_during]), Table.ratio(row[:p99_ratio]),
         Table.milliseconds(row[:p99_worst]), row[:took] ? format("%.1f s", row[:took]) : "never finished"]
      end
      Table.markdown("Restarts under #{Restarts::CLIENTS} clients, the middle one with a broken version before it",
                     HEADINGS, cells)
    end
  end
end

known = Bench::RestartServers::ALL
count = Integer(ENV.fetch("RESTARTS", "20"))
seconds = Integer(ENV.fetch("SECONDS", "5"))
env = ENV.to_h.merge("ROUNDS" => count.to_s, "SECONDS" => seconds.to_s, "CONNECTIONS" => Bench::Restarts::CLIENTS.to_s)
settings = Bench::Settings.new(env, known_apps: [], known_servers: known.keys)

Bench::Interruption.leave_in_order
Bench::Processes.become_subreaper
machine = Bench::Machine.to_h({ ruby: RUBY_DESCRIPTION })
entries = known.slice(*settings.servers)
rows = entries.map { |name, entry| Bench::Restarts.new(name, entry, count:, seconds:).run }

report = Bench::Report.new(
  title: "Restarts", machine:, settings:, commands: entries.transform_values(&:command),
  sections: [Bench::RestartTable.to_markdown(count, rows)], record: { restarts: count, seconds:, rows: }
)
puts "", report.to_markdown
puts "", "Written: #{report.write(File.join(__dir__, 'results'), 'restarts').join(', ')}"
