# frozen_string_literal: true

module Passenger
  # Takes the client's connection away from the agent and the slot, for the application to read and write.
  module Hijack
    # Returns the application's end of a new socket pair; the agent connects the other with the client.
    def self.take_over(channel)
      require "socket"
      ours, agents = UNIXSocket.pair
      channel.upgrade(agents)
      ours
    rescue StandardError
      ours&.close
      raise
    ensure
      agents&.close
    end
  end
end
