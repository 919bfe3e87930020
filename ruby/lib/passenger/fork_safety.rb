# frozen_string_literal: true

require_relative "backtrace"
require_relative "unforkable"

module Passenger
  # What has to be done around a fork, so that the copy shares what can be shared and not what cannot.
  module ForkSafety
    # Libraries that start their threads again when these are missed.
    RESTARTED = %r{
      /(?:active_record|concurrent-ruby|connection_pool|datadog|ddtrace|opentelemetry-sdk|timeout)(?:/|-\d|\.rb)
    }x
    # What threads that have been told to end are given for it, in seconds.
    ENDING = 1

    module_function

    # In the preloader, before each fork; +first+ says whether it is its first.
    def prepare(first:)
      disconnect_active_record
      return unless first

      warn_about_threads
      tidy_memory
    end

    # In the worker, first of all. +output+ is the descriptor for what it prints.
    def clean_up(output)
      redirect(output)
      srand
      Process.setpgid(0, 0)
      trap("CHLD", "DEFAULT")
    end

    # Why a process that has served must not be forked, in one line; nil if nothing speaks against it.
    def obstacle
      Unforkable.reason || thread_that_stays
    end

    # Two processes on one database connection would read each other's answers. Workers connect anew when they need to.
    def disconnect_active_record
      return unless defined?(::ActiveRecord::Base)

      handler = ::ActiveRecord::Base.connection_handler
      has_roles = ::ActiveRecord.version >= Gem::Version.new("7.1")
      pools = has_roles ? handler.connection_pool_list(:all) : handler.all_connection_pools
      pools.each(&:disconnect!)
    end

    def warn_about_threads
      threads = lost_threads.map { |thread| "    #{Backtrace.text(thread.inspect)}\n" }
      return if threads.empty?

      warn("[passenger] workers do not have the threads that the application started while it was loading. Start " \
           "them in `Passenger.on(:worker_boot)` instead:\n#{threads.join}")
    end

    # Those of the slots have ended, so it is one of the application's, in the midst of something.
    def thread_that_stays
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + ENDING
      thread = lost_threads.find do |each|
        each.join([deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max).nil?
      rescue Exception # rubocop:disable Lint/RescueException
        false # what it ended with is not ours to tell
      end
      thread && "a thread of the application is running, which copies would not have: #{Backtrace.text(thread.inspect)}"
    end

    def lost_threads
      (Thread.list - [Thread.current]).reject { |thread| fork_safe?(thread) }
    end

    # Marked as such, as Puma has it, or of a library that starts it again when it is missed. Every Rails has those.
    def fork_safe?(thread)
      thread.thread_variable_get(:fork_safe) || RESTARTED.match?(thread.inspect)
    end

    # Before the first fork: pages that are not written to afterwards stay shared with all workers.
    def tidy_memory
      return Process.warmup if Process.respond_to?(:warmup)

      # What has survived three collections is old; later ones leave it alone.
      3.times { GC.start }
      GC.compact
    rescue NotImplementedError
      # Not on this platform.
    end

    def redirect(output)
      file = IO.for_fd(output, "w")
      # The constants: the variables may hold something of the application's.
      [STDOUT, STDERR].each do |stream| # rubocop:disable Style/GlobalStdStream
        stream.reopen(file)
        stream.sync = true
      end
      file.close
    end
    private_class_method :redirect, :disconnect_active_record, :warn_about_threads, :thread_that_stays, :lost_threads,
                         :fork_safe?, :tidy_memory
  end
end
