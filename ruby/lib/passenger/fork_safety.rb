# frozen_string_literal: true

require_relative "backtrace"

module Passenger
  # What has to be done around a fork, so that the copy shares what can be shared and not what cannot.
  module ForkSafety
    RESTARTED = %r{/(?:concurrent-ruby|active_record|connection_pool|timeout)(?:/|\.rb)}

    module_function

    # In the preloader, before each fork.
    def prepare
      disconnect_active_record
      return if @prepared

      @prepared = true
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

    # Two processes on one database connection would read each other's answers. Workers connect anew when they need to.
    def disconnect_active_record
      return unless defined?(::ActiveRecord::Base)

      handler = ::ActiveRecord::Base.connection_handler
      has_roles = ::ActiveRecord.version >= Gem::Version.new("7.1")
      pools = has_roles ? handler.connection_pool_list(:all) : handler.all_connection_pools
      pools.each(&:disconnect!)
    end

    def warn_about_threads
      threads = (Thread.list - [Thread.current]).reject { |thread| fork_safe?(thread) }
      threads.map! { |thread| "    #{Backtrace.text(thread.inspect)}\n" }
      return if threads.empty?

      warn("[passenger] workers do not have the threads that the application started while it was loading. Start " \
           "them in `Passenger.on(:worker_boot)` instead:\n#{threads.join}")
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
    private_class_method :redirect, :disconnect_active_record, :warn_about_threads, :fork_safe?,
                         :tidy_memory
  end
end
