# frozen_string_literal: true

module Bench
  # What Ctrl-C does to a run.
  module Interruption
    SIGNALS = %w[INT TERM].freeze

    # Leaves through the ensure that stops the running server; asked once more, it goes on stopping it.
    def self.leave_in_order
      SIGNALS.each do |signal|
        trap(signal) do
          SIGNALS.each { |later| trap(later, "IGNORE") }
          abort "Interrupted; nothing written."
        end
      end
    end
  end
end
