# frozen_string_literal: true

module Bench
  # The middle one of several rounds: what the machine did besides is in the others.
  module Median
    def self.of(values)
      sorted = values.sort
      middle = sorted.size / 2
      sorted.size.odd? ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0
    end
  end
end
