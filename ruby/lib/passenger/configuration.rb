# frozen_string_literal: true

require_relative "hooks"

module Passenger
  # What config/passenger.rb is evaluated in. The names are Puma's, so that its blocks can be copied over.
  class Configuration
    def before_fork(&block) = Passenger.on(:before_fork, &block)
    def on_worker_boot(&block) = Passenger.on(:worker_boot, &block)
    def on_worker_shutdown(&block) = Passenger.on(:worker_shutdown, &block)

    alias before_worker_boot on_worker_boot
    alias before_worker_shutdown on_worker_shutdown
  end
end
