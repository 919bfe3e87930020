# frozen_string_literal: true

require_relative "backtrace"

# Run Ruby applications: what an application can ask of the server that it runs in.
module Passenger
  # The blocks that are to be called at certain points in a process's life, in the order in which they were given.
  module Hooks
    @blocks ||= { before_fork: [], worker_boot: [], worker_shutdown: [], oob_work: [] }

    def self.add(point, block)
      blocks = @blocks.fetch(point) do
        raise ArgumentError, "unknown hook #{point.inspect}; there are #{@blocks.keys.join(', ')}"
      end
      blocks << block
    end

    def self.each(point, &block)
      @blocks.fetch(point).each(&block)
    end

    def self.run(point, *arguments)
      each(point) { |hook| hook.call(*arguments) }
    end

    # One that breaks must not keep the others from doing their work.
    def self.run_all(point)
      each(point) do |hook|
        hook.call
      rescue StandardError, ScriptError => e
        warn("[passenger] the #{point} hook failed: #{Backtrace.describe(e)}")
      end
    end
  end

  # Has +block+ called
  # * in the preloader, before each fork (:before_fork);
  # * in each worker, before its first request (:worker_boot), with whether it was forked;
  # * in each worker, after its last request (:worker_shutdown);
  # * in a worker without requests, when the application has asked for out-of-band work (:oob_work).
  #
  #   Passenger.on(:worker_boot) { Metrics.start }
  def self.on(point, &block)
    raise ArgumentError, "Passenger.on(#{point.inspect}) needs a block" unless block

    Hooks.add(point, block)
  end
end
