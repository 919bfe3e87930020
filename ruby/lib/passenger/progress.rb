# frozen_string_literal: true

module Passenger
  # The step that a process is at, for the agent to show, and to name if it fails.
  class Progress
    attr_reader :step
    attr_accessor :control

    def initialize(step, control = nil)
      @step = step
      @control = control
    end

    # +step+ is a noun phrase: "loading config.ru".
    def begin(step)
      @step = step
      @control&.progress(step)
    end
  end
end
