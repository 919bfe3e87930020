# frozen_string_literal: true

require_relative "footprint"
require_relative "median"
require_relative "table"

module Bench
  # What was taken of the servers' memory, for people: medians over the rounds.
  class FootprintTable
    HEADINGS = ["server", "processes", "PSS after start", "PSS after #{Footprint::REQUESTS} requests", "a worker",
                "PSS : ours"].freeze

    # One Hash a server, with the ratio to the server named "ours" when that is there.
    attr_reader :rows

    def initialize(taken)
      medians = taken.group_by(&:server).map { |server, rounds| { server:, **median(rounds) } }
      ours = medians.find { |row| row[:server] == "ours" && row[:warm] }
      @rows = medians.map { |row| ours && row[:warm] ? { **row, ratio: row[:warm] / ours[:warm].to_f } : row }
    end

    def to_markdown
      Table.markdown("memory: #{Footprint::WORKERS} Django workers", HEADINGS, rows.map { |row| cells(row) })
    end

    private

    def median(rounds)
      fault = rounds.filter_map(&:fault).first
      return { fault: } if fault

      %i[processes started warm].to_h { |figure| [figure, Median.of(rounds.map(&figure))] }
    end

    def cells(row)
      return Table.invalid([row[:server]], row[:fault], HEADINGS) if row[:fault]

      [row[:server], row[:processes].round, Table.megabytes(row[:started]), Table.megabytes(row[:warm]),
       Table.megabytes(row[:warm] / Footprint::WORKERS.to_f), Table.ratio(row[:ratio])]
    end
  end
end
