# frozen_string_literal: true

module Passenger
  # What the threads of a process are doing, for whoever wonders. Works in trap context, where nothing can be locked.
  module Diagnosis
    # +handlers+ are the request handlers of the threads that have one.
    def self.print(handlers = {})
      threads = Thread.list.map { |thread| describe(thread, handlers[thread]&.request_line) }
      # Not $stderr, which may be an object of the application's.
      STDERR.write("[passenger] threads of process #{Process.pid}:\n#{threads.join}") # rubocop:disable Style/GlobalStdStream
    end

    def self.describe(thread, request_line)
      lines = (thread.backtrace || []).map { |line| "    #{line}\n" }
      "#{thread.inspect}#{" serves #{request_line}" if request_line}\n#{lines.join}"
    end
    private_class_method :describe
  end
end
