# frozen_string_literal: true

require_relative "backtrace"

module Passenger
  # What the threads of a process are doing, for whoever wonders. Works in trap context, where nothing can be locked.
  module Diagnosis
    # +handlers+ are the request handlers of the threads that have one.
    def self.print(handlers = {})
      threads = Thread.list.map { |thread| describe(thread, handlers[thread]&.request_line) }
      # Not $stderr, which may be an object of the application's.
      STDERR.write("[passenger] threads of process #{Process.pid}:\n#{threads.join}") # rubocop:disable Style/GlobalStdStream
    rescue StandardError
      # Whoever asked must not be the reason why the process fails: it may have closed the stream.
    end

    def self.describe(thread, request_line)
      lines = (thread.backtrace || []).map { |line| "    #{Backtrace.text(line)}\n" }
      "#{Backtrace.text(thread.inspect)}#{" serves #{request_line}" if request_line}\n#{lines.join}"
    end
    private_class_method :describe
  end
end
