# frozen_string_literal: true

require "fileutils"
require "json"
require "time"
require_relative "harness/median"
require_relative "harness/table"
require_relative "refork_memory"

module Bench
  # What ReforkMemory has taken, for people (markdown) and for programs (JSON).
  class ReforkReport
    FIGURES = %i[started warm private generation].freeze

    def initialize(machine:, requests:, rounds:, taken:)
      @machine = machine
      @requests = requests
      @rounds = rounds
      @taken = taken
      @date = Time.now.utc
    end

    # Writes refork-DATE.json and .md into +folder+; returns their paths.
    def write(folder)
      FileUtils.mkdir_p(folder)
      base = File.join(folder, "refork-#{@date.strftime('%Y%m%d-%H%M%S')}")
      File.write("#{base}.json", JSON.pretty_generate(to_h))
      File.write("#{base}.md", to_markdown)
      ["#{base}.json", "#{base}.md"]
    end

    def to_h
      { date: @date.iso8601, machine: @machine, requests: @requests, rounds: @rounds, summary: medians,
        measurements: @taken.map(&:to_h) }
    end

    def to_markdown
      <<~TEXT
        # Re-forking, #{@date.strftime('%Y-%m-%d')}

        #{@machine.map { |name, value| "- #{name}: #{value}" }.join("\n")}
        - #{ReforkMemory::WORKERS} workers, #{@requests} requests by #{ReforkMemory::CLIENTS} clients, medians of #{@rounds} rounds
        - all processes of the server counted: watchdog, agent, preloader, workers

        #{Table.markdown("memory of #{ReforkMemory::WORKERS} workers", headings, medians.map { |row| cells(row) })}
      TEXT
    end

    private

    def headings
      ["application", "refork_after", "generation", "PSS after start", "PSS after #{@requests} requests", "private",
       "a worker", "PSS : off"]
    end

    # One Hash an application and setting.
    def medians
      @medians ||= @taken.group_by { |each| [each.app, each.setting] }.map do |(app, setting), rounds|
        fault = rounds.filter_map(&:fault).first
        figures = fault ? {} : FIGURES.to_h { |name| [name, Median.of(rounds.map { |each| each[name] })] }
        { app:, setting:, fault:, **figures }
      end
    end

    def cells(row)
      return Table.invalid(row.values_at(:app, :setting), row[:fault], headings) if row[:fault]

      megabytes = row.values_at(:started, :warm, :private).map { |kib| Table.megabytes(kib) }
      [row[:app], row[:setting], row[:generation].round, *megabytes,
       Table.megabytes(row[:warm] / ReforkMemory::WORKERS.to_f), Table.ratio(ratio(row))]
    end

    def ratio(row)
      off = medians.find { |other| other[:app] == row[:app] && other[:setting] == "off" }
      row[:warm] / off[:warm].to_f if off && off[:warm]
    end
  end
end
