# frozen_string_literal: true

require_relative "table"

module Bench
  # Summary's rows of one workload, for people.
  class LoadTable
    RATIOS = { per_second_ratio: "%s : ours", cpu_ratio: "CPU : ours", pss_ratio: "PSS : ours" }.freeze
    # How +unit+ is written a second.
    RATES = { "request" => "req/s", "message" => "messages/s" }.freeze

    # One table a workload.
    def self.all(workloads, rows)
      workloads.map { |load| new(load.name, load.load.unit, rows.select { |row| row[:app] == load.name }).to_markdown }
    end

    def initialize(title, unit, rows)
      @title = title
      @unit = unit
      @rows = rows
    end

    def to_markdown = Table.markdown(@title, headings, @rows.map { |row| cells(row) })

    private

    def headings
      rate = RATES.fetch(@unit)
      ["clients", "server", rate, "p50", "p99", "CPU a #{@unit}", *efficiency_heading, "PSS",
       *RATIOS.values.map { |heading| format(heading, rate) }]
    end

    def cells(row)
      name = row.values_at(:connections, :server)
      return Table.invalid(name, row[:fault], headings) if row[:fault]

      [*name, row[:per_second].round, Table.milliseconds(row[:p50]), Table.milliseconds(row[:p99]),
       format("%.1f µs", row[:cpu]), *efficiency(row), Table.megabytes(row[:pss]),
       *row.values_at(*RATIOS.keys).map { |ratio| Table.ratio(ratio) }]
    end

    # A WebSocket server is known by what it makes of a processor's second.
    def messages? = @unit == "message"
    def efficiency_heading = messages? ? ["messages a CPU second"] : []
    def efficiency(row) = messages? ? [(1e6 / row[:cpu]).round] : []
  end
end
