# frozen_string_literal: true

require_relative "median"

module Bench
  # The rounds of one case (app, clients) reduced to medians, and set against a baseline server round by round.
  class Summary
    FIGURES = %i[per_second p50 p99 cpu pss].freeze

    # One Hash a case and server, in order of appearance. The ratios are medians of the ratios within a round; nil
    # without a baseline. A case with a faulty round has its faults instead of figures.
    def self.rows(measurements, baseline)
      measurements.group_by { |taken| [taken.app, taken.connections] }.flat_map do |(app, connections), taken|
        by_server = taken.group_by(&:server)
        by_server.map do |server, rounds|
          { app:, connections:, server:, **new(rounds, by_server[baseline]).to_h }
        end
      end
    end

    def initialize(rounds, baseline)
      @rounds = rounds
      @baseline = baseline
    end

    def to_h
      return { fault: faults(@rounds) } unless valid?(@rounds)

      figures = FIGURES.to_h { |figure| [figure, Median.of(@rounds.map(&figure))] }
      return figures unless @baseline && valid?(@baseline)

      figures.merge(per_second_ratio: ratio(:per_second), cpu_ratio: ratio(:cpu), pss_ratio: ratio(:pss))
    end

    private

    def valid?(rounds) = rounds.all?(&:valid?)
    def faults(rounds) = rounds.reject(&:valid?).map { |taken| "round #{taken.round}: #{taken.fault}" }.join("; ")
    def ratio(figure) = Median.of(@rounds.zip(@baseline).map { |one, base| one[figure] / base[figure].to_f })
  end
end
