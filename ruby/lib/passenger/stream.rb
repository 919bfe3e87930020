# frozen_string_literal: true

module Passenger
  # What a streaming body (Rack 3: one that responds to +call+) reads the request from and writes the response to.
  class Stream
    def initialize(channel, input)
      @channel = channel
      @input = input
    end

    def read(*arguments) = @input.read(*arguments)

    # Sends +string+ at once. Raises Disconnected, an Errno::EPIPE as a socket would, when the client is gone.
    def write(string)
      raise IOError, "closed stream" if closed?
      raise Disconnected, "the client is gone" unless @channel.write(string, false)

      string.bytesize
    end

    def <<(string)
      write(string)
      self
    end

    def flush = self

    def close
      @channel.write("", true) unless closed?
      nil
    end

    def close_read = nil
    alias close_write close

    def closed? = @channel.answered?
  end
end
