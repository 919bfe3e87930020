# frozen_string_literal: true

require_relative "hooks"
require_relative "version"

# The name under which applications have long known Passenger. That it is there says that they run in it.
module PhusionPassenger
  VERSION_STRING = Passenger::VERSION
  EVENTS = {
    starting_worker_process: :worker_boot, stopping_worker_process: :worker_shutdown, oob_work: :oob_work
  }.freeze

  #   PhusionPassenger.on_event(:starting_worker_process) { |forked| ... }
  def self.on_event(name, &block)
    point = EVENTS[name]
    return Passenger.on(point, &block) if point

    warn("[passenger] the event #{name.inspect} does not occur any more: its block is not called")
  end
end
